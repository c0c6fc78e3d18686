package pipeline_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/pipeline"
	"github.com/yodel-mq/yodel/socket"
)

// Jobs are done, and their results come back, whichever side binds.
func TestJobsAreDone(t *testing.T) {
	eachWay(t, func(t *testing.T, p *pipeline.Pusher[int], w *pipeline.Worker[int]) {
		runs(t, w, 4, func(_ context.Context, j *pipeline.Job[int]) error { return j.Done(2 * j.Value) })
		var all []*pipeline.Receipt
		for i := range 500 {
			all = append(all, push(t, p, i))
		}
		must(t, p.Flush(within(t)))
		for i, r := range all {
			var got int
			must(t, r.Wait(within(t)))
			must(t, r.Result(&got))
			is(t, "result", got, 2*i)
			is(t, "id", r.ID().Seq, uint64(i+1))
		}
		s := p.Stats()
		is(t, "done", s.Done, 500)
		is(t, "accepted", s.Accepted, 500)
		is(t, "redelivered", s.Redelivered, 0)
		is(t, "late", s.Late, 0)
		is(t, "unknown", s.Unknown+w.Stats().Unknown, 0)
		is(t, "pending", s.Waiting+s.Held+s.Delayed, 0)
	})
}

// Each verb of a job does what it says, and only the first counts.
func TestVerbs(t *testing.T) {
	eachWay(t, func(t *testing.T, p *pipeline.Pusher[int], w *pipeline.Worker[int]) {
		ctx := patterns.WithHeaders(within(t), patterns.Headers{"a": "b"})
		r, err := p.Push(ctx, 7, pipeline.Key("k"))
		must(t, err)
		rejected := push(t, p, 8)
		turn := 0
		for j, err := range w.Jobs(within(t)) {
			must(t, err)
			turn++
			switch turn {
			case 1:
				is(t, "key", j.Key, "k")
				is(t, "header", j.Headers.Get("a"), "b")
				is(t, "attempt", j.Attempt, 0)
				is(t, "id", j.ID, r.ID())
				must(t, j.InProgress())
				must(t, j.Nack(0))
				if err := j.Ack(); !errors.Is(err, pipeline.ErrSettled) {
					t.Errorf("Ack after Nack: %v", err)
				}
				continue
			case 2, 3:
				if j.Value == 8 {
					must(t, j.Reject("no eights"))
				} else {
					is(t, "attempt", j.Attempt, 1)
					must(t, j.Done("well"))
				}
			}
			if turn == 3 {
				break
			}
		}
		must(t, r.Wait(within(t)))
		var result string
		must(t, r.Result(&result))
		is(t, "result", result, "well")
		err = rejected.Wait(within(t))
		var why *pipeline.JobError
		if !errors.Is(err, pipeline.ErrRejected) || !errors.As(err, &why) || why.Reason != "no eights" ||
			why.ID != rejected.ID() {
			t.Errorf("%v, %+v", err, why)
		}
		if err := rejected.Result(&result); !errors.Is(err, pipeline.ErrRejected) {
			t.Errorf("the result of a rejected job: %v", err)
		}
	})
}

// What a handler of Run returns is what becomes of the job.
func TestRun(t *testing.T) {
	p, w := linked(t)
	odd := errors.New("it is odd")
	runs(t, w, 2, func(_ context.Context, j *pipeline.Job[int]) error {
		switch {
		case j.Value == 0:
			panic("zero")
		case j.Value%2 == 1:
			return pipeline.Reject(odd)
		}
		return nil
	})
	must(t, push(t, p, 2).Wait(within(t)))
	r := push(t, p, 3)
	var why *pipeline.JobError
	if err := r.Wait(within(t)); !errors.As(err, &why) || why.Reason != "it is odd" || why.Err != pipeline.ErrRejected {
		t.Error(err)
	}
	if pipeline.Reject(nil) != nil {
		t.Error("Reject of nil is not nil")
	}
	push(t, p, 0)
	until(t, func() bool { return p.Stats().Delayed > 0 }) // it comes again in a second
	is(t, "attempts that came to nothing", p.Stats().Redelivered, 1)
}

