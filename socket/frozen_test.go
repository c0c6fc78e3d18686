package socket_test

import (
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// TestFrozenPeerStays: an application that does not receive is behind, not dead. Virtual time does not show this:
// there a sign of life is written at the very moment at which it is due, and the next one falls due with the next
// tick.
func TestFrozenPeerStays(t *testing.T) {
	t.Parallel()
	const patience = time.Second
	beat := socket.WithHeartbeat(patience/5, patience, patience)
	pub, sub := closing(t, socket.NewPub(beat)),
		closing(t, socket.NewSub(beat, socket.WithRecvHWM(1), socket.WithSubscription("")))
	link(t, pub, sub, "tcp://127.0.0.1:*")
	waitSubs(t, pub, "", 1)
	body := strings.Repeat("x", 64<<10)
	for range 1200 { // more than the kernel and the mark hold
		send(t, pub, body)
	}
	lost := make(chan socket.Event, 16)
	done := follow(pub, func(ev socket.Event) {
		if ev.Kind == socket.PeerDown {
			lost <- ev
		}
	})
	select {
	case ev := <-lost:
		t.Errorf("lost: %v", ev)
	case <-time.After(5 * patience / 2): // two signs fall due in that time
	}
	if pub.Stats().Dropped[socket.QueueFull].Messages == 0 {
		t.Error("nothing was dropped: the subscriber was not behind")
	}
	must(t, pub.Close())
	<-done
}
