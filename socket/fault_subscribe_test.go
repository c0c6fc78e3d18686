package socket_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// TestReplaysOfAPeerThatKeepsSubscribing: a peer that subscribes to everything and cancels that again and again gets
// what is kept about once a second, by being read from as slowly, and others are served meanwhile. Nothing of what it
// asked for is lost.
func TestReplaysOfAPeerThatKeepsSubscribing(t *testing.T) {
	const topics, flaps = 2000, 20
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		pub := socket.NewPub(on(net, "srv"), socket.WithLastValue(topics), socket.WithSendHWM(0),
			socket.WithHeartbeat(0, 0, 0))
		defer shut(t, pub)
		bindAt(t, pub)
		for i := range topics {
			must(t, pub.TrySend(socket.Text(fmt.Sprint("topic ", i))))
		}
		kept := pub.Stats().Accepted.Messages
		r := rawSim(t, net, "fickle")
		defer r.Close()
		r.shake("SUB")
		go func() { // reads everything
			b := make([]byte, 64<<10)
			for {
				if _, err := r.Read(b); err != nil {
					return
				}
			}
		}()
		for range flaps {
			r.send(messageOf("\x01"), messageOf("\x00"))
		}
		r.send(messageOf("\x01end"))
		const seconds = 5
		time.Sleep(seconds * time.Second)
		synctest.Wait()
		if n := pub.Stats().Accepted.Messages - kept; n < topics || n > (seconds+2)*topics {
			t.Errorf("%d messages were replayed in %d s, want about %d a second", n, seconds, topics)
		}
		sub := socket.NewSub(on(net, "good"), socket.WithRecvHWM(0), socket.WithSubscription("topic"))
		defer shut(t, sub)
		must(t, sub.Connect(server))
		start := time.Now()
		for range topics {
			recv(t, sub)
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("another waits %v for what is kept", d)
		}
		time.Sleep(2 * flaps * time.Second)
		if got := pub.Topics(); !slices.Contains(got, "end") {
			t.Errorf("what it subscribed to last is not among %q", got)
		}
		if n := pub.Stats().Accepted.Messages - kept; n != (flaps+1)*topics {
			t.Errorf("%d messages were replayed in the end, want %d", n, (flaps+1)*topics)
		}
	})
}
