package pipeline_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/yodel-mq/yodel/patterns/pipeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait in these tests; nothing is measured against it.
const patience = 60 * time.Second

const loopback = "tcp://127.0.0.1:*"

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// is fails unless got is want.
func is[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

type handler = func(context.Context, *pipeline.Job[int]) error

func newPusher(t testing.TB, opts ...pipeline.PusherOption) *pipeline.Pusher[int] {
	t.Helper()
	p := pipeline.NewPusher[int](opts...)
	t.Cleanup(func() { must(t, p.Close()) })
	return p
}

func newWorker(t testing.TB, opts ...pipeline.WorkerOption) *pipeline.Worker[int] {
	t.Helper()
	w := pipeline.NewWorker[int](opts...)
	t.Cleanup(func() { must(t, w.Close()) })
	return w
}

// runs has a worker run until the test ends, or the function that it returns is called, which waits for it.
func runs(t testing.TB, w *pipeline.Worker[int], n int, h handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.Run(ctx, n, h) // that of ctx, or that the worker is closed
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

func bind(t testing.TB, x interface {
	Bind(ctx context.Context, endpoint string) (string, error)
}, endpoint string,
) string {
	t.Helper()
	at, err := x.Bind(within(t), endpoint)
	must(t, err)
	return at
}

// linked is a pusher that a worker is connected to.
func linked(t testing.TB, opts ...pipeline.PusherOption) (*pipeline.Pusher[int], *pipeline.Worker[int]) {
	t.Helper()
	p, w := newPusher(t, opts...), newWorker(t)
	must(t, w.Connect(bind(t, p, loopback)))
	return p, w
}

func push(t testing.TB, p *pipeline.Pusher[int], job int, opts ...pipeline.PushOption) *pipeline.Receipt {
	t.Helper()
	r, err := p.Push(within(t), job, opts...)
	must(t, err)
	return r
}

// eachWay runs a test over tcp and inproc, with either side bound.
func eachWay(t *testing.T, test func(t *testing.T, p *pipeline.Pusher[int], w *pipeline.Worker[int])) {
	for name, endpoint := range map[string]string{"tcp": loopback, "inproc": "inproc://"} {
		for _, side := range []string{"pusher bound", "worker bound"} {
			t.Run(name+", "+side, func(t *testing.T) {
				p, w := newPusher(t), newWorker(t)
				if name == "inproc" {
					endpoint = "inproc://" + t.Name()
				}
				if side == "pusher bound" {
					must(t, w.Connect(bind(t, p, endpoint)))
				} else {
					must(t, p.Connect(bind(t, w, endpoint)))
				}
				test(t, p, w)
			})
		}
	}
}

// until waits until something holds that nobody tells of.
func until(t testing.TB, holds func() bool) {
	t.Helper()
	ctx := within(t)
	for tick := time.NewTicker(time.Millisecond); !holds(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it does not come to hold")
		}
	}
}
