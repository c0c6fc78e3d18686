package pipeline

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/dispatch"
)

// Jobs yields jobs, one at a time, until ctx ends or the worker is shut down, which it yields as an error. What the
// caller does not settle comes again when its lease has run out: see Job.InProgress. A job that cannot be decoded is
// rejected, and not yielded.
func (w *Worker[T]) Jobs(ctx context.Context) iter.Seq2[*Job[T], error] {
	return func(yield func(*Job[T], error) bool) {
		leave, err := w.w.enter(ctx, 1)
		if err != nil {
			yield(nil, opError("jobs", err))
			return
		}
		defer leave()
		for {
			h, err := w.w.take(ctx, false)
			if err != nil {
				yield(nil, opError("jobs", err))
				return
			}
			if j := makeJob[T](h); j != nil && !yield(j, nil) {
				return
			}
		}
	}
}

// Run calls h for each job, n at a time, 1 if n is less, until ctx ends or the worker is shut down. Then it waits for
// what runs, gives back what has not begun, and returns the cause of ctx or socket.ErrClosed.
//
// A job is done if h returns nil. If it returns an error, or panics, the job comes again after a second, twice as long
// with each attempt before, up to 5 minutes; one of [Reject] makes a dead letter of it. h may also say itself what
// became of the job, by its methods. Its lease is renewed as long as h runs.
//
// The context of h has the values of ctx, and does not end with it: it ends when the job went to another worker, with
// the cause ErrSettled, when the context of Shutdown ends, and by Close.
func (w *Worker[T]) Run(ctx context.Context, n int, h func(context.Context, *Job[T]) error) error {
	n = max(n, 1)
	leave, err := w.w.enter(ctx, n)
	if err != nil {
		return opError("run", err)
	}
	defer leave()
	errs := make(chan error, n)
	var hands sync.WaitGroup
	for range n {
		hands.Go(func() {
			for {
				held, err := w.w.take(ctx, true)
				if err != nil {
					errs <- err
					return
				}
				if j := makeJob[T](held); j != nil {
					w.do(ctx, j, h)
				}
			}
		})
	}
	hands.Wait()
	return opError("run", <-errs)
}

// do has a handler do a job.
func (w *Worker[T]) do(ctx context.Context, j *Job[T], h func(context.Context, *Job[T]) error) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(w.w.stopped, func() { cancel(context.Cause(w.w.stopped)) })()
	if !j.held.onLoss(cancel) {
		j.held.ended()
		return
	}
	err := protect(ctx, j, h)
	var answer error
	switch {
	case err == nil:
		answer = j.Ack()
	case errors.Is(err, ErrRejected):
		answer = j.held.answer(patterns.Head{Kind: patterns.KindReject, Text: shorten(reason(err))}, nil)
	default:
		answer = j.held.answer(patterns.Head{
			Kind: patterns.KindNack, Text: shorten(err.Error()), Left: dispatch.Backoff(j.Attempt, rand.Float64()),
		}, nil)
	}
	if errors.Is(answer, ErrSettled) { // said by h, or taken away
		j.held.ended()
	}
}

// reason is what a rejection says of itself.
func reason(err error) string {
	if r, ok := errors.AsType[*rejection](err); ok {
		return r.err.Error()
	}
	return err.Error()
}

// protect calls a handler, and makes an error of a panic.
func protect[T any](ctx context.Context, j *Job[T], h func(context.Context, *Job[T]) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return h(ctx, j)
}

// onLoss has a function called when the job is taken away. It reports whether the job is here still.
func (h *held) onLoss(f context.CancelCauseFunc) bool {
	w := h.from.worker
	w.mu.Lock()
	defer w.mu.Unlock()
	h.lost = f
	return !h.over
}

// makeJob decodes a job; nil if that cannot be done, which is the end of it.
func makeJob[T any](h *held) *Job[T] {
	j := &Job[T]{
		ID: ID{h.from.pusher, h.head.Seq}, Key: h.head.Key, Attempt: int(min(h.head.Attempt, 1<<31-1)),
		Headers: h.head.Headers, From: h.peer, held: h,
	}
	w := h.from.worker
	if err := decodeRaw(patterns.Raw{Type: h.head.Type, Data: h.body}, &j.Value, w.cfg.codec); err != nil {
		w.mu.Lock()
		w.stats.Undecodable++
		w.mu.Unlock()
		_ = j.Reject("cannot be decoded: " + err.Error()) // whoever has it by now finds the same
		return nil
	}
	h.body = nil
	return j
}
