package rpc_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/rpc"
	"github.com/yodel-mq/yodel/socket"
)

// numbered makes a service answer "f" with how often it was called, after a time. Its context must last that long.
func numbered(t *testing.T, s *rpc.Service, runs *atomic.Int32, takes time.Duration) {
	rpc.Handle(s, "f", func(ctx context.Context, _ int) (int32, error) {
		n := runs.Add(1)
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			t.Error("the handler was ended:", context.Cause(ctx))
		}
		return n, nil
	})
}

// Calls of the same key get the same reply, of whichever client they are and whenever they come.
func TestOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		var runs atomic.Int32
		s := w.service(t, "srv")
		numbered(t, s, &runs, 100*time.Millisecond)
		rpc.Handle(s, "key", func(ctx context.Context, _ int) (string, error) { return rpc.InfoFrom(ctx).Key, nil })
		a, b := w.client(t, "a", "srv"), w.client(t, "b", "srv")
		var work sync.WaitGroup
		for range 10 {
			for _, c := range []*rpc.Client{a, b} {
				work.Go(func() {
					got, err := rpc.Call[int32](t.Context(), c, "f", 0, rpc.Once("k"))
					if err != nil || got != 1 {
						t.Errorf("%d, %v", got, err)
					}
				})
			}
		}
		work.Wait()
		got, err := rpc.Call[int32](t.Context(), b, "f", 0, rpc.Once("k"))
		if err != nil || got != 1 {
			t.Errorf("afterwards: %d, %v", got, err)
		}
		m := s.Stats().Methods["f"]
		if m.Deduped != 20 || m.Calls != 21 || m.Failed != 0 || runs.Load() != 1 {
			t.Errorf("%+v, %d runs", m, runs.Load())
		}
		for i, opt := range []rpc.CallOption{rpc.Once("other"), rpc.Once(""), rpc.Once("")} {
			got, err := rpc.Call[int32](t.Context(), a, "f", 0, opt)
			if err != nil || int(got) != i+2 {
				t.Errorf("%d: %d, %v", i, got, err)
			}
		}
		key, err := rpc.Call[string](t.Context(), a, "key", 0, rpc.Once("k")) // of another method
		if err != nil || key != "k" {
			t.Errorf("%q, %v", key, err)
		}
		if _, err := rpc.Call[string](t.Context(), a, "key", 0, rpc.Once(strings.Repeat("k", 65))); err == nil {
			t.Error("a key of 65 bytes")
		}
		is(t, "running", s.Stats().Running, 0)
	})
}

