package pubsub_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/patterns/pubsub"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// member connects a member of a group, and returns once the publisher knows of it.
func member[T, U any](t testing.TB, p *pubsub.Publisher[T], at, pattern, group string, opts ...pubsub.SubscriberOption,
) *pubsub.Subscriber[U] {
	t.Helper()
	s := closing(t, pubsub.NewSubscriber[U](opts...))
	before := len(p.Bindings())
	must(t, s.Subscribe(pattern, pubsub.Group(group)))
	must(t, s.Connect(at))
	must(t, p.WaitBindings(within(t), before+1))
	return s
}

// A tally is what handlers have got: of each value how often, and how often without a word that it came before.
type tally struct {
	mu        sync.Mutex
	seen      map[int]int
	unflagged map[int]int
	all       chan struct{} // closed once there are so many values
	want      int
}

func newTally(want int) *tally {
	return &tally{seen: make(map[int]int), unflagged: make(map[int]int), all: make(chan struct{}), want: want}
}

func (y *tally) note(e pubsub.Event[int]) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.seen[e.Value]++
	if e.Attempt == 0 {
		y.unflagged[e.Value]++
	}
	if len(y.seen) == y.want && y.seen[e.Value] == 1 {
		close(y.all)
	}
}

func (y *tally) wait(t *testing.T) {
	t.Helper()
	select {
	case <-y.all:
	case <-within(t).Done():
		y.mu.Lock()
		defer y.mu.Unlock()
		t.Fatalf("%d of %d have come", len(y.seen), y.want)
	}
}

// handle runs a member until ctx ends.
func handle(ctx context.Context, t *testing.T, s *pubsub.Subscriber[int], n int, to ...*tally) (ended chan struct{}) {
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		err := s.Handle(ctx, n, func(_ context.Context, e pubsub.Event[int]) error {
			for _, y := range to {
				y.note(e)
			}
			return nil
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()
	return ended
}

// Each group gets each event once, whoever of it; who is in no group gets all.
func TestGroupsShare(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		const events = 300
		p := closing(t, pubsub.NewPublisher[int]())
		at := bound(t, p, endpoint)
		ctx, cancel := context.WithCancel(t.Context())
		groups := map[string]*tally{"billing": newTally(events), "audit": newTally(events)}
		var each []*tally
		var ended []chan struct{}
		for name, all := range groups {
			for range 3 {
				y := newTally(events)
				each = append(each, y)
				ended = append(ended, handle(ctx, t, member[int, int](t, p, at, "orders.>", name), 2, all, y))
			}
		}
		s := closing(t, pubsub.NewSubscriber[int]())
		subscribe(t, p, s, at, "orders.*")
		must(t, p.WaitSubscribers(within(t), "orders.new", 3))
		for i := range events {
			must(t, p.Publish(within(t), "orders.new", i))
		}
		take(t, s, events)
		for _, y := range groups {
			y.wait(t)
		}
		cancel()
		for _, c := range ended {
			<-c
		}
		for name, y := range groups {
			for i, n := range y.seen {
				if n != 1 || y.unflagged[i] != 1 {
					t.Errorf("%s got %d %d times", name, i, n)
				}
			}
		}
		for i, y := range each {
			if len(y.seen) == 0 {
				t.Errorf("member %d got nothing", i)
			}
		}
		for _, b := range p.Bindings() {
			if b.Group != "" && (b.Sent == 0 || b.Dropped != 0) {
				t.Errorf("%+v", b)
			}
		}
	})
}

// What a member had that dies goes to others: nothing is lost, and what comes again says so.
func TestAMemberThatDies(t *testing.T) {
	const events = 1500
	p := closing(t, pubsub.NewPublisher[int]())
	at := bound(t, p, "tcp://127.0.0.1:*")
	ctx, cancel := context.WithCancel(t.Context())
	y := newTally(events)
	var ended []chan struct{}
	var members []*pubsub.Subscriber[int]
	for range 3 {
		s := member[int, int](t, p, at, "a", "g")
		members, ended = append(members, s), append(ended, handle(ctx, t, s, 1, y))
	}
	for i := range events {
		if i == events/2 {
			must(t, members[1].Close())
		}
		must(t, p.Publish(within(t), "a", i))
	}
	y.wait(t)
	cancel()
	for _, c := range ended {
		<-c
	}
	for i, n := range y.unflagged {
		if n > 1 {
			t.Errorf("%d came %d times as if it were new", i, n)
		}
	}
	if got := slices.Sorted(maps.Keys(y.seen)); got[0] != 0 || got[events-1] != events-1 {
		t.Errorf("from %d to %d", got[0], got[events-1])
	}
}

