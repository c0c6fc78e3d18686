package socket

import "slices"

// A hand is what receivers take from without a lock that senders or readers hold: a run of messages of one link,
// moved out of its queue at once. It is for the time while only that link has any, so that receiving stays fair.
// Messages in hand count as unread.
type hand struct {
	link    *link
	chunk   *chunk
	msgs    []Msg  // of chunk, those not handed out yet
	taken   Count  // handed out since settle
	further uint64 // of it, frames beyond the first of each message
	quiet   uint64 // messages to go before the link, which is full, can be down to half
}

// lendFrom is how many messages a queue must have to be worth a lock less for each.
const lendFrom = 8

// borrow takes messages in hand if that makes no difference but in speed: no other link has some, no role looks at each
// under the lock, and no sender drops the oldest ones.
func (q *inbox) borrow() {
	if len(q.round) != 1 || q.ready != nil || q.stop != nil || q.mixed {
		return
	}
	l := q.round[0]
	if l.in.queue.n < lendFrom || l.in.exact {
		return
	}
	h := &q.hand
	h.link = l
	h.chunk, h.msgs = l.in.queue.lend()
	h.quiet = 0
	q.lent = l
	if l.in.queue.n == 0 {
		q.leaveRound(l)
	}
}

// fromHand returns a message in hand, if there is one and no other link waits for its turn; it has unlocked recv then.
func (q *inbox) fromHand() (m Msg, ok bool) {
	h := &q.hand
	for len(h.msgs) > 0 && !q.crowd.Load() {
		l := h.link
		m = h.msgs[0]
		h.msgs[0] = Msg{}
		h.msgs = h.msgs[1:]
		h.taken.add(m.Size())
		h.further += m.further()
		if q.filter != nil {
			size, further := m.Size(), m.further()
			var why Reason
			if m, why = q.filter(l, m); why != "" {
				q.unkept(why, size, further)
				continue
			}
		}
		quiet := h.quiet > 0
		if quiet {
			h.quiet--
		}
		q.recv.Unlock()
		if !quiet && l.in.full.Load() {
			q.relieve(l)
		}
		return m, true
	}
	return Msg{}, false
}

// unkept makes the last message taken from the hand one that was discarded.
func (q *inbox) unkept(why Reason, size int, further uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	h := &q.hand
	h.taken = h.taken.minus(Count{1, uint64(size)})
	h.further -= further
	q.settle()
	q.discard(h.link, why, Count{1, uint64(size)}, further)
	q.lowered(h.link)
}

// settle brings the books up to date with what was taken from the hand. It needs both locks, as putBack does.
func (q *inbox) settle() {
	h := &q.hand
	if h.taken.Messages == 0 {
		return
	}
	q.ledger(h.link).hand(h.taken, h.further)
	h.taken, h.further = Count{}, 0
	q.lowered(h.link)
}

// putBack ends the time of a hand: what is left of it goes back to the front of its queue, and the other links come
// first.
func (q *inbox) putBack() {
	h := &q.hand
	if h.link == nil {
		return
	}
	q.settle()
	l := h.link
	if len(h.msgs) > 0 {
		l.in.queue.unshift(h.msgs)
		if !l.in.active {
			l.in.active = true
			q.round = append(q.round, l)
		}
		q.next = slices.Index(q.round, l) + 1
	} else {
		h.chunk.recycle()
	}
	*h = hand{}
	q.lent = nil
	q.crowd.Store(false)
}

// relieve lets the peer of a full link go on once the queue is down to half.
func (q *inbox) relieve(l *link) {
	q.recv.Lock()
	q.mu.Lock()
	q.settle()
	opened := q.reopen(l)
	if h := &q.hand; !opened && h.link == l && l.in.limit.messages > 0 {
		half := l.in.limit.messages / 2
		h.quiet = max(l.in.counts.unread.Messages, half+1) - half - 1
	}
	q.mu.Unlock()
	q.recv.Unlock()
	if opened {
		l.resume()
	}
}