// What is kept is all that a call has come to: errors with their detail, panics, trailers.
func TestOnceKeepsOutcomes(t *testing.T) {
	var runs atomic.Int32
	s := newService(t)
	handle := func(name string, end func(context.Context) (int32, error)) {
		rpc.Handle(s, name, func(ctx context.Context, _ int) (int32, error) {
			runs.Add(1)
			return end(ctx)
		})
	}
	aborted := &patterns.Error{
		Code: patterns.CodeAborted, Text: "x", RetryAfter: time.Second,
		Detail: patterns.Raw{Type: "json", Data: []byte("1")},
	}
	handle("error", func(context.Context) (int32, error) { return 0, aborted })
	handle("secret", func(context.Context) (int32, error) { return 0, errors.New("secret") })
	handle("panic", func(context.Context) (int32, error) { panic("help") })
	handle("trailers", func(ctx context.Context) (int32, error) {
		rpc.InfoFrom(ctx).Trailers = patterns.Headers{"took": "long"}
		return 5, nil
	})
	rpc.Handle(s, "long", func(context.Context, int) (patterns.Raw, error) {
		runs.Add(1)
		return patterns.Raw{Type: "bytes", Data: make([]byte, 17<<20)}, nil
	})
	var trailers patterns.Headers
	c := newClient(t, rpc.WithMiddleware(func(ctx context.Context, i *rpc.Info, next func(context.Context) error) error {
		err := next(ctx)
		trailers = i.Trailers
		is(t, "key", i.Key, "k")
		return err
	}))
	must(t, c.Connect(bind(t, s, "inproc://"+t.Name())))
	for _, tc := range []struct {
		name string
		want *patterns.Error
	}{
		{"error", aborted},
		{"secret", &patterns.Error{Code: patterns.CodeUnknown, Text: "handler failed"}},
		{"panic", &patterns.Error{Code: patterns.CodeInternal, Text: "panic"}},
	} {
		for range 2 {
			_, err := rpc.Call[int32](within(t), c, tc.name, 0, rpc.Once("k"))
			e, ok := errors.AsType[*patterns.Error](err)
			if !ok || e.Code != tc.want.Code || e.Text != tc.want.Text || e.RetryAfter != tc.want.RetryAfter ||
				string(e.Detail.Data) != string(tc.want.Detail.Data) || e.Detail.Type != tc.want.Detail.Type {
				t.Errorf("%s: %+v", tc.name, err)
			}
		}
	}
	for range 2 {
		got, err := rpc.Call[int32](within(t), c, "trailers", 0, rpc.Once("k"))
		if err != nil || got != 5 || trailers.Get("took") != "long" {
			t.Errorf("%d, %v, %v", got, err, trailers)
		}
	}
	if got, err := rpc.Call[patterns.Raw](within(t), c, "long", 0, rpc.Once("k")); err != nil || len(got.Data) != 17<<20 {
		t.Errorf("%d bytes, %v", len(got.Data), err)
	}
	_, err := rpc.Call[patterns.Raw](within(t), c, "long", 0, rpc.Once("k"))
	if e, ok := errors.AsType[*patterns.Error](err); !ok || e.Code != patterns.CodeResourceExhausted {
		t.Error("a reply that is too long to be kept:", err)
	}
	is(t, "runs", runs.Load(), 5)
}

// A service forgets after a time, and beyond a number.
func TestOnceForgets(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		var runs atomic.Int32
		s := w.service(t, "srv", rpc.WithDedup(2, time.Minute))
		numbered(t, s, &runs, 0)
		c := w.client(t, "cli", "srv")
		call := func(key string, want int32) {
			t.Helper()
			got, err := rpc.Call[int32](t.Context(), c, "f", 0, rpc.Once(key))
			if err != nil || got != want {
				t.Errorf("%s: %d, %v", key, got, err)
			}
		}
		call("a", 1)
		call("b", 2)
		call("a", 1)
		call("c", 3) // a is the oldest
		call("b", 2)
		call("a", 4)
		time.Sleep(time.Minute)
		call("c", 5)
		call("c", 5)
	})
}

// Middleware sees each call, and one that it refuses is not known.
func TestOnceWithinMiddleware(t *testing.T) {
	var runs atomic.Int32
	seen, allowed := 0, false
	s := newService(t, rpc.WithMiddleware(func(ctx context.Context, i *rpc.Info, next func(context.Context) error) error {
		seen++
		if !allowed {
			return patterns.Errorf(patterns.CodePermissionDenied, "not you")
		}
		return next(ctx)
	}))
	numbered(t, s, &runs, 0)
	c := linked(t, "inproc://"+t.Name(), s)
	for i, tc := range []struct{ allowed, ok bool }{{false, false}, {true, true}, {false, false}, {true, true}} {
		allowed = tc.allowed
		got, err := rpc.Call[int32](within(t), c, "f", 0, rpc.Once("k"))
		if tc.ok != (err == nil) || tc.ok && got != 1 {
			t.Errorf("%d: %d, %v", i, got, err)
		}
	}
	is(t, "seen", seen, 4)
	is(t, "runs", runs.Load(), 1)
}

