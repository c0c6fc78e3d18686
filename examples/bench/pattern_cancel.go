package main

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// serveCancelled has a method that waits until it is cancelled, one that tells when that one has begun, and one that
// tells when its context has ended, by the clock that all processes share.
func (l *library) serveCancelled(ctx context.Context, c *console, j job) error {
	begun, ended := make(chan struct{}, 1), make(chan int64, 1)
	m := methods{calls: handlers{
		"wait": func(ctx context.Context, _ []byte) ([]byte, error) {
			begun <- struct{}{}
			<-ctx.Done()
			ended <- time.Now().UnixNano()
			return nil, ctx.Err()
		},
		"begun": func(ctx context.Context, _ []byte) ([]byte, error) {
			select {
			case <-begun:
				return nil, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
		"ended": func(ctx context.Context, _ []byte) ([]byte, error) {
			select {
			case at := <-ended:
				return binary.BigEndian.AppendUint64(nil, uint64(at)), nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
	}}
	r, err := l.answering(ctx, c, j, m, 0)
	if err != nil {
		return err
	}
	return c.result(r)
}

// cancel cancels one call after the other and tells how long it took until the context of the handler had ended.
func (l *library) cancel(ctx context.Context, c *console, j job) error {
	cl, err := l.dial(ctx, j)
	if err != nil {
		return err
	}
	took := make([]time.Duration, j.Warm+j.Count)
	for i := range took {
		if took[i], err = cancelOne(ctx, cl); err != nil {
			return err
		}
	}
	var r report
	r.Mean, r.P50, r.P99, r.P999 = summarise(took[j.Warm:])
	if err := c.result(r); err != nil {
		return err
	}
	return cl.Close()
}

func cancelOne(ctx context.Context, cl client) (time.Duration, error) {
	limited, stop := context.WithTimeout(ctx, deadline)
	defer stop()
	cancelled, cancel := context.WithCancel(limited)
	defer cancel()
	back := make(chan error, 1)
	go func() {
		_, err := cl.Call(cancelled, "wait", nil)
		back <- err
	}()
	if _, err := cl.Call(limited, "begun", nil); err != nil {
		return 0, err
	}
	at := time.Now().UnixNano()
	cancel()
	ended, err := cl.Call(limited, "ended", nil)
	if err != nil {
		return 0, err
	}
	if err := <-back; !errors.Is(err, context.Canceled) {
		return 0, fmt.Errorf("bench: cancelled call: %w", cmp.Or(err, errAnswered))
	}
	if len(ended) != 8 {
		return 0, fmt.Errorf("bench: %d bytes are no time", len(ended))
	}
	return time.Duration(int64(binary.BigEndian.Uint64(ended)) - at), nil
}
