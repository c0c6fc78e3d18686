package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/rpc"
	"github.com/yodel-mq/yodel/socket"
)

func TestCalls(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		s := newService(t)
		c := linked(t, endpoint, s)
		var work sync.WaitGroup
		for g := range 8 {
			work.Go(func() {
				for i := range 50 {
					got, err := add.Call(within(t), c, adds{g, i})
					if err != nil || got.Sum != g+i {
						t.Errorf("%d + %d is %d, %v", g, i, got.Sum, err)
					}
				}
			})
		}
		work.Wait()
		is(t, "calls of the client", c.Stats().Methods["add"].Calls, 400)
		m := s.Stats().Methods["add"]
		is(t, "failed", m.Failed, 0)
		is(t, "running", c.Stats().Running, 0)
		is(t, "type of the service", s.Type(), "ROUTER")
		is(t, "type of the client", c.Type(), "DEALER")
		is(t, "endpoints", len(s.Endpoints()), 1)
	})
}

// What a handler returns is what its caller gets, and nothing more.
func TestErrors(t *testing.T) {
	secret := errors.New("password is 1234")
	for _, tc := range []struct {
		name   string
		opts   []rpc.ServiceOption
		method string
		give   error
		code   patterns.Code
		text   string
		is     error
	}{
		{"code", nil, "f", patterns.Errorf(patterns.CodeNotFound, "no %d", 7), patterns.CodeNotFound, "no 7", nil},
		{
			"wrapped", nil, "f", fmt.Errorf("%w: x", &patterns.Error{Code: patterns.CodeAborted, Text: "y"}),
			patterns.CodeAborted, "y", &patterns.Error{Code: patterns.CodeAborted},
		},
		{"other", nil, "f", secret, patterns.CodeUnknown, "handler failed", nil},
		{"shown", []rpc.ServiceOption{rpc.WithErrorText(), nil}, "f", secret, patterns.CodeUnknown, secret.Error(), nil},
		{"canceled", nil, "f", context.Canceled, patterns.CodeCanceled, "context canceled", context.Canceled},
		{
			"deadline", nil, "f", context.DeadlineExceeded, patterns.CodeDeadlineExceeded, "context deadline exceeded",
			context.DeadlineExceeded,
		},
		{"no method", nil, "g", nil, patterns.CodeUnimplemented, `there is no method "g"`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newService(t, tc.opts...)
			rpc.Handle(s, "f", func(context.Context, adds) (*sum, error) { return nil, tc.give })
			c := linked(t, "inproc://"+t.Name(), s)
			got, err := rpc.Call[sum](within(t), c, tc.method, adds{})
			e, ok := errors.AsType[*patterns.Error](err)
			if !ok || e.Code != tc.code || e.Text != tc.text || got != (sum{}) {
				t.Fatalf("%+v, %v", got, err)
			}
			if tc.is != nil && !errors.Is(err, tc.is) {
				t.Errorf("%v is not %v", err, tc.is)
			}
		})
	}
}

// An error brings its detail and when to come again.
func TestErrorDetail(t *testing.T) {
	s := newService(t)
	rpc.Handle(s, "f", func(context.Context, adds) (sum, error) {
		body, err := patterns.JSON().Append(nil, sum{9})
		must(t, err)
		return sum{}, &patterns.Error{
			Code: patterns.CodeResourceExhausted, RetryAfter: time.Second, Detail: patterns.Raw{Type: "json", Data: body},
		}
	})
	c := linked(t, "inproc://"+t.Name(), s)
	_, err := rpc.Call[sum](within(t), c, "f", adds{})
	e, ok := errors.AsType[*patterns.Error](err)
	if !ok || e.RetryAfter != time.Second {
		t.Fatal(err)
	}
	detail, err := patterns.Decode[sum](e.Detail)
	if err != nil || detail.Sum != 9 {
		t.Errorf("%v, %v", detail, err)
	}
}

