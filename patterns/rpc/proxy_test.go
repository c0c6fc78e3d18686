package rpc_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/rpc"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/proxy"
)

// proxied returns a client that reaches services through a proxy, which knows nothing of calls.
func (w world) proxied(t *testing.T, services ...*rpc.Service) *rpc.Client {
	t.Helper()
	front, back := socket.NewRouter(socket.WithTransport(w.Host("proxy"))), socket.NewDealer(
		socket.WithTransport(w.Host("proxy")))
	_, err := front.Bind(t.Context(), "sim://front")
	must(t, err)
	_, err = back.Bind(t.Context(), "sim://back")
	must(t, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- proxy.Run(ctx, front, back) }()
	t.Cleanup(func() {
		stop()
		must(t, errors.Join(<-ended, front.Close(), back.Close()))
	})
	for _, s := range services {
		must(t, s.Connect("sim://back"))
	}
	c := w.client(t, "cli", "front")
	synctest.Wait()
	time.Sleep(time.Second)
	return c
}

// behind returns a service that is to be connected to a proxy.
func (w world) behind(t *testing.T, host string) *rpc.Service {
	return newService(t, rpc.WithRouter(socket.WithTransport(w.Host(host))))
}

// Through a proxy of plain sockets calls go to all services behind it, each reply comes to its caller, and deadlines
// end handlers. Streams there are none.
func TestProxy(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		one, two := w.behind(t, "one"), w.behind(t, "two")
		var ended atomic.Int32
		for _, s := range []*rpc.Service{one, two} {
			rpc.Handle(s, "wait", func(ctx context.Context, _ int) (int, error) {
				<-ctx.Done()
				ended.Add(1)
				return 0, ctx.Err()
			})
			newStreams(t, s)
		}
		c := w.proxied(t, one, two)
		var work sync.WaitGroup
		for i := range 20 {
			work.Go(func() {
				if got, err := add.Call(t.Context(), c, adds{i, 1}); err != nil || got.Sum != i+1 {
					t.Errorf("%d: %v, %v", i, got, err)
				}
			})
		}
		work.Wait()
		for _, s := range []*rpc.Service{one, two} {
			if n := s.Stats().Methods["add"].Calls; n != 10 {
				t.Errorf("%d calls of 20", n)
			}
		}
		for range 2 {
			if _, err := rpc.Call[int](after(t, time.Second), c, "wait", 0); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		}
		time.Sleep(time.Second)
		is(t, "handlers that have ended", ended.Load(), 2)
		_, err := collect(rpc.Source[int](t.Context(), c, "count", 3))
		if e, ok := errors.AsType[*patterns.Error](err); !ok || e.Code != patterns.CodeUnimplemented {
			t.Error(err)
		}
		is(t, "stray", one.Stats().Stray+two.Stats().Stray+c.Stats().Stray, 0)
	})
}

// A service behind a proxy knows the keys of calls, but a client does not know which service it was: it asks for none
// that was lost a second time.
func TestOnceBehindAProxy(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		var runs atomic.Int32
		s := w.behind(t, "srv")
		numbered(t, s, &runs, time.Second)
		c := w.proxied(t, s)
		for range 3 {
			got, err := rpc.Call[int32](t.Context(), c, "f", 0, rpc.Once("k"))
			if err != nil || got != 1 {
				t.Errorf("%d, %v", got, err)
			}
		}
		time.AfterFunc(500*time.Millisecond, func() { w.Cut("cli") })
		_, err := rpc.Call[int32](t.Context(), c, "f", 0, rpc.Once("other"))
		var ce *rpc.CallError
		if !errors.Is(err, socket.ErrPeerLost) || !errors.As(err, &ce) || !ce.MayHaveRun || ce.Attempts != 1 {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		is(t, "runs", runs.Load(), 2)
	})
}
