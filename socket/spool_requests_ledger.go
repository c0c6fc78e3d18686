package socket

// The ledger of a Req with a store is that of its outbox, to which each time that a request is sent is a message, and
// what is in the store beside. That of an earlier life counts as recovered when it is sent for the first time.

// noteGiven enters whether the outbox has accepted a request for the first time; mu is held.
func (r *requests) noteGiven(q *request, given bool) {
	q.given = given
	n := Count{1, uint64(q.size())}
	switch {
	case q.own:
	case given:
		r.resent.increase(n)
	default:
		r.resent.decrease(n)
	}
}

// fill adds what the outbox does not know to an account of the socket, which is that of the outbox.
func (r *requests) fill(l *Ledger) {
	r.req.mu.Lock()
	defer r.req.mu.Unlock()
	if r.cur == nil {
		return
	}
	var own Count
	sent := uint64(0)
	for _, q := range r.open {
		switch {
		case q.given || q.answered:
			sent++
		case q.own:
			own.add(q.size())
		}
	}
	found := r.cur.lag()
	if known := sent + own.Messages; found.Messages > known {
		found = Count{found.Messages - known, found.Bytes / found.Messages * (found.Messages - known)}
	} else {
		found = Count{}
	}
	ended := r.delivered.plus(sum(r.dropped))
	l.Accepted = l.Accepted.plus(own).plus(r.ownEnded).minus(r.resent)
	l.Recovered = found.plus(r.resent).plus(ended.minus(r.ownEnded))
	l.Delivered = l.Delivered.plus(r.delivered)
	l.Spooled = own.plus(found)
	if n, ok := l.Dropped[SocketClosed]; ok { // it is in the spool, and goes out in the next life
		delete(l.Dropped, SocketClosed)
		l.Spooled = l.Spooled.plus(n)
	}
	for why, n := range r.dropped {
		(*reasons)(&l.Dropped).add(why, n)
	}
}
