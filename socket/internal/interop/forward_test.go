//go:build unix

package interop

import (
	"context"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/proxy"
)

// TestForwardForLibzmq forwards the subscriptions of libzmq SUBs to an XPUB of libzmq that shows everything. It hears
// of each subscription, as behind a forwarder of libzmq's, and once nobody is left of one cancellation.
func TestForwardForLibzmq(t *testing.T) {
	z := sharedPeer(t)
	for _, c := range []struct {
		name string
		opts []socket.XPubOption
		adds int // of three SUBs, one of which subscribes twice
	}{
		{"default", nil, 1},
		{"EverySubscription", []socket.XPubOption{socket.WithVerbosity(socket.EverySubscription)}, 4},
		{"EveryChange", []socket.XPubOption{socket.WithVerbosity(socket.EveryChange)}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			app := z.socket(t, "XPUB", opts{"XPUB_VERBOSER": 1})
			xsub, xpub := closing(t, socket.NewXSub()), closing(t, socket.NewXPub(c.opts...))
			must(t, xsub.Connect(app.bind(fresh(t, "tcp"))))
			at := bind(t, xpub, fresh(t, "tcp"))
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- proxy.Run(ctx, xsub, xpub) }()
			defer func() {
				cancel()
				must(t, <-done)
			}()
			subs := []*zsock{z.socket(t, "SUB", nil), z.socket(t, "SUB", nil), z.socket(t, "SUB", nil)}
			heard := 0
			for i, s := range subs {
				s.connect(at)
				s.subscribe("A")
				if i == 0 {
					s.subscribe("A")
				}
				must(t, xpub.WaitSubscribers(lasting(t, 30*time.Second), "A", i+1))
				for ; heard < min(c.adds, i+2); heard++ {
					wantFrames(t, app.recv(), "\x01A")
				}
			}
			app.send("A", "hello")
			for _, s := range subs {
				wantFrames(t, s.recv(), "A", "hello")
			}
			for _, s := range subs {
				s.do("close", nil)
			}
			wantFrames(t, app.recv(), "\x00A")
			if app.readable(100 * time.Millisecond) {
				t.Errorf("and more: %q", app.recv())
			}
		})
	}
}
