package socket

// A backlog holds, in order, the messages that wait for a peer: for a first one to appear, or for any to have room
// again for what a lost one left. It belongs to an outbox and is guarded by its mutex.
type backlog struct {
	queue
	further  uint64   // frames beyond the first of each message
	attempts attempts // of the messages
}

// oldest returns the message that is next to go, which stays.
func (b *backlog) oldest() outgoing {
	m := b.first()
	out := outgoing{frames: m.Frames, size: m.Size(), backlogged: true}
	if t := b.attempts.first(); t != (tries{}) {
		out.tried = &t
	}
	return out
}

func (b *backlog) push(m Msg) {
	b.queue.push(m)
	b.further += m.further()
}

func (b *backlog) pop() (m Msg) {
	m = b.queue.pop()
	b.attempts.take(1)
	b.further -= m.further()
	return m
}

// unshift puts messages in front of which tried is known.
func (b *backlog) unshift(ms []Msg, tried attempts) {
	for _, m := range ms {
		b.further += m.further()
	}
	b.queue.unshift(ms)
	b.attempts.unshift(len(ms), tried)
}

// enqueue has a message wait for the next peer with room.
func (o *outbox) enqueue(m Msg, tried *tries) {
	m.From = nil
	if tried != nil {
		o.backlog.attempts.add(o.backlog.n, 1, *tried)
	}
	o.backlog.push(m)
	o.ledger(nil).accept(m.count())
	o.notifyAssigned(nil, m)
}

// requeue takes back what a lost link had not written, or drops it if it was for that peer alone. The caller calls
// onRoom.
func (o *outbox) requeue(l *link, unsent []Msg) {
	var n Count
	for _, m := range unsent {
		n.add(m.Size())
	}
	if !o.keeps || o.closed || o.env.cfg.connectOnce && !l.ep.bound {
		l.dropped(l.lostReason(), n)
		o.drained()
		return
	}
	requeue(&l.out.counts, &o.unassigned, n)
	o.backlog.unshift(unsent, l.out.attempts)
	for _, m := range unsent {
		o.notifyAssigned(nil, m)
	}
}

func (l *link) lostReason() Reason {
	if l.out.box.closed {
		return SocketClosed
	}
	return PeerGone
}

// dropBacklog drops the n oldest messages in the backlog.
func (o *outbox) dropBacklog(n int, why Reason) {
	for range n {
		m := o.backlog.pop()
		o.ledger(nil).drop(why, m.count())
	}
}

// flushBacklog hands the messages in the backlog to the links, in order, as far as there is room.
func (o *outbox) flushBacklog() {
	for o.backlog.n > 0 {
		if !o.placeOldest() {
			return
		}
	}
	o.drained()
}

// placeOldest hands the first message in the backlog to a link. It reports whether one had room.
func (o *outbox) placeOldest() bool {
	m := o.backlog.oldest()
	l := o.place(&m)
	if l == nil {
		return false
	}
	l.start(false)
	o.backlog.pop()
	return true
}

// sendAgain sends a message once more, whatever the high-water mark, to the next peer there is.
func (o *outbox) sendAgain(m Msg) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.enqueue(m, nil)
		o.flushBacklog()
	}
}

// abandon drops the backlog, for a caller that wants it no more.
func (o *outbox) abandon() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dropBacklog(o.backlog.n, GivenUp)
	o.drained()
}
