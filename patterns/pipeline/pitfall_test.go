package pipeline_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/yodel-mq/yodel/patterns/pipeline"
	"github.com/yodel-mq/yodel/socket"
)

// TestPitfall09CreditBeyondTheMark: credit for ten times as many jobs as a socket's queues usually hold stands in
// nobody's way: what bounds jobs is credit alone.
func TestPitfall09CreditBeyondTheMark(t *testing.T) {
	p := newPusher(t, pipeline.WithPending(30_000, 0))
	w := newWorker(t, pipeline.WithPrefetch(10_000, 0))
	must(t, w.Connect(bind(t, p, loopback)))
	runs(t, w, 1, func(context.Context, *pipeline.Job[int]) error { return nil })
	jobs := make([]int, 20_000)
	_, err := p.PushAll(within(t), jobs)
	must(t, err)
	must(t, p.Flush(within(t)))
	is(t, "done", p.Stats().Done, 20_000)
	is(t, "redelivered", p.Stats().Redelivered, 0)
}

// TestPitfall16ForeignValues: a job that a worker cannot decode is a dead letter that says so, and no panic.
func TestPitfall16ForeignValues(t *testing.T) {
	p := pipeline.NewPusher[any]()
	defer p.Close()
	w := newWorker(t)
	at, err := p.Bind(within(t), loopback)
	must(t, err)
	must(t, w.Connect(at))
	runs(t, w, 1, func(context.Context, *pipeline.Job[int]) error { return nil })
	for _, job := range []any{"text", 1e300, []int{1}, map[string]any{"A": 1}} {
		r, err := p.Push(within(t), job)
		must(t, err)
		if err := r.Wait(within(t)); err == nil {
			t.Errorf("%v was taken for an int", job)
		}
	}
	r, err := p.Push(within(t), nil)
	must(t, err)
	must(t, r.Wait(within(t)))
	is(t, "undecodable", w.Stats().Undecodable, 4)
}

// A worker and a peer of another pattern do not fit: neither gets anything from the other.
func TestPushersDoNotFit(t *testing.T) {
	var mu sync.Mutex
	told := make(map[string]error)
	tell := func(who string) pipeline.CommonOption {
		return pipeline.WithRefused(func(err error) {
			mu.Lock()
			defer mu.Unlock()
			told[who] = err
		})
	}
	p, other := newPusher(t, tell("bound")), newPusher(t, tell("connected"))
	must(t, other.Connect(bind(t, p, loopback)))
	push(t, p, 1)
	for _, s := range other.Sockets() {
		if s.Type() != "DEALER" {
			continue
		}
		for ev := range s.Events(within(t)) {
			if ev.Kind == socket.PeerDown {
				break
			}
		}
	}
	is(t, "workers", p.Stats().Workers+other.Stats().Workers, 0)
	until(t, func() bool { // the one that is refused first may not know why
		mu.Lock()
		defer mu.Unlock()
		return len(told) > 0
	})
	mu.Lock()
	defer mu.Unlock()
	for who, err := range told {
		var peer *socket.PeerError
		if !errors.Is(err, pipeline.ErrMismatch) || !errors.As(err, &peer) || strings.Count(err.Error(), "push/1") != 2 {
			t.Errorf("%s is told %v", who, err)
		}
	}
	if p.Stats().Refused+other.Stats().Refused == 0 {
		t.Error("nobody counts it")
	}
}
