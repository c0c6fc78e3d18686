package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"time"
)

var errNoStreams = errors.New("bench: this library's client asks for no streams")

// produce gives as many items as are asked for to whoever calls, without end if the job has no count, and tells how
// many it has given.
func (l *library) produce(ctx context.Context, c *console, j job) error {
	body := make([]byte, j.Size)
	var given atomic.Uint64
	m := methods{
		calls: handlers{"given": func(context.Context, []byte) ([]byte, error) {
			return binary.BigEndian.AppendUint64(nil, given.Load()), nil
		}},
		items: func(context.Context) iter.Seq2[[]byte, error] {
			return func(yield func([]byte, error) bool) {
				for n := 0; j.Warm == 0 || n < j.Warm+j.Count; n++ { // without a warm-up it is for stall
					if !yield(body, nil) {
						return
					}
					given.Add(1)
				}
			}
		},
	}
	r, err := l.answering(ctx, c, j, m, j.Warm+j.Count)
	if err != nil {
		return err
	}
	return c.result(r)
}

// consume takes the items of one call. Its clock starts with the last one of the warm-up.
func (l *library) consume(ctx context.Context, c *console, j job) error {
	cl, s, err := l.dialStream(ctx, j)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	n := 0
	before, begin := spent(), time.Now()
	for item, err := range s.Items(limited) {
		if err == nil && len(item) != j.Size {
			err = fmt.Errorf("bench: item %d has %d bytes, not %d", n, len(item), j.Size)
		}
		if err != nil {
			return err
		}
		if n++; n == j.Warm {
			before, begin = spent(), time.Now()
		}
	}
	end := time.Since(begin)
	if n != j.Warm+j.Count {
		return fmt.Errorf("bench: %d items came, not %d", n, j.Warm+j.Count)
	}
	r := before.since(j.Count)
	r.End, r.Received = end.Nanoseconds(), int64(j.Count)
	if err := c.result(r); err != nil {
		return err
	}
	return cl.Close()
}

// stall takes one item and no more, and tells how many bytes of items lie somewhere between producer and consumer once
// no more are given, for the time of the job.
func (l *library) stall(ctx context.Context, c *console, j job) error {
	cl, s, err := l.dialStream(ctx, j)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var r report
	for _, err := range s.Items(limited) {
		if err != nil {
			return err
		}
		n, err := settled(limited, cl, time.Duration(j.Count)*time.Millisecond)
		if err != nil {
			return err
		}
		r.Values = map[string]float64{heldBytes: float64(n-1) * float64(j.Size+itemOverhead)}
		break
	}
	if err := c.result(r); err != nil {
		return err
	}
	return cl.Close()
}

// settled returns how many items are given once that has not changed for a time.
func settled(ctx context.Context, cl client, unchanged time.Duration) (n uint64, err error) {
	for {
		reply, err := cl.Call(ctx, "given", nil)
		if err != nil {
			return 0, err
		}
		if len(reply) != 8 {
			return 0, fmt.Errorf("bench: %d bytes are no count", len(reply))
		}
		before := n
		if n = binary.BigEndian.Uint64(reply); n == before && n > 0 {
			return n, nil
		}
		time.Sleep(unchanged)
	}
}

func (l *library) dialStream(ctx context.Context, j job) (client, streamer, error) {
	cl, err := l.dial(ctx, j)
	if err != nil {
		return nil, nil, err
	}
	s, ok := cl.(streamer)
	if !ok {
		return nil, nil, errNoStreams
	}
	return cl, s, nil
}
