package pubsub_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/pubsub"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/simnet"
)

func opened(t testing.TB, dir string, o spool.Options) *spool.Spool {
	t.Helper()
	q, err := spool.Open(dir, o)
	must(t, err)
	return closing(t, q)
}

// lasting connects a durable subscriber, and returns once events flow to it.
func lasting[T any](t testing.TB, p *pubsub.Publisher[T], at, pattern, subject string, opts ...pubsub.SubscriberOption,
) *pubsub.Subscriber[T] {
	t.Helper()
	s := closing(t, pubsub.NewSubscriber[T](opts...))
	must(t, s.Subscribe(pattern, pubsub.Durable("d")))
	must(t, s.Connect(at))
	must(t, p.WaitSubscribers(within(t), subject, 1))
	return s
}

// inOrder receives the events of which the values are from one up to, but without, another: each once, and in order.
func inOrder(t *testing.T, s *pubsub.Subscriber[int], from, to int) {
	t.Helper()
	for e, err := range s.Events(within(t)) {
		must(t, err)
		if e.Value != from || e.Missed != 0 {
			t.Fatalf("%+v, want %d", e, from)
		}
		if from++; from == to {
			return
		}
	}
}

// none fails if anything comes until all is acknowledged.
func none(t *testing.T, p *pubsub.Publisher[int], s *pubsub.Subscriber[int], q *spool.Spool) {
	t.Helper()
	ctx, cancel := context.WithCancel(within(t))
	go func() {
		defer cancel()
		for q.Stats().Live.Messages > 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}()
	for e, err := range s.Events(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("%+v, %v", e, err)
		}
	}
	if n := q.Stats().Live.Messages; n > 0 {
		t.Errorf("%d events are not acknowledged: %+v", n, p.Bindings())
	}
}

// A durable subscriber that was away for many events gets all, once and in order, and then those that are published.
func TestDurableSubscriberThatWasAway(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		events := 100_000
		if endpoint[0] == 'i' {
			events = 10_000
		}
		q := opened(t, t.TempDir(), spool.Options{SyncEvery: time.Millisecond})
		p := closing(t, pubsub.NewPublisher[int](pubsub.WithSpool(q)))
		at := bound(t, p, endpoint)
		s := lasting(t, p, at, "a.*", "a.b")
		for i := range 10 {
			must(t, p.Publish(within(t), "a.b", i))
		}
		inOrder(t, s, 0, 10)
		must(t, s.Close())
		must(t, p.WaitBindings(within(t), 0))
		for i := 10; i < events; i++ {
			must(t, p.Publish(t.Context(), "a.b", i))
		}
		must(t, q.Sync(within(t)))
		s = lasting(t, p, at, "a.*", "a.b")
		for i := 10; i < events; i += 10_000 { // each of these in its own time
			inOrder(t, s, i, min(i+10_000, events))
		}
		must(t, p.Publish(within(t), "a.b", events))
		inOrder(t, s, events, events+1)
		none(t, p, s, q)
	})
}

// What the spool has dropped of a subscription is missed, exactly that much.
func TestDurableSubscriberMissesWhatWasDropped(t *testing.T) {
	const events = 20_000
	q := opened(t, t.TempDir(), spool.Options{
		SyncEvery: time.Millisecond, MaxBytes: 1 << 19, SegmentBytes: 1 << 16, Overflow: spool.DropOldest,
	})
	p := closing(t, pubsub.NewPublisher[int](pubsub.WithSpool(q), pubsub.WithBeat(10*time.Millisecond)))
	at := bound(t, p, "tcp://127.0.0.1:*")
	must(t, lasting(t, p, at, "a", "a").Close())
	must(t, p.WaitBindings(within(t), 0))
	for i := range events {
		must(t, p.Publish(t.Context(), "a", i))
	}
	must(t, q.Sync(within(t)))
	dropped := q.Stats().Dropped.Messages
	if dropped == 0 {
		t.Fatal("nothing was dropped")
	}
	s := lasting(t, p, at, "a", "a")
	next, missed := int(dropped), 0
	for e, err := range s.Events(within(t)) {
		must(t, err)
		if e.Value != next {
			t.Fatalf("%+v, want %d", e, next)
		}
		missed += e.Missed
		if next++; next == events {
			break
		}
	}
	if n := s.Stats().Missed; missed != int(dropped) || n != dropped {
		t.Errorf("missed %d, and %d by Stats, want %d", missed, n, dropped)
	}
	none(t, p, s, q)
}

