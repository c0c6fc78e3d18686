package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// A result is what became of one plan.
type result struct {
	Plan    *plan         `json:"plan"`
	Took    time.Duration `json:"took"`
	Verdict verdict       `json:"verdict"`
}

// soak runs scenarios until the time is up and prints what it found.
func (o *flags) soak(ctx context.Context, out, errs io.Writer) (int, error) {
	if o.plan {
		b, err := json.MarshalIndent(makePlan(o.seed, o.number), "", "  ")
		if err == nil {
			_, err = fmt.Fprintf(out, "%s\n", b)
		}
		return 0, err
	}
	log, closeLog, err := o.openLog(out)
	if err != nil {
		return 2, err
	}
	defer closeLog()
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return 2, err
	}
	defer removeAll(dir)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := newTable(o, out, errs, log)
	began := time.Now()
	room := newRoom(o.processes)
	var all sync.WaitGroup
	for p := range o.plans(began) {
		if !room.enter(ctx, p.processes()) {
			break
		}
		all.Go(func() {
			defer room.leave(p.processes())
			began := time.Now()
			v, err := carryOut(ctx, p, dir)
			if err != nil {
				return // interrupted
			}
			if v.ok() && o.number < 0 {
				v.Sockets = nil // who asks for one wants to see it
			}
			if t.add(result{p, time.Since(began), v}); !v.ok() && !o.keep {
				cancel()
			}
		})
	}
	all.Wait()
	return t.end(time.Since(began)), nil
}

// plans yields the plans to run until the time is up, or the one asked for.
func (o *flags) plans(began time.Time) func(yield func(*plan) bool) {
	return func(yield func(*plan) bool) {
		if o.number >= 0 {
			yield(makePlan(o.seed, o.number))
			return
		}
		for n := 0; time.Since(began) < o.duration; n++ {
			if p := makePlan(o.seed, n); o.wants(p) && !yield(p) {
				return
			}
		}
	}
}

// openLog opens what --json names; the log is nil without it.
func (o *flags) openLog(out io.Writer) (*json.Encoder, func(), error) {
	switch o.json {
	case "":
		return nil, func() {}, nil
	case "-":
		return json.NewEncoder(out), func() {}, nil
	}
	f, err := os.Create(o.json)
	if err != nil {
		return nil, nil, fmt.Errorf("soak: --json: %w", err)
	}
	return json.NewEncoder(f), func() { _ = f.Close() }, nil // what matters is printed
}

// removeAll removes a temporary directory; what cannot be removed is left to the system.
func removeAll(dir string) { _ = os.RemoveAll(dir) }

// A room has so many places.
type room struct {
	mu   sync.Mutex
	free int
	all  int
	left chan struct{}
}

func newRoom(n int) *room { return &room{free: n, all: n, left: make(chan struct{}, 1)} }

// enter waits for n places, or for all of them if there are fewer.
func (r *room) enter(ctx context.Context, n int) bool {
	for {
		if ctx.Err() != nil {
			return false
		}
		r.mu.Lock()
		if need := min(n, r.all); r.free >= need {
			r.free -= need
			r.mu.Unlock()
			return true
		}
		r.mu.Unlock()
		select {
		case <-r.left:
		case <-ctx.Done():
		}
	}
}

func (r *room) leave(n int) {
	r.mu.Lock()
	r.free += min(n, r.all)
	r.mu.Unlock()
	select {
	case r.left <- struct{}{}:
	default:
	}
}
