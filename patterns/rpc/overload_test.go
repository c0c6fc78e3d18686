package rpc_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/patterns/rpc"
	"github.com/yodel-mq/yodel/socket"
)

// A backend does four things at once, each in 5 ms: 800 a second.
const (
	backendWidth   = 4
	backendService = 5 * time.Millisecond
	backendRate    = float64(backendWidth) / 0.005
	backendWarmUp  = time.Second
)

// load calls a service that stands on such a backend at a rate from each client, for a time, each call with a deadline
// of 20 times the service time, and returns how many of each were answered, refused, and neither. What is called while
// the limit finds itself, from 256 down, does not count.
func load(t *testing.T, w world, clients int, rate func(client int) float64, d time.Duration,
	opts ...rpc.ServiceOption,
) (good, refused, lost []int64) {
	t.Helper()
	s := w.service(t, "srv", opts...)
	slots := make(chan struct{}, backendWidth)
	rpc.Handle(s, "work", func(ctx context.Context, _ int) (int, error) {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		defer func() { <-slots }()
		time.Sleep(backendService)
		return 0, nil
	})
	counts := make([][3]atomic.Int64, clients)
	var work sync.WaitGroup
	for i := range clients {
		c := w.client(t, string(rune('a'+i)), "srv")
		work.Go(func() {
			pause := time.Duration(float64(time.Second) / rate(i))
			began := time.Now()
			for next := pause * time.Duration(i) / time.Duration(clients); next < d; next += pause {
				time.Sleep(next - time.Since(began))
				work.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), 20*backendService)
					defer cancel()
					_, err := rpc.Call[int](ctx, c, "work", 0, rpc.Attempts(1))
					if next < backendWarmUp {
						return
					}
					switch {
					case err == nil:
						counts[i][0].Add(1)
					case errors.Is(err, rpc.ErrOverloaded):
						counts[i][1].Add(1)
					case errors.Is(err, context.DeadlineExceeded):
						counts[i][2].Add(1)
					default:
						t.Error(err)
					}
				})
			}
		})
	}
	work.Wait()
	for i := range counts {
		good = append(good, counts[i][0].Load())
		refused = append(refused, counts[i][1].Load())
		lost = append(lost, counts[i][2].Load())
	}
	return good, refused, lost
}

// At ten times what it can do a service does nearly as much as it can; below that it refuses nothing.
func TestPitfall8Overload(t *testing.T) {
	for _, tc := range []struct {
		name  string
		times float64
		least float64 // of what it can do, or is asked to
	}{{"10×", 10, 0.8}, {"0.8×", 0.8, 1}} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w world) {
				const d, clients = backendWarmUp + time.Second, 4
				good, refused, lost := load(t, w, clients, func(int) float64 { return tc.times * backendRate / clients }, d)
				sum := func(counts []int64) (n float64) {
					for _, c := range counts {
						n += float64(c)
					}
					return n
				}
				want := tc.least * min(tc.times, 1) * backendRate * (d - backendWarmUp).Seconds()
				if sum(good) < want-clients || tc.times < 1 && sum(refused)+sum(lost) > 0 {
					t.Errorf("%v answered, at least %.0f wanted; %v refused, %v lost", good, want, refused, lost)
				}
			})
		})
	}
}

// Of one that calls at ten times what there is, nine others that call now and then feel nothing, where the limit is
// what the backend can do.
func TestPitfall20Fairness(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		good, refused, lost := load(t, w, 10, func(client int) float64 {
			if client == 0 {
				return 10 * backendRate
			}
			return 0.05 * backendRate
		}, backendWarmUp+time.Second, rpc.WithConcurrency(backendWidth))
		for i := 1; i < 10; i++ {
			if refused[i]+lost[i] > 0 || good[i] < 39 {
				t.Errorf("client %d: %d answered, %d refused, %d lost", i, good[i], refused[i], lost[i])
			}
		}
		if refused[0] == 0 {
			t.Errorf("%d answered, and none refused, of ten times what can be done", good[0])
		}
	})
}

// What a replica has refused goes to another one, and the first is left alone for as long as it said.
func TestOverloadedReplicaIsPassedOver(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		one := w.service(t, "one", rpc.WithConcurrency(1), rpc.WithQueue(1, time.Millisecond))
		two := w.service(t, "two")
		for _, s := range []*rpc.Service{one, two} {
			rpc.Handle(s, "work", func(context.Context, int) (int, error) {
				time.Sleep(20 * time.Millisecond)
				return 0, nil
			})
		}
		c := w.client(t, "cli", "one", "two")
		var work sync.WaitGroup
		for range 20 {
			work.Go(func() {
				_, err := rpc.Call[int](t.Context(), c, "work", 0)
				must(t, err)
			})
		}
		work.Wait()
		m := c.Stats().Methods["work"]
		is(t, "calls", m.Calls, 20)
		is(t, "failed", m.Failed, 0)
		if m.Retried == 0 || one.Stats().Methods["work"].Overloaded != m.Retried {
			t.Errorf("%+v; %+v", m, one.Stats())
		}
		only := w.client(t, "other", "one")
		var refused atomic.Int32
		for range 5 {
			work.Go(func() {
				if _, err := rpc.Call[int](t.Context(), only, "work", 0, rpc.Attempts(1)); errors.Is(err, rpc.ErrOverloaded) {
					refused.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		work.Wait()
		is(t, "refused", refused.Load(), 3)
	})
}

// A caller may have so many calls out and no more.
func TestTooManyCallsOfOne(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		s := w.service(t, "srv", rpc.WithConcurrency(2000))
		rpc.Handle(s, "wait", func(ctx context.Context, _ int) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		d := w.dealer(t, "cli", "srv", socket.WithSendHWM(0))
		const calls = 1024 + 3
		for i := range calls {
			id := []byte{byte(i >> 8), byte(i)}
			must(t, d.Send(t.Context(), socket.NewMsg(id, nil, []byte("\x81\xa1m\xa4wait"), []byte{0})))
		}
		for range 3 {
			m, err := d.Recv(t.Context())
			must(t, err)
			if head := string(m.Frames[2]); !strings.HasPrefix(head, "\x84\xa1e\xaaoverloaded") {
				t.Errorf("%q", head)
			}
		}
		is(t, "running", s.Stats().Running, 1024)
	})
}

// TestHandlersThatComputeBeginFewAtATime: of many calls at once whose handlers compute only a few begin, for no others
// could run; those whose handlers wait for each other all do, though the processors are busy.
func TestHandlersThatComputeBeginFewAtATime(t *testing.T) {
	const calls = 200
	for name, compute := range map[string]bool{"compute": true, "wait for each other": false} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, rpc.WithQueue(calls, time.Minute))
			var running, most atomic.Int32
			all := make(chan struct{})
			rpc.Handle(s, "work", func(ctx context.Context, _ int) (int, error) {
				n := running.Add(1)
				defer running.Add(-1)
				for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
				}
				if n == calls {
					close(all)
				}
				if compute {
					for begin := time.Now(); time.Since(begin) < 2*time.Millisecond; {
						continue
					}
					return 0, nil
				}
				select {
				case <-all:
				case <-ctx.Done():
				}
				return 0, ctx.Err()
			})
			c := linked(t, "inproc://few", s)
			var work sync.WaitGroup
			for range calls {
				work.Go(func() {
					if _, err := rpc.Call[int](within(t), c, "work", 0, rpc.Attempts(1)); err != nil {
						t.Error(err)
					}
				})
			}
			work.Wait()
			if n := most.Load(); compute && n > calls/2 || !compute && n != calls {
				t.Errorf("%d ran at once", n)
			}
		})
	}
}
