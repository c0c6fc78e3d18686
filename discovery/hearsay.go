package discovery

import (
	"slices"
	"time"
)

// copies is for how long after a connection was made its node becomes known by more addresses: an announcement goes
// out by IPv4 and IPv6 and over each network, and the first copy to arrive may already have led to the connection.
const copies = 100 * time.Millisecond

// event takes what the watcher tells.
func (a *connecting) event(e Event) {
	id := e.Record.ID
	n := a.nodes[id]
	switch e.Kind {
	case Added, Updated:
		switch {
		case id == ID{} || id == a.p.Self:
		case offers(&e.Record, a.service, a.types):
			a.learn(n, e.Record)
		case n != nil:
			a.left(n, &e.Record)
		}
	case Left:
		if n != nil {
			a.left(n, &e.Record)
		}
	case Expired, Incompatible: // who cannot be talked with will not connect; who is connected can
		if n != nil {
			a.gone(n, Expired)
		}
	case Synced, Trouble: // for people to see, by a watch of their own
	}
}

// stranger reports whether somebody else may have said r of a node that has a live connection. That is better
// evidence than a record that anybody can make, who says a newer one, and again and again, so that the node's own no
// longer counts.
func (a *connecting) stranger(n *target, r *Record) bool {
	return n != nil && n.phase == connected && a.stater != nil && !r.proven && !r.Configured &&
		len(r.From) > 0 && !has(n.from, r.From[0])
}

// meet notes, as a connection begins, by what the node is known.
func (a *connecting) meet(n *target) {
	if n.rumor != nil {
		own, _ := a.p.choose(&n.record, a.service, a.types, a.at)
		if !slices.Contains(own, n.live.endpoint) { // it has moved indeed
			n.record, n.rumor = *n.rumor, nil
		}
	}
	// Its own addresses too: they are no news to the table, which does not tell when it is heard from there.
	n.from = union(slices.Clone(n.record.From), n.record.Addrs)
	n.since = time.Now()
}

func (a *connecting) learn(n *target, r Record) {
	switch {
	case n == nil && len(a.nodes) >= maxKnown:
		return
	case n == nil:
		n = &target{id: r.ID}
		a.nodes[r.ID] = n
	case a.stranger(n, &r):
		if r.Digest() != n.record.Digest() || time.Since(n.since) > copies {
			r = r.Clone()
			n.rumor, n.gone = &r, ""
			a.replan(n, false)
			return
		}
		n.from = union(n.from, r.From)
	case r.Incarnation > n.record.Incarnation:
		n.fails = 0 // it was restarted
	}
	n.record, n.rumor, n.gone = r.Clone(), nil, ""
	if n.phase == connected {
		n.from = union(n.from, r.Addrs)
	}
	a.replan(n, false)
}

// left hears that a node said goodbye or no longer has the service; r is the last that is known, see [Event].
func (a *connecting) left(n *target, r *Record) {
	if a.stranger(n, r) {
		a.gone(n, Expired) // its connection ends when the node ends it
		return
	}
	a.gone(n, Left)
}

// gone hears that a node left or expired.
func (a *connecting) gone(n *target, how EventKind) {
	if n.gone == Left && n.phase == connected {
		return // it is being drained
	}
	n.gone, n.rumor = how, nil
	switch {
	case n.phase == connected && (how == Left || a.stater == nil):
		a.silence(&n.over)
		n.over = a.alarm(max(a.p.Drain, 0), func() { a.forget(n) })
		if how == Left {
			a.doubt(n)
		}
	case n.phase == connected: // the connection knows better
	case n.phase == dialing && how == Expired: // nor is this for the record to say
	default:
		a.forget(n)
	}
}

// doubt asks, while a connection drains, whether it was the node that said goodbye: its next announcement may be
// further away than the end. It asks twice, for a backend may at first take the answer for something from before the
// goodbye.
func (a *connecting) doubt(n *target) {
	a.silence(&n.step)
	if a.confirmer == nil || a.p.Drain <= 0 {
		return
	}
	n.step = a.alarm(a.p.Drain/4, func() {
		a.confirmer.Confirm(n.id)
		n.step = a.alarm(a.p.Drain/2, func() { a.confirmer.Confirm(n.id) })
	})
}
