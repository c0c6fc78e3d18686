package socket_test

import (
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// TestWithoutReconnect: the endpoint is given up with its connection, and what was queued for the peer with it; Connect
// brings a new one.
func TestWithoutReconnect(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		endpoint = unused(t, endpoint)
		push := closing(t, socket.NewPush(socket.WithoutReconnect()))
		connect(t, push, endpoint) // before anybody is there
		for i := range 3 {
			send(t, push, "for the first peer")
			pull := socket.NewPull()
			bind(t, pull, endpoint)
			expect(t, pull, "for the first peer")
			must(t, push.WaitConnected(within(t), endpoint))
			must(t, pull.Close())
			n := 0
			eventWhere(t, push, "disconnected", func(ev socket.Event) bool {
				if ev.Kind == socket.Disconnected {
					n++
				}
				return n > i
			})
			if err := push.Disconnect(endpoint); err == nil {
				t.Fatal("the endpoint is still there")
			}
			if err := push.TrySend(socket.Text("for nobody")); err == nil {
				t.Fatal("took a message for nobody")
			}
			connect(t, push, endpoint)
		}
	})
}

// TestWithoutReconnectDropsWhatWasQueued: what the lost peer had not taken does not come up on the next connection.
func TestWithoutReconnectDropsWhatWasQueued(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		push := closing(t, socket.NewPush(socket.WithoutReconnect(), socket.WithSendHWM(0), socket.WithSendHWMBytes(0)))
		pull := socket.NewPull(socket.WithRecvHWM(1))
		at := link(t, pull, push, unused(t, endpoint))
		body := make([]byte, 1<<20) // more than kernels take
		for range 20 {
			must(t, push.Send(within(t), socket.NewMsg([]byte("old"), body)))
		}
		must(t, pull.Close())
		event(t, push, socket.Disconnected)
		// Over inproc all of them are in the peer's own queue.
		if n := push.Stats().Dropped[socket.PeerGone].Messages; n == 0 && !strings.HasPrefix(at, "inproc://") {
			t.Error("nothing was dropped")
		}
		again := closing(t, socket.NewPull())
		bind(t, again, at)
		connect(t, push, at)
		send(t, push, "new")
		expect(t, again, "new")
	})
}
