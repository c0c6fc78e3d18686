package main

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// quietEvery is the time between two messages of a quiet stream.
const quietEvery = 10 * time.Millisecond

// beside sends as fast as it can on one socket, and on a second one, at quietEvery, messages that are a byte longer.
func beside(ctx context.Context, c *console, open opener, j job) error {
	busy, err := open(ctx, "push", j)
	if err != nil {
		return err
	}
	longer := j
	longer.Size++
	quiet, err := open(ctx, "push", longer)
	if err != nil {
		return err
	}
	begin := spent()
	var done atomic.Bool
	err = parallel(2, func(i int) error {
		if i == 0 {
			for !done.Load() {
				if err := busy.Send(ctx, 0); err != nil {
					return err
				}
			}
			return busy.Close(ctx)
		}
		defer done.Store(true)
		start := time.Now()
		for n := range j.Warm + j.Count {
			time.Sleep(time.Until(start.Add(time.Duration(n) * quietEvery)))
			if err := quiet.Send(ctx, 0); err != nil {
				return err
			}
		}
		return quiet.Close(ctx)
	})
	if err != nil {
		return err
	}
	return c.linger(ctx, begin.since(1))
}

// pullBeside receives both streams and tells how late the messages of the quiet one are. When they were sent is known from their
// numbers, but for a constant: the earliest counts as on time. What the sender's clock is late counts too.
func pullBeside(ctx context.Context, c *console, open opener, j job) error {
	s, err := open(ctx, "pull", j)
	if err != nil {
		return err
	}
	if err := c.say("ready", s.Endpoint()); err != nil {
		return err
	}
	begin, start := spent(), time.Now()
	late := make([]time.Duration, 0, j.Count)
	others := 0
	for n := 0; n < j.Warm+j.Count; {
		size, err := s.Recv(ctx)
		if err != nil {
			return err
		}
		switch size {
		case j.Size:
			others++
		case j.Size + 1:
			if n++; n > j.Warm {
				late = append(late, time.Since(start)-time.Duration(n)*quietEvery)
			}
		default:
			return fmt.Errorf("bench: a message of %d bytes", size)
		}
	}
	if others < 100*j.Count {
		return fmt.Errorf("bench: the busy stream was not busy: %d messages beside %d", others, j.Count)
	}
	least := slices.Min(late)
	for i := range late {
		late[i] -= least
	}
	r := begin.since(others + j.Count)
	r.Mean, r.P50, r.P99, r.P999 = summarise(late)
	// The busy stream goes on until the other side has seen its last message off.
	go func() {
		for {
			if _, err := s.Recv(ctx); err != nil {
				return
			}
		}
	}()
	return c.linger(ctx, r)
}
