package main

import (
	"context"
	"sync"
	"time"
)

// pub sends probes until every subscriber has had one, then the messages, then end marks until the subscribers have
// their result: a library that drops messages may drop those too.
func pub(ctx context.Context, c *console, open opener, j job) error {
	s, err := open(ctx, "pub", j)
	if err != nil {
		return err
	}
	if err := c.say("ready", s.Endpoint()); err != nil {
		return err
	}
	n, _ := j.topics()
	_, probe, end := j.bodies()
	if err := repeat(ctx, c, s, probe, 5*time.Millisecond); err != nil {
		return err
	}
	begin, i := spent(), 0
	for range j.Warm + j.Count {
		if err := s.Send(ctx, i); err != nil {
			return err
		}
		if i++; i == n {
			i = 0
		}
	}
	if err := c.result(begin.since(j.Warm + j.Count)); err != nil {
		return err
	}
	return repeat(ctx, c, s, end, 10*time.Millisecond)
}

// repeat sends a body at intervals until the console is told something.
func repeat(ctx context.Context, c *console, s conn, body int, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := s.Send(ctx, body); err != nil {
			return err
		}
		select {
		case <-c.told:
			return nil
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// A crowd is what the subscribers of one side have seen together: from the first warm one to the last that is done.
type crowd struct {
	mu          sync.Mutex
	joined      int
	before      cost
	first, last time.Time
	received    int
}

func sub(ctx context.Context, c *console, open opener, j job) error {
	var all crowd
	if err := parallel(j.Sockets, func(int) error { return all.attend(ctx, c, open, j) }); err != nil {
		return err
	}
	r := all.before.since(j.Count)
	r.End, r.Received = all.last.Sub(all.first).Nanoseconds(), int64(all.received)
	return c.result(r)
}

func (all *crowd) attend(ctx context.Context, c *console, open opener, j job) error {
	s, err := open(ctx, "sub", j)
	if err != nil {
		return err
	}
	if j.Subs == 0 {
		err = s.Subscribe("")
	}
	for i := 0; i < j.Subs && err == nil; i++ {
		err = s.Subscribe(topic(i))
	}
	bodies, probe, end := j.bodies()
	probeSize, endSize := len(bodies[probe]), len(bodies[end])
	if err != nil {
		return err
	}
	n, joined := 0, false
	err = each(ctx, s, func(size int) (more bool, err error) {
		switch size {
		case probeSize:
			if !joined {
				joined = true
				err = all.join(c, j.Sockets)
			}
		case endSize:
			return false, nil
		default:
			if n++; n == j.Warm {
				all.warm()
			}
		}
		return err == nil && n < j.Warm+j.Count, err
	})
	all.done(n - j.Warm)
	return err
}

// A ranger is a conn whose messages are for a loop to take.
type ranger interface {
	Each(ctx context.Context, got func(size int) (more bool, err error)) error
}

// each takes messages until got wants no more.
func each(ctx context.Context, s conn, got func(size int) (more bool, err error)) error {
	if r, ok := s.(ranger); ok {
		return r.Each(ctx, got)
	}
	for {
		size, err := s.Recv(ctx)
		if err != nil {
			return err
		}
		if more, err := got(size); err != nil || !more {
			return err
		}
	}
}

func (all *crowd) join(c *console, of int) error {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.joined++; all.joined == of {
		return c.say("joined")
	}
	return nil
}

func (all *crowd) warm() {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.first.IsZero() {
		all.before, all.first = spent(), time.Now()
	}
}

func (all *crowd) done(received int) {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.last = time.Now()
	all.received += max(0, received)
}
