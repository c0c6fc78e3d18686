package socket_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestDurableAway100k: a subscriber that was away for 100,000 messages, between others that are not for it, gets all
// of them, once and in order.
func TestDurableAway100k(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const n = 100_000
		p := newPress(t, t.TempDir(), spool.Options{SyncEvery: time.Millisecond})
		defer p.close(t)
		a := p.reader(t, "a", "ann", spool.Start{}, "x")
		b := p.reader(t, "b", "bob", spool.Start{}, "y")
		must(t, p.WaitSubscribers(aDay(t), "x", 1))
		must(t, p.WaitSubscribers(aDay(t), "y", 1))
		must(t, a.Close())
		must(t, b.Close())
		for i := 0; i < n; i += 5 {
			p.publish(t, "x", i, i+1)
			p.publish(t, "y", i, i+1)
			p.publish(t, "x", i+1, i+5)
		}
		must(t, p.q.Sync(aDay(t)))
		p.publish(t, "y", n, n+1) // so that what is not for it is settled
		balanced(t, p.Pub)
		a = p.reader(t, "a", "ann", spool.Start{}, "x")
		recvTopical(t, a, upTo(0, n)...)
		quiet(t, a)
		if st := p.Stats(); st.Spooled.Messages-st.Recovered.Messages != n/5+1 { // and those not looked at
			t.Errorf("PUB counts %v", st.Ledger)
		}
		must(t, a.Close())
		b = p.reader(t, "b", "bob", spool.Start{}, "y", "x") // x begins now: what there was is not for it
		var fifths []int
		for i := 0; i <= n; i += 5 {
			fifths = append(fifths, i)
		}
		recvTopical(t, b, fifths...)
		quiet(t, b)
		if st := p.Stats(); st.Spooled.Messages != 0 {
			t.Errorf("in the end PUB counts %v", st.Ledger)
		}
		must(t, b.Close())
	})
}

// TestDurableInbox: a subscriber that keeps what it gets in a spool of its own may end at any time, and so may its
// publisher: each message is handed out once and in order.
func TestDurableInbox(t *testing.T) {
	bubble(t, func(t *testing.T) {
		dir, mine, net := t.TempDir(), t.TempDir(), simnet.New(simnet.Config{Latency: time.Millisecond})
		p := pressOn(t, net, dir, spool.Options{})
		var q *spool.Spool
		var a *socket.Sub
		begin := func() {
			q = openSpool(t, mine, spool.Options{})
			a = socket.NewSub(on(net, "a"), socket.WithSubscriberName("ann", socket.DurableOptions{}),
				socket.WithSubscription("x"), socket.WithInbox(q))
			must(t, a.Connect(server))
			_, _ = a.TryRecv()
		}
		begin()
		must(t, p.WaitSubscribers(aDay(t), "x", 1))
		for round := range 20 {
			from := 50 * round
			p.publish(t, "x", from, from+20)
			recvTopical(t, a, upTo(from, from+20)...)
			p.publish(t, "y", 0, 3)
			if round%3 == 0 {
				p.close(t)
				p = pressOn(t, net, dir, spool.Options{})
			}
			p.publish(t, "x", from+20, from+30) // on its way as the subscriber ends
			if round%2 == 0 {
				must(t, a.Close())
				must(t, q.Close())
				begin()
			}
			p.publish(t, "x", from+30, from+50)
			recvTopical(t, a, upTo(from+20, from+50)...)
		}
		quiet(t, a)
		must(t, a.Close())
		must(t, q.Close())
		p.close(t)
	})
}

