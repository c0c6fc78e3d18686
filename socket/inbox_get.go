package socket

import (
	"context"

	"github.com/yodel-mq/yodel/socket/internal/waitlist"
)

// Receiving. A receiver takes a message if there is one (take), or else waits for one (chooseWait, wait) and looks
// again. What needs the locks, recv and mu, is decided under both; what takes time is done when both are free.

// get returns the next message. With wait set it blocks until there is one, ctx ends or the socket closes; without, it
// returns ErrWouldBlock if there is none. into, unless nil, gets what is known of the message, and what it is to be
// settled by.
func (q *inbox) get(ctx context.Context, wait bool, into *issued) (Msg, error) {
	var woken *waitlist.Waiter
	for {
		q.recv.Lock()
		if into == nil {
			if m, ok := q.nextPrefetched(); ok { // which has unlocked recv
				return m, nil
			}
		}
		q.mu.Lock()
		if woken != nil {
			q.unread.Leave(woken, nil)
		}
		var m Msg
		var from, reopened *link
		err := q.outOfTurn()
		if err == nil {
			m, from, reopened = q.take(into)
		}
		var yield bool
		var way waiting
		switch {
		case from != nil:
			yield = q.answers && q.mayYield()
		case err == nil && reopened == nil:
			q.busy = busy{}
			way, err = q.chooseWait(ctx, wait, into)
		}
		q.mu.Unlock()
		q.recv.Unlock()
		if reopened != nil {
			reopened.carrier.resume()
		}
		if yield {
			q.env.yield()
		}
		if from != nil || err != nil {
			return m, err
		}
		if err := q.wait(ctx, way); err != nil {
			return Msg{}, err
		}
		woken = way.waiter // which leaves the list once the lock is held again
	}
}

// outOfTurn is why the role lets no message be received now. Once the socket is closed there is none.
func (q *inbox) outOfTurn() error {
	if q.turn == nil || q.closed {
		return nil
	}
	return q.turn()
}

// take takes the next message for the application, in turn from the links that have some; from is the link it was
// taken from, nil if there is none. reopened, if not nil, is a link whose queue was full and is down to half: once the
// locks are free it has to resume. If the message that did this was discarded, take leaves it at that, and the caller
// comes again.
func (q *inbox) take(into *issued) (m Msg, from, reopened *link) {
	q.giveBack()
	for len(q.round.links) > 0 && q.mayIssue(into) {
		m, l, why := q.pop(into)
		if q.reopen(l) {
			reopened = l
		}
		if why == "" {
			if into == nil {
				q.fillPrefetch()
			}
			return m, l, reopened
		}
		if reopened != nil {
			break
		}
	}
	return Msg{}, nil, reopened
}

// pop takes one message from the link whose turn it is. With a reason it was discarded.
func (q *inbox) pop(into *issued) (m Msg, l *link, why Reason) {
	l = q.round.turn()
	in := &l.in
	notified := false
	if n := in.notices; n != nil {
		if n.telling(in.queue.n) {
			return q.popNotice(l, into), l, ""
		}
		notified = n.head != nil
	}
	var of label
	if in.labels != nil && (into != nil || q.byNumber || in.labels.timed > 0) {
		of = in.labels.front(in.counts.unread.Messages)
	}
	if notified {
		m, why = q.notices.take(in.notices)
	} else {
		m = in.queue.pop()
	}
	in.active = !in.empty()
	q.round.took(in.active)
	n, further := Count{1, uint64(m.Size())}, m.further() // before filter takes an envelope off
	if of.expired() {
		why = Expired
	} else if q.filter != nil {
		m, why = q.filter(l, m)
	}
	if why == "" {
		q.ledger(l).hand(n, further)
	} else {
		q.discard(l, why, n, further)
	}
	q.queueShrank(l)
	q.handOut(l, of, n.Bytes, why == "", into)
	return m, l, why
}

// handOut sees to it that a message that was taken out of a link's queue is settled, at once or by a verb: that of a
// delivery that it was handed out in.
func (q *inbox) handOut(l *link, of label, size uint64, handed bool, into *issued) {
	in := &l.in
	var by settler
	if in.labels != nil {
		by = in.labels.by
	}
	switch {
	case handed && into != nil:
		q.issue(into, by, of, size)
	case by != nil && q.byNumber:
		by.received(of.key, size)
	}
	if by != nil && !q.byNumber {
		by.counted()
	}
}

// reopen reports whether the link's queue, which was full, is down to half now.
func (q *inbox) reopen(l *link) bool {
	if !l.in.full.Load() || l.in.held() || !l.in.limit.cleared(l.in.load()) {
		return false
	}
	l.in.full.Store(false)
	return true
}

// A waiting is what a receiver that found nothing does until it looks again. The zero waiting is nothing at all.
type waiting struct {
	way    wayToWait
	sender *inproc          // of waitBySpinning and waitByPulling
	link   *link            // of waitByReading
	waiter *waitlist.Waiter // of waitForWake
}

// A wayToWait has a case in chooseWait, where it is chosen under both locks, and one in wait, where it is done without
// any.
type wayToWait uint8

const (
	waitBySpinning wayToWait = iota + 1 // a sender in this process is in the middle of a stream (inbox_inproc.go)
	waitByPulling                       // a sender in this process holds messages, which come over at once
	waitByReading                       // the connection, in place of the link's goroutine (link_handoff.go)
	waitForWake                         // whoever puts something in the queue wakes the receiver
)

// chooseWait decides how to wait, in the order of what it costs. An error says that there is nothing to wait for, or
// that the caller does not wait.
func (q *inbox) chooseWait(ctx context.Context, wait bool, into *issued) (waiting, error) {
	if wait && q.mayIssue(into) && q.soleSender != nil && ctx.Err() == nil {
		if p := q.maySpin(); p != nil {
			return waiting{way: waitBySpinning, sender: p}, nil
		}
	}
	if err := q.stopped(); err != nil {
		return waiting{}, err
	}
	if p := q.onEmpty(); p != nil {
		return waiting{way: waitByPulling, sender: p}, nil
	}
	if !wait || ctx.Err() != nil {
		q.polled()
	}
	if !wait {
		return waiting{}, ErrWouldBlock
	}
	if l := q.acquireRead(ctx); l != nil {
		return waiting{way: waitByReading, link: l}, nil
	}
	return waiting{way: waitForWake, waiter: q.unread.Join()}, nil
}

// wait waits as chooseWait has decided. The caller holds no lock. An error ends the receiver's wait for good.
func (q *inbox) wait(ctx context.Context, w waiting) error {
	switch w.way {
	case waitBySpinning:
		q.spin(w.sender)
	case waitByPulling:
		w.sender.pull()
	case waitByReading:
		w.link.readInline()
	case waitForWake:
		if err := w.waiter.Wait(ctx); err != nil {
			q.mu.Lock()
			q.unread.Leave(w.waiter, err)
			q.mu.Unlock()
			return err
		}
	}
	return nil
}

// stopped is why nobody is to wait for messages any more, or just now.
func (q *inbox) stopped() error {
	switch {
	case q.closed:
		return ErrClosed
	case q.broken != nil:
		return q.broken
	case q.stop != nil:
		return q.stop()
	}
	return nil
}