// A publisher and its durable subscriber that both end, and begin again on the same spool, lose nothing between them,
// and nothing comes twice.
func TestDurableSubscriberOverARestartOfBoth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, dir := simnet.New(simnet.Config{}), t.TempDir()
		published, came := 0, 0
		for round := range 5 {
			q, err := spool.Open(dir, spool.Options{})
			must(t, err)
			p := pubsub.NewPublisher[int](pubsub.WithSpool(q), pubsub.WithXPub(socket.WithTransport(net.Host("srv"))))
			for range 50 * min(round, 1) { // for who is not there yet
				must(t, p.Publish(t.Context(), "a.b", published))
				published++
			}
			bound(t, p, server)
			s := lasting(t, p, server, "a.*", "a.b", pubsub.WithXSub(socket.WithTransport(net.Host("cli"))))
			for range 100 {
				must(t, p.Publish(t.Context(), "a.b", published))
				published++
			}
			inOrder(t, s, came, came+70)
			came += 70
			must(t, s.Close())
			must(t, p.WaitBindings(t.Context(), 0))
			synctest.Wait() // what it has said may come behind its cancellation
			must(t, p.Close())
			must(t, q.Close())
		}
		q := opened(t, dir, spool.Options{})
		p := closing(t, pubsub.NewPublisher[int](pubsub.WithSpool(q), pubsub.WithXPub(socket.WithTransport(net.Host("srv")))))
		bound(t, p, server)
		s := lasting(t, p, server, "a.*", "a.b", pubsub.WithXSub(socket.WithTransport(net.Host("cli"))))
		inOrder(t, s, came, published)
		none(t, p, s, q)
	})
}

// A subscriber that stays while its publisher ends, and begins again, gets nothing twice, though what it had done was
// not said, or not written.
func TestDurableSubscriberOverARestartOfThePublisher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, dir := simnet.New(simnet.Config{}), t.TempDir()
		s := closing(t, pubsub.NewSubscriber[int](pubsub.WithXSub(socket.WithTransport(net.Host("cli")))))
		must(t, s.Subscribe("a", pubsub.Durable("d")))
		must(t, s.Connect(server))
		published, came := 0, 0
		for range 5 {
			q, err := spool.Open(dir, spool.Options{})
			must(t, err)
			p := pubsub.NewPublisher[int](pubsub.WithSpool(q), pubsub.WithXPub(socket.WithTransport(net.Host("srv"))))
			bound(t, p, server)
			if published == 0 {
				must(t, p.WaitSubscribers(within(t), "a", 1))
			}
			for range 100 {
				must(t, p.Publish(t.Context(), "a", published))
				published++
			}
			for e, err := range s.Events(within(t)) {
				must(t, err)
				if e.Value != came || e.Attempt != 0 || e.Missed != 0 {
					t.Fatalf("%+v, want %d", e, came)
				}
				if came++; came%70 == 0 { // it is done with after the publisher has gone
					must(t, p.Close())
					must(t, q.Close())
					break
				}
			}
		}
		q := opened(t, dir, spool.Options{})
		p := closing(t, pubsub.NewPublisher[int](pubsub.WithSpool(q), pubsub.WithXPub(socket.WithTransport(net.Host("srv")))))
		bound(t, p, server)
		inOrder(t, s, came, published)
		none(t, p, s, q)
	})
}

// Events that are dropped on the way, by a full queue, come all the same, in order.
func TestDurableEventsThatAreDroppedOnTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		q := opened(t, t.TempDir(), spool.Options{})
		p := closing(t, pubsub.NewPublisher[int](pubsub.WithSpool(q), pubsub.WithXPub(
			socket.WithTransport(net.Host("srv")), socket.WithSendHWM(5))))
		bound(t, p, server)
		s := lasting(t, p, server, "a", "a", pubsub.WithXSub(
			socket.WithTransport(net.Host("cli")), socket.WithRecvHWM(5)))
		const events = 1000
		for i := range events {
			must(t, p.Publish(t.Context(), "a", i))
		}
		inOrder(t, s, 0, events)
		if d := p.Socket().Stats().Dropped[socket.QueueFull].Messages; d == 0 {
			t.Error("nothing was dropped")
		}
		none(t, p, s, q)
	})
}

