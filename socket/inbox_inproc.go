package socket

import (
	"runtime"
	"time"
)

// A sender in the same process may hold messages on its side for a while (link_inproc_batch.go). This is the receiver's
// part in it: when that is allowed, and how the messages come over in time.

// chooseSoleSender decides whether the peer of the link that has just been admitted may hold messages: only if it is
// the sole member. A nil link stands for none. in.mu is held.
func (q *inbox) chooseSoleSender(l *link) {
	if q.soleSender != nil {
		q.previousSender = q.soleSender
	}
	q.soleSender = nil
	q.batchingAllowed.Store(false)
	if l == nil || q.members.Load() != 1 || q.turn != nil || q.stop != nil || q.latest || q.leastOutstanding {
		return
	}
	q.soleSender, _ = l.carrier.(*inproc)
}

// allowBatching lets the sole sender hold messages from now on, unless a receiver waits. in.mu is held, and something
// was put into the queue: a sender must not hold the first message after the queue ran empty, for which a receiver may
// come to wait.
func (q *inbox) allowBatching() {
	if q.soleSender != nil && q.unread.Len() == 0 && !q.closed {
		q.batchingAllowed.Store(true)
	}
}

// onEmpty is called when there is nothing to receive: the sender is to hold nothing from now on. It returns the link
// whose sender holds something already, which has to be pulled over.
func (q *inbox) onEmpty() *inproc {
	q.batchingAllowed.Store(false)
	if q.soleSender != nil && q.soleSender.other.batch.nonEmpty.Load() {
		return q.soleSender
	}
	return nil
}

// pullFromPrevious pulls over what the link that is not the sole member any more has left with its peer.
func (q *inbox) pullFromPrevious() {
	q.mu.Lock()
	p := q.previousSender
	q.previousSender = nil
	q.mu.Unlock()
	if p != nil {
		p.pull()
	}
}

// A receiver that finds nothing in the middle of a stream spins for a moment before it waits. To wait and be woken
// takes some 60 µs on either side, in which the other fills or empties the queue and waits in turn. Measured with 16
// bytes over inproc: 22 million messages took 9,300 waits on either side and 55 ns each without spinning, 2,200 waits
// and 31 to 37 ns with it.
const (
	spinAfter  = 32                    // messages since the last time
	spinTime   = 20 * time.Microsecond // for the first message
	spinGrow   = 2 * time.Microsecond  // more, once the sender has begun to hold messages
	spinRounds = 200                   // at most; time stands still in a test's bubble
)

// maySpin returns the sole sender if the caller, who found nothing, is to spin for its messages. in.mu is held.
func (q *inbox) maySpin() *inproc {
	received := q.counts.received.Messages
	if q.closed || !q.batchingAllowed.Load() || received-q.spunAt < spinAfter {
		return nil
	}
	q.spunAt = received
	q.arrived.Store(false)
	return q.soleSender
}

// spin returns when the sender has put something into the queue or has held messages for a moment, or has done
// neither for a while. Other goroutines run meanwhile. The caller holds no lock.
func (q *inbox) spin(p *inproc) {
	held, begin := &p.other.batch, time.Now()
	for limit, round := spinTime, 0; round < spinRounds && !q.arrived.Load() && time.Since(begin) < limit; round++ {
		if limit == spinTime && held.nonEmpty.Load() {
			begin, limit = time.Now(), spinGrow
		}
		runtime.Gosched()
	}
}
