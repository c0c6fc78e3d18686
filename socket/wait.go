package socket

import (
	"context"
	"slices"
)

// A waitlist holds the callers that wait for a condition guarded by some mutex, first come first served. All methods
// but wait are called with that mutex held. Waiting is on a channel, so that a context can end it and testing/synctest
// can see it.
type waitlist struct {
	waiting []*waiter
	spare   []*waiter
}

type waiter struct{ ready chan struct{} }

// join adds the caller. It must look at its condition first, and again after wait returns.
func (q *waitlist) join() *waiter {
	var w *waiter
	if n := len(q.spare); n > 0 {
		w, q.spare = q.spare[n-1], q.spare[:n-1]
	} else {
		w = &waiter{ready: make(chan struct{}, 1)}
	}
	q.waiting = append(q.waiting, w)
	return w
}

// wait blocks until the waiter is woken (nil) or ctx ends. The caller holds no lock and then calls leave with it held.
func (w *waiter) wait(ctx context.Context) error {
	done := ctx.Done()
	if done == nil {
		<-w.ready
		return nil
	}
	select {
	case <-w.ready:
		return nil
	case <-done:
		return context.Cause(ctx)
	}
}

// leave ends the wait. A wake-up that came too late for a caller that gave up goes to the next one.
func (q *waitlist) leave(w *waiter, err error) {
	if err != nil {
		if i := slices.Index(q.waiting, w); i >= 0 {
			q.waiting = slices.Delete(q.waiting, i, i+1)
		} else {
			<-w.ready
			q.wake()
		}
	}
	q.spare = append(q.spare, w)
}

// wake lets the longest waiter look at its condition again.
func (q *waitlist) wake() {
	if len(q.waiting) == 0 {
		return
	}
	w := q.waiting[0]
	q.waiting = slices.Delete(q.waiting, 0, 1)
	w.ready <- struct{}{}
}

// wakeAll lets everybody look again.
func (q *waitlist) wakeAll() {
	for len(q.waiting) > 0 {
		q.wake()
	}
}
