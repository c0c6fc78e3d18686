package rpc_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/rpc"
	"github.com/yodel-mq/yodel/socket"
)

// pair is two replicas, of which the one that is called first answers after a time, and the other at once.
type pair struct {
	calls    atomic.Int32
	attempts [2]atomic.Int32
	ended    chan error // why the context of the first has ended, if that was before it was to answer
}

func newPair(t *testing.T, w world, slow time.Duration) *pair {
	p := &pair{ended: make(chan error, 1)}
	for _, host := range []string{"one", "two"} {
		rpc.Handle(w.service(t, host), "f", func(ctx context.Context, _ int) (int32, error) {
			n := p.calls.Add(1)
			p.attempts[n-1].Store(int32(rpc.InfoFrom(ctx).Attempt))
			if n > 1 {
				return n, nil
			}
			select {
			case <-time.After(slow):
				return n, nil
			case <-ctx.Done():
				p.ended <- context.Cause(ctx)
				return 0, ctx.Err()
			}
		})
	}
	return p
}

// A call that takes long goes to a second replica too, whose reply counts; the first is cancelled.
func TestHedge(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		p := newPair(t, w, time.Minute)
		c := w.client(t, "cli", "one", "two")
		began := time.Now()
		got, err := rpc.Call[int32](t.Context(), c, "f", 0, rpc.Idempotent(), rpc.Hedge(50*time.Millisecond))
		if took := time.Since(began); err != nil || got != 2 || took < 52*time.Millisecond || took > 53*time.Millisecond {
			t.Errorf("%d, %v after %v", got, err, took)
		}
		is(t, "the end of the first", <-p.ended, context.Canceled)
		is(t, "attempts before the second", p.attempts[1].Load(), 1)
		m := c.Stats().Methods["f"]
		if m.Hedged != 1 || m.Retried != 0 || m.Calls != 1 {
			t.Errorf("%+v", m)
		}
		synctest.Wait()
		is(t, "out", c.Stats().Running, 0)
	})
}

// It does not where it need not, must not or cannot, and the first reply counts then.
func TestNoHedge(t *testing.T) {
	for _, tc := range []struct {
		name   string
		hosts  []string
		after  time.Duration
		budget float64
		opt    rpc.CallOption
	}{
		{"fast enough", []string{"one", "two"}, time.Second, 1, nil},
		{"no other replica", []string{"one"}, 50 * time.Millisecond, 1, nil},
		{"no budget", []string{"one", "two"}, 50 * time.Millisecond, 0, nil},
		{"one attempt", []string{"one", "two"}, 50 * time.Millisecond, 1, rpc.Attempts(1)},
		{"not at all", []string{"one", "two"}, 0, 1, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w world) {
				p := newPair(t, w, 200*time.Millisecond)
				c := newClient(t, rpc.WithRetryBudget(tc.budget), rpc.WithDealer(socket.WithTransport(w.Host("cli"))))
				for _, host := range tc.hosts {
					must(t, c.Connect("sim://"+host))
				}
				must(t, c.WaitReplicas(t.Context(), len(tc.hosts)))
				got, err := rpc.Call[int32](t.Context(), c, "f", 0, rpc.Idempotent(), rpc.Hedge(tc.after), tc.opt)
				if err != nil || got != 1 || p.calls.Load() != 1 {
					t.Errorf("%d, %v; %d calls", got, err, p.calls.Load())
				}
				is(t, "hedged", c.Stats().Methods["f"].Hedged, 0)
			})
		})
	}
}

// A call that must not be done twice is not hedged, and who asks for it is told.
func TestHedgeNeedsIdempotent(t *testing.T) {
	s := newService(t)
	c := linked(t, "inproc://"+t.Name(), s)
	for _, opt := range []rpc.CallOption{nil, rpc.Once("k")} {
		_, err := add.Call(within(t), c, adds{1, 2}, rpc.Hedge(time.Second), opt)
		if err == nil || !strings.Contains(err.Error(), "Idempotent") {
			t.Error(err)
		}
	}
	is(t, "calls", s.Stats().Methods["add"].Calls, 0)
}

