package socket

import (
	"math"
	"slices"
	"sync/atomic"
)

// A senderBatch is what a socket has accepted for a peer in the same process and holds on its own side, under the lock
// that Send takes anyway, while the peer has other messages to receive. It is pushed to the peer whole, so that the
// peer's lock, and the processor that the peer runs on, are bothered once for many messages.
//
// Nobody can observe the delay: the batch is pushed when the receiver finds its queue empty (pullFromSender), when
// Stats is called on either side, and when the sender closes. Its length is limited by the room in the receiver's
// queue, so that the high-water mark stays exact.
//
// Sender and receiver race for a new batch: the sender sets nonEmpty before it reads inbox.batchingAllowed, the
// receiver clears batchingAllowed before it reads nonEmpty, so that at least one of them sees the other and pushes.
//
// All of it but nonEmpty is guarded by the sender's out.mu.
type senderBatch struct {
	nonEmpty  atomic.Bool
	chunk     *chunk
	n         int
	count     Count
	uncounted Count  // the part of count that appendFast has left for take to enter in the ledger
	further   uint64 // frames beyond the first of each message
	limit     mark   // room that the receiver's queue had when the batch began; zero if there may be none
}

// mayAppend reports whether there is room for one more message, and the receiver does not wait for it.
func (p *inproc) mayAppend() bool {
	b := &p.batch
	return p.peerLink.core.in.batchingAllowed.Load() && uint64(b.n) < b.limit.messages &&
		b.load().Bytes < b.limit.bytes && !p.link.core.out.shut
}

// append adds a message, if it may.
func (p *inproc) append(m Msg, size int) bool {
	if !p.mayAppend() {
		return false
	}
	b := &p.batch
	if b.chunk == nil {
		b.chunk = chunks.Get().(*chunk)
	}
	b.chunk.msgs[b.n] = m
	b.n++
	b.count.add(size)
	b.further += m.further()
	return true
}

// appendFast is append and all that offer does about it, for a batch that has begun and will not be full with the
// message. It is for a message that goes to this peer alone, and costs about half of what offer does.
func (p *inproc) appendFast(m Msg, size int) bool {
	b := &p.batch
	if b.n == 0 || uint64(b.n)+1 >= b.limit.messages || b.load().Bytes+m.weight(size) >= b.limit.bytes ||
		!p.peerLink.core.in.batchingAllowed.Load() || p.link.core.out.shut || p.link.out.dead {
		return false
	}
	b.chunk.msgs[b.n] = Msg{Frames: m.Frames, From: p.me}
	b.n++
	b.count.add(size)
	b.further += m.further()
	b.uncounted.add(size)
	return true
}

// take empties the batch. The messages are valid until release.
func (p *inproc) take() (msgs []Msg, n Count, further uint64) {
	b := &p.batch
	p.link.core.out.ledger(p.link).accept(b.uncounted)
	msgs, n, further = b.chunk.msgs[:b.n], b.count, b.further
	b.n, b.count, b.uncounted, b.further, b.limit = 0, Count{}, Count{}, 0, mark{}
	b.nonEmpty.Store(false)
	return msgs, n, further
}

// release gives back what held the messages that were taken.
func (b *senderBatch) release(taken []Msg) {
	clear(taken)
	b.chunk.recycle()
	b.chunk = nil
}

// pushBatch pushes the batch into the receiver's queue. It needs the sender's out.mu and the receiver's in.mu. It
// returns false if the receiver takes nothing any more.
func (p *inproc) pushBatch() bool {
	q := &p.peerLink.core.in
	if q.closed {
		p.link.out.dead = true
		return false
	}
	if p.batch.n == 0 {
		return true
	}
	msgs, n, further := p.take()
	if !q.receives {
		q.rejectLocked(p.peerLink, Unexpected, n)
	} else {
		q.pushAll(p.peerLink, msgs, n, further)
		q.announce(p.peerLink, len(msgs))
		p.setBatchLimit()
	}
	p.batch.release(msgs)
	p.link.core.out.ledger(p.link).deliver(n)
	return true
}

// flush is pushBatch for callers that hold the sender's out.mu only.
func (p *inproc) flush() {
	if p.batch.n == 0 {
		return
	}
	q := &p.peerLink.core.in
	q.mu.Lock()
	p.pushBatch()
	q.mu.Unlock()
	p.link.core.out.drained()
}

// pull has the other side put into the queue what it keeps.
func (p *inproc) pull() {
	other := p.other
	if !other.batch.nonEmpty.Load() {
		return
	}
	box := &p.peerLink.core.out
	box.mu.Lock()
	defer box.mu.Unlock()
	other.flush()
}

// undo takes back, when the link has ended, what the receiver does not take any more.
func (p *inproc) undo() (delivered Count, unsent []Msg, begun bool) {
	p.flush()
	if p.batch.n == 0 {
		return Count{}, nil, false
	}
	taken, _, _ := p.take()
	unsent = slices.Clone(taken)
	p.batch.release(taken)
	return Count{}, unsent, false
}

// setBatchLimit decides how long the next batch may be. It needs the sender's out.mu and the receiver's in.mu.
func (p *inproc) setBatchLimit() {
	p.batch.limit = mark{}
	q := &p.peerLink.core.in
	if q.soleSender != p.other { // another is, while this one has not been admitted yet: nobody would pull its batch
		return
	}
	q.allowBatching()
	if !q.batchingAllowed.Load() || p.peerLink.in.full.Load() || p.link.out.overflow.dropsOldest() ||
		p.link.core.cfg.leastOutstanding {
		return
	}
	p.batch.limit = p.peerLink.in.limit.room(p.peerLink.in.load())
}

// room is what is left below the mark, up to one chunk of messages.
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