// TestPitfallUpstreamDropsOfADurableSubscriber: what it says may be lost where there is no room for it: it is absolute,
// and asked for.
func TestPitfallUpstreamDropsOfADurableSubscriber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		q := opened(t, t.TempDir(), spool.Options{})
		p := closing(t, pubsub.NewPublisher[int](pubsub.WithSpool(q), pubsub.WithXPub(
			socket.WithTransport(net.Host("srv")), socket.WithRecvHWM(1))))
		bound(t, p, server)
		s := lasting(t, p, server, "a", "a", pubsub.WithXSub(
			socket.WithTransport(net.Host("cli")), socket.WithSendHWM(1)))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		const events = 500
		y := newTally(events)
		failed := make(map[int]bool)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = s.Handle(ctx, 1, func(_ context.Context, e pubsub.Event[int]) error {
				if e.Value%7 == 0 && !failed[e.Value] {
					failed[e.Value] = true
					return errors.New("not yet")
				}
				y.note(e)
				return nil
			})
		}()
		for i := range events {
			must(t, p.Publish(t.Context(), "a", i))
		}
		y.wait(t)
		time.Sleep(time.Minute)
		if n := q.Stats().Live.Messages; n > 0 {
			t.Errorf("%d are not acknowledged: %+v", n, p.Bindings())
		}
		for i := range events {
			if want := min(1, i%7); y.seen[i] != 1 || y.unflagged[i] != want {
				t.Errorf("%d came %d times, %d as if it were new", i, y.seen[i], y.unflagged[i])
			}
		}
		cancel()
		<-ended
	})
}

// A subscriber takes a subscription over from another of its name, which is told; what that had comes again, and says
// so.
func TestDurableSubscriberIsSuperseded(t *testing.T) {
	q := opened(t, t.TempDir(), spool.Options{})
	p := closing(t, pubsub.NewPublisher[int](pubsub.WithSpool(q)))
	at := bound(t, p, "tcp://127.0.0.1:*")
	first := lasting(t, p, at, "a", "a")
	for i := range 5 {
		must(t, p.Publish(within(t), "a", i))
	}
	inOrder(t, first, 0, 2)
	for first.Stats().Received < 5 {
		time.Sleep(time.Millisecond)
	}
	until := within(t)
	for p.Bindings()[0].Open != 3 && until.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	second := closing(t, pubsub.NewSubscriber[int]())
	must(t, second.Subscribe("a", pubsub.Durable("d")))
	must(t, second.Connect(at))
	for i, e := range take(t, second, 3) {
		if e.Value != i+2 || e.Attempt != 1 {
			t.Errorf("%+v, want %d, a second time", e, i+2)
		}
	}
	for _, err := range first.Events(within(t)) {
		if why, ok := errors.AsType[*patterns.Error](err); ok {
			if !errors.Is(err, pubsub.ErrRefused) || why.Code != patterns.CodeAborted {
				t.Error(err)
			}
			break
		}
	}
	must(t, p.Publish(within(t), "a", 5))
	inOrder(t, second, 5, 6)
	none(t, p, second, q)
}

// Without a spool there are no durable subscriptions, and in a spool of something else neither.
func TestDurableWithoutASpool(t *testing.T) {
	p := closing(t, pubsub.NewPublisher[int]())
	s := closing(t, pubsub.NewSubscriber[int]())
	must(t, s.Subscribe("a", pubsub.Durable("d")))
	must(t, s.Connect(bound(t, p, "tcp://127.0.0.1:*")))
	for _, err := range s.Events(within(t)) {
		var why *patterns.Error
		if !errors.Is(err, pubsub.ErrRefused) || !errors.As(err, &why) || why.Code != patterns.CodeUnimplemented {
			t.Error(err)
		}
		break
	}
	if err := p.DropSubscriber(within(t), "d"); !errors.Is(err, spool.ErrNoCursor) {
		t.Error(err)
	}
	q := opened(t, t.TempDir(), spool.Options{})
	_, err := q.Cursor("", spool.CursorOptions{})
	must(t, err)
	other := closing(t, pubsub.NewPublisher[int](pubsub.WithSpool(q)))
	if _, err := other.Bind(within(t), "tcp://127.0.0.1:*"); !errors.Is(err, pubsub.ErrSpool) {
		t.Errorf("Bind: %v", err)
	}
	if err := other.Publish(within(t), "a", 1); !errors.Is(err, pubsub.ErrSpool) {
		t.Errorf("Publish: %v", err)
	}
}

