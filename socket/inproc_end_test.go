package socket_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
)

// Over inproc both ends of a connection are in this process. However one of them ends, nothing of it may be left at
// the other.

// gated is an inproc transport whose user learns who the other end is only when the gate opens; the other end does at
// once.
type gated struct {
	*transport.Inproc
	at   chan struct{} // gets a value when somebody has come to the gate
	gate chan struct{}
}

func newGated(space *transport.Inproc) *gated {
	return &gated{space, make(chan struct{}, 100), make(chan struct{})}
}

func (g *gated) Dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := g.Inproc.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return gatedConn{conn.(transport.Direct), g}, nil
}

func (g *gated) Listen(ctx context.Context, address string) (transport.Listener, error) {
	ln, err := g.Inproc.Listen(ctx, address)
	return gatedListener{ln, g}, err
}

type gatedListener struct {
	transport.Listener
	of *gated
}

func (l gatedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return gatedConn{conn.(transport.Direct), l.of}, nil
}

type gatedConn struct {
	transport.Direct
	of *gated
}

func (c gatedConn) Exchange(ctx context.Context, v any) (any, error) {
	got, err := c.Direct.Exchange(ctx, v)
	c.of.at <- struct{}{}
	<-c.of.gate
	return got, err
}

// TestFailedHandshakeLeavesNoGhost ends a publisher's side of a connection after the two have traded who they are,
// and before the publisher looks at that. The subscriber, which may be up by then, must not become a subscriber of
// nobody.
func TestFailedHandshakeLeavesNoGhost(t *testing.T) {
	const name = "inproc://here"
	connects := func(t *testing.T, pub *socket.Pub, sub *socket.Sub) {
		bind(t, sub, name)
		connect(t, pub, name)
	}
	binds := func(t *testing.T, pub *socket.Pub, sub *socket.Sub) {
		bind(t, pub, name)
		connect(t, sub, name)
	}
	for _, tt := range []struct {
		name  string
		meet  func(t *testing.T, pub *socket.Pub, sub *socket.Sub)
		opts  []socket.PubOption
		end   func(t *testing.T, pub *socket.Pub, space *transport.Inproc)
		after func(ev socket.Event) bool // the publisher's event after which its side has ended, once the gate is open
	}{
		{"disconnected", connects, nil, func(t *testing.T, pub *socket.Pub, _ *transport.Inproc) {
			must(t, pub.Disconnect(name))
		}, failedWith(socket.ErrDisconnected)},
		{"not in time", connects, []socket.PubOption{
			socket.WithHandshakeTimeout(time.Millisecond),
		}, func(t *testing.T, pub *socket.Pub, _ *transport.Inproc) {
		}, failedWith(socket.ErrTimeout)},
		{"unbound", binds, nil, func(t *testing.T, pub *socket.Pub, _ *transport.Inproc) {
			must(t, pub.Unbind(name))
		}, func(ev socket.Event) bool { return ev.Kind == socket.Unbound }},
		{"evicted", binds, []socket.PubOption{
			socket.WithLimits(socket.Limits{MaxHandshakes: 1}),
		}, func(t *testing.T, pub *socket.Pub, space *transport.Inproc) {
			conn, err := space.Dial(within(t), "here")
			must(t, err)
			t.Cleanup(func() { conn.Close() })
			eventWhere(t, pub, "another one comes", func() func(ev socket.Event) bool {
				n := 0
				return func(ev socket.Event) bool {
					if ev.Kind == socket.Accepted {
						n++
					}
					return n == 2
				}
			}())
		}, failedWith(socket.ErrEvicted)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			space := transport.NewInproc()
			g := newGated(space)
			pub := closing(t,
				socket.NewPub(
					append(tt.opts, socket.WithTransport(g), socket.WithLastValue(3),
						socket.WithWelcome(socket.Text("t", "welcome")))...))
			sub := closing(t,
				socket.NewSub(socket.WithTransport(space), socket.WithSubscription("t"), socket.WithReconnect(patience, patience)))
			send(t, pub, "t", "a last value")
			tt.meet(t, pub, sub)
			<-g.at
			tt.end(t, pub, space)
			if tt.name == "not in time" {
				eventWhere(t, sub, "the end of the connection", func(ev socket.Event) bool { return ev.Kind == socket.PeerDown })
			}
			close(g.gate)
			eventWhere(t, pub, "the end of the handshake", tt.after)
			eventWhere(t, sub, "the end of the connection", func(ev socket.Event) bool { return ev.Kind == socket.PeerDown })
			noGhost(t, pub)
			nothing(t, sub)
		})
	}

	t.Run("closed", func(t *testing.T) {
		space := transport.NewInproc()
		g := newGated(space)
		pub := socket.NewPub(socket.WithTransport(g), socket.WithLastValue(3))
		sub := closing(t,
			socket.NewSub(socket.WithTransport(space), socket.WithSubscription("t"), socket.WithReconnect(patience, patience)))
		send(t, pub, "t", "a last value")
		binds(t, pub, sub)
		<-g.at
		closed := make(chan error)
		go func() { closed <- pub.Close() }()
		eventWhere(t, sub, "the end of the connection", func(ev socket.Event) bool { return ev.Kind == socket.PeerDown })
		close(g.gate)
		must(t, <-closed)
		if topics := pub.Topics(); len(topics) > 0 {
			t.Errorf("subscribed for nobody: %q", topics)
		}
		if d := pub.Stats().Delivered.Messages; d > 0 {
			t.Errorf("%d messages delivered to nobody", d)
		}
		nothing(t, sub)
	})
}

