package socket_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// topical is a message with a topic and a number.
func topical(topic string, n int) socket.Msg {
	return socket.NewMsg([]byte(topic), numbered(n, 20).Frames[0])
}

// recvTopical receives messages that have to be those with the numbers, in order.
func recvTopical(t testing.TB, s socket.Receiver, numbers ...int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for i, want := range numbers {
		m, err := s.Recv(ctx)
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		if got := number(socket.NewMsg(m.Frames[1])); got != want {
			t.Fatalf("message %d is %d (%s), want %d", i, got, m.Frames[0], want)
		}
	}
}

// quiet fails if anything more comes.
func quiet(t testing.TB, s socket.Receiver) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if m, err := s.Recv(ctx); err == nil {
		t.Errorf("received %q, want nothing", m.Frames)
	}
}

func upTo(from, to int) (numbers []int) {
	for n := from; n < to; n++ {
		numbers = append(numbers, n)
	}
	return numbers
}

// countOf adds up the events of one kind.
func countOf(s socket.Socket, kind socket.EventKind) (events int, count uint64) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for e := range s.Events(ctx) {
		if e.Kind == kind {
			events++
			count += e.Count
		}
	}
	return events, count
}

func errorsOf(s socket.Socket, kind socket.EventKind) (all []error) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for e := range s.Events(ctx) {
		if e.Kind == kind {
			all = append(all, e.Err)
		}
	}
	return all
}

// A press is a Pub with a spool and the network it is on.
type press struct {
	net *simnet.Network
	q   *spool.Spool
	*socket.Pub
}

func newPress(t testing.TB, dir string, opts spool.Options, more ...socket.PubOption) *press {
	t.Helper()
	return pressOn(t, simnet.New(simnet.Config{Latency: time.Millisecond}), dir, opts, more...)
}

func pressOn(t testing.TB, net *simnet.Network, dir string, opts spool.Options, more ...socket.PubOption) *press {
	t.Helper()
	p := &press{net: net, q: openSpool(t, dir, opts)}
	p.Pub = socket.NewPub(append([]socket.PubOption{on(net, "srv"), socket.WithSpool(p.q)}, more...)...)
	bindAt(t, p.Pub)
	return p
}

func (p *press) close(t testing.TB) {
	t.Helper()
	balanced(t, p.Pub)
	must(t, p.Close())
	balanced(t, p.Pub)
	must(t, p.q.Close())
}

// reader connects a subscriber with a name, who has listed its topics.
func (p *press) reader(t testing.TB, host, name string, start spool.Start, topics ...string) *socket.Sub {
	t.Helper()
	s := socket.NewSub(on(p.net, host), socket.WithSubscriberName(name, socket.DurableOptions{Start: start}),
		socket.WithSubscription(topics...))
	must(t, s.Connect(server))
	_, _ = s.TryRecv()
	return s
}

func (p *press) publish(t testing.TB, topic string, from, to int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
	defer cancel()
	for n := from; n < to; n++ {
		if err := p.Send(ctx, topical(topic, n)); err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
	}
}

// TestDurableAway: a subscriber with a name gets all that is published while it is away, once and in order; one
// without a name gets what is published while it is there, and what is for it alone is not on disk.
func TestDurableAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPress(t, t.TempDir(), spool.Options{})
		defer p.close(t)
		a := p.reader(t, "a", "ann", spool.Start{}, "x")
		plain := socket.NewSub(on(p.net, "p"), socket.WithSubscription(""))
		must(t, plain.Connect(server))
		must(t, p.WaitSubscribers(aDay(t), "x", 2))
		p.publish(t, "x", 0, 100)
		recvTopical(t, a, upTo(0, 100)...)
		recvTopical(t, plain, upTo(0, 100)...)
		p.publish(t, "y", 0, 10)
		recvTopical(t, plain, upTo(0, 10)...)
		time.Sleep(time.Second)
		if st := p.q.Stats(); st.Next != 101 || st.Live.Messages != 0 {
			t.Errorf("the spool has come to %d, and keeps %v", st.Next, st.Live)
		}
		must(t, a.Close())
		must(t, plain.Close())
		time.Sleep(time.Second)
		if topics := p.Topics(); !slices.Equal(topics, []string{"x"}) {
			t.Errorf("the topics are %q", topics)
		}
		p.publish(t, "x", 100, 1100)
		p.publish(t, "y", 10, 20)
		if c := p.DurableSubscribers(); len(c) != 1 || c[0].Name != "ann" || c[0].Lag.Messages != 1000 {
			t.Errorf("the subscribers are %+v", c)
		}
		if st := p.Stats(); st.Spooled.Messages != 1000 {
			t.Errorf("PUB counts %v", st.Ledger)
		}
		balanced(t, p.Pub)
		a = p.reader(t, "a", "ann", spool.Start{}, "x")
		recvTopical(t, a, upTo(100, 1100)...)
		p.publish(t, "x", 1100, 1110)
		recvTopical(t, a, upTo(1100, 1110)...)
		quiet(t, a)
		go func() {
			for _, err := range a.Messages(aDay(t)) {
				if err != nil {
					t.Error(err)
				}
			}
		}()
		must(t, p.Shutdown(aDay(t)))
		must(t, a.Close())
	})
}