// A subscription keeps nothing of what is for others, and two of one name with two patterns are two.
func TestDurableKeepsWhatIsForIt(t *testing.T) {
	q := opened(t, t.TempDir(), spool.Options{})
	p := closing(t, pubsub.NewPublisher[int](pubsub.WithSpool(q)))
	at := bound(t, p, "tcp://127.0.0.1:*")
	a := closing(t, pubsub.NewSubscriber[int]())
	must(t, a.Subscribe("a", pubsub.Durable("d")))
	must(t, a.Subscribe("b", pubsub.Durable("d")))
	must(t, a.Connect(at))
	must(t, p.WaitSubscribers(within(t), "a", 1))
	must(t, p.WaitSubscribers(within(t), "b", 1))
	must(t, a.Unsubscribe("b"))
	must(t, p.WaitBindings(within(t), 1))
	for i := range 10 {
		must(t, p.Publish(within(t), "a", 2*i))
		must(t, p.Publish(within(t), "b", 2*i+1))
		must(t, p.Publish(within(t), "c", -1))
	}
	take(t, a, 10)
	until := within(t)
	for q.Stats().Live.Messages != 10 && until.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	must(t, a.Subscribe("b", pubsub.Durable("d")))
	var got []int
	for _, e := range take(t, a, 10) {
		got = append(got, e.Value)
	}
	if want := []int{1, 3, 5, 7, 9, 11, 13, 15, 17, 19}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	none(t, p, a, q)
}

// DropSubscriber ends a subscription: who is there is told, and what was kept goes.
func TestDropSubscriber(t *testing.T) {
	q := opened(t, t.TempDir(), spool.Options{})
	p := closing(t, pubsub.NewPublisher[int](pubsub.WithSpool(q)))
	at := bound(t, p, "tcp://127.0.0.1:*")
	s := lasting(t, p, at, "a", "a")
	must(t, p.Publish(within(t), "a", 1))
	must(t, p.DropSubscriber(within(t), "d"))
	if st := q.Stats(); st.Live.Messages != 0 || len(st.Cursors) != 0 {
		t.Errorf("%+v is left", st)
	}
	for e, err := range s.Events(within(t)) {
		if err == nil && e.Value == 1 {
			continue
		}
		if !errors.Is(err, pubsub.ErrRefused) {
			t.Errorf("%+v, %v", e, err)
		}
		break
	}
	if err := p.DropSubscriber(within(t), "d"); !errors.Is(err, spool.ErrNoCursor) {
		t.Error(err)
	}
}

// What cannot be decoded becomes a dead letter of the spool.
func TestDurableSubscriberThatCannotDecode(t *testing.T) {
	q := opened(t, t.TempDir(), spool.Options{})
	p := closing(t, pubsub.NewPublisher[any](pubsub.WithSpool(q)))
	at := bound(t, p, "tcp://127.0.0.1:*")
	s := closing(t, pubsub.NewSubscriber[int]())
	must(t, s.Subscribe("a", pubsub.Durable("d")))
	must(t, s.Connect(at))
	must(t, p.WaitSubscribers(within(t), "a", 1))
	must(t, p.Publish(within(t), "a", "no number"))
	must(t, p.Publish(within(t), "a", 7))
	inOrder(t, s, 7, 8)
	ctx, cancel := context.WithCancel(within(t))
	go func() {
		defer cancel()
		for q.Stats().Dead.Messages == 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}()
	for e, err := range s.Events(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%+v, %v", e, err)
		}
	}
	for d, err := range q.DeadLetters(t.Context()) {
		must(t, err)
		if d.Attempts != 2 || string(d.Frames[0]) != "a" {
			t.Errorf("%+v", d)
		}
	}
	if st := s.Stats(); st.Undecodable != 3 {
		t.Errorf("%+v, want 3 times", st)
	}
}
