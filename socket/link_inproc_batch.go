package socket

import (
	"math"
	"slices"
	"sync/atomic"
)

// A run is what a sender has accepted for a peer in the same process and keeps on its own side for the moment, under
// the lock that it holds anyway, while that peer has other messages to receive. It goes over whole, so that the
// peer's lock and the peer's processor are bothered once for many messages. This is out of sight: a run goes over as
// soon as the peer runs dry (pullFromSender), anybody looks at the ledger of either side, or the sender closes; and it is
// never longer than what the peer's queue had room for, so that the high-water mark is exact.
//
// Whoever is last to look moves the run: the sender says that there is one (some) before it looks whether the peer
// runs dry (inbox.batchingAllowed), the receiver the other way round.
//
// But for some, a run is guarded by the sender's out.mu.
type run struct {
	some    atomic.Bool
	chunk   *chunk
	n       int
	count   Count
	late    Count  // of it, what is in no other count yet
	further uint64 // frames beyond the first of each message
	room    mark   // that the peer's queue had for a run; none if zero
}

// mayKeep reports whether one more message may be added to the run.
func (d *direct) mayKeep() bool {
	r := &d.kept
	return d.twin.core.in.batchingAllowed.Load() && uint64(r.n) < r.room.messages && r.load().Bytes < r.room.bytes && !d.self.core.out.shut
}

// keep adds a message to the run, if it may.
func (d *direct) keep(m Msg, size int) bool {
	if !d.mayKeep() {
		return false
	}
	r := &d.kept
	if r.chunk == nil {
		r.chunk = chunks.Get().(*chunk)
	}
	r.chunk.msgs[r.n] = m
	r.n++
	r.count.add(size)
	r.further += m.further()
	return true
}

// appendFast is the short way of a message into a run that has begun and will not be full with it. It is for a socket
// with one peer, and costs about half of what the way through offer does.
func (d *direct) appendFast(m Msg, size int) bool {
	r := &d.kept
	if r.n == 0 || uint64(r.n)+1 >= r.room.messages || r.load().Bytes+m.weight(size) >= r.room.bytes ||
		!d.twin.core.in.batchingAllowed.Load() || d.self.core.out.shut || d.self.out.dead {
		return false
	}
	r.chunk.msgs[r.n] = Msg{Frames: m.Frames, From: d.me}
	r.n++
	r.count.add(size)
	r.further += m.further()
	r.late.add(size)
	return true
}

// take empties the run. The messages are valid until release.
func (d *direct) take() (msgs []Msg, n Count, further uint64) {
	r := &d.kept
	d.self.core.out.ledger(d.self).accept(r.late)
	r.late = Count{}
	msgs, n, further = r.chunk.msgs[:r.n], r.count, r.further
	r.n, r.count, r.further, r.room = 0, Count{}, 0, mark{}
	r.some.Store(false)
	return msgs, n, further
}

// release gives back what held the messages that were taken.
func (r *run) release(taken []Msg) {
	clear(taken)
	r.chunk.recycle()
	r.chunk = nil
}

// flush puts the run into the peer's queue. It needs the sender's out.mu and the peer's in.mu. It returns false if
// the peer takes nothing any more.
func (d *direct) flush() bool {
	q := &d.twin.core.in
	if q.closed {
		d.self.out.dead = true
		return false
	}
	if d.kept.n == 0 {
		return true
	}
	msgs, n, further := d.take()
	if !q.receives {
		q.rejectLocked(d.twin, Unexpected, n)
	} else {
		q.pushAll(d.twin, msgs, n, further)
		q.announce(d.twin, len(msgs))
		d.setBatchLimit()
	}
	d.kept.release(msgs)
	d.self.core.out.ledger(d.self).deliver(n)
	return true
}

// flushNow is flush for those who do not hold the peer's in.mu.
func (d *direct) flushNow() {
	if d.kept.n == 0 {
		return
	}
	q := &d.twin.core.in
	q.mu.Lock()
	d.flush()
	q.mu.Unlock()
	d.self.core.out.drained()
}

// unsent takes back, when the link has ended, what does not go into the peer's queue any more.
func (d *direct) unsent() []Msg {
	d.flushNow()
	if d.kept.n == 0 {
		return nil
	}
	taken, _, _ := d.take()
	msgs := slices.Clone(taken)
	d.kept.release(taken)
	return msgs
}

// setBatchLimit decides how long the next run may be.
func (d *direct) setBatchLimit() {
	d.kept.room = mark{}
	q := &d.twin.core.in
	q.allowBatching()
	if !q.batchingAllowed.Load() || d.twin.in.full.Load() || d.self.out.overflow.dropsOldest() || d.self.core.cfg.leastOutstanding {
		return
	}
	d.kept.room = d.twin.in.limit.room(d.twin.in.load())
}

// room is what is left below the mark, up to one run.
func (m mark) room(c Count) mark {
	left := mark{chunkSize, math.MaxUint64}
	if m.messages > 0 {
		left.messages = min(left.messages, m.messages-min(m.messages, c.Messages))
	}
	if m.bytes > 0 {
		left.bytes = m.bytes - min(m.bytes, c.Bytes)
	}
	return left
}