// A call whose connection is lost is asked for again where it was begun, and nowhere else. The handler goes on
// meanwhile.
func TestPitfall6OnceOnTheSameService(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		var runs atomic.Int32
		services := make(map[string]*rpc.Service)
		for _, host := range []string{"one", "two", "three"} {
			services[host] = w.service(t, host)
			numbered(t, services[host], &runs, time.Second)
		}
		c := w.client(t, "cli", "one", "two", "three")
		time.AfterFunc(500*time.Millisecond, func() { w.Cut("cli") })
		got, err := rpc.Call[int32](t.Context(), c, "f", 0, rpc.Once("k"))
		if err != nil || got != 1 {
			t.Errorf("%d, %v", got, err)
		}
		is(t, "runs", runs.Load(), 1)
		is(t, "retried", c.Stats().Methods["f"].Retried, 1)
		must(t, c.WaitReplicas(t.Context(), 3))
		for range 6 { // as also what the application repeats
			got, err := rpc.Call[int32](t.Context(), c, "f", 0, rpc.Once("k"))
			if err != nil || got != 1 {
				t.Errorf("%d, %v", got, err)
			}
		}
		is(t, "runs", runs.Load(), 1)
		is(t, "held up by nothing", c.Stats().Running, 0)
	})
}

// With the service goes what it knew: the call ends with an error, and no other replica and no service in its place
// does it.
func TestPitfall6OnceWhenTheServiceIsGone(t *testing.T) {
	for _, tc := range []struct {
		name    string
		restart bool
		least   time.Duration
		most    time.Duration
	}{
		{"gone", false, 2990 * time.Millisecond, 3 * time.Second}, // for as long as it may come back
		{"restarted", true, 0, 2 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w world) {
				var runs atomic.Int32
				begun := make(chan *rpc.Service, 1)
				start := func(host string) {
					s := w.service(t, host)
					rpc.Handle(s, "f", func(ctx context.Context, _ int) (int32, error) {
						n := runs.Add(1)
						begun <- s
						<-ctx.Done()
						is(t, "the end of the handler", context.Cause(ctx), socket.ErrClosed)
						return n, ctx.Err()
					})
				}
				start("one")
				start("two")
				c := w.client(t, "cli", "one", "two")
				ended := make(chan time.Time, 1)
				go func() {
					s := <-begun
					host := strings.TrimPrefix(s.Endpoints()[0], "sim://")
					time.Sleep(50 * time.Millisecond)
					must(t, s.Close())
					if ended <- time.Now(); tc.restart {
						start(host)
					}
				}()
				_, err := rpc.Call[int32](t.Context(), c, "f", 0, rpc.Once("k"))
				took := time.Since(<-ended)
				var ce *rpc.CallError
				if !errors.Is(err, socket.ErrPeerLost) || !errors.As(err, &ce) || !ce.MayHaveRun || ce.Attempts != 1 {
					t.Errorf("%+v", err)
				}
				if took < tc.least || took > tc.most {
					t.Errorf("%v after %v", err, took)
				}
				began := time.Now()
				_, err = rpc.Call[int32](t.Context(), c, "f", 0, rpc.Once("k")) // which is remembered
				if !errors.Is(err, socket.ErrPeerLost) || !errors.As(err, &ce) || !ce.MayHaveRun || ce.Attempts != 0 {
					t.Errorf("again: %+v", err)
				}
				is(t, "time for that", time.Since(began), 0)
				is(t, "runs", runs.Load(), 1)
			})
		})
	}
}