// TestDurableNames: each name has topics of its own, which last; a topic that is not listed any more is cancelled, one
// that is added begins with what is published from then on.
func TestDurableNames(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPress(t, t.TempDir(), spool.Options{})
		defer p.close(t)
		a := p.reader(t, "a", "ann", spool.Start{}, "x", "z")
		b := p.reader(t, "b", "bob", spool.Start{}, "y")
		must(t, p.WaitSubscribers(aDay(t), "x", 1))
		must(t, p.WaitSubscribers(aDay(t), "y", 1))
		must(t, a.Close())
		must(t, b.Close())
		for n := range 100 {
			p.publish(t, []string{"x", "y", "z", "none"}[n%4], n, n+1)
		}
		for _, c := range p.DurableSubscribers() {
			if want := map[string]uint64{"ann": 50, "bob": 25}[c.Name]; c.Lag.Messages != want {
				t.Errorf("%s has %d to get, want %d", c.Name, c.Lag.Messages, want)
			}
		}
		var xs, ys []int
		for n := range 100 {
			switch n % 4 {
			case 0:
				xs = append(xs, n)
			case 1:
				ys = append(ys, n)
			}
		}
		b = p.reader(t, "b", "bob", spool.Start{}, "y")
		recvTopical(t, b, ys...)
		a = p.reader(t, "a", "ann", spool.Start{}, "x") // z is cancelled
		recvTopical(t, a, xs...)
		must(t, a.Subscribe("y"))
		must(t, p.WaitSubscribers(aDay(t), "y", 2))
		p.publish(t, "y", 100, 110)
		p.publish(t, "z", 110, 120)
		recvTopical(t, a, upTo(100, 110)...)
		recvTopical(t, b, upTo(100, 110)...)
		must(t, a.Unsubscribe("y"))
		time.Sleep(time.Second)
		p.publish(t, "y", 120, 130)
		quiet(t, a)
		recvTopical(t, b, upTo(120, 130)...)
		time.Sleep(time.Second)
		st := p.Stats()
		if st.Spooled.Messages+st.Unacknowledged.Messages != 0 || st.Dropped[socket.NotSubscribed].Messages != 25 {
			t.Errorf("PUB counts %v", st.Ledger)
		}
		must(t, a.Close())
		must(t, b.Close())
	})
}

// TestDurableStart: a subscription begins where its subscriber says, if it is new.
func TestDurableStart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPress(t, t.TempDir(), spool.Options{})
		defer p.close(t)
		must(t, p.reader(t, "a", "keeper", spool.Start{}, "").Close())
		keeper := p.reader(t, "a", "keeper", spool.Start{}, "")
		must(t, p.WaitSubscribers(aDay(t), "", 1))
		must(t, keeper.Close())
		p.publish(t, "x", 1, 11)
		time.Sleep(time.Hour)
		noon := time.Now()
		time.Sleep(time.Hour)
		p.publish(t, "x", 11, 21)
		for _, tt := range []struct {
			name  string
			start spool.Start
			want  int
		}{
			{"new", spool.Start{}, 21},
			{"earliest", spool.Start{At: spool.Earliest}, 1},
			{"at a number", spool.Start{At: spool.AtSeq, Seq: 5}, 5},
			{"at a time", spool.Start{At: spool.AtTime, Time: noon}, 11},
		} {
			s := p.reader(t, "b", tt.name, tt.start, "x")
			must(t, p.WaitSubscribers(aDay(t), "x", 1))
			p.publish(t, "y", 0, 1)
			recvTopical(t, s, upTo(tt.want, 21)...)
			quiet(t, s)
			must(t, s.Close())
		}
	})
}

