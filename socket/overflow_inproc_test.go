package socket

import (
	"context"
	"testing"
	"time"
)

// Under DropOldest the oldest message is dropped to make room for the next, and still there may be none, over inproc:
// the peer ends in between, or its socket has no room for reasons of its own. Then the next one is dropped too, and not
// taken for queued.
func TestDropOldestMakesRoomInVain(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	const policy = DropOldest
	type end interface {
		Socket
		Send(ctx context.Context, m Msg) error
	}
	for _, c := range []struct {
		name     string
		sender   func() (end, *core)
		receiver func() (Receiver, *core)
		frames   []string
	}{
		{
			"PUSH", func() (end, *core) { s := NewPush(WithOverflow(policy), WithSendHWM(1)); return s, s.core },
			func() (Receiver, *core) { s := NewPull(WithRecvHWM(1)); return s, s.core },
			[]string{"x"},
		},
		{
			"PUB", func() (end, *core) { s := NewPub(WithOverflow(policy), WithSendHWM(1)); return s, s.core },
			func() (Receiver, *core) { s := NewSub(WithSubscription("x"), WithRecvHWM(1)); return s, s.core },
			[]string{"x"},
		},
		{
			"ROUTER", func() (end, *core) { s := NewRouter(WithOverflow(policy), WithSendHWM(1)); return s, s.core },
			func() (Receiver, *core) {
				s := NewDealer(WithIdentity("peer"), WithRecvHWM(1))
				return s, s.core
			},
			[]string{"peer", "x"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			sender, out := c.sender()
			defer sender.Close()
			receiver, in := c.receiver()
			defer receiver.Close()
			at, err := sender.Bind(ctx, "inproc://"+t.Name())
			must(t, err)
			must(t, receiver.Connect(at))
			must(t, out.WaitPeers(ctx, 1))
			must(t, in.WaitPeers(ctx, 1))
			if pub, ok := sender.(*Pub); ok {
				must(t, pub.WaitSubscribers(ctx, "x", 1))
			}
			hold := func(blocked bool) {
				for _, l := range in.snapshot() {
					in.in.mu.Lock()
					l.in.blocked = blocked
					in.in.mu.Unlock()
				}
			}
			const sent = 10
			for i := range sent {
				hold(i >= 5)
				must(t, sender.Send(ctx, Text(c.frames...)))
			}
			st := sender.Stats()
			must(t, st.Check())
			if unread := receiver.Stats().Unread.Messages; st.Queued.Messages != 0 || st.Accepted.Messages != sent ||
				st.Delivered.Messages+st.Dropped[QueueFull].Messages != sent || unread > 1 {
				t.Errorf("%+v\nthe receiver has %d", st.Ledger, unread)
			}
			hold(false)
		})
	}
}
