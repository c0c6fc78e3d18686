package socket

// A prefetchBuffer holds messages that were moved out of one link's queue at once, so that receivers take them without
// the lock that senders and readers hold. It is filled only while no other link has any, so that receiving stays fair.
// Its messages count as unread.
type prefetchBuffer struct {
	link      *link
	chunk     *chunk
	msgs      []Msg  // of chunk, those not handed out yet
	taken     Count  // handed out and not in the ledger yet; see enterTaken
	further   uint64 // frames of taken beyond the first of each message
	untilHalf uint64 // messages to go before the link's queue, which is full, can be down to half
}

// minPrefetch is how many messages must be in a queue for prefetching to save more than it costs.
const minPrefetch = 8

// fillPrefetch fills the buffer if that makes no difference but in speed: no other link has messages, no role looks at
// each under the lock, and no sender drops the oldest ones.
func (q *inbox) fillPrefetch() {
	if len(q.round.links) != 1 || q.turn != nil || q.stop != nil || q.mixed {
		return
	}
	l := q.round.links[0]
	if l.in.queue.n < minPrefetch || l.in.noPrefetch || q.byNumber || l.in.labels != nil && l.in.labels.timed > 0 ||
		l.in.notices != nil && !l.in.notices.nothing() {
		return
	}
	p := &q.prefetch
	p.link = l
	p.chunk, p.msgs = l.in.queue.takeChunk()
	p.untilHalf = 0
	q.prefetchedFrom = l
	if l.in.queue.n == 0 {
		q.leaveRound(l)
	}
}

// nextPrefetched returns a message of the buffer, if there is one and no other link has brought any meanwhile; it has
// unlocked recv then.
func (q *inbox) nextPrefetched() (m Msg, ok bool) {
	p := &q.prefetch
	for len(p.msgs) > 0 && !q.contended.Load() {
		l := p.link
		m = p.msgs[0]
		p.msgs[0] = Msg{}
		p.msgs = p.msgs[1:]
		p.taken.add(m.Size())
		p.further += m.further()
		if q.filter != nil {
			size, further := m.Size(), m.further()
			var why Reason
			if m, why = q.filter(l, m); why != "" {
				q.discardTaken(why, size, further)
				continue
			}
		}
		aboveHalf := p.untilHalf > 0
		if aboveHalf {
			p.untilHalf--
		}
		q.recv.Unlock()
		if !aboveHalf && l.in.full.Load() {
			q.reopenIfHalf(l)
		}
		return m, true
	}
	return Msg{}, false
}

// discardTaken has the message that was taken from the buffer last be discarded instead.
func (q *inbox) discardTaken(why Reason, size int, further uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p := &q.prefetch
	p.taken = p.taken.minus(Count{1, uint64(size)})
	p.further -= further
	q.enterTaken()
	q.discard(p.link, why, Count{1, uint64(size)}, further)
	q.queueShrank(p.link)
}

// enterTaken brings the ledger up to date with what was taken from the buffer. recv and mu are held.
func (q *inbox) enterTaken() {
	p := &q.prefetch
	if p.taken.Messages == 0 {
		return
	}
	q.ledger(p.link).hand(p.taken, p.further)
	p.taken, p.further = Count{}, 0
	q.queueShrank(p.link)
}

// giveBack empties the buffer: what is left in it goes back to the front of its link's queue, and the other links have
// their turn first. recv and mu are held.
func (q *inbox) giveBack() {
	p := &q.prefetch
	if p.link == nil {
		return
	}
	q.enterTaken()
	l := p.link
	if len(p.msgs) > 0 {
		l.in.queue.unshift(p.msgs)
		if !l.in.active {
			l.in.active = true
			q.round.addLast(l)
		}
		q.round.othersFirst(l)
	} else {
		p.chunk.recycle()
	}
	*p = prefetchBuffer{}
	q.prefetchedFrom = nil
	q.contended.Store(false)
}

// reopenIfHalf has the reader of a full link go on if its queue is down to half.
func (q *inbox) reopenIfHalf(l *link) {
	q.recv.Lock()
	q.mu.Lock()
	q.enterTaken()
	opened := q.reopen(l)
	if p := &q.prefetch; !opened && p.link == l && l.in.limit.messages > 0 {
		half := l.in.limit.messages / 2
		p.untilHalf = max(l.in.counts.unread.Messages, half+1) - half - 1
	}
	q.mu.Unlock()
	q.recv.Unlock()
	if opened {
		l.carrier.resume()
	}
}
