package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// A conn is one socket of a Go library, in one role. Its methods fail if the role has no use for them.
type conn interface {
	// Endpoint is where a binding role can be reached.
	Endpoint() string
	// Subscribe adds a subscription; "" is everything.
	Subscribe(topic string) error
	// Send sends the i-th of the job's bodies.
	Send(ctx context.Context, i int) error
	// Recv takes one message and returns its size.
	Recv(ctx context.Context) (int, error)
	// Echo takes one request and sends it back.
	Echo(ctx context.Context) error
	// Trip sends a request and waits for its reply.
	Trip(ctx context.Context) error
	// Close returns when all that was sent has left.
	Close(ctx context.Context) error
}

// An opener opens a socket for the role: pull, pullreleased, rep, pub and idle bind to the endpoint, push, req and
// sub connect.
type opener func(ctx context.Context, role string, j job) (conn, error)

// push sends on each of its sockets its share of the messages.
func push(ctx context.Context, c *console, open opener, j job) error {
	begin := spent()
	err := parallel(j.Sockets, func(int) error {
		s, err := open(ctx, "push", j)
		if err != nil {
			return err
		}
		return feed(ctx, s, (j.Warm+j.Count)/j.Sockets)
	})
	if err != nil {
		return err
	}
	return c.linger(ctx, begin.since(j.Warm+j.Count))
}

func feed(ctx context.Context, s conn, n int) error {
	for range n {
		if err := s.Send(ctx, 0); err != nil {
			return err
		}
	}
	return s.Close(ctx)
}

func pull(ctx context.Context, c *console, open opener, j job) error {
	s, err := open(ctx, j.Role, j)
	if err != nil {
		return err
	}
	if err := c.say("ready", s.Endpoint()); err != nil {
		return err
	}
	r, err := drain(ctx, s, j)
	if err != nil {
		return err
	}
	if err := s.Close(ctx); err != nil { // a reliable peer waits for the last acknowledgement
		return err
	}
	return c.result(r)
}

// drain takes all messages. Its clock starts with the last one of the warm-up.
func drain(ctx context.Context, s conn, j job) (report, error) {
	for range j.Warm {
		if _, err := s.Recv(ctx); err != nil {
			return report{}, err
		}
	}
	before, begin := spent(), time.Now()
	for n := range j.Count {
		size, err := s.Recv(ctx)
		if err != nil {
			return report{}, err
		}
		if size != j.Size {
			return report{}, fmt.Errorf("bench: message %d has %d bytes, not %d", n, size, j.Size)
		}
	}
	took := time.Since(begin)
	r := before.since(j.Count)
	r.End, r.Received = took.Nanoseconds(), int64(j.Count)
	return r, nil
}

func rep(ctx context.Context, c *console, open opener, j job) error {
	s, err := open(ctx, "rep", j)
	if err != nil {
		return err
	}
	if err := c.say("ready", s.Endpoint()); err != nil {
		return err
	}
	begin := spent()
	if err := echo(ctx, s, j); err != nil {
		return err
	}
	return c.linger(ctx, begin.since(j.Warm+j.Count))
}

func echo(ctx context.Context, s conn, j job) error {
	for range j.Warm + j.Count {
		if err := s.Echo(ctx); err != nil {
			return err
		}
	}
	return s.Close(ctx)
}

func req(ctx context.Context, c *console, open opener, j job) error {
	s, err := open(ctx, "req", j)
	if err != nil {
		return err
	}
	measure := ping
	if j.Role == "reqhalf" {
		measure = pingHalf
	}
	r, err := measure(ctx, s, j)
	if err != nil {
		return err
	}
	if err := s.Close(ctx); err != nil { // as in pull
		return err
	}
	return c.result(r)
}

// ping makes the round trips one after the other and times each.
func ping(ctx context.Context, s conn, j job) (report, error) {
	trips := make([]time.Duration, j.Count)
	for range j.Warm {
		if err := s.Trip(ctx); err != nil {
			return report{}, err
		}
	}
	before := spent()
	for i := range trips {
		begin := time.Now()
		if err := s.Trip(ctx); err != nil {
			return report{}, err
		}
		trips[i] = time.Since(begin)
	}
	r := before.since(j.Count)
	r.Mean, r.P50, r.P99, r.P999 = summarise(trips)
	return r, nil
}

// pingHalf asks at half the rate at which the warm-up went one after the other, and counts each round trip from when
// it was due, so that those that wait for a slow one before them count as slow, too.
func pingHalf(ctx context.Context, s conn, j job) (report, error) {
	trips := make([]time.Duration, j.Count)
	start := time.Now()
	for range j.Warm {
		if err := s.Trip(ctx); err != nil {
			return report{}, err
		}
	}
	every := 2 * time.Since(start) / time.Duration(j.Warm)
	before := spent()
	start = time.Now()
	for i := range trips {
		due := start.Add(time.Duration(i) * every)
		for left := time.Until(due); left > 0; left = time.Until(due) {
			if left > time.Millisecond { // to sleep is not exact enough for less
				time.Sleep(left - time.Millisecond)
			}
		}
		if err := s.Trip(ctx); err != nil {
			return report{}, err
		}
		trips[i] = time.Since(due)
	}
	r := before.since(j.Count)
	r.Mean, r.P50, r.P99, r.P999 = summarise(trips)
	return r, nil
}

// summarise returns the mean and percentiles in microseconds, by nearest rank. It sorts its argument.
func summarise(trips []time.Duration) (mean, p50, p99, p999 float64) {
	slices.Sort(trips)
	var sum time.Duration
	for _, d := range trips {
		sum += d
	}
	rank := func(p float64) float64 {
		i := int(math.Ceil(p*float64(len(trips)))) - 1
		return float64(trips[max(0, i)]) / 1e3
	}
	return float64(sum) / 1e3 / float64(len(trips)), rank(0.5), rank(0.99), rank(0.999)
}

// inproc runs both sides. The report is the measuring side's; its CPU and allocations are those of both.
func inproc(ctx context.Context, c *console, open opener, j job) error {
	binds, connects := "pull", "push"
	if j.Role == "roundtrip" {
		binds, connects = "rep", "req"
	}
	a, err := open(ctx, binds, j)
	if err != nil {
		return err
	}
	b, err := open(ctx, connects, j)
	if err != nil {
		return err
	}
	var r report
	err = parallel(2, func(i int) (err error) {
		switch {
		case j.Role == "oneway" && i == 0:
			r, err = drain(ctx, a, j)
		case j.Role == "oneway":
			err = feed(ctx, b, j.Warm+j.Count)
		case i == 0:
			err = echo(ctx, a, j)
		default:
			r, err = ping(ctx, b, j)
		}
		return err
	})
	if err != nil {
		return err
	}
	return c.result(r)
}

// parallel runs n functions at once and returns the first error, without waiting for the others, which that may have
// left hanging: the process ends with it.
func parallel(n int, f func(i int) error) error {
	errs := make(chan error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs <- f(i) })
	}
	for range n {
		if err := <-errs; err != nil {
			return err
		}
	}
	all.Wait()
	return nil
}