func failedWith(err error) func(ev socket.Event) bool {
	return func(ev socket.Event) bool { return ev.Kind == socket.HandshakeFailed && errors.Is(ev.Err, err) }
}

// noGhost checks that a publisher that has no peer knows that.
func noGhost(t *testing.T, pub *socket.Pub) {
	t.Helper()
	if topics := pub.Topics(); len(topics) > 0 {
		t.Errorf("subscribed for nobody: %q", topics)
	}
	before := pub.Stats()
	send(t, pub, "t", "to nobody")
	after := pub.Stats()
	if len(after.Peers) > 0 || after.Dropped[socket.NoSubscriber].Messages != before.Dropped[socket.NoSubscriber].Messages+
		1 || after.Queued.Messages > 0 {
		t.Errorf("a message to nobody: %+v, %d peers", after.Ledger, len(after.Peers))
	}
	if n := after.Delivered.Messages; n > 0 {
		t.Errorf("%d messages delivered to nobody", n)
	}
}

// TestInprocSubscribersComeAndGo: while subscribers come and go, by Close and by Disconnect, on either end, each
// message that the publisher has delivered was received; none is refused by a queue with room; and when all have
// gone, nothing of them is left.
func TestInprocSubscribersComeAndGo(t *testing.T) {
	fast := socket.WithReconnect(time.Millisecond, time.Millisecond)
	for _, tt := range []struct {
		name     string
		connects bool // the publisher does
		policy   socket.Overflow
	}{
		{"the publisher binds", false, socket.DropNewest},
		{"the publisher binds and waits for room", false, socket.Block},
		{"the publisher connects", true, socket.DropNewest},
		{"the publisher connects and waits for room", true, socket.Block},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			space := socket.WithTransport(transport.NewInproc())
			pub := socket.NewPub(space, fast, socket.WithOverflow(tt.policy), socket.WithSendHWM(0), socket.WithSendHWMBytes(0),
				socket.WithLastValue(3), socket.WithWelcome(socket.Text("t", "welcome")))
			bind(t, pub, "inproc://pub")
			var publisher sync.WaitGroup
			ctx, stop := context.WithCancel(within(t))
			publisher.Go(func() {
				for ctx.Err() == nil {
					if err := pub.Send(ctx, socket.Text("t1", "x")); err != nil && ctx.Err() == nil {
						t.Errorf("Send: %v", err)
					}
				}
			})
			var received, discarded socket.Count
			for i := range 300 {
				sub := socket.NewSub(space, fast, socket.WithSubscription("t"), socket.WithRecvHWM(0), socket.WithRecvHWMBytes(0))
				at := "inproc://pub"
				if tt.connects {
					at = bind(t, sub, fmt.Sprint("inproc://", i))
					connect(t, pub, at)
				} else {
					connect(t, sub, at)
				}
				switch i % 4 { // the earlier, the more of the connection is still to be made
				case 1:
					_, _ = sub.Recv(ended())
				case 2, 3:
					recv(t, sub)
				}
				if i%2 == 0 {
					if tt.connects {
						must(t, pub.Disconnect(at))
					} else {
						must(t, sub.Disconnect(at))
					}
				}
				must(t, sub.Close())
				balanced(t, sub)
				s := sub.Stats()
				received.Messages += s.Received.Messages
				received.Bytes += s.Received.Bytes
				discarded.Messages += s.Discarded[socket.Unexpected].Messages
				if s.Unread.Messages > 0 || len(s.Peers) > 0 {
					t.Fatalf("after Close: %+v, %d peers", s.Ledger, len(s.Peers))
				}
				if tt.connects && i%2 != 0 {
					must(t, pub.Disconnect(at))
				}
			}
			waitPeersGone(t, pub)
			stop()
			publisher.Wait()
			if topics := pub.Topics(); len(topics) > 0 {
				t.Errorf("subscribed for nobody: %q", topics)
			}
			must(t, pub.Shutdown(within(t)))
			balanced(t, pub)
			s := pub.Stats()
			if s.Delivered != received || s.Queued.Messages > 0 {
				t.Errorf("delivered %v, received %v, queued %v", s.Delivered, received, s.Queued)
			}
			if s.Dropped[socket.QueueFull].Messages > 0 || discarded.Messages > 0 {
				t.Errorf("full queues without a mark: dropped %v, not expected %v", s.Dropped, discarded)
			}
		})
	}
}