// A panic, or the end of the handler's goroutine, is an error of that one call.
func TestPanic(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("help") }, "exit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			log := newLog()
			seen := make(chan error, 1)
			s := newService(t, rpc.WithLogger(log.Logger), rpc.WithMiddleware(
				func(ctx context.Context, _ *rpc.Info, next func(context.Context) error) error {
					err := next(ctx)
					seen <- err
					return err
				}))
			rpc.Handle(s, "f", func(context.Context, adds) (sum, error) { end(); return sum{}, nil })
			c := linked(t, "inproc://"+t.Name(), s)
			_, err := rpc.Call[sum](within(t), c, "f", adds{})
			e, ok := errors.AsType[*patterns.Error](err)
			if !ok || e.Code != patterns.CodeInternal || e.Text != "panic" {
				t.Fatal(err)
			}
			if name == "panic" {
				if err := <-seen; err == nil {
					t.Error("middleware saw no error")
				}
				if text := log.String(); !strings.Contains(text, "help") || !strings.Contains(text, "call_test.go") {
					t.Errorf("logged %q", text)
				}
			}
			if got, err := add.Call(within(t), c, adds{1, 2}); name == "panic" && (err != nil || got.Sum != 3) {
				t.Errorf("the next call: %v, %v", got, err)
			}
			is(t, "running", s.Stats().Running, 0)
		})
	}
}

func TestBadRequestsAndReplies(t *testing.T) {
	s := newService(t)
	rpc.Handle(s, "text", func(context.Context, patterns.Raw) (string, error) { return "text", nil })
	rpc.Handle(s, "chan", func(context.Context, patterns.Raw) (chan int, error) { return make(chan int), nil })
	c := linked(t, "inproc://"+t.Name(), s)
	code := func(err error) patterns.Code {
		e, _ := errors.AsType[*patterns.Error](err)
		if e == nil {
			t.Fatal(err)
		}
		return e.Code
	}
	_, err := rpc.Call[sum](within(t), c, "add", "text")
	is(t, "a request of the wrong type", code(err), patterns.CodeInvalidArgument)
	_, err = rpc.Call[sum](within(t), c, "add", patterns.Raw{Type: "image/png", Data: []byte("x")})
	is(t, "a request without a codec", code(err), patterns.CodeInvalidArgument)
	_, err = rpc.Call[sum](within(t), c, "text", 1)
	is(t, "a reply of the wrong type", code(err), patterns.CodeInternal)
	_, err = rpc.Call[sum](within(t), c, "chan", 1)
	is(t, "a reply that cannot be encoded", code(err), patterns.CodeInternal)
	_, err = rpc.Call[sum](within(t), c, "add", make(chan int))
	if err == nil || !strings.Contains(err.Error(), "the request") {
		t.Error("a request that cannot be encoded:", err)
	}
	for _, name := range []string{"", "a\nb", "\xff", strings.Repeat("x", 256)} {
		if _, err := rpc.Call[sum](within(t), c, name, 1); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a method %.9q: %v", name, err)
		}
	}
	h := patterns.Headers{"x": strings.Repeat("x", 9000)}
	if _, err := add.Call(patterns.WithHeaders(within(t), h), c, adds{}); !errors.Is(err, patterns.ErrHead) {
		t.Error("headers that are too long:", err)
	}
}

func TestHandlePanics(t *testing.T) {
	s := newService(t)
	for _, name := range []string{"add", "", "yodel.ping", "yodel.x", "a\x00b", "\xff", strings.Repeat("x", 256)} {
		func() {
			defer func() {
				if v := recover(); v == nil {
					t.Errorf("no panic for %q", name)
				}
			}()
			rpc.Handle(s, name, func(context.Context, int) (int, error) { return 0, nil })
		}()
	}
}

// The deadline of the caller is that of the handler, and both end by it.
func TestDeadline(t *testing.T) {
	s := newService(t)
	left := make(chan time.Duration, 1)
	ended := make(chan error, 1)
	rpc.Handle(s, "wait", func(ctx context.Context, _ int) (int, error) {
		end, _ := ctx.Deadline()
		left <- time.Until(end)
		<-ctx.Done()
		ended <- ctx.Err()
		return 0, ctx.Err()
	})
	c := linked(t, loopback, s)
	ctx, cancel := context.WithTimeout(within(t), 30*time.Millisecond)
	defer cancel()
	_, err := rpc.Call[int](ctx, c, "wait", 1)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if got := <-left; got > 40*time.Millisecond {
		t.Errorf("the handler has %v", got)
	}
	is(t, "the handler's end", <-ended, context.DeadlineExceeded)
}

// A call that has ended for its caller has ended for its handler.
func TestCancel(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		s := newService(t)
		running, ended := make(chan struct{}), make(chan error, 1)
		rpc.Handle(s, "wait", func(ctx context.Context, _ int) (int, error) {
			close(running)
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return 0, ctx.Err()
		})
		c := linked(t, endpoint, s)
		ctx, cancel := context.WithCancel(within(t))
		go func() {
			<-running
			cancel()
		}()
		_, err := rpc.Call[int](ctx, c, "wait", 1)
		var ce *rpc.CallError
		if !errors.Is(err, context.Canceled) || !errors.As(err, &ce) || !ce.MayHaveRun || ce.Peer == nil {
			t.Errorf("%+v", err)
		}
		is(t, "the handler's end", <-ended, context.Canceled)
		if _, err := add.Call(ctx, c, adds{}); !errors.Is(err, context.Canceled) {
			t.Error("a call whose context had ended:", err)
		}
	})
}