// A caller that gives up does not end the call, and can ask for what has become of it. The deadline does end it.
func TestOnceAfterTheCallerHasGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		var runs atomic.Int32
		for _, host := range []string{"one", "two"} {
			s := w.service(t, host, rpc.WithConcurrency(1)) // for what is known there is always room
			numbered(t, s, &runs, time.Second)
			rpc.Handle(s, "wait", func(ctx context.Context, _ int) (int32, error) {
				<-ctx.Done()
				return 0, ctx.Err()
			})
		}
		c := w.client(t, "cli", "one", "two")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		if _, err := rpc.Call[int32](ctx, c, "f", 0, rpc.Once("k")); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		for range 4 {
			got, err := rpc.Call[int32](t.Context(), c, "f", 0, rpc.Once("k"))
			if err != nil || got != 1 {
				t.Errorf("%d, %v", got, err)
			}
		}
		is(t, "runs", runs.Load(), 1)

		_, err := rpc.Call[int32](after(t, 100*time.Millisecond), c, "wait", 0, rpc.Once("k"))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		_, err = rpc.Call[int32](after(t, time.Hour), c, "wait", 0, rpc.Once("k"))
		if e, ok := errors.AsType[*patterns.Error](err); !ok || e.Code != patterns.CodeDeadlineExceeded {
			t.Error("the deadline of the first call is that of the handler:", err)
		}
		is(t, "out", c.Stats().Running, 0)
	})
}

// A client remembers for ten minutes where a call was done, and takes it nowhere else meanwhile.
func TestOnceIsRememberedByTheClient(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		var runs atomic.Int32
		var services []*rpc.Service
		for _, host := range []string{"one", "two"} {
			s := w.service(t, host)
			numbered(t, s, &runs, 0)
			services = append(services, s)
		}
		c := w.client(t, "cli", "one", "two")
		call := func() (int32, error) { return rpc.Call[int32](t.Context(), c, "f", 0, rpc.Once("k")) }
		got, err := call()
		if err != nil || got != 1 {
			t.Errorf("%d, %v", got, err)
		}
		for _, s := range services {
			if s.Stats().Methods["f"].Calls == 1 {
				must(t, s.Close())
			}
		}
		time.Sleep(10*time.Minute - time.Second)
		if _, err := call(); !errors.Is(err, socket.ErrPeerLost) {
			t.Error(err)
		}
		time.Sleep(time.Second) // that call, which went nowhere, is not remembered
		if got, err := call(); err != nil || got != 2 {
			t.Errorf("%d, %v", got, err)
		}
	})
}

// A repeat that is refused for another reason than the key is not told that nothing has begun.
func TestOnceTooManyCallsOfOne(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		var runs atomic.Int32
		s := w.service(t, "srv")
		numbered(t, s, &runs, time.Minute)
		d := w.dealer(t, "cli", "srv", socket.WithSendHWM(0))
		head := patterns.Head{Method: "f", Key: "k"}
		for i := range 1025 {
			must(t, d.Send(t.Context(), socket.NewMsg([]byte{byte(i >> 8), byte(i)}, nil, head.AppendTo(nil), []byte{0})))
			if i == 0 {
				time.Sleep(10 * time.Millisecond)
			}
		}
		m, err := d.Recv(t.Context())
		must(t, err)
		refused, err := patterns.ParseHead(m.Frames[2])
		if err != nil || refused.Code != patterns.CodeOverloaded || refused.NotBegun {
			t.Errorf("%+v, %v", refused, err)
		}
		for range 1024 {
			m, err := d.Recv(t.Context())
			must(t, err)
			if head, err := patterns.ParseHead(m.Frames[2]); err != nil || head.Code != "" {
				t.Errorf("%+v, %v", head, err)
			}
		}
		is(t, "runs", runs.Load(), 1)
		is(t, "deduped", s.Stats().Methods["f"].Deduped, 1023)
	})
}

// A call that nobody has begun goes to another replica, with its key or without.
func TestOnceNotBegun(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		var runs, others atomic.Int32
		numbered(t, w.service(t, "one", rpc.WithConcurrency(1)), &others, 10*time.Second)
		numbered(t, w.service(t, "two"), &runs, 0)
		one, both := w.client(t, "other", "one"), w.client(t, "cli", "one", "two")
		var work sync.WaitGroup
		work.Go(func() {
			_, err := rpc.Call[int32](t.Context(), one, "f", 0)
			must(t, err)
		})
		time.Sleep(10 * time.Millisecond)
		for i, key := range []string{"a", "b", "a", "b"} { // the first is refused, after it has waited
			got, err := rpc.Call[int32](t.Context(), both, "f", 0, rpc.Once(key))
			if want := int32(i%2 + 1); err != nil || got != want {
				t.Errorf("%s: %d, %v", key, got, err)
			}
		}
		is(t, "retried", both.Stats().Methods["f"].Retried, 1)
		work.Wait()
	})
}

