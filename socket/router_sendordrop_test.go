package socket_test

import (
	"errors"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
)

// TestRouterSendOrDrop: where Send would wait for room the message is dropped, counted and told, and other peers get
// theirs; other policies and the errors of Send stay as they are.
func TestRouterSendOrDrop(t *testing.T) {
	for _, c := range []struct {
		name    string
		policy  socket.Overflow
		full    error // of SendOrDrop for the full peer
		dropped uint64
	}{
		{name: "Block", policy: socket.Block, dropped: 3},
		{name: "DropNewest", policy: socket.DropNewest, dropped: 3},
		{name: "Reject", policy: socket.Reject, full: socket.ErrWouldBlock},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				space := socket.WithTransport(transport.NewInproc())
				router := closing(t, socket.NewRouter(space, socket.WithSendHWM(1), socket.WithOverflow(c.policy)))
				full := closing(t, socket.NewDealer(space, socket.WithIdentity("full"), socket.WithRecvHWM(1)))
				other := closing(t, socket.NewDealer(space, socket.WithIdentity("other"), socket.WithRecvHWM(1)))
				at := bind(t, router, "inproc://x")
				connect(t, full, at)
				connect(t, other, at)
				waitPeers(t, router, 2)
				for range 5 { // two have room: the queue is of both marks
					if err := router.SendOrDrop(socket.Text("full", "x")); err != nil && !errors.Is(err, c.full) {
						t.Errorf("SendOrDrop: %v, want %v", err, c.full)
					}
				}
				if got := router.Stats().Dropped[socket.QueueFull].Messages; got != c.dropped {
					t.Errorf("%d messages were dropped, want %d", got, c.dropped)
				}
				if c.policy == socket.Block || c.policy == socket.DropNewest {
					event(t, router, socket.SlowPeer)
				}
				must(t, router.SendOrDrop(socket.Text("other", "y")))
				expect(t, other, "y")
				if err := router.SendOrDrop(socket.Text("nobody", "z")); !errors.Is(err, socket.ErrUnroutable) {
					t.Errorf("SendOrDrop to nobody: %v, want ErrUnroutable", err)
				}
				must(t, router.Close())
				if err := router.SendOrDrop(socket.Text("other", "y")); !errors.Is(err, socket.ErrClosed) {
					t.Errorf("SendOrDrop after Close: %v, want ErrClosed", err)
				}
			})
		})
	}
}
