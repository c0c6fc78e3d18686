package pipeline_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/pipeline"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// TestPitfall10AcksThatFindNoRoom: whatever is said of high-water marks, no answer is lost for want of room.
func TestPitfall10AcksThatFindNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond, Window: 256})
		p := newPusher(t, pipeline.WithRouter(
			socket.WithTransport(net.Host("srv")), socket.WithRecvHWM(1), socket.WithSendHWM(1)))
		bind(t, p, "sim://srv")
		w := newWorker(t, pipeline.WithPrefetch(100, 0), pipeline.WithDealer(
			socket.WithTransport(net.Host("cli")), socket.WithSendHWM(1), socket.WithRecvHWM(1)))
		must(t, w.Connect("sim://srv"))
		runs(t, w, 10, func(context.Context, *pipeline.Job[int]) error { return nil })
		start := time.Now()
		for i := range 2000 {
			push(t, p, i)
		}
		must(t, p.Flush(within(t)))
		s := p.Stats()
		is(t, "done", s.Done, 2000)
		is(t, "redelivered", s.Redelivered, 0)
		is(t, "late", s.Late, 0)
		if d := time.Since(start); d > 30*time.Second { // no lease had to run out
			t.Errorf("it took %v", d)
		}
	})
}

// TestPitfall15PartitionedWorker: a worker that is cut off, and not dead, does a job that another does as well: that
// one is told, and the late answer is one on a job that is settled.
func TestPitfall15PartitionedWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		p := newPusher(t, pipeline.WithRouter(socket.WithTransport(net.Host("srv"))))
		bind(t, p, "sim://srv")
		cut := newWorker(t, pipeline.WithDealer(socket.WithTransport(net.Host("cut"))))
		must(t, cut.Connect("sim://srv"))
		r := push(t, p, 1)
		lost, told := make(chan struct{}), make(chan struct{})
		ended := make(chan error, 1)
		go func() {
			ended <- cut.Run(t.Context(), 1, func(ctx context.Context, j *pipeline.Job[int]) error {
				net.Partition("cut")
				close(lost)
				<-ctx.Done() // it hears of it when it is back
				if !errors.Is(context.Cause(ctx), pipeline.ErrSettled) {
					t.Errorf("its context ends for %v", context.Cause(ctx))
				}
				if err := j.Ack(); !errors.Is(err, pipeline.ErrSettled) {
					t.Errorf("a late Ack: %v", err)
				}
				close(told)
				return nil
			})
		}()
		<-lost
		other := newWorker(t, pipeline.WithDealer(socket.WithTransport(net.Host("other"))))
		must(t, other.Connect("sim://srv"))
		attempts := make(chan int, 10)
		runs(t, other, 1, func(_ context.Context, j *pipeline.Job[int]) error {
			attempts <- j.Attempt
			return j.Done(2)
		})
		must(t, r.Wait(within(t)))
		is(t, "attempt", <-attempts, 1)
		net.Heal()
		select {
		case <-told:
		case <-within(t).Done():
			t.Error("the one that was cut off is not told")
		}
		must(t, cut.Shutdown(within(t)))
		if err := <-ended; !errors.Is(err, socket.ErrClosed) {
			t.Error(err)
		}
		var result int
		must(t, r.Result(&result))
		is(t, "result", result, 2)
		is(t, "done", p.Stats().Done, 1)
		is(t, "given to the other again", len(attempts), 0)
	})
}

// TestPitfall18ZeroValues: nil options, any type of job, and names at their limits.
func TestPitfall18ZeroValues(t *testing.T) {
	p := pipeline.NewPusher[any](nil, pipeline.WithCodec(nil), pipeline.WithSpool(nil), pipeline.WithPending(0, 0),
		pipeline.WithLease(0), pipeline.WithMaxAttempts(0), pipeline.WithRouter(nil), pipeline.WithDealer(nil))
	defer func() { must(t, p.Close()) }()
	longest := strings.Repeat("n", 255)
	w := pipeline.NewWorker[any](nil, pipeline.WithCodec(nil), pipeline.WithName(longest), pipeline.WithPrefetch(-1, -1))
	defer func() { must(t, w.Close()) }()
	must(t, w.Connect(bind(t, p, loopback)))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		_ = w.Run(ctx, 0, func(_ context.Context, j *pipeline.Job[any]) error { return j.Done(nil) })
	})
	defer running.Wait()
	defer cancel()
	type pair struct{ A, B int }
	for _, job := range []any{nil, 0, "", []byte(nil), []byte("x"), struct{}{}, pair{1, 2}, &pair{}, map[string]any(nil)} {
		r, err := p.Push(within(t), job, nil, pipeline.Key(strings.Repeat("k", 64)), pipeline.To(longest),
			pipeline.TTL(0), pipeline.Delay(-1), pipeline.Unique(""))
		must(t, err)
		must(t, r.Wait(within(t)))
		var nothing any
		must(t, r.Result(&nothing))
		if nothing != nil {
			t.Errorf("the result of nothing is %v", nothing)
		}
	}
	if _, err := p.Push(within(t), 1, pipeline.Key(strings.Repeat("k", 65))); !errors.Is(err, patterns.ErrHead) {
		t.Errorf("a key that is too long: %v", err)
	}
	rs, err := p.PushAll(within(t), nil)
	if err != nil || len(rs) != 0 {
		t.Errorf("PushAll of nothing: %v, %v", rs, err)
	}
	empty := pipeline.NewPusher[struct{}]()
	defer func() { must(t, empty.Close()) }()
	_, err = empty.Push(within(t), struct{}{})
	must(t, err)
	for j, err := range empty.Browse(within(t)) {
		must(t, err)
		is(t, "value", j.Value, struct{}{})
	}
}