// TestDurableFlagsEarlierLives: what an earlier life of the publisher has left is told to be redelivered, also to a
// subscriber that the publisher before this one has met: a subscriber before that one may have had it.
func TestDurableFlagsEarlierLives(t *testing.T) {
	bubble(t, func(t *testing.T) {
		dir, net := t.TempDir(), simnet.New(simnet.Config{Latency: time.Millisecond})
		subscribe := func(host string) *socket.Sub {
			s := socket.NewSub(on(net, host), atOnce, socket.WithManualAck(), socket.WithSubscription("x"),
				socket.WithSubscriberName("ann", socket.DurableOptions{}))
			must(t, s.Connect(server))
			return s
		}
		p := pressOn(t, net, dir, spool.Options{})
		first := subscribe("a")
		_, _ = first.TryRecv()
		must(t, p.WaitSubscribers(aDay(t), "x", 1))
		p.publish(t, "x", 0, 10)
		for range 10 {
			d, err := first.Next(aDay(t))
			must(t, err)
			if d.Redelivered {
				t.Errorf("%v is flagged", d.ID)
			}
		}
		p.close(t)
		must(t, first.Close())
		p = pressOn(t, net, dir, spool.Options{})
		second := subscribe("b")
		must(t, p.WaitPeers(aDay(t), 1))
		p.close(t)
		p = pressOn(t, net, dir, spool.Options{})
		p.publish(t, "x", 10, 11)
		for n := range 11 {
			d, err := second.Next(aDay(t))
			must(t, err)
			must(t, d.Ack())
			if flagged := n < 10; number(socket.NewMsg(d.Frames[1])) != n || d.Redelivered != flagged {
				t.Errorf("message %d is flagged: %v", n, d.Redelivered)
			}
		}
		must(t, second.Close())
		p.close(t)
	})
}