// A lost replica ends its calls, and a lost caller its handlers.
func TestLostPeers(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		s := newService(t)
		running := make(chan struct{}, 1)
		ended := make(chan error, 1)
		rpc.Handle(s, "wait", func(ctx context.Context, _ int) (int, error) {
			running <- struct{}{}
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return 0, ctx.Err()
		})
		c := linked(t, endpoint, s)
		go func() {
			<-running
			must(t, c.Close())
		}()
		if _, err := rpc.Call[int](within(t), c, "wait", 1); !errors.Is(err, socket.ErrClosed) {
			t.Error("the client is closed:", err)
		}
		is(t, "the handler's end", <-ended, socket.ErrPeerLost)
		if _, err := rpc.Call[int](within(t), c, "wait", 1); !errors.Is(err, socket.ErrClosed) {
			t.Error("a call of a closed client:", err)
		}

		d := newClient(t)
		must(t, d.Connect(s.Endpoints()[0]))
		go func() {
			<-running
			must(t, s.Close())
		}()
		_, err := rpc.Call[int](within(t), d, "wait", 1)
		var ce *rpc.CallError
		if !errors.Is(err, socket.ErrPeerLost) || !errors.As(err, &ce) || !ce.MayHaveRun || ce.Attempts != 1 {
			t.Errorf("%+v", err)
		}
		is(t, "the handler's end", <-ended, socket.ErrClosed)
	})
}

// Without a replica a call waits only as long as one may come.
func TestNoResponders(t *testing.T) {
	nobody := func(t *testing.T, c *rpc.Client) error {
		t.Helper()
		_, err := add.Call(within(t), c, adds{})
		var ce *rpc.CallError
		if !errors.Is(err, rpc.ErrNoResponders) || !errors.Is(err, socket.ErrNoPeers) {
			t.Error(err)
		}
		if !errors.As(err, &ce) || ce.MayHaveRun {
			t.Errorf("%+v", err)
		}
		return err
	}
	t.Run("no endpoint", func(t *testing.T) { _ = nobody(t, newClient(t, rpc.WithPatience(0))) })
	t.Run("refused", func(t *testing.T) {
		c := newClient(t, rpc.WithPatience(20*time.Millisecond))
		must(t, c.Connect("tcp://127.0.0.1:1"))
		for !strings.Contains(nobody(t, c).Error(), "tcp://127.0.0.1:1") { // until the attempt has failed
		}
	})
	t.Run("gone", func(t *testing.T) {
		s := newService(t)
		c := linked(t, loopback, s)
		at := s.Endpoints()[0]
		must(t, s.Close())
		must(t, c.WaitDisconnected(within(t), at))
		for { // the client may learn a moment later
			if _, err := add.Call(within(t), c, adds{}); !errors.Is(err, socket.ErrPeerLost) {
				break
			}
		}
		_ = nobody(t, c)
	})
	t.Run("comes", func(t *testing.T) {
		s, c := newService(t), newClient(t)
		done := make(chan error, 1)
		go func() {
			_, err := add.Call(within(t), c, adds{})
			done <- err
		}()
		must(t, c.Connect(bind(t, s, loopback)))
		must(t, <-done)
	})
}

// A client does not stay with a socket that is no service.
func TestWrongPattern(t *testing.T) {
	r := socket.NewRouter(socket.WithMetadata("X-Yodel-Pattern", "push/1"))
	defer r.Close()
	at, err := r.Bind(within(t), loopback)
	must(t, err)
	c := newClient(t, rpc.WithPatience(time.Second))
	must(t, c.Connect(at))
	_, err = add.Call(within(t), c, adds{})
	if !errors.Is(err, rpc.ErrNoResponders) {
		t.Error(err)
	}
	if text := fmt.Sprint(err); !strings.Contains(text, "push/1") || !strings.Contains(text, "call/1") {
		t.Error("does not name both:", text)
	}
}

