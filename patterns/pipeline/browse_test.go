package pipeline_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/patterns/pipeline"
)

// Browse shows what is pending, Cancel ends what no worker has, and Unique and To hold until then.
func TestBrowseAndCancel(t *testing.T) {
	p := newPusher(t)
	push(t, p, 1, pipeline.Key("k"), pipeline.To("nobody"))
	push(t, p, 2, pipeline.Key("k"))
	late := push(t, p, 3, pipeline.Delay(time.Hour), pipeline.Unique("u"))
	if _, err := p.Push(within(t), 4, pipeline.Unique("u")); !errors.Is(err, pipeline.ErrDuplicate) {
		t.Errorf("a second job of a unique key: %v", err)
	}
	var states []string
	for j, err := range p.Browse(within(t)) {
		must(t, err)
		is(t, "value", j.Value, int(j.ID.Seq))
		states = append(states, j.State)
	}
	if !slices.Equal(states, []string{"waiting", "blocked", "delayed"}) {
		t.Errorf("the states are %v", states)
	}
	must(t, p.Cancel(late.ID()))
	if err := late.Wait(within(t)); !errors.Is(err, pipeline.ErrCanceled) {
		t.Error(err)
	}
	if err := p.Cancel(late.ID()); !errors.Is(err, pipeline.ErrSettled) {
		t.Errorf("a second Cancel: %v", err)
	}
	push(t, p, 5, pipeline.Unique("u"))
}

// A dead letter can be looked at, accepted again and discarded.
func TestDeadLetters(t *testing.T) {
	p, w := linked(t)
	refuse := make(chan bool, 3)
	runs(t, w, 1, func(context.Context, *pipeline.Job[int]) error {
		if <-refuse {
			return pipeline.Reject(errors.New("no"))
		}
		return nil
	})
	refuse <- true
	r := push(t, p, 7)
	if err := r.Wait(within(t)); !errors.Is(err, pipeline.ErrRejected) {
		t.Fatal(err)
	}
	n := 0
	for l, err := range p.DeadLetters().All() {
		must(t, err)
		is(t, "value", l.Value, 7)
		is(t, "id", l.ID, r.ID())
		if !errors.Is(l.Err, pipeline.ErrRejected) {
			t.Error(l.Err)
		}
		n++
	}
	is(t, "dead letters", n, 1)
	refuse <- false
	again, err := p.DeadLetters().Requeue(r.ID())
	must(t, err)
	must(t, again.Wait(within(t)))
	if err := p.DeadLetters().Discard(r.ID()); !errors.Is(err, pipeline.ErrSettled) {
		t.Errorf("Discard of what was accepted again: %v", err)
	}
}

// The results of Map come in order, an error in its place.
func TestMap(t *testing.T) {
	p, w := linked(t, pipeline.WithPending(8, 0))
	runs(t, w, 4, func(_ context.Context, j *pipeline.Job[int]) error {
		if j.Value == 50 {
			return pipeline.Reject(errors.New("fifty"))
		}
		return j.Done(j.Value * j.Value)
	})
	items := make([]int, 100)
	for i := range items {
		items[i] = i
	}
	i := 0
	for got, err := range pipeline.Map[int](within(t), p, slices.Values(items)) {
		if i == 50 {
			if !errors.Is(err, pipeline.ErrRejected) {
				t.Errorf("item 50: %v", err)
			}
		} else if err != nil || got != i*i {
			t.Fatalf("item %d: %d, %v", i, got, err)
		}
		i++
	}
	is(t, "results", i, 100)
	for got, err := range pipeline.Map[int](within(t), p, slices.Values(items)) {
		must(t, err)
		is(t, "first result", got, 0)
		break // and nothing is left behind
	}
}

// TestPitfall14KeyBehindADeadJob: whatever ends the first job of a key, the next one is done.
func TestPitfall14KeyBehindADeadJob(t *testing.T) {
	p, w := linked(t, pipeline.WithMaxAttempts(1))
	first := []*pipeline.Receipt{
		push(t, p, 1, pipeline.Key("k"), pipeline.To("nobody"), pipeline.TTL(time.Millisecond)),
		push(t, p, 2, pipeline.Key("k")), // rejected
		push(t, p, 3, pipeline.Key("k")), // fails once too often
		push(t, p, 4, pipeline.Key("k"), pipeline.To("nobody")),
	}
	last := push(t, p, 5, pipeline.Key("k"))
	must(t, p.Cancel(first[3].ID()))
	runs(t, w, 2, func(_ context.Context, j *pipeline.Job[int]) error {
		switch j.Value {
		case 2:
			return pipeline.Reject(errors.New("no"))
		case 3:
			return errors.New("fails")
		}
		return nil
	})
	must(t, last.Wait(within(t)))
	for i, want := range []error{
		pipeline.ErrExpired, pipeline.ErrRejected, pipeline.ErrTooOften, pipeline.ErrCanceled,
	} {
		if err := first[i].Wait(within(t)); !errors.Is(err, want) {
			t.Errorf("job %d: %v, want %v", i+1, err, want)
		}
	}
}
