package rpc_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/rpc"
	"github.com/yodel-mq/yodel/socket"
)

// A service that replies and is gone has replied: no call is taken for lost whose reply was sent.
func TestPitfall1ReplyThenShutdown(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		const rounds, calls = 200, 5
		c := newClient(t, rpc.WithDealer(socket.WithTransport(w.Host("cli"))))
		for range rounds {
			r := w.router(t, "srv")
			must(t, c.Connect("sim://srv")) // the first time
			must(t, c.WaitReplicas(after(t, time.Hour), 1))
			var work sync.WaitGroup
			for range calls {
				work.Go(func() {
					if _, err := rpc.Call[any](t.Context(), c, "f", 0); err != nil {
						t.Error(err)
					}
				})
			}
			for range calls {
				m, err := r.Recv(t.Context())
				must(t, err)
				must(t, r.Reply(t.Context(), m, socket.NewMsg([]byte{0x80})))
			}
			must(t, r.Shutdown(after(t, time.Hour)))
			work.Wait()
		}
	})
}

// Replies that come too late are counted, and never reach another call.
func TestPitfall2LateReplies(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		const callers, calls = 20, 40
		s := w.service(t, "srv")
		rpc.Handle(s, "echo", func(_ context.Context, n int) (int, error) {
			time.Sleep(rand.N(20 * time.Millisecond))
			return n, nil
		})
		c := w.client(t, "cli", "srv")
		var mine, theirs, answered atomic.Uint64
		var work sync.WaitGroup
		for g := range callers {
			work.Go(func() {
				for i := range calls {
					ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond+rand.N(20*time.Millisecond))
					got, err := rpc.Call[int](ctx, c, "echo", g*calls+i)
					cancel()
					switch ce := (*rpc.CallError)(nil); {
					case err == nil && got != g*calls+i:
						t.Errorf("the reply to %d is %d", g*calls+i, got)
					case err == nil:
						answered.Add(1)
					case !errors.Is(err, context.DeadlineExceeded):
						t.Error(err)
					case errors.As(err, &ce):
						mine.Add(1)
					default:
						theirs.Add(1)
					}
				}
			})
		}
		work.Wait()
		time.Sleep(time.Second)
		m := c.Stats().Methods["echo"]
		if is(t, "late", m.Late, mine.Load()); m.Late == 0 || answered.Load() == 0 {
			t.Errorf("%d late, %d answered, %d by the service", m.Late, answered.Load(), theirs.Load())
		}
		is(t, "stray", c.Stats().Stray, 0)
		is(t, "canceled", m.Canceled, mine.Load()+theirs.Load())
	})
}

// A call that is cancelled as soon as it is sent is known by the time that its cancellation comes.
func TestPitfall3CancelRightAfterSend(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		const calls = 300
		s := w.service(t, "srv", rpc.WithConcurrency(50))
		rpc.Handle(s, "wait", func(ctx context.Context, _ int) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		c := w.client(t, "cli", "srv")
		var work sync.WaitGroup
		for range calls {
			ctx, cancel := context.WithCancel(t.Context())
			work.Go(func() {
				if _, err := rpc.Call[int](ctx, c, "wait", 0); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
			if rand.IntN(2) == 0 {
				runtime.Gosched()
			}
			cancel()
		}
		work.Wait()
		time.Sleep(100 * time.Millisecond)
		is(t, "running", s.Stats().Running, 0)
		is(t, "queued", s.Stats().Queued, 0)
		is(t, "out", c.Stats().Running, 0)
	})
}

// A caller that is lost leaves nothing behind.
func TestPitfall4LostCaller(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		const calls = 300
		s := w.service(t, "srv", rpc.WithConcurrency(calls/2)) // the others wait
		var handlers atomic.Int32
		rpc.Handle(s, "wait", func(ctx context.Context, _ int) (int, error) {
			handlers.Add(1)
			defer handlers.Add(-1)
			<-ctx.Done()
			if !errors.Is(context.Cause(ctx), socket.ErrPeerLost) {
				t.Error("ended by", context.Cause(ctx))
			}
			return 0, ctx.Err()
		})
		w.client(t, "other", "srv")
		synctest.Wait()
		before := runtime.NumGoroutine()
		d := w.dealer(t, "cli", "srv", socket.WithoutReconnect(), socket.WithSendHWM(0))
		head := patterns.Head{Method: "wait"}
		for i := range calls {
			must(t, d.Send(t.Context(), socket.NewMsg([]byte{byte(i >> 8), byte(i)}, nil, head.AppendTo(nil), []byte{0})))
		}
		time.Sleep(50 * time.Millisecond) // less than a call may wait
		is(t, "running", s.Stats().Running, calls/2)
		is(t, "handlers", handlers.Load(), calls/2)
		w.Cut("cli", "srv")
		time.Sleep(100 * time.Millisecond)
		is(t, "handlers", handlers.Load(), 0)
		must(t, d.Close())
		time.Sleep(time.Minute)
		is(t, "running", s.Stats().Running, 0)
		is(t, "queued", s.Stats().Queued, 0)
		if n := runtime.NumGoroutine(); n > before+5 {
			t.Errorf("%d goroutines, before %d", n, before)
		}
	})
}