// TestDurableCuts: connections that are cut again and again lose and double nothing.
func TestDurableCuts(t *testing.T) {
	dir := t.TempDir()
	q := openSpool(t, dir, spool.Options{SyncEvery: time.Millisecond})
	pub := socket.NewPub(socket.WithSpool(q))
	at := bind(t, pub, "tcp://127.0.0.1:*")
	cut := newCutter(t, at, 1, 50, 20<<10)
	sub := socket.NewSub(atOnce, socket.WithSubscriberName("ann", socket.DurableOptions{}), socket.WithSubscription("x"))
	connect(t, sub, cut.endpoint)
	_, _ = sub.TryRecv()
	must(t, pub.WaitSubscribers(within(t), "x", 1))
	const n = 20_000
	var sending sync.WaitGroup
	sending.Go(func() {
		for i := range n {
			if err := pub.Send(t.Context(), topical("x", i)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range n {
		recvTopical(t, sub, i)
	}
	sending.Wait()
	must(t, sub.Close())
	balanced(t, pub)
	must(t, pub.Close())
	balanced(t, pub)
	must(t, q.Close())
}

// TestDurableHostile: a peer that says what makes no sense about a subscription harms nobody else.
func TestDurableHostile(t *testing.T) {
	name := func(n string) []byte { return zmtp.AppendDurableSubscribe(nil, &zmtp.DurableSubscription{Name: n}) }
	all := zmtp.AppendDurableSubscribe(nil, &zmtp.DurableSubscription{Name: "eve", All: true})
	for _, tt := range []struct {
		name string
		says []byte
		kept int
	}{
		{"a name that is too long", name(strings.Repeat("n", 201)), 0},
		{"no DSUB but an ACK", zmtp.AppendAck(nil, 1), 0},
		{"a message ahead of it", []byte{0, 1, 'x'}, 0},
		{"a name and nothing more", name("eve"), 1},
		{"a name twice", append(name("eve"), name("bob")...), 1},
		{"ALL ahead of OPENED", append(name("eve"), all...), 1},
		{"an empty command", zmtp.AppendCommand(nil, zmtp.CommandDurableSubscribe), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := newPress(t, t.TempDir(), spool.Options{})
				defer p.close(t)
				a := p.reader(t, "a", "ann", spool.Start{}, "x")
				must(t, p.WaitSubscribers(aDay(t), "x", 1))
				r := rawSim(t, p.net, "eve")
				r.shake("SUB", yodelOf(zmtp.FeatureReliable|zmtp.FeatureDurable, 7, ""))
				r.send(tt.says)
				time.Sleep(time.Minute)
				p.publish(t, "x", 0, 100)
				recvTopical(t, a, upTo(0, 100)...)
				if n := len(p.DurableSubscribers()) - 1; n != tt.kept {
					t.Errorf("%d names are kept, want %d", n, tt.kept)
				}
				must(t, a.Close())
			})
		})
	}
}

// TestDurableInproc: a subscriber with a name gets what is published while it is away from a publisher in the same
// process too.
func TestDurableInproc(t *testing.T) {
	bubble(t, func(t *testing.T) {
		space := sameProcess{transport.NewInproc()}
		q := openSpool(t, t.TempDir(), spool.Options{})
		pub := socket.NewPub(socket.WithTransport(space), socket.WithSpool(q))
		bindAt(t, pub)
		read := func() *socket.Sub {
			s := socket.NewSub(socket.WithTransport(space), socket.WithSubscription("x"),
				socket.WithSubscriberName("ann", socket.DurableOptions{}))
			must(t, s.Connect(server))
			_, _ = s.TryRecv()
			return s
		}
		publish := func(from, to int) {
			for n := from; n < to; n++ {
				must(t, pub.Send(aDay(t), topical("x", n)))
			}
		}
		s := read()
		must(t, pub.WaitSubscribers(aDay(t), "x", 1))
		publish(0, 5)
		recvTopical(t, s, upTo(0, 5)...)
		if events, _ := countOf(s, socket.PeerForeign); events > 0 {
			t.Error("the publisher is foreign")
		}
		must(t, s.Close())
		publish(5, 10)
		s = read()
		recvTopical(t, s, upTo(5, 10)...)
		must(t, s.Close())
		balanced(t, pub)
		must(t, pub.Close())
		must(t, q.Close())
	})
}

// TestDurableRivals: two subscribers with one name that are both there do not take over from each other for ever: the
// one that came last has it, the other is refused, by name of the one that has it, and gets it once that one has left.
func TestDurableRivals(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPress(t, t.TempDir(), spool.Options{})
		defer p.close(t)
		told := record(p.Pub, nil)
		first := p.reader(t, "a", "ann", spool.Start{}, "x")
		_, _ = first.TryRecv()
		must(t, p.WaitSubscribers(aDay(t), "x", 1))
		q := openSpool(t, t.TempDir(), spool.Options{})
		second := socket.NewSub(on(p.net, "b"), socket.WithSubscriberName("ann", socket.DurableOptions{}),
			socket.WithTakenIn(q), socket.WithSubscription("x"))
		must(t, second.Connect(server))
		_, _ = second.TryRecv()
		time.Sleep(10 * time.Minute)
		if n := told.of(socket.PeerDown); len(n) != 1 || !errors.Is(n[0].Err, socket.ErrSuperseded) {
			t.Errorf("they have taken over from each other %d times: %v", len(n), n)
		}
		for who, s := range map[string]socket.Socket{"publisher": p.Pub, "first": first} {
			told := errorsOf(s, socket.HandshakeFailed)
			if len(told) == 0 || !strings.Contains(told[0].Error(), `is that of the subscriber at b:`) {
				t.Errorf("the %s tells %.300q", who, told)
			}
		}
		p.publish(t, "x", 0, 10)
		recvTopical(t, second, upTo(0, 10)...)
		time.Sleep(time.Second)
		must(t, second.Close())
		time.Sleep(time.Minute)
		p.publish(t, "x", 10, 20)
		recvTopical(t, first, upTo(10, 20)...)
		must(t, first.Close())
		must(t, q.Close())
	})
}

// TestDurableGivenUp: a subscriber that has got messages, and could not say so before it was given up on, goes on
// behind them when it comes back.
func TestDurableGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPress(t, t.TempDir(), spool.Options{})
		a := p.reader(t, "a", "ann", spool.Start{}, "x")
		must(t, p.WaitSubscribers(aDay(t), "x", 1))
		p.publish(t, "x", 0, 10)
		recvTopical(t, a, upTo(0, 10)...)
		time.Sleep(time.Second)
		p.net.PartitionOneWay("a", "srv")
		p.publish(t, "x", 10, 20)
		recvTopical(t, a, upTo(10, 20)...)
		time.Sleep(time.Hour)
		p.net.Heal()
		p.publish(t, "x", 20, 30)
		recvTopical(t, a, upTo(20, 30)...)
		quiet(t, a)
		shut(t, a)
		p.close(t)
	})
}