// A service that shuts down refuses new calls, but not those whose keys it knows.
func TestOnceWhileTheServiceShutsDown(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		var runs atomic.Int32
		s := w.service(t, "srv")
		numbered(t, s, &runs, time.Second)
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx) }()
		d := w.dealer(t, "cli", "srv")
		ask := func(id, key string) {
			head := patterns.Head{Method: "f", Key: key}
			must(t, d.Send(t.Context(), socket.NewMsg([]byte(id), nil, head.AppendTo(nil), []byte{0})))
		}
		ask("1", "k")
		time.Sleep(10 * time.Millisecond)
		stop()
		time.Sleep(10 * time.Millisecond)
		ask("2", "k")
		ask("3", "other")
		for _, want := range []struct {
			id   string
			code patterns.Code
		}{{"3", patterns.CodeUnavailable}, {"1", ""}, {"2", ""}} {
			m, err := d.Recv(t.Context())
			must(t, err)
			head, err := patterns.ParseHead(m.Frames[2])
			must(t, err)
			if string(m.Frames[0]) != want.id && want.code != "" || head.Code != want.code {
				t.Errorf("%q: %+v, want %v", m.Frames[0], head, want)
			}
		}
		must(t, <-served)
		is(t, "runs", runs.Load(), 1)
	})
}

// Idempotent takes a call with a key to other replicas too, and each does it once.
func TestOnceAndIdempotent(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		var runs atomic.Int32
		for _, host := range []string{"one", "two"} {
			s := w.service(t, host)
			rpc.Handle(s, "f", func(context.Context, int) (int32, error) {
				n := runs.Add(1)
				if n == 1 {
					go s.Close()
					time.Sleep(10 * time.Millisecond)
				}
				return n, nil
			})
		}
		c := w.client(t, "cli", "one", "two")
		for range 3 {
			got, err := rpc.Call[int32](t.Context(), c, "f", 0, rpc.Once("k"), rpc.Idempotent())
			if err != nil || got != 2 {
				t.Errorf("%d, %v", got, err)
			}
		}
	})
}

// Streams have neither keys nor second copies, and plain ZeroMQ has the key and nothing more.
func TestOnceWhereThereIsNone(t *testing.T) {
	s := newService(t)
	newStreams(t, s)
	c := linked(t, "inproc://"+t.Name(), s)
	for _, opt := range []rpc.CallOption{rpc.Once("k"), rpc.Hedge(time.Second)} {
		_, err := collect(rpc.Source[int](within(t), c, "count", 1, opt))
		if err == nil || !strings.Contains(err.Error(), "one reply") {
			t.Error(err)
		}
	}
	bubble(t, func(t *testing.T, w world) {
		var runs atomic.Int32
		for _, host := range []string{"one", "two"} {
			r := w.router(t, host)
			go func() {
				if m, err := r.Recv(t.Context()); err == nil {
					_, rest := m.Envelope()
					head, err := patterns.ParseHead(rest[0])
					must(t, err)
					is(t, "key", head.Key, "k")
					runs.Add(1)
					r.Close()
				}
			}()
		}
		c := w.client(t, "cli", "one", "two")
		_, err := rpc.Call[int32](t.Context(), c, "f", 0, rpc.Once("k"))
		var ce *rpc.CallError
		if !errors.Is(err, socket.ErrPeerLost) || !errors.As(err, &ce) || !ce.MayHaveRun {
			t.Error(err)
		}
		is(t, "runs", runs.Load(), 1)
	})
}