// Which of the two counts: whatever else than a reply one of them comes to, the other may have a better one.
func TestWhichHedgeWins(t *testing.T) {
	lost := func(_ *testing.T, r *socket.Router, _ socket.Msg) { r.Close() }
	replies := func(head patterns.Head, after time.Duration) func(*testing.T, *socket.Router, socket.Msg) {
		return func(t *testing.T, r *socket.Router, m socket.Msg) {
			time.Sleep(after)
			must(t, r.Reply(t.Context(), m, socket.NewMsg(head.AppendTo(nil))))
		}
	}
	reply := patterns.Head{}
	failed := patterns.Head{Code: patterns.CodeNotFound}
	refused := patterns.Head{Code: patterns.CodeOverloaded, NotBegun: true, Retry: time.Second}
	unavailable := patterns.Head{Code: patterns.CodeUnavailable}
	for _, tc := range []struct {
		name          string
		first, second func(*testing.T, *socket.Router, socket.Msg)
		want          error // nil is a reply
		took          time.Duration
	}{
		{"the first", replies(reply, 80*time.Millisecond), replies(reply, 10*time.Second), nil, 82},
		{"an error", replies(reply, 10*time.Second), replies(failed, 0), &patterns.Error{Code: failed.Code}, 52},
		{"a refusal", replies(reply, 80*time.Millisecond), replies(refused, 0), nil, 82},
		{"a refusal of the first", replies(refused, 60*time.Millisecond), replies(reply, 50*time.Millisecond), nil, 102},
		{"unavailable", replies(reply, 80*time.Millisecond), replies(unavailable, 0), nil, 82},
		{"lost", replies(reply, 80*time.Millisecond), lost, nil, 82},
		{"both lost", func(_ *testing.T, r *socket.Router, _ socket.Msg) {
			time.Sleep(100 * time.Millisecond)
			r.Close()
		}, lost, socket.ErrPeerLost, 0},
		{"late", replies(reply, 10*time.Second), replies(reply, 10*time.Second), context.DeadlineExceeded, 1000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w world) {
				var calls atomic.Int32
				for _, host := range []string{"one", "two"} {
					r := w.router(t, host)
					go func() {
						m, err := r.Recv(t.Context())
						switch {
						case err != nil:
						case calls.Add(1) == 1:
							tc.first(t, r, m)
						default:
							tc.second(t, r, m)
						}
					}()
				}
				c := w.client(t, "cli", "one", "two")
				began := time.Now()
				_, err := rpc.Call[any](after(t, time.Second), c, "f", 0, rpc.Idempotent(), rpc.Hedge(50*time.Millisecond),
					rpc.Attempts(2))
				took := time.Since(began).Round(time.Millisecond)
				if !errors.Is(err, tc.want) || tc.took > 0 && took != tc.took*time.Millisecond {
					t.Errorf("%v after %v, want %v after %d ms", err, took, tc.want, tc.took)
				}
				var ce *rpc.CallError
				if errors.As(err, &ce) && (!ce.MayHaveRun || ce.Attempts != 2) {
					t.Errorf("%+v", ce)
				}
				is(t, "hedged", c.Stats().Methods["f"].Hedged, 1)
				is(t, "out", c.Stats().Running, 0)
				time.Sleep(20 * time.Second) // all have answered
			})
		})
	}
}

// That a handler may have begun is not forgotten when a later attempt was refused.
func TestMayHaveRunIsNotForgotten(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		var calls atomic.Int32
		for _, host := range []string{"one", "two"} {
			r := w.router(t, host)
			go func() {
				m, err := r.Recv(t.Context())
				switch {
				case err != nil:
				case calls.Add(1) == 1:
					r.Close()
				default:
					head := patterns.Head{Code: patterns.CodeOverloaded, NotBegun: true, Retry: time.Minute}
					must(t, r.Reply(t.Context(), m, socket.NewMsg(head.AppendTo(nil))))
				}
			}()
		}
		c := w.client(t, "cli", "one", "two")
		_, err := rpc.Call[any](after(t, time.Second), c, "f", 0, rpc.Idempotent(), rpc.Attempts(2))
		var ce *rpc.CallError
		if !errors.Is(err, rpc.ErrOverloaded) || !errors.As(err, &ce) || !ce.MayHaveRun || ce.Attempts != 2 {
			t.Errorf("%+v", err)
		}
	})
}
