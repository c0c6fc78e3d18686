package socket

import (
	"container/heap"
	"time"
)

// Messages that a receiver has given back with a delay, where there is no store to keep them. There may be thousands of
// them: one timer is for the earliest.

// A returnee is a message that was given back and waits for its delay to be over. The ledger has it as queued for no
// link yet.
type returnee struct {
	msg   Msg
	tried tries
	to    *session // that it is for; nil for any
	at    time.Time
	nth   uint64
}

// returnees are those of a socket, guarded by outbox.mu. The zero value has none.
type returnees struct {
	waiting returneeHeap
	nth     uint64
	timer   *time.Timer // nil while none waits; due is called as it runs out
}

// add has a message wait. due is called, without a lock, when there is something for take.
func (r *returnees) add(m *returnee, delay time.Duration, due func()) {
	r.nth++
	m.nth, m.at = r.nth, time.Now().Add(delay)
	heap.Push(&r.waiting, m)
	switch {
	case r.timer == nil:
		r.timer = time.AfterFunc(delay, due)
	case r.waiting[0] == m:
		r.timer.Reset(delay)
	}
}

// take returns the next message whose delay is over; nil if there is none, and then the timer runs for the earliest.
func (r *returnees) take() *returnee {
	if len(r.waiting) == 0 {
		r.drop()
		return nil
	}
	if left := time.Until(r.waiting[0].at); left > 0 {
		r.timer.Reset(left)
		return nil
	}
	return heap.Pop(&r.waiting).(*returnee)
}

// drop forgets all of them.
func (r *returnees) drop() {
	if r.timer != nil {
		r.timer.Stop()
	}
	r.waiting, r.timer = nil, nil
}

// sendReturnees sends what has waited for long enough.
func (o *outbox) sendReturnees() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for m := o.returnees.take(); m != nil; m = o.returnees.take() {
		m.send(o)
	}
}

// send sends the message to where it belongs. core.out.mu is held.
func (r *returnee) send(o *outbox) {
	s, n := r.to, r.msg.count()
	switch {
	case s == nil:
		o.backlog.unshift([]Msg{r.msg}, attempts{{0, 1, r.tried}})
		o.onRoom()
	case o.sessions[s.key] != s: // it has been given up on
		o.ledger(nil).drop(PeerGone, n)
		o.drained()
	case s.link == nil:
		s.tried.add(int(s.waiting.count.Messages), 1, r.tried)
		s.waiting.append(r.msg)
	default:
		l := s.link
		requeue(&o.unassigned, &l.out.counts, n)
		l.out.attempts.add(int(l.out.counts.queued.Messages)-1, 1, r.tried)
		l.out.open.append(r.msg)
		l.start(false)
	}
}

// A returneeHeap has the earliest first, and of those that are due at the same time the one that came back first.
type returneeHeap []*returnee

func (h returneeHeap) Len() int { return len(h) }

func (h returneeHeap) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].nth < h[j].nth
}

func (h returneeHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements [heap.Interface].
func (h *returneeHeap) Push(m any) { *h = append(*h, m.(*returnee)) }

// Pop implements [heap.Interface].
func (h *returneeHeap) Pop() any {
	n := len(*h) - 1
	m := (*h)[n]
	(*h)[n] = nil
	*h = (*h)[:n]
	return m
}
