package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// quietEvery is the time between two messages of a quiet stream.
const quietEvery = 10 * time.Millisecond

// A stamper is a conn that sends and receives messages that say when they were sent. Only those of crowded need be.
type stamper interface {
	SendStamped(ctx context.Context) error
	// RecvStamped returns the body's size and, if it is of the stamped ones, how old it is.
	RecvStamped(ctx context.Context) (size int, age time.Duration, err error)
}

var errNoStamps = errors.New("bench: this peer's messages do not say when they were sent")

// stamp writes the time into the first eight bytes of a body, by the clock that all processes share.
func stamp(body []byte) { binary.NativeEndian.PutUint64(body, uint64(time.Now().UnixNano())) }

// age reads what stamp wrote.
func age(body []byte) time.Duration {
	return time.Duration(time.Now().UnixNano() - int64(binary.NativeEndian.Uint64(body)))
}

// beside sends as fast as it can on one socket, and on a second one, at quietEvery, messages that are a byte longer
// and say when they were sent.
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
	stamped, ok := quiet.(stamper)
	if !ok {
		return errNoStamps
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
			if err := stamped.SendStamped(ctx); err != nil {
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

// pullBeside receives both streams and tells how long the messages of the quiet one took.
func pullBeside(ctx context.Context, c *console, open opener, j job) error {
	s, err := open(ctx, "pull", j)
	if err != nil {
		return err
	}
	stamped, ok := s.(stamper)
	if !ok {
		return errNoStamps
	}
	if err := c.say("ready", s.Endpoint()); err != nil {
		return err
	}
	begin := spent()
	ages := make([]time.Duration, 0, j.Count)
	others := 0
	for n := 0; n < j.Warm+j.Count; {
		size, age, err := stamped.RecvStamped(ctx)
		if err != nil {
			return err
		}
		switch size {
		case j.Size:
			others++
		case j.Size + 1:
			if n++; n > j.Warm {
				ages = append(ages, age)
			}
		default:
			return fmt.Errorf("bench: a message of %d bytes", size)
		}
	}
	if others < 10*j.Count {
		return fmt.Errorf("bench: the busy stream was not busy: %d messages beside %d", others, j.Count)
	}
	r := begin.since(others + j.Count)
	r.Mean, r.P50, r.P99, r.P999 = summarise(ages)
	// The busy stream goes on until the other side has seen its last message off.
	go func() {
		for {
			if _, _, err := stamped.RecvStamped(ctx); err != nil {
				return
			}
		}
	}()
	return c.linger(ctx, r)
}
