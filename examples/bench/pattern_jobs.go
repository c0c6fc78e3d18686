package main

import (
	"context"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/pipeline"
)

const (
	outstanding = 10_000 // jobs that are not acknowledged, at most
	prefetch    = 1000   // jobs that a worker has in store
	jobBatch    = 64
)

// pushing has the warm-up and then the jobs pushed, each until all are acknowledged, and measures the second.
func pushing(j job, push func(n int) error) (report, error) {
	if err := push(j.Warm); err != nil {
		return report{}, err
	}
	before, begin := spent(), time.Now()
	if err := push(j.Count); err != nil {
		return report{}, err
	}
	end := time.Since(begin)
	r := before.since(j.Count)
	r.End, r.Received = end.Nanoseconds(), int64(j.Count)
	return r, nil
}

// working has work run until the other side has its result, which ends it by stop.
func working(ctx context.Context, c *console, j job, stop func(), work func() error) error {
	begin := spent()
	done := make(chan error, 1)
	go func() { done <- work() }()
	told := make(chan error, 1)
	go func() { told <- c.wait(ctx) }()
	var err error
	select {
	case err = <-done: // before it was told
	case err = <-told:
		r := begin.since(j.Warm + j.Count)
		stop()
		if err == nil {
			err = <-done
		}
		if err == nil {
			return c.result(r)
		}
	}
	return err
}

// pushJobs pushes jobs one at a time, or many, and waits until all are acknowledged.
func pushJobs(ctx context.Context, c *console, j job) error {
	p := pipeline.NewPusher[[]byte](pipeline.WithCodec(patterns.Bytes()), pipeline.WithPending(outstanding, 0))
	defer p.Close() //nolint:errcheck // all is settled, or the error is another one
	at, err := p.Bind(ctx, j.Endpoint)
	if err != nil {
		return err
	}
	if err := c.say("ready", at); err != nil {
		return err
	}
	batch := make([][]byte, 1)
	if j.Role == pushesBatches {
		batch = make([][]byte, jobBatch)
	}
	for i := range batch {
		batch[i] = make([]byte, j.Size)
	}
	r, err := pushing(j, func(n int) error {
		for n > 0 {
			var err error
			if some := batch[:min(n, len(batch))]; len(some) == 1 {
				_, err = p.Push(ctx, some[0])
			} else {
				_, err = p.PushAll(ctx, some)
			}
			if err != nil {
				return err
			}
			n -= len(batch)
		}
		return p.Flush(ctx)
	})
	if err != nil {
		return err
	}
	return c.linger(ctx, r)
}

// workJobs acknowledges jobs as they come until the other side has its result.
func workJobs(ctx context.Context, c *console, j job) error {
	w := pipeline.NewWorker[[]byte](pipeline.WithCodec(patterns.Bytes()), pipeline.WithPrefetch(prefetch, 0))
	defer w.Close() //nolint:errcheck // it has nothing left to do
	if err := w.Connect(j.Endpoint); err != nil {
		return err
	}
	working1, stop := context.WithCancel(ctx)
	defer stop()
	return working(ctx, c, j, stop, func() error {
		for job, err := range w.Jobs(working1) {
			if working1.Err() != nil {
				return nil
			}
			if err == nil {
				err = job.Ack()
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
