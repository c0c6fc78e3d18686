package socket

// The way out of a link to a peer in the same process: its queue is the peer's way in. The lock order is the sender's
// outbox before the receiver's inbox.

// offer moves a message into the peer's queue.
func (p *inproc) offer(out outgoing) bool {
	if p.link.out.dead {
		return false
	}
	m := Msg{Frames: out.frames, From: p.me}
	if out.shared {
		m = m.Clone()
	}
	q := &p.peerLink.core.in
	if !out.pinned && p.append(m, out.size) {
		p.link.core.out.account(p.link, &out)
		if p.batch.n == 1 {
			p.batch.nonEmpty.Store(true)
		}
		if !p.mayAppend() { // the batch is full, or the receiver has found its queue empty meanwhile
			q.mu.Lock()
			p.pushBatch()
			q.mu.Unlock()
		}
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case !p.pushBatch():
		return false
	case !q.receives:
		q.rejectLocked(p.peerLink, Unexpected, Count{1, uint64(out.size)})
	default:
		for p.link.out.overflow.replaces() && p.peerLink.in.queue.n > 0 {
			q.dropOldest(p.peerLink, Replaced)
		}
		if p.peerLink.in.full.Load() {
			p.link.filled()
			return false
		}
		q.push(p.peerLink, m)
		q.announce(p.peerLink, 1)
		p.setBatchLimit()
	}
	box := &p.link.core.out
	box.account(p.link, &out)
	box.ledger(p.link).deliver(Count{1, uint64(out.size)})
	return true
}

// open reports whether the peer's queue has room.
func (p *inproc) open() bool {
	if p.link.out.dead {
		return false
	}
	if p.mayAppend() {
		return true
	}
	q := &p.peerLink.core.in
	q.mu.Lock()
	defer q.mu.Unlock()
	if p.peerLink.in.full.Load() {
		p.link.filled()
	}
	return p.pushBatch() && !p.peerLink.in.full.Load()
}

// queued is the number of messages in the peer's queue.
func (p *inproc) queued() uint64 {
	q := &p.peerLink.core.in
	q.mu.Lock()
	defer q.mu.Unlock()
	p.pushBatch()
	if q.recv.TryLock() {
		q.enterTaken()
		q.recv.Unlock()
	}
	return p.peerLink.in.counts.unread.Messages
}

// policyChanged sees to it that DropOldest and Conflate find all that is unread. What is in the receiver's prefetch
// buffer just now is past that.
func (p *inproc) policyChanged() {
	if !p.link.out.overflow.dropsOldest() {
		return
	}
	q := &p.peerLink.core.in
	q.mu.Lock()
	defer q.mu.Unlock()
	p.pushBatch()
	p.batch.limit = mark{}
	p.peerLink.in.noPrefetch = true
}

// makeRoom drops the oldest message in the peer's queue.
func (p *inproc) makeRoom() bool {
	q := &p.peerLink.core.in
	q.mu.Lock()
	defer q.mu.Unlock()
	if p.link.out.dead || q.closed || p.peerLink.in.queue.n == 0 {
		return false
	}
	q.dropOldest(p.peerLink, QueueFull)
	return true
}

// mayBeUnread is false: what counts as delivered is in the peer's queue.
func (p *inproc) mayBeUnread() bool { return false }

// startWriting has nothing to do: a message that was taken is in the peer's queue, or in a batch that gets there in
// time.
func (p *inproc) startWriting(bool) (byCaller bool) { return false }
