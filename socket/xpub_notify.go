package socket

import "fmt"

// A topicChange is what became of a topic by what a peer, or the application on its behalf, did.
type topicChange struct {
	topic string
	add   bool
	edge  bool // the fact is new, or has ended
	ours  bool // the application did it, and knows
}

// coalesceAtOnce is how many notices that wait are discarded for one that is new and makes up for them. What is left
// has its turn another time.
const coalesceAtOnce = 64

// notify has the application told. An error says that the peer makes too many changes while the application does not
// look. core.out.mu is held, so that all facts and notices are in one order.
func (q *inbox) notify(n *notices, l *link, c topicChange) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := l.in.notices
	if q.closed || list == nil {
		q.rejectLocked(l, SocketClosed, Count{1, 1 + uint64(len(c.topic))})
		return nil
	}
	f := n.about(l, c.topic)
	defer n.forget(f)
	if c.edge {
		f.subscribed = c.add
	}
	switch {
	case c.ours:
		f.believed = f.subscribed
		return nil
	case n.changes > 0 && !l.out.dead && list.count.Messages+uint64(list.coalesced) > uint64(n.changes):
		return fmt.Errorf("%w: more than %d changes of subscriptions that the application has not looked at",
			ErrLimit, n.changes)
	}
	if n.crowded(list, l.out.dead) {
		for k := 0; !c.add && f.newest != nil && k < coalesceAtOnce; k++ {
			list.coalesced++
			q.discardNotice(n, f.newest)
		}
		if c.add && f.adds > 0 || !c.add && (!f.believed || f.cancels > 0) {
			list.coalesced++
			q.rejectLocked(list.owner, Replaced, Count{1, 1 + uint64(len(c.topic))})
			return nil
		}
	}
	x := &notice{fact: f, from: l.peer, add: c.add}
	n.enter(list, x)
	q.ledger(list.owner).receive(Count{1, uint64(x.size())}, 0)
	q.queueShrank(list.owner)
	q.announce(list.owner, 1)
	return nil
}

// discardNotice discards a notice that waits.
func (q *inbox) discardNotice(n *notices, x *notice) {
	owner := x.list.owner
	n.leave(x)
	q.discard(owner, Replaced, Count{1, uint64(x.size())}, 0)
	q.queueShrank(owner)
	if owner.in.active && owner.in.empty() {
		q.leaveRound(owner)
	}
}

// joinAtOnce is how many notices of a peer that has gone are moved while everybody else waits.
const joinAtOnce = 256

// join takes the notices of a peer that has gone to those of all others that have, unless messages of it wait as well.
func (q *inbox) join(n *notices, l *link) {
	for q.joinSome(n, l) {
	}
}

// joinSome returns whether there are more.
func (q *inbox) joinSome(n *notices, l *link) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := l.in.notices
	if q.closed || list == nil || list.owner.in.queue.n > 0 {
		return false
	}
	owner, gone := list.owner, n.gone
	defer q.queueShrank(owner)
	for range joinAtOnce {
		x := list.head
		if x == nil {
			return false
		}
		if n.crowded(list, true) && x.needless() {
			f := x.fact
			q.discardNotice(n, x)
			n.forget(f)
			continue
		}
		x.unlink()
		gone.in.notices.push(x)
		transfer(&owner.in.counts, &gone.in.counts, Count{1, uint64(x.size())}, 0)
		if owner.in.empty() {
			q.leaveRound(owner)
		}
		if !gone.in.active {
			gone.in.active = true
			q.round.addLast(gone)
		}
	}
	return true
}

// empty reports whether nothing of a link waits for a receiver.
func (in *linkIn) empty() bool {
	return in.queue.n == 0 && (in.notices == nil || in.notices.nothing())
}

// messages is what waits but for notices, which no high-water mark holds back.
func (in *linkIn) messages() Count {
	if in.notices == nil {
		return in.counts.unread
	}
	return in.counts.unread.minus(in.notices.count)
}