func waitPeersGone(t *testing.T, s socket.Socket) {
	t.Helper()
	waitUntil(t, "all peers have gone", func() bool { return len(s.Stats().Peers) == 0 })
}

// TestInprocXPubHearsOfEveryEnd: over inproc a subscription is told on the goroutine of the subscriber. What the
// application has heard when all have gone must come to nothing all the same.
func TestInprocXPubHearsOfEveryEnd(t *testing.T) {
	for _, manual := range []bool{false, true} {
		t.Run(fmt.Sprintf("manual=%v", manual), func(t *testing.T) {
			space := socket.WithTransport(transport.NewInproc())
			opts := []socket.XPubOption{space, socket.WithVerbosity(socket.EveryChange)}
			if manual {
				opts = append(opts, socket.WithManual())
			}
			xpub := closing(t, socket.NewXPub(opts...))
			bind(t, xpub, "inproc://xpub")
			var subs sync.WaitGroup
			for g := range 4 {
				subs.Go(func() {
					for i := range 100 {
						sub := socket.NewSub(space, socket.WithReconnect(time.Millisecond, time.Millisecond),
							socket.WithSubscription(fmt.Sprint(g)))
						if err := sub.Connect("inproc://xpub"); err != nil {
							t.Error(err)
						}
						if i%3 > 0 {
							_ = sub.WaitPeers(within(t), 1)
						}
						if i%2 > 0 {
							_ = sub.Subscribe(fmt.Sprint("more ", g))
							_ = sub.Disconnect("inproc://xpub")
						}
						_ = sub.Close()
					}
				})
			}
			subs.Wait()
			waitPeersGone(t, xpub)
			heard := make(map[string]int)
			for {
				m, err := xpub.Recv(ended())
				if err != nil {
					break
				}
				sub, ok := socket.ParseSubscription(m)
				if !ok {
					t.Fatalf("received %s", m)
				}
				if sub.Peer == nil {
					t.Fatalf("a subscription to %q of nobody", sub.Topic)
				}
				key := fmt.Sprint(sub.Peer.Address, " ", sub.Topic)
				if sub.Add {
					heard[key]++
				} else if heard[key]--; heard[key] < 0 {
					t.Errorf("%s: cancelled before it was subscribed", key)
				}
			}
			for key, n := range heard {
				if n != 0 {
					t.Errorf("%s: %d subscriptions of a peer that has gone", key, n)
				}
			}
			if topics := xpub.Topics(); len(topics) > 0 {
				t.Errorf("subscribed for nobody: %q", topics)
			}
		})
	}
}
