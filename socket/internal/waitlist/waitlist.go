// Package waitlist lets callers wait for a condition that a mutex guards, first come first served, and until a context
// ends. It is what sync.Cond is, with a context.
package waitlist

import (
	"context"
	"slices"
)

// A List holds the callers that wait for a condition guarded by some mutex, the longest waiter first. The zero value
// is an empty list. Every method is called with that mutex held; only [Waiter.Wait] is called without it:
//
//	mu.Lock()
//	defer mu.Unlock()
//	for !condition {
//		w := list.Join()
//		mu.Unlock()
//		err := w.Wait(ctx)
//		mu.Lock()
//		list.Leave(w, err)
//		if err != nil {
//			return err
//		}
//	}
type List struct {
	waiting []*Waiter
	spare   []*Waiter
}

// A Waiter is one caller that waits. It waits on a channel, so that a context can end the wait and testing/synctest
// can see it.
type Waiter struct{ ready chan struct{} }

// Join adds the caller. The caller must look at its condition first, and again after Wait has returned.
func (q *List) Join() *Waiter {
	var w *Waiter
	if n := len(q.spare); n > 0 {
		w, q.spare = q.spare[n-1], q.spare[:n-1]
	} else {
		w = &Waiter{ready: make(chan struct{}, 1)}
	}
	q.waiting = append(q.waiting, w)
	return w
}

// Wait blocks until the waiter is woken (nil) or ctx ends (the context's cause). The caller holds no lock. Afterwards
// it calls Leave with the lock held and with what Wait has returned.
func (w *Waiter) Wait(ctx context.Context) error {
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

// Leave ends the wait. A wake-up that came too late for a caller that gave up goes to the next one. The waiter must
// not be used afterwards.
func (q *List) Leave(w *Waiter, err error) {
	if err != nil {
		if i := slices.Index(q.waiting, w); i >= 0 {
			q.waiting = slices.Delete(q.waiting, i, i+1)
		} else {
			<-w.ready
			q.Wake()
		}
	}
	q.spare = append(q.spare, w)
}

// Len is how many callers wait and have not been woken.
func (q *List) Len() int { return len(q.waiting) }

// Wake lets the longest waiter look at its condition again.
func (q *List) Wake() {
	if len(q.waiting) == 0 {
		return
	}
	w := q.waiting[0]
	q.waiting = slices.Delete(q.waiting, 0, 1)
	w.ready <- struct{}{}
}

// WakeAll lets every waiter look at its condition again.
func (q *List) WakeAll() {
	for len(q.waiting) > 0 {
		q.Wake()
	}
}
