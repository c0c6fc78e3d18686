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

// Calls that run when a service ends are answered, and new ones go elsewhere.
func TestServeEndsInOrder(t *testing.T) {
	s := newService(t)
	running, finish := make(chan struct{}), make(chan struct{})
	rpc.Handle(s, "wait", func(context.Context, int) (int, error) {
		close(running)
		<-finish
		return 5, nil
	})
	c := linked(t, loopback, s)
	ctx, stop := context.WithCancel(within(t))
	served, answered := make(chan error, 1), make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	go func() {
		_, err := rpc.Call[int](within(t), c, "wait", 1)
		answered <- err
	}()
	<-running
	stop()
	for { // until the bye has come
		_, err := add.Call(within(t), c, adds{})
		if errors.Is(err, rpc.ErrNoResponders) {
			break
		}
		if e, ok := errors.AsType[*patterns.Error](err); err != nil && (!ok || e.Code != patterns.CodeUnavailable) {
			t.Fatal(err)
		}
	}
	select {
	case err := <-served:
		t.Fatal("ended while a call ran:", err)
	default:
	}
	close(finish)
	must(t, <-answered)
	must(t, <-served)
	if err := s.Serve(within(t)); !errors.Is(err, socket.ErrClosed) {
		t.Error("serves when it is closed:", err)
	}
}

// A handler that does not end is cut off after the time of grace, and Serve says so.
func TestGrace(t *testing.T) {
	s := newService(t, rpc.WithGrace(10*time.Millisecond))
	running, ended := make(chan struct{}), make(chan struct{})
	rpc.Handle(s, "wait", func(ctx context.Context, _ int) (int, error) {
		close(running)
		<-ctx.Done()
		close(ended)
		return 0, ctx.Err()
	})
	c := linked(t, loopback, s)
	ctx, stop := context.WithCancel(within(t))
	go func() {
		<-running
		stop()
	}()
	answered := make(chan error, 1)
	go func() {
		_, err := rpc.Call[int](within(t), c, "wait", 1)
		answered <- err
	}()
	if err := s.Serve(ctx); err == nil || !strings.Contains(err.Error(), "1 calls ran") {
		t.Error(err)
	}
	<-ended
	if err := <-answered; !errors.Is(err, socket.ErrPeerLost) {
		t.Error(err)
	}
}

// Replicas are restarted in turn while many call: nobody sees an error.
func TestPitfall7Draining(t *testing.T) {
	const replicas, restarts, callers = 3, 12, 8
	c := newClient(t)
	var calls atomic.Int64
	type running struct {
		stop   context.CancelFunc
		served chan error
		at     string
	}
	start := func(at string) running {
		s := rpc.NewService()
		add.Handle(s, func(_ context.Context, in adds) (sum, error) {
			calls.Add(1)
			return sum{in.A + in.B}, nil
		})
		at, err := s.Bind(within(t), at)
		must(t, err)
		ctx, stop := context.WithCancel(t.Context())
		r := running{stop, make(chan error, 1), at}
		go func() { r.served <- s.Serve(ctx) }()
		return r
	}
	var all [replicas]running
	for i := range all {
		all[i] = start(loopback)
		must(t, c.Connect(all[i].at))
	}
	must(t, c.WaitReplicas(within(t), replicas))
	over := make(chan struct{})
	var work sync.WaitGroup
	for g := range callers {
		work.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-over:
					return
				default:
				}
				got, err := add.Call(within(t), c, adds{g, i})
				if err != nil || got.Sum != g+i {
					t.Errorf("%d + %d is %v, %v", g, i, got, err)
					return
				}
			}
		})
	}
	for i := range restarts {
		r := &all[i%replicas]
		r.stop()
		must(t, <-r.served)
		*r = start(r.at)
		must(t, c.WaitReplicas(within(t), replicas))
	}
	close(over)
	work.Wait()
	for _, r := range all {
		r.stop()
		must(t, <-r.served)
	}
	t.Logf("%d calls, %d restarts", calls.Load(), restarts)
}