// A member that is there, and takes nothing, loses what it has after the lease. One at work keeps it.
func TestAMemberThatIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{})
		on := func(host string) pubsub.SubscriberOption {
			return pubsub.WithXSub(socket.WithTransport(net.Host(host)))
		}
		p := closing(t, pubsub.NewPublisher[int](pubsub.WithXPub(socket.WithTransport(net.Host("srv")))))
		bound(t, p, server)
		stuck := member[int, int](t, p, server, "a", "g", on("stuck"))
		start := time.Now()
		must(t, p.Publish(t.Context(), "a", 1))
		for e, err := range stuck.Events(within(t)) {
			must(t, err)
			if e.Attempt != 0 || e.Missed != 0 {
				t.Errorf("%+v", e)
			}
			good := member[int, int](t, p, server, "a", "g", on("good"))
			if e := take(t, good, 1)[0]; e.Value != 1 || e.Attempt != 1 {
				t.Errorf("%+v", e)
			}
			if d := time.Since(start); d != 30*time.Second {
				t.Errorf("after %v", d)
			}
			break
		}
		must(t, stuck.Close())
		must(t, p.WaitBindings(t.Context(), 1))
		busy := member[int, int](t, p, server, "b", "g", on("busy"))
		ctx, cancel := context.WithCancel(t.Context())
		must(t, p.Publish(t.Context(), "b", 2))
		begun := 0
		err := busy.Handle(ctx, 1, func(_ context.Context, e pubsub.Event[int]) error {
			if begun++; begun == 1 {
				other := member[int, int](t, p, server, "b", "g", on("other"))
				while, end := context.WithTimeout(t.Context(), 10*time.Minute)
				defer end()
				for e, err := range other.Events(while) {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("another got %+v, %v", e, err)
					}
				}
				cancel()
			}
			return nil
		})
		cancel()
		if !errors.Is(err, context.Canceled) && err != nil || begun != 1 {
			t.Errorf("%v, %d times", err, begun)
		}
	})
}

// An error of a handler has the event come again, later and later.
func TestHandleAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{})
		p := closing(t, pubsub.NewPublisher[int](pubsub.WithXPub(socket.WithTransport(net.Host("srv")))))
		bound(t, p, server)
		s := member[int, int](t, p, server, "a", "g", pubsub.WithXSub(socket.WithTransport(net.Host("cli"))))
		must(t, p.Publish(t.Context(), "a", 1))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var at []time.Duration
		start := time.Now()
		err := s.Handle(ctx, 3, func(_ context.Context, e pubsub.Event[int]) error {
			if e.Attempt != len(at) {
				t.Errorf("attempt %d, want %d", e.Attempt, len(at))
			}
			if at = append(at, time.Since(start)); len(at) == 4 {
				cancel()
				return nil
			}
			return errors.New("not yet")
		})
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		for i, want := range []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second} {
			if at[i] < want*9/10 || at[i] > want*11/10+time.Second/10 {
				t.Errorf("%v", at)
			}
		}
		synctest.Wait()
		if b := p.Bindings(); b[0].Open != 0 {
			t.Errorf("%+v is acknowledged", b[0])
		}
	})
}

// A panic of a handler goes on in who has called Handle; the event comes again.
func TestHandlePanics(t *testing.T) {
	p := closing(t, pubsub.NewPublisher[int]())
	s := member[int, int](t, p, bound(t, p, "tcp://127.0.0.1:*"), "a", "g")
	must(t, p.Publish(within(t), "a", 1))
	func() {
		defer func() {
			if r := recover(); fmt.Sprint(r) != "oh" {
				t.Errorf("%v", r)
			}
		}()
		_ = s.Handle(within(t), 2, func(context.Context, pubsub.Event[int]) error { panic("oh") })
	}()
	if e := take(t, s, 1)[0]; e.Value != 1 || e.Attempt != 1 {
		t.Errorf("%+v", e)
	}
}

// TestPitfallEventsLoopsOfAGroup: the body of a loop that has ended, or left it, acknowledges; one that panics gives
// back.
func TestPitfallEventsLoopsOfAGroup(t *testing.T) {
	p := closing(t, pubsub.NewPublisher[int]())
	s := member[int, int](t, p, bound(t, p, "tcp://127.0.0.1:*"), "a", "g")
	for i := range 3 {
		must(t, p.Publish(within(t), "a", i))
	}
	take(t, s, 1) // leaves the loop
	func() {
		defer func() { _ = recover() }()
		for _, err := range s.Events(within(t)) {
			must(t, err)
			panic("in the body")
		}
	}()
	got := make(map[int]int)
	for _, e := range take(t, s, 2) {
		got[e.Value] = e.Attempt
	}
	if want := map[int]int{1: 1, 2: 0}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// What cannot be decoded is tried by others, twice, and then dropped, and counted.
func TestAGroupThatCannotDecode(t *testing.T) {
	p := closing(t, pubsub.NewPublisher[string]())
	s := member[string, int](t, p, bound(t, p, "tcp://127.0.0.1:*"), "a", "g")
	must(t, p.Publish(within(t), "a", "no number"))
	ctx, cancel := context.WithCancel(within(t))
	go func() {
		defer cancel()
		for p.Bindings()[0].Dropped == 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}()
	for e, err := range s.Events(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%+v, %v", e, err)
		}
	}
	if st := s.Stats(); st.Undecodable != 3 {
		t.Errorf("%+v, want 3 times", st)
	}
}

