package socket

import (
	"context"
	"time"
)

// Messages that were handed out and wait for a verb. All of it is guarded by inbox.mu.

// A handout is one such message. It outlives the link that has brought it.
type handout struct {
	q     *inbox
	by    settler // nil if there is nobody to tell
	key   uint64  // what names the message to that
	size  uint64
	state handoutState

	lease      time.Duration // 0 for none
	due        time.Duration // when it is over
	prev, next *handout      // of those with a lease
}

type handoutState uint8

const (
	handoutOpen    handoutState = iota
	handoutSettled              // by a verb, or by being received
	handoutExpired              // its lease was over
)

// A settler is told what has become of messages. But for sync, it is called with inbox.mu held, once for each message;
// what it returns, unless nil, is called when that is free.
type settler interface {
	// counted is told of a message that has left its queue, where that settles it.
	counted()
	// received settles a message that no verb is to settle, where each is settled by itself.
	received(key, size uint64)
	settled(h *handout) (then func() error)
	givenBack(h *handout, delay time.Duration) (then func() error)
	terminated(h *handout, reason string) (then func() error)
	// sync returns once what was settled is on disk and told, as far as it is to be.
	sync(ctx context.Context, h *handout) error
	// lease is how long a message may be kept without a verb, 0 for any time.
	lease() time.Duration
}

// unsettled is what an inbox has handed out and was not told about yet.
type unsettled struct {
	count       Count
	first, last *handout // those with a lease, the one that is over first first
	timer       *time.Timer
}

// mayIssue reports whether the application may have another message to be settled by a verb.
func (q *inbox) mayIssue(into *issued) bool {
	return into == nil || !q.manual || q.unsettled.count.Messages < q.maxUnsettled
}

// issued is a Delivery and what it refers to.
type issued struct {
	Delivery
	out handout
}

// issue makes a delivery of a message that is handed out. by is nil if its peer acknowledges nothing.
func (q *inbox) issue(d *issued, by settler, of label, size uint64) {
	d.ID, d.Attempts, d.Redelivered, d.Expires = of.id, of.attempts, of.redelivered, of.expires
	h := &d.out
	*h = handout{q: q, by: by, key: of.key, size: size}
	d.handed = h
	switch {
	case !q.manual:
		h.state = handoutSettled
		if q.byNumber && by != nil {
			by.received(of.key, size)
		}
		return
	case by == nil:
		return
	}
	q.unsettled.count.add(int(size))
	if h.lease = by.lease(); h.lease > 0 {
		q.unsettled.extend(h, q.env.now())
		q.unsettled.arm(q)
	}
}

// open is why no verb can settle the message any more; nil if one can.
func (h *handout) open() error {
	switch {
	case h.state == handoutSettled:
		return ErrSettled
	case h.state == handoutExpired:
		return ErrExpired
	case h.q.closed:
		return ErrClosed
	}
	return nil
}

// end notes that a message waits for no verb any more.
func (q *inbox) end(h *handout, state handoutState) {
	h.state = state
	if h.by == nil {
		return
	}
	q.unsettled.remove(h)
	full := q.unsettled.count.Messages >= q.maxUnsettled
	q.unsettled.count.sub(int(h.size))
	if full && len(q.round.links) > 0 {
		q.unread.WakeAll()
	}
}

// extend has the lease of a message begin now.
func (u *unsettled) extend(h *handout, now time.Duration) {
	if h.lease == 0 {
		return
	}
	u.remove(h)
	h.due = now + h.lease
	after := u.last
	for after != nil && after.due > h.due {
		after = after.prev
	}
	h.prev = after
	if after != nil {
		h.next, after.next = after.next, h
	} else {
		h.next, u.first = u.first, h
	}
	if h.next != nil {
		h.next.prev = h
	} else {
		u.last = h
	}
}

// remove takes a message out of those with a lease, if it is there.
func (u *unsettled) remove(h *handout) {
	switch {
	case h.prev != nil:
		h.prev.next = h.next
	case u.first == h:
		u.first = h.next
	default:
		return
	}
	if h.next != nil {
		h.next.prev = h.prev
	} else {
		u.last = h.prev
	}
	h.prev, h.next = nil, nil
}

// arm has the timer look when the first lease is over.
func (u *unsettled) arm(q *inbox) {
	if u.timer == nil {
		u.timer = time.AfterFunc(u.first.due-q.env.now(), q.expireLeases)
	}
}

// expireLeases gives back what was kept for too long.
func (q *inbox) expireLeases() {
	q.mu.Lock()
	defer q.mu.Unlock()
	u := &q.unsettled
	u.timer = nil
	now := q.env.now()
	var then []func() error
	for u.first != nil && u.first.due <= now && !q.closed {
		h := u.first
		q.end(h, handoutExpired)
		if f := h.by.givenBack(h, 0); f != nil {
			then = append(then, f)
		}
	}
	if len(then) > 0 {
		q.env.spawn(func() {
			for _, f := range then {
				_ = f()
			}
		})
	}
	if u.first != nil && !q.closed {
		u.arm(q)
	}
}

// closeUnsettled ends all hand-outs: what waited for a verb is not the application's any more.
func (q *inbox) closeUnsettled() {
	u := &q.unsettled
	if u.timer != nil {
		u.timer.Stop()
	}
	for h := u.first; h != nil; { // they do not hold on to each other
		next := h.next
		h.prev, h.next = nil, nil
		h = next
	}
	*u = unsettled{}
}
