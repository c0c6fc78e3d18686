package socket

import "slices"

// What a peer has sent and nobody has received yet outlives its connection: as an orphan, a link of its own that has
// nothing but a queue, so that a message of four bytes does not hold on to buffers, timers and a connection.
//
// All orphans share one high-water mark in bytes, as large as that of one peer that is connected. While they are at it
// the socket does not read from peers that join; from those that were there before it reads on. Nothing is dropped, but
// a peer that connects again and again and leaves its messages behind fills no more than one mark and what it sends
// once more.

// orphanCost is about what an orphan takes beside its messages.
const orphanCost = 2 << 10

// orphans is what all orphans of an inbox hold together. It is guarded by mu.
type orphans struct {
	bytes   uint64
	full    bool    // at the mark, until they are down to half of it
	blocked []*link // links that have joined meanwhile and are not read
}

// orphanUnread moves what l, which leaves, has brought to an orphan. recv and mu are held.
func (q *inbox) orphanUnread(l *link) {
	q.endUnderway(l)
	if i := slices.Index(q.starving, l); i >= 0 {
		q.starving = slices.Delete(q.starving, i, i+1)
		l.in.starved = false
	}
	if i := slices.Index(q.orphans.blocked, l); i >= 0 {
		q.orphans.blocked = slices.Delete(q.orphans.blocked, i, i+1)
		l.in.blocked = false
	}
	if !l.in.ready {
		return
	}
	departs := q.depart(l)
	if !departs && l.in.counts.unread.Messages == 0 {
		return
	}
	if q.prefetch.link == l {
		q.giveBack()
	}
	o := q.orphanOf(l)
	o.in.queue, l.in.queue = l.in.queue, queue{}
	o.in.queue.compact()
	if n := l.in.notices; n != nil {
		o.in.notices, n.owner = n, o
	}
	o.in.counts = l.in.counts.copy() // and l keeps its own, for whoever looks at its ledger still
	if q.round.replace(l, o) {
		l.in.active, o.in.active = false, true
	}
	q.weighOrphan(o)
	if departs {
		q.tellDeparture(o)
	}
}

// orphanOf returns the orphan of l.
func (q *inbox) orphanOf(l *link) *link {
	if l.in.orphan == nil {
		o := &link{core: l.core, ep: l.ep, peer: l.peer, id: l.id}
		o.out.dead = true
		o.out.session = l.out.session // for what is said to its peer
		o.in.ready, o.in.isOrphan = true, true
		o.in.labels = l.in.labels
		l.in.orphan = o
	}
	return l.in.orphan
}

// weighOrphan brings up to date what an orphan adds to the bytes of all; other links add nothing.
func (q *inbox) weighOrphan(l *link) {
	if !l.in.isOrphan {
		return
	}
	now := uint64(0)
	if l.in.counts.unread.Messages > 0 {
		now = l.in.load().Bytes + orphanCost
	}
	all, limit := &q.orphans, q.orphanMark
	all.bytes += now - l.in.orphanBytes
	l.in.orphanBytes = now
	switch {
	case limit == 0:
	case all.bytes >= limit:
		all.full = true
	case all.full && all.bytes <= limit/2:
		all.full = false
		blocked := all.blocked
		all.blocked = nil
		for _, l := range blocked {
			l.in.blocked = false
			q.unhold(l)
		}
	}
}

// queueShrank is called when a link's queue has become shorter.
func (q *inbox) queueShrank(l *link) {
	q.weighOrphan(l)
	q.resumeStarved()
}

// blockIfOrphansFull keeps a link that joins from being read while the orphans are at their mark.
func (q *inbox) blockIfOrphansFull(l *link) {
	if q.orphans.full && !q.closed {
		l.in.blocked = true
		l.in.full.Store(true)
		q.orphans.blocked = append(q.orphans.blocked, l)
	}
}

// held reports whether the link is not to be read whatever is in its queue: the orphans or the budget allow nothing.
func (in *linkIn) held() bool { return in.blocked || in.starved && in.underway.want == 0 }

// unhold has a link be read again that was held.
func (q *inbox) unhold(l *link) {
	if q.closed || l.in.held() || l.in.limit.reached(l.in.load()) {
		return // another reason remains, and whoever ends that has the link go on
	}
	l.in.full.Store(false)
	q.env.spawn(l.carrier.resume) // over inproc it takes the sender's lock, which comes before ours
}