// What a worker has in store and has not begun goes to another when it ends, and counts as no attempt.
func TestEndOfAWorkerIsNoFailure(t *testing.T) {
	p, first := linked(t, pipeline.WithMaxAttempts(1))
	begun, release := make(chan struct{}, 100), make(chan struct{})
	stop := runs(t, first, 1, func(context.Context, *pipeline.Job[int]) error {
		begun <- struct{}{}
		<-release
		return nil
	})
	var all []*pipeline.Receipt
	for i := range 10 {
		all = append(all, push(t, p, i))
	}
	<-begun
	until(t, func() bool { return first.Stats().Stored == 9 })
	stopped := make(chan struct{})
	go func() {
		stop()
		close(stopped)
	}()
	until(t, func() bool { return p.Stats().Held == 1 })
	close(release)
	<-stopped
	second := newWorker(t)
	must(t, second.Connect(p.Endpoints()[0]))
	var attempts sync.Map
	runs(t, second, 1, func(_ context.Context, j *pipeline.Job[int]) error {
		attempts.Store(j.Value, j.Attempt)
		return nil
	})
	for _, r := range all {
		must(t, r.Wait(within(t)))
	}
	is(t, "attempts that came to nothing", p.Stats().Redelivered, 0)
	for i := 1; i < 10; i++ {
		if n, ok := attempts.Load(i); !ok || n != 0 {
			t.Errorf("job %d at the second worker: %v attempts, %v", i, n, ok)
		}
	}
}

// The jobs of a key are done one after the other, whatever workers there are.
func TestKeysKeepOrder(t *testing.T) {
	p := newPusher(t)
	at := bind(t, p, loopback)
	var mu sync.Mutex
	done := make(map[string][]int)
	busy := make(map[string]int)
	for range 3 {
		w := newWorker(t)
		must(t, w.Connect(at))
		runs(t, w, 3, func(_ context.Context, j *pipeline.Job[int]) error {
			mu.Lock()
			if busy[j.Key]++; busy[j.Key] > 1 {
				t.Errorf("two jobs of key %q at once", j.Key)
			}
			mu.Unlock()
			mu.Lock()
			defer mu.Unlock()
			busy[j.Key]--
			done[j.Key] = append(done[j.Key], j.Value)
			return nil
		})
	}
	for i := range 300 {
		push(t, p, i, pipeline.Key(string(rune('a'+i%5))))
	}
	must(t, p.Flush(within(t)))
	for key, values := range done {
		if !slices.IsSorted(values) || len(values) != 60 {
			t.Errorf("key %q: %v", key, values)
		}
	}
}

// Push waits for room, in the order in which it is called, and gives up with its context.
func TestPushWaitsForRoom(t *testing.T) {
	p := newPusher(t, pipeline.WithPending(2, 0))
	push(t, p, 1)
	push(t, p, 2)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := p.Push(ctx, 3)
		failed <- err
	}()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	accepted := make(chan error, 1)
	go func() {
		_, err := p.Push(within(t), 4)
		accepted <- err
	}()
	w := newWorker(t)
	must(t, w.Connect(bind(t, p, loopback)))
	runs(t, w, 1, func(context.Context, *pipeline.Job[int]) error { return nil })
	must(t, <-accepted)
	if _, err := p.PushAll(within(t), []int{1, 2, 3}); err == nil {
		t.Error("more at once than may be pending are accepted")
	}
	rs, err := p.PushAll(within(t), []int{5, 6})
	must(t, err)
	must(t, rs[1].Wait(within(t)))
}

// After Close nothing is accepted, and who waits is told.
func TestClose(t *testing.T) {
	p, w := newPusher(t), newWorker(t)
	r := push(t, p, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- w.Run(t.Context(), 1, func(context.Context, *pipeline.Job[int]) error { return nil })
	}()
	must(t, p.Close())
	must(t, w.Close())
	if err := <-ended; !errors.Is(err, socket.ErrClosed) {
		t.Errorf("Run: %v", err)
	}
	if err := r.Wait(within(t)); !errors.Is(err, socket.ErrClosed) {
		t.Errorf("the receipt: %v", err)
	}
	if _, err := p.Push(within(t), 2); !errors.Is(err, socket.ErrClosed) {
		t.Errorf("Push: %v", err)
	}
	for _, err := range w.Jobs(within(t)) {
		if !errors.Is(err, socket.ErrClosed) {
			t.Errorf("Jobs: %v", err)
		}
	}
}

// Shutdown of a pusher waits for its jobs, that of a worker for its handlers.
func TestShutdown(t *testing.T) {
	p, w := linked(t)
	begun, release := make(chan struct{}), make(chan struct{})
	runs(t, w, 1, func(ctx context.Context, _ *pipeline.Job[int]) error {
		close(begun)
		<-release
		return ctx.Err()
	})
	r := push(t, p, 1)
	<-begun
	both := make(chan error, 2)
	go func() { both <- w.Shutdown(within(t)) }()
	go func() { both <- p.Shutdown(within(t)) }()
	close(release)
	must(t, <-both)
	must(t, <-both)
	must(t, r.Wait(within(t)))
	is(t, "done", p.Stats().Done, 1)
}