// TestDurableRestart: either side may end and come back, and everything still comes once and in order.
func TestDurableRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		dir, net := t.TempDir(), simnet.New(simnet.Config{Latency: time.Millisecond})
		p := pressOn(t, net, dir, spool.Options{})
		a := p.reader(t, "a", "ann", spool.Start{}, "x")
		must(t, p.WaitSubscribers(aDay(t), "x", 1))
		next := 0
		for round := range 10 {
			p.publish(t, "x", 100*round, 100*round+50)
			recvTopical(t, a, upTo(next, 100*round+25)...)
			next = 100*round + 25
			switch round % 3 {
			case 0:
				p.close(t)
				p = pressOn(t, net, dir, spool.Options{})
			case 1: // another one goes on with the spool as it is
				must(t, p.Close())
				balanced(t, p.Pub)
				p.Pub = socket.NewPub(on(net, "srv"), socket.WithSpool(p.q))
				bindAt(t, p.Pub)
			default:
				time.Sleep(time.Second) // what was received is acknowledged
				must(t, a.Close())
				a = p.reader(t, "a", "ann", spool.Start{}, "x")
			}
			p.publish(t, "x", 100*round+50, 100*round+100)
		}
		recvTopical(t, a, upTo(next, 1000)...)
		quiet(t, a)
		must(t, a.Close())
		p.close(t)
	})
}

// TestDurableGap: a subscriber that is too far behind loses its oldest messages, and is told how many, also if the
// publisher has ended meanwhile.
func TestDurableGap(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("publisher restarts %v", restart), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				dir, net := t.TempDir(), simnet.New(simnet.Config{Latency: time.Millisecond})
				opts := socket.WithDurableSubscribers(socket.DurableSubscribers{MaxBytes: 20 << 10})
				p := pressOn(t, net, dir, spool.Options{}, opts)
				a := p.reader(t, "a", "ann", spool.Start{}, "x")
				must(t, p.WaitSubscribers(aDay(t), "x", 1))
				must(t, a.Close())
				for n := range 1000 {
					p.publish(t, "x", n, n+1)
					p.publish(t, "y", n, n+1)
				}
				time.Sleep(time.Second)
				dropped := p.Stats().Dropped[socket.SpoolFull].Messages
				if dropped == 0 || dropped >= 1000 {
					t.Fatalf("%d were dropped", dropped)
				}
				if restart {
					p.close(t)
					p = pressOn(t, net, dir, spool.Options{}, opts)
				}
				a = p.reader(t, "a", "ann", spool.Start{}, "x")
				recvTopical(t, a, upTo(int(dropped), 1000)...)
				if _, n := countOf(a, socket.Gap); n != dropped {
					t.Errorf("the subscriber was told of %d, %d were dropped", n, dropped)
				}
				quiet(t, a)
				must(t, a.Close())
				a = p.reader(t, "a", "ann", spool.Start{}, "x")
				p.publish(t, "x", 1000, 1010)
				recvTopical(t, a, upTo(1000, 1010)...)
				if _, n := countOf(a, socket.Gap); n != 0 {
					t.Errorf("the subscriber was told of %d more", n)
				}
				must(t, a.Close())
				p.close(t)
			})
		})
	}
}

// TestDurableHold: a publisher that waits for the furthest behind waits until it has got something.
func TestDurableHold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPress(t, t.TempDir(), spool.Options{}, socket.WithDurableSubscribers(socket.DurableSubscribers{
			MaxBytes: 20 << 10, Laggard: socket.HoldPublisher,
		}))
		defer p.close(t)
		a := p.reader(t, "a", "ann", spool.Start{}, "x")
		must(t, p.WaitSubscribers(aDay(t), "x", 1))
		must(t, a.Close())
		n := 0
		for ; p.TrySend(topical("x", n)) == nil; n++ {
		}
		if err := p.TrySend(topical("x", n)); !errors.Is(err, socket.ErrWouldBlock) {
			t.Errorf("beyond the limit: %v", err)
		}
		must(t, p.TrySend(topical("y", 0))) // which is for nobody
		a = p.reader(t, "a", "ann", spool.Start{}, "x")
		sent := make(chan error)
		go func() { sent <- p.Send(aDay(t), topical("x", n)) }()
		recvTopical(t, a, upTo(0, n+1)...)
		must(t, <-sent)
		must(t, a.Close())
	})
}