// While a group has no member its events are kept, and Publish waits once there are too many. Unsubscribe of the last
// one ends the group; the loss of it does not.
func TestAGroupWithoutMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{})
		on := pubsub.WithXSub(socket.WithTransport(net.Host("cli")))
		p := closing(t, pubsub.NewPublisher[int](
			pubsub.WithUnacked(5), pubsub.WithXPub(socket.WithTransport(net.Host("srv")))))
		bound(t, p, server)
		s := member[int, int](t, p, server, "a", "g", on)
		must(t, s.Close())
		must(t, p.WaitBindings(t.Context(), 0))
		for i := range 5 {
			must(t, p.Publish(t.Context(), "a", i))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := p.Publish(ctx, "a", 5); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("beyond what is kept: %v", err)
		}
		must(t, p.Publish(t.Context(), "b", 0)) // is for nobody
		if err := p.WaitSubscribers(ctx, "a", 1); err == nil {
			t.Error("a group without members counts")
		}
		published := make(chan error)
		go func() { published <- p.Publish(t.Context(), "a", 6) }()
		s = member[int, int](t, p, server, "a", "g", on)
		if got := values(take(t, s, 6)); !slices.Equal(got, []string{"a=0", "a=1", "a=2", "a=3", "a=4", "a=6"}) {
			t.Errorf("%v", got)
		}
		must(t, <-published)
		must(t, s.Unsubscribe("a"))
		must(t, p.WaitBindings(t.Context(), 0))
		time.Sleep(2 * time.Second)
		for i := range 10 {
			must(t, p.Publish(t.Context(), "a", i)) // is for nobody now
		}
		// One that is gone for too long.
		s = member[int, int](t, p, server, "a", "g", on)
		must(t, s.Close())
		time.Sleep(11 * time.Minute)
		for i := range 10 {
			must(t, p.Publish(t.Context(), "a", i))
		}
	})
}

// TestPitfallUpstreamDrops: what a member says upstream may be lost where there is no room for it. It is absolute, and
// said again.
func TestPitfallUpstreamDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		p := closing(t, pubsub.NewPublisher[int](pubsub.WithXPub(
			socket.WithTransport(net.Host("srv")), socket.WithRecvHWM(1))))
		bound(t, p, server)
		const events = 2000
		y := newTally(events)
		ctx, cancel := context.WithCancel(t.Context())
		s := member[int, int](t, p, server, "a", "g", pubsub.WithXSub(
			socket.WithTransport(net.Host("cli")), socket.WithSendHWM(1)))
		ended := handle(ctx, t, s, 4, y)
		for i := range events {
			must(t, p.Publish(t.Context(), "a", i))
		}
		y.wait(t)
		time.Sleep(time.Minute)
		if b := p.Bindings()[0]; b.Open != 0 {
			t.Errorf("%+v: all is acknowledged", b)
		}
		if len(y.unflagged) != events {
			t.Errorf("%d of %d came as new", len(y.unflagged), events)
		}
		cancel()
		<-ended
	})
}

// Events of a group that find a queue full, of a member that also gets others, are asked for again.
func TestEventsOfAGroupThatAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := simulated(t, simnet.New(simnet.Config{}), 10, "plain")
		must(t, s.Subscribe("grouped", pubsub.Group("g")))
		must(t, p.WaitBindings(t.Context(), 2))
		const events = 50
		for i := range 3000 {
			must(t, p.Publish(t.Context(), "plain", i))
			if i < events {
				must(t, p.Publish(t.Context(), "grouped", i))
			}
		}
		got := make(map[int]bool)
		for e, err := range s.Events(within(t)) {
			must(t, err)
			if e.Subject != "plain" {
				got[e.Value] = true
			}
			if len(got) == events {
				break
			}
		}
		if d := p.Socket().Stats().Dropped[socket.QueueFull].Messages; d == 0 {
			t.Error("nothing was dropped")
		}
	})
}
