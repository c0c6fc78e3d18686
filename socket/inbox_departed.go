package socket

import "slices"

// What a peer has sent and nobody has received yet outlives its connection. It is kept by a link of its own that has
// nothing but a queue, so that a message of four bytes does not hold on to buffers, timers and a connection.
//
// All peers that have gone share one high-water mark in bytes, as large as that of one that is there. While they are
// at it the socket does not read from peers that join; from those that were there before it reads on. Nothing is
// dropped, but a peer that comes again and again and leaves its messages behind fills no more than one mark and what
// it sends once more.

// departedCost is about what is left of a peer beside its messages.
const departedCost = 2 << 10

// A departed is what an inbox knows of the peers that have gone; guarded by mu.
type departed struct {
	bytes uint64  // that they have left
	full  bool    // at the mark, until it is down to half
	late  []*link // that have joined meanwhile
}

// depart leaves what l has brought to a link that has nothing else. recv and mu are held.
func (q *inbox) depart(l *link) {
	q.arrived(l)
	if i := slices.Index(q.starving, l); i >= 0 {
		q.starving = slices.Delete(q.starving, i, i+1)
		l.in.starved = false
	}
	if i := slices.Index(q.departed.late, l); i >= 0 {
		q.departed.late = slices.Delete(q.departed.late, i, i+1)
		l.in.late = false
	}
	if !l.in.ready || l.in.counts.unread.Messages == 0 {
		return
	}
	if q.hand.link == l {
		q.putBack()
	}
	h := q.heir(l)
	h.in.queue, l.in.queue = l.in.queue, queue{}
	h.in.queue.compact()
	if n := l.in.notices; n != nil {
		h.in.notices, n.owner = n, h
	}
	h.in.counts = l.in.counts.copy() // of l they stay, for whoever looks at its ledger still
	if i := slices.Index(q.round, l); i >= 0 {
		q.round[i] = h
		l.in.active, h.in.active = false, true
	}
	q.weighDeparted(h)
}

// heir is the link that keeps what l, which has left, has brought.
func (q *inbox) heir(l *link) *link {
	if l.in.heir == nil {
		h := &link{core: l.core, ep: l.ep, peer: l.peer, id: l.id}
		h.out.dead = true
		h.in.ready, h.in.departed = true, true
		l.in.heir = h
	}
	return l.in.heir
}

// weighDeparted brings up to date what counts of a link, if its peer has gone.
func (q *inbox) weighDeparted(l *link) {
	if !l.in.departed {
		return
	}
	now := uint64(0)
	if l.in.counts.unread.Messages > 0 {
		now = l.in.load().Bytes + departedCost
	}
	d, limit := &q.departed, l.core.cfg.recvMark.bytes
	d.bytes += now - l.in.left
	l.in.left = now
	switch {
	case limit == 0:
	case d.bytes >= limit:
		d.full = true
	case d.full && d.bytes <= limit/2:
		d.full = false
		late := d.late
		d.late = nil
		for _, l := range late {
			l.in.late = false
			q.unhold(l)
		}
	}
}

// lowered is called when a link's queue has become shorter.
func (q *inbox) lowered(l *link) {
	q.weighDeparted(l)
	q.feed()
}

// holdLate keeps a link that joins from being read while the peers that have gone are at their mark.
func (q *inbox) holdLate(l *link) {
	if q.departed.full && !q.closed {
		l.in.late = true
		l.in.full.Store(true)
		q.departed.late = append(q.departed.late, l)
	}
}

// held reports whether a link's queue counts as full whatever is in it.
func (in *linkIn) held() bool { return in.late || in.starved && in.way.want == 0 }

// unhold lets a link go on that was held.
func (q *inbox) unhold(l *link) {
	if q.closed || l.in.held() || l.in.limit.reached(l.in.load()) {
		return // it goes on when the reason for that has gone
	}
	l.in.full.Store(false)
	if l.direct != nil {
		l.core.wg.Go(l.resume) // takes the lock of the sender, which comes before ours
		return
	}
	l.resume()
}
