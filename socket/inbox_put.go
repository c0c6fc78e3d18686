package socket

import "time"

// put queues what one read has brought, up to the link's high-water mark, and wakes at most as many receivers as it
// has messages for. It returns how many it took.
func (q *inbox) put(l *link, msgs [][][]byte) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		q.rejectAll(l, SocketClosed, msgs)
		return len(msgs)
	}
	if q.answers && l.in.counts.unread.Messages == 0 {
		l.in.congestion.begin(time.Duration(l.life.read.Load()), q.arrivals+1)
	}
	if l.in.stream != nil {
		return q.putStream(l, msgs)
	}
	n := q.pushSome(l, msgs)
	q.announce(l, n)
	return n
}

// pushSome queues as many messages as there is room for, and returns how many.
func (q *inbox) pushSome(l *link, msgs [][][]byte) int {
	for i, frames := range msgs {
		if l.in.full.Load() {
			return i
		}
		q.push(l, Msg{Frames: frames, From: l.peer})
	}
	return len(msgs)
}

// putAll queues what was read from a link that has ended, whatever the high-water mark: it is one read at most.
func (q *inbox) putAll(l *link, msgs [][][]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		q.rejectAll(l, SocketClosed, msgs)
		return
	}
	if l.in.stream != nil {
		return // what was not taken comes again
	}
	for _, frames := range msgs {
		q.push(l, Msg{Frames: frames, From: l.peer})
	}
	q.announce(l, len(msgs))
}

// push queues one message.
func (q *inbox) push(l *link, m Msg) {
	in := &l.in
	if q.eachPush {
		for q.latest && in.queue.n > 0 {
			q.dropOldest(l, Replaced)
		}
		l.answered(1)
		if q.received {
			m = m.markReceived(q.env.now())
		}
	}
	in.queue.push(m)
	q.ledger(l).receive(Count{1, uint64(m.Size())}, m.further())
	q.limit(l)
}

// pushAll queues messages that a sender in this process has held, n altogether, with further frames beyond the first
// of each.
func (q *inbox) pushAll(l *link, msgs []Msg, n Count, further uint64) {
	if q.received {
		q.came(msgs)
	}
	l.in.queue.pushAll(msgs)
	q.ledger(l).receive(n, further)
	q.limit(l)
}

// limit closes a link's queue that has come to its high-water mark.
func (q *inbox) limit(l *link) {
	in := &l.in
	if in.limit.reached(in.load()) && !q.latest {
		in.full.Store(true) // first: whoever takes from the prefetch buffer now looks again
		if q.recv.TryLock() {
			q.enterTaken()
			in.full.Store(in.held() || in.limit.reached(in.load()))
			q.recv.Unlock()
		}
	}
}

// announce puts a link with n new messages in the round.
func (q *inbox) announce(l *link, n int) {
	if !l.in.ready {
		return
	}
	if n > 0 {
		q.chargeBudget(l)
		q.noteSource(l)
		if q.soleSender != nil {
			q.arrived.Store(true)
		}
	}
	if n > 0 && !l.in.active {
		l.in.active = true
		q.round.enter(l)
		q.arrivals++
		if q.prefetchedFrom != nil && q.prefetchedFrom != l {
			q.contended.Store(true)
		}
	}
	for ; n > 0 && q.unread.Len() > 0; n-- {
		q.unread.Wake()
		q.receiverWaited = true
	}
}

// dropOldest discards the oldest message of a link.
func (q *inbox) dropOldest(l *link, why Reason) {
	in := &l.in
	m := in.queue.pop()
	q.discard(l, why, Count{1, uint64(m.Size())}, m.further())
	q.queueShrank(l)
	in.full.Store(in.held())
	if in.empty() {
		q.leaveRound(l)
	}
}

// discard gives up messages of a link that are unread.
func (q *inbox) discard(l *link, why Reason, n Count, further uint64) {
	q.ledger(l).discard(why, n, further)
	l.wasUseless(why, n)
}

// reject counts a message that is not even queued.
func (q *inbox) reject(l *link, why Reason, size int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.rejectLocked(l, why, Count{1, uint64(size)})
}

func (q *inbox) rejectLocked(l *link, why Reason, n Count) {
	if q.settled {
		return
	}
	q.ledger(l).reject(why, n)
	l.wasUseless(why, n)
}

// rejectAll is rejectLocked for what one read has brought.
func (q *inbox) rejectAll(l *link, why Reason, msgs [][][]byte) {
	for _, frames := range msgs {
		q.rejectLocked(l, why, Count{1, uint64(Msg{Frames: frames}.Size())})
	}
}

// wasUseless has what the peer sent count towards what it may send in vain, if that was its fault (link_throttle.go).
func (l *link) wasUseless(why Reason, n Count) {
	if why == BadEnvelope || why == StaleReply || why == Unexpected || why == Repeated {
		l.useless.Add(useless(n.Messages, int(n.Bytes)))
	}
}
