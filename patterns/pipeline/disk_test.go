package pipeline_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/pipeline"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// A life is a pusher with a spool, which ends and begins again.
type life struct {
	*pipeline.Pusher[int]
	q *spool.Spool
}

func begin(t testing.TB, dir string, opts ...pipeline.PusherOption) life {
	t.Helper()
	q, err := spool.Open(dir, spool.Options{})
	must(t, err)
	l := life{pipeline.NewPusher[int](append(opts, pipeline.WithSpool(q))...), q}
	t.Cleanup(func() { l.end(t) })
	return l
}

func (l life) end(t testing.TB) {
	t.Helper()
	must(t, l.Close())
	must(t, l.q.Close())
}

// What was accepted is done by the next life of a pusher, in order and with all that was said of it; what was settled
// is not.
func TestJobsSurviveThePusher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		p := begin(t, dir)
		is(t, "guarantee", p.Guarantee(), pipeline.Durable)
		is(t, "without a spool", newPusher(t).Guarantee(), pipeline.AtLeastOnce)
		ctx := patterns.WithHeaders(t.Context(), patterns.Headers{"a": "b"})
		first, err := p.Push(ctx, 0, pipeline.Key("k"), pipeline.Unique("u"))
		must(t, err)
		is(t, "id", first.ID(), pipeline.ID{Pusher: p.q.ID(), Seq: 1})
		canceled := push(t, p.Pusher, 1)
		must(t, p.Cancel(canceled.ID()))
		push(t, p.Pusher, 2, pipeline.Delay(time.Hour))
		expired := push(t, p.Pusher, 3, pipeline.To("nobody"), pipeline.TTL(2*time.Hour))
		_, err = p.PushAll(t.Context(), []int{4, 5})
		must(t, err)
		p.end(t)
		if err := first.Wait(t.Context()); !errors.Is(err, socket.ErrClosed) {
			t.Errorf("the receipt: %v", err)
		}

		p = begin(t, dir)
		if _, err := p.Push(t.Context(), 0, pipeline.Unique("u")); !errors.Is(err, pipeline.ErrDuplicate) {
			t.Errorf("a second job of a unique key: %v", err)
		}
		w := newWorker(t)
		must(t, w.Connect(bind(t, p, "inproc://"+t.Name())))
		start := time.Now()
		var got []int
		for j, err := range w.Jobs(t.Context()) {
			must(t, err)
			is(t, "attempt", j.Attempt, 0)
			if got = append(got, j.Value); j.Value == 0 {
				is(t, "id", j.ID, first.ID())
				is(t, "key", j.Key, "k")
				is(t, "header", j.Headers.Get("a"), "b")
			}
			must(t, j.Ack())
			if j.Value == 2 {
				break
			}
		}
		if want := []int{0, 4, 5, 2}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if d := time.Since(start); d > time.Hour+time.Second || d < 59*time.Minute {
			t.Errorf("the delayed one came after %v", d)
		}
		time.Sleep(time.Hour + time.Minute)
		for l, err := range p.DeadLetters().All() {
			must(t, err)
			is(t, "dead letter", l.Value, 3)
			is(t, "its id", l.ID, expired.ID())
		}
		is(t, "expired", p.Stats().Expired, 1)
		must(t, w.Close())
		p.end(t)

		p = begin(t, dir)
		push(t, p.Pusher, 9)
		n := 0
		for _, err := range p.Browse(t.Context()) {
			must(t, err)
			n++
		}
		is(t, "jobs of earlier lives that are left", n-1, 0)
	})
}

// Workers that stay while the pusher ends and begins again do each job once, though what they had done was not said.
func TestWorkerOutlivesThePusher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, dir := simnet.New(simnet.Config{}), t.TempDir()
		on := pipeline.WithRouter(socket.WithTransport(net.Host("srv")))
		var mu sync.Mutex
		done := make(map[pipeline.ID]int)
		for _, host := range []string{"one", "two"} { // which are back at different times
			w := newWorker(t, pipeline.WithDealer(socket.WithTransport(net.Host(host))))
			must(t, w.Connect("sim://srv"))
			runs(t, w, 3, func(_ context.Context, j *pipeline.Job[int]) error {
				time.Sleep(20 * time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				done[j.ID]++
				return nil
			})
		}
		all := 0
		for range 10 {
			p := begin(t, dir, on)
			bind(t, p, "sim://srv")
			for range 100 {
				push(t, p.Pusher, all)
				all++
			}
			time.Sleep(457 * time.Millisecond) // to come back, and for some
			p.end(t)
		}
		p := begin(t, dir, on)
		bind(t, p, "sim://srv")
		must(t, p.Flush(within(t)))
		mu.Lock()
		defer mu.Unlock()
		is(t, "jobs done", len(done), all)
		for id, n := range done {
			if n != 1 {
				t.Errorf("%v was done %d times", id, n)
			}
		}
	})
}

