package rpc_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/patterns/rpc"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/proxy"
)

// affine returns services that add and stream behind a proxy that keeps a call on one of them, and a client in front.
func (w world) affine(t *testing.T, names ...string) (*rpc.Client, []*rpc.Service) {
	t.Helper()
	says, at := socket.WithMetadata("X-Yodel-Proxy", "affinity"), socket.WithTransport(w.Host("proxy"))
	front, back := socket.NewRouter(says, at), socket.NewDealer(says, at)
	_, err := front.Bind(t.Context(), "sim://front")
	must(t, err)
	_, err = back.Bind(t.Context(), "sim://back")
	must(t, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- proxy.Run(ctx, front, back, proxy.WithAffinity(0)) }()
	t.Cleanup(func() {
		stop()
		must(t, errors.Join(<-ended, front.Close(), back.Close()))
	})
	var services []*rpc.Service
	for _, name := range names {
		s := newService(t, rpc.WithWindow(1<<10), rpc.WithRouter(socket.WithTransport(w.Host(name))))
		newStreams(t, s)
		must(t, s.Connect("sim://back"))
		services = append(services, s)
	}
	c := newClient(t, rpc.WithWindow(1<<10), rpc.WithDealer(socket.WithTransport(w.Host("cli"))))
	must(t, c.Connect("sim://front"))
	must(t, c.WaitReplicas(t.Context(), 1))
	time.Sleep(time.Second)
	synctest.Wait()
	return c, services
}

// TestStreamsBehindAProxy: through a proxy that keeps what belongs to one call together, streams of all shapes run
// whole, many at a time and each with far more items than its window, on all the services behind it.
func TestStreamsBehindAProxy(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		c, services := w.affine(t, "one", "two")
		const n = 300
		var work sync.WaitGroup
		for range 6 {
			work.Go(func() {
				all, err := collect(rpc.Source[int](after(t, time.Minute), c, "count", n))
				if err != nil || !slices.Equal(all, slices.Collect(upTo(n))) {
					t.Errorf("%d items of %d, %v", len(all), n, err)
				}
			})
			work.Go(func() {
				sum, err := rpc.Sink[int](after(t, time.Minute), c, "sum", upTo(n))
				if want := n * (n - 1) / 2; err != nil || sum != want {
					t.Errorf("the sum is %d, not %d: %v", sum, want, err)
				}
			})
			work.Go(func() {
				all, err := collect(rpc.Duplex[int](after(t, time.Minute), c, "double", upTo(n)))
				if err != nil || len(all) != n || all[n-1] != 2*(n-1) {
					t.Errorf("%d of %d, %v", len(all), n, err)
				}
			})
		}
		work.Wait()
		for i, s := range services {
			stats := s.Stats()
			calls := stats.Methods["count"].Calls + stats.Methods["sum"].Calls + stats.Methods["double"].Calls
			is(t, "streams of one", calls, 9)
			if stats.Running > 0 {
				t.Errorf("service %d has handlers still", i)
			}
		}
		is(t, "stray", c.Stats().Stray, 0)
	})
}

// TestCancelBehindAProxy: whoever leaves a stream, or gives a call up, ends its handler, whichever service has it.
func TestCancelBehindAProxy(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		c, services := w.affine(t, "one", "two")
		const calls = 10
		ended := make(chan time.Time, 2*calls)
		for _, s := range services {
			rpc.Handle(s, "wait", func(ctx context.Context, _ int) (int, error) {
				<-ctx.Done()
				ended <- time.Now()
				return 0, ctx.Err()
			})
			rpc.HandleSource(s, "drip", func(ctx context.Context, _ int) iter.Seq2[int, error] {
				return func(yield func(int, error) bool) {
					for i := 0; ctx.Err() == nil && yield(i, nil); i++ {
						select {
						case <-ctx.Done():
						case <-time.After(time.Hour):
						}
					}
					ended <- time.Now()
				}
			})
		}
		for range calls {
			began := time.Now()
			for _, err := range rpc.Source[int](t.Context(), c, "drip", 0) {
				must(t, err)
				break
			}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			if _, err := rpc.Call[int](ctx, c, "wait", 0); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			for range 2 {
				if took := (<-ended).Sub(began); took > 2*time.Second {
					t.Errorf("a handler ends after %v", took)
				}
			}
		}
	})
}

// TestDrainBehindAProxy: of the services behind a proxy one shuts down: calls that it refuses go to another one, and
// the client does not take the proxy for one that shuts down.
func TestDrainBehindAProxy(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		c, services := w.affine(t, "one", "two")
		hold := make(chan struct{})
		rpc.Handle(services[0], "hold", func(context.Context, int) (int, error) { <-hold; return 0, nil })
		rpc.Handle(services[1], "hold", func(context.Context, int) (int, error) { <-hold; return 0, nil })
		held := make(chan error, 2)
		for range 2 { // one for each, so that neither ends at once
			go func() {
				_, err := rpc.Call[int](after(t, time.Hour), c, "hold", 0)
				held <- err
			}()
		}
		synctest.Wait()
		time.Sleep(time.Second)
		ctx, drain := context.WithCancel(t.Context())
		served := make(chan error)
		go func() { served <- services[0].Serve(ctx) }()
		drain()
		synctest.Wait()
		for i := range 20 {
			got, err := add.Call(after(t, time.Minute), c, adds{i, 1})
			if err != nil || got.Sum != i+1 {
				t.Errorf("%d: %v, %v", i, got, err)
			}
		}
		is(t, "calls of the one that goes on", services[1].Stats().Methods["add"].Calls, 20)
		close(hold)
		must(t, errors.Join(<-held, <-held, <-served))
	})
}