// A caller that reads no replies holds up nobody else, and its replies are dropped and counted after a time.
func TestPitfall5SlowCaller(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		const calls = 30
		s := w.service(t, "srv", rpc.WithConcurrency(2), rpc.WithRouter(socket.WithSendHWM(2)))
		rpc.Handle(s, "big", func(context.Context, patterns.Raw) ([]byte, error) { return make([]byte, 100<<10), nil })
		c := w.client(t, "cli", "srv")
		slow := w.dealer(t, "slow", "srv", socket.WithRecvHWM(1))
		head := patterns.Head{Method: "big"}
		for i := range calls {
			must(t, slow.Send(t.Context(), socket.NewMsg([]byte{byte(i)}, nil, head.AppendTo(nil))))
		}
		for range 20 {
			began := time.Now()
			_, err := add.Call(t.Context(), c, adds{1, 2})
			if took := time.Since(began); err != nil || took > 4*time.Millisecond {
				t.Errorf("%v after %v", err, took)
			}
		}
		time.Sleep(time.Minute)
		m := s.Stats().Methods["big"]
		if m.Unsent == 0 || m.Calls != calls {
			t.Errorf("%+v", m)
		}
		is(t, "running", s.Stats().Running, 0)
	})
}

// A replica that dies after it has begun a call has done it, perhaps: only who says so has it done again.
func TestPitfall6RetryWithoutLeave(t *testing.T) {
	for _, tc := range []struct {
		name string
		opts []rpc.CallOption
		runs int
	}{
		{"not idempotent", nil, 1},
		{"idempotent", []rpc.CallOption{rpc.Idempotent(), nil}, 2},
		{"one attempt", []rpc.CallOption{rpc.Idempotent(), rpc.Attempts(1)}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w world) {
				var runs atomic.Int32
				var work sync.WaitGroup
				for _, host := range []string{"one", "two"} {
					r := w.router(t, host)
					work.Go(func() {
						m, err := r.Recv(t.Context())
						if err != nil {
							return
						}
						if runs.Add(1) == 1 {
							r.Close() // and the reply never comes
							return
						}
						must(t, r.Reply(t.Context(), m, socket.NewMsg([]byte{0x80})))
					})
				}
				c := w.client(t, "cli", "one", "two")
				_, err := rpc.Call[any](after(t, time.Minute), c, "f", 0, tc.opts...)
				is(t, "runs", int(runs.Load()), tc.runs)
				var ce *rpc.CallError
				if tc.runs == 2 != (err == nil) || err != nil && (!errors.As(err, &ce) || !ce.MayHaveRun) {
					t.Error(err)
				}
				is(t, "retried", c.Stats().Methods["f"].Retried, uint64(tc.runs-1))
			})
		})
	}
}

// Time is exact: a deadline ends a call to the moment, and silence after the time of the heartbeats.
func TestPitfall19VirtualTime(t *testing.T) {
	for _, tc := range []struct {
		name      string
		partition bool
		after     time.Duration
		err       error
	}{
		{"deadline", false, time.Hour, context.DeadlineExceeded},
		{"partition", true, 15*time.Second + 20*time.Millisecond, socket.ErrHeartbeat},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w world) {
				s := w.service(t, "srv")
				rpc.Handle(s, "wait", func(ctx context.Context, _ int) (int, error) {
					<-ctx.Done()
					return 0, context.Canceled // which nobody gets
				})
				c := w.client(t, "cli", "srv")
				began := time.Now()
				if tc.partition {
					time.AfterFunc(10*time.Millisecond, func() { w.Partition("cli") })
				}
				_, err := rpc.Call[int](after(t, time.Hour), c, "wait", 0)
				took := time.Since(began)
				if !errors.Is(err, tc.err) || took > tc.after || took < tc.after-100*time.Millisecond {
					t.Errorf("%v after %v, want %v after %v", err, took, tc.err, tc.after)
				}
			})
		})
	}
}