// What a worker had that has gone with the pusher goes to others, which are told; attempts are kept, and end.
func TestAttemptsSurviveThePusher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		p := begin(t, dir)
		w := newWorker(t)
		must(t, w.Connect(bind(t, p, "inproc://"+t.Name())))
		r := push(t, p.Pusher, 1)
		push(t, p.Pusher, 2)
		for j, err := range w.Jobs(t.Context()) {
			must(t, err)
			if j.Value == 2 && j.Attempt == 0 {
				break // it has it when both end
			}
			if j.Value == 1 {
				must(t, j.Nack(0))
			}
		}
		time.Sleep(time.Second)
		p.end(t)
		must(t, w.Close())

		p = begin(t, dir, pipeline.WithMaxAttempts(3))
		w = newWorker(t)
		must(t, w.Connect(bind(t, p, "inproc://"+t.Name())))
		tried := 0
		runs(t, w, 1, func(_ context.Context, j *pipeline.Job[int]) error {
			if j.Attempt == 0 {
				t.Errorf("job %d comes as if it were new", j.Value)
			}
			if j.Value == 1 {
				tried++
				return errors.New("no")
			}
			return nil
		})
		must(t, p.Flush(t.Context()))
		is(t, "attempts of this life", tried, 2)
		var dead []pipeline.DeadLetter[int]
		for l, err := range p.DeadLetters().All() {
			must(t, err)
			dead = append(dead, l)
		}
		var why *pipeline.JobError
		if len(dead) != 1 || dead[0].ID != r.ID() || !errors.Is(dead[0].Err, pipeline.ErrTooOften) ||
			!errors.As(dead[0].Err, &why) || why.Reason != "no" || why.Attempts != 3 {
			t.Errorf("dead letters: %+v", dead)
		}
	})
}

// Dead letters survive the pusher, and can be accepted again, or discarded, by the next.
func TestDeadLettersSurviveThePusher(t *testing.T) {
	dir := t.TempDir()
	p := begin(t, dir)
	w := newWorker(t)
	must(t, w.Connect(bind(t, p, loopback)))
	runs(t, w, 1, func(context.Context, *pipeline.Job[int]) error { return pipeline.Reject(errors.New("no")) })
	first, second := push(t, p.Pusher, 1, pipeline.Unique("u")), push(t, p.Pusher, 2)
	for _, r := range []*pipeline.Receipt{first, second} {
		if err := r.Wait(within(t)); !errors.Is(err, pipeline.ErrRejected) {
			t.Error(err)
		}
	}
	must(t, w.Close())
	p.end(t)

	p = begin(t, dir)
	must(t, p.DeadLetters().Discard(second.ID()))
	if err := p.DeadLetters().Discard(second.ID()); !errors.Is(err, pipeline.ErrSettled) {
		t.Errorf("a second Discard: %v", err)
	}
	unique := push(t, p.Pusher, 3, pipeline.Unique("u"))
	if _, err := p.DeadLetters().Requeue(first.ID()); !errors.Is(err, pipeline.ErrDuplicate) {
		t.Errorf("Requeue of a unique key that is pending: %v", err)
	}
	must(t, p.Cancel(unique.ID()))
	again, err := p.DeadLetters().Requeue(first.ID())
	must(t, err)
	w = newWorker(t)
	must(t, w.Connect(bind(t, p, loopback)))
	runs(t, w, 1, func(_ context.Context, j *pipeline.Job[int]) error { return j.Done(j.Value + 1) })
	must(t, again.Wait(within(t)))
	var result int
	must(t, again.Result(&result))
	is(t, "result", result, 2)
	if _, err := p.DeadLetters().Requeue(first.ID()); !errors.Is(err, pipeline.ErrSettled) {
		t.Errorf("a second Requeue: %v", err)
	}
}

// A spool of something else is refused, and what is removed from one is canceled.
func TestSpoolOfOthers(t *testing.T) {
	q, err := spool.Open(t.TempDir(), spool.Options{})
	must(t, err)
	defer func() { must(t, q.Close()) }()
	_, err = q.Cursor("other", spool.CursorOptions{})
	must(t, err)
	p := newPusher(t, pipeline.WithSpool(q))
	if _, err := p.Push(within(t), 1); !errors.Is(err, pipeline.ErrSpool) {
		t.Error(err)
	}
	if _, err := p.Bind(within(t), loopback); !errors.Is(err, pipeline.ErrSpool) {
		t.Error(err)
	}

	l := begin(t, t.TempDir())
	r := push(t, l.Pusher, 1)
	_, err = l.q.Purge(within(t), spool.Filter{})
	must(t, err)
	if err := r.Wait(within(t)); !errors.Is(err, pipeline.ErrCanceled) {
		t.Error(err)
	}
	must(t, l.Flush(within(t)))
}