// Headers go with the call and trailers come back, through middleware on both sides.
func TestMiddleware(t *testing.T) {
	var order []string
	step := func(name string) rpc.Middleware {
		return func(ctx context.Context, i *rpc.Info, next func(context.Context) error) error {
			order = append(order, name)
			if name == "c1" {
				i.Headers.Set("set", "by middleware")
			}
			err := next(ctx)
			order = append(order, "/"+name)
			if name == "c1" && i.Trailers.Get("took") != "long" {
				t.Errorf("trailers %v", i.Trailers)
			}
			return err
		}
	}
	s := newService(t, rpc.WithMiddleware(step("s1"), nil, step("s2")))
	rpc.Handle(s, "f", func(ctx context.Context, _ int) (int, error) {
		i := rpc.InfoFrom(ctx)
		order = append(order, i.Method, i.Headers.Get("tenant"), i.Headers.Get("set"))
		i.Trailers = patterns.Headers{"took": "long"}
		if i.Peer == nil || i.Peer.Type != "DEALER" {
			t.Errorf("peer %v", i.Peer)
		}
		return 0, io.EOF
	})
	c := newClient(t, rpc.WithMiddleware(step("c1")), rpc.WithMiddleware(step("c2")))
	must(t, c.Connect(bind(t, s, "inproc://"+t.Name())))
	ctx := patterns.WithHeaders(within(t), patterns.Headers{"tenant": "blue"})
	_, err := rpc.Call[int](ctx, c, "f", 1)
	is(t, "text", fmt.Sprint(err), "unknown: handler failed")
	is(t, "order", strings.Join(order, " "), "c1 c2 s1 s2 f blue by middleware /s2 /s1 /c2 /c1")
	if rpc.InfoFrom(ctx) != nil {
		t.Error("info where there is none")
	}
}

func TestCodecs(t *testing.T) {
	s := newService(t)
	rpc.Handle(s, "type", func(_ context.Context, r patterns.Raw) (patterns.Raw, error) {
		return patterns.Raw{Type: "bytes", Data: []byte("was " + r.Type)}, nil
	})
	at := bind(t, s, "inproc://"+t.Name())
	for _, codec := range []patterns.Codec{nil, patterns.Msgpack(patterns.Limits{}), patterns.JSON()} {
		c := newClient(t, rpc.WithCodec(codec))
		must(t, c.Connect(at))
		got, err := add.Call(within(t), c, adds{1, 2})
		if err != nil || got.Sum != 3 {
			t.Errorf("%v: %v, %v", codec, got, err)
		}
		text, err := rpc.Call[string](within(t), c, "type", 5)
		want := "was "
		if codec != nil {
			want += codec.Type()
		}
		if err != nil || text != want {
			t.Errorf("%q, %v", text, err)
		}
	}
}

func TestReservedMethods(t *testing.T) {
	s := newService(t, rpc.WithName("adder", "1.2"))
	c := linked(t, "inproc://"+t.Name(), s)
	_, err := add.Call(within(t), c, adds{})
	must(t, err)
	raw, err := rpc.Call[patterns.Raw](within(t), c, "yodel.info", 0)
	must(t, err)
	text := string(raw.Data)
	for _, part := range []string{"adder", "1.2", "methods", "add", socket.ThisNode().String()} {
		if !strings.Contains(text, part) {
			t.Errorf("%q has no %s", text, part)
		}
	}
	_, err = rpc.Call[patterns.Raw](within(t), c, "yodel.ping", 0)
	must(t, err)
	stats, err := rpc.Call[rpc.Stats](within(t), c, "yodel.stats", 0)
	must(t, err)
	if stats.Limit < 1 || stats.Methods["add"].Calls > 1 {
		t.Errorf("%+v", stats)
	}
}

func TestDisconnect(t *testing.T) {
	s := newService(t)
	running, finish := make(chan struct{}), make(chan struct{})
	rpc.Handle(s, "wait", func(context.Context, int) (int, error) {
		close(running)
		<-finish
		return 5, nil
	})
	c := linked(t, loopback, s)
	at := s.Endpoints()[0]
	done := make(chan error, 1)
	go func() {
		got, err := rpc.Call[int](within(t), c, "wait", 1)
		is(t, "the call that was out", got, 5)
		done <- err
	}()
	<-running
	must(t, c.Disconnect(at))
	if _, err := add.Call(within(t), c, adds{}); !errors.Is(err, rpc.ErrNoResponders) {
		t.Error("a new call:", err)
	}
	if err := c.Disconnect(at); !errors.Is(err, socket.ErrNoEndpoint) {
		t.Error("a second time:", err)
	}
	close(finish)
	must(t, <-done)
	must(t, c.Connect(at))
	must(t, c.WaitReplicas(within(t), 1))
	_, err := add.Call(within(t), c, adds{})
	must(t, err)
	must(t, s.Socket().WaitPeers(within(t), 1))
}