// TestDurableDropped: a subscription that is dropped, by hand, for being too far behind or for its age, is gone with
// all that was kept for it, and its subscriber begins anew.
func TestDurableDropped(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts socket.DurableSubscribers
		drop func(t *testing.T, p *press)
		want string
	}{
		{
			"by hand",
			socket.DurableSubscribers{},
			func(t *testing.T, p *press) { must(t, p.DropSubscriber(aDay(t), "ann")) },
			"was dropped",
		},
		{
			"for its age",
			socket.DurableSubscribers{Expiry: time.Hour},
			func(t *testing.T, p *press) { time.Sleep(3 * time.Hour); p.publish(t, "y", 0, 1) },
			"has expired",
		},
		{
			"too far behind",
			socket.DurableSubscribers{MaxBytes: 10 << 10, Laggard: socket.DropSubscription},
			func(t *testing.T, p *press) { p.publish(t, "x", 100, 1000) },
			"too far behind",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := newPress(t, t.TempDir(), spool.Options{}, socket.WithDurableSubscribers(tt.opts))
				defer p.close(t)
				b := p.reader(t, "b", "bob", spool.Start{}, "z")
				a := p.reader(t, "a", "ann", spool.Start{}, "x")
				must(t, p.WaitSubscribers(aDay(t), "x", 1))
				time.Sleep(5 * time.Hour) // who is there does not expire
				p.publish(t, "x", 0, 10)
				recvTopical(t, a, upTo(0, 10)...)
				must(t, a.Close())
				p.publish(t, "x", 10, 20)
				tt.drop(t, p)
				a = p.reader(t, "a", "ann", spool.Start{}, "x")
				must(t, p.WaitSubscribers(aDay(t), "x", 1))
				p.publish(t, "x", 2000, 2010)
				recvTopical(t, a, upTo(2000, 2010)...)
				told := errorsOf(p.Pub, socket.SubscriptionEnded)
				if len(told) != 1 || !strings.Contains(told[0].Error(), tt.want) {
					t.Errorf("the publisher tells %v, want one that says %q", told, tt.want)
				}
				if st := p.Stats(); st.Dropped[socket.PeerGone].Messages < 10 {
					t.Errorf("PUB counts %v", st.Ledger)
				}
				if err := p.DropSubscriber(aDay(t), "eve"); !errors.Is(err, spool.ErrNoCursor) {
					t.Errorf("a name that is not there: %v", err)
				}
				must(t, a.Close())
				must(t, b.Close())
			})
		})
	}
}

// TestDurableTooMany: of more names than there may be one more is refused by its name, on both sides, and the others
// stay.
func TestDurableTooMany(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPress(t, t.TempDir(), spool.Options{}, socket.WithDurableSubscribers(socket.DurableSubscribers{Max: 2}))
		defer p.close(t)
		var all []*socket.Sub
		for _, name := range []string{"ann", "bob"} {
			all = append(all, p.reader(t, name, name, spool.Start{}, "x"))
		}
		must(t, p.WaitSubscribers(aDay(t), "x", 2))
		eve := p.reader(t, "eve", "eve", spool.Start{}, "x")
		time.Sleep(time.Second)
		for who, s := range map[string]socket.Socket{"publisher": p.Pub, "subscriber": eve} {
			told := errorsOf(s, socket.HandshakeFailed)
			if len(told) == 0 || !strings.Contains(told[0].Error(), `eve`) {
				t.Errorf("the %s tells %v", who, told)
			}
		}
		must(t, p.DropSubscriber(aDay(t), "bob"))
		must(t, all[1].Close())
		if n := len(p.DurableSubscribers()); n > 2 {
			t.Errorf("there are %d", n)
		}
		must(t, all[0].Close())
		must(t, eve.Close())
	})
}

// TestDurableTakeover: of two subscribers with one name the one that came last gets the messages.
func TestDurableTakeover(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPress(t, t.TempDir(), spool.Options{})
		defer p.close(t)
		first := socket.NewSub(on(p.net, "a"), socket.WithSubscriberName("ann", socket.DurableOptions{}),
			socket.WithSubscription("x"), socket.WithoutReconnect())
		must(t, first.Connect(server))
		_, _ = first.TryRecv()
		must(t, p.WaitSubscribers(aDay(t), "x", 1))
		p.publish(t, "x", 0, 10)
		recvTopical(t, first, upTo(0, 10)...)
		time.Sleep(time.Second)
		second := p.reader(t, "b", "ann", spool.Start{}, "x")
		time.Sleep(time.Second)
		p.publish(t, "x", 10, 20)
		recvTopical(t, second, upTo(10, 20)...)
		if down := errorsOf(p.Pub, socket.PeerDown); len(down) != 1 || !errors.Is(down[0], socket.ErrSuperseded) {
			t.Errorf("the publisher has lost peers by %v", down)
		}
		must(t, first.Close())
		must(t, second.Close())
	})
}

// TestDurableForeign: a publisher that keeps nothing serves a subscriber with a name as any other, and is named.
func TestDurableForeign(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		pub := socket.NewPub(on(net, "srv"))
		bindAt(t, pub)
		p := &press{net: net, Pub: pub}
		a := p.reader(t, "a", "ann", spool.Start{}, "x")
		must(t, pub.WaitSubscribers(aDay(t), "x", 1))
		p.publish(t, "x", 0, 10)
		recvTopical(t, a, upTo(0, 10)...)
		if n, _ := countOf(a, socket.PeerForeign); n != 1 {
			t.Errorf("%d peers are named as foreign", n)
		}
		must(t, a.Close())
		must(t, pub.Close())
	})
}
