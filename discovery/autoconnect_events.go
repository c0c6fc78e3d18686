package discovery

import (
	"slices"
	"time"
)

// duplicateWindow is how long after a connection was made copies of the announcement that led to it may still arrive:
// one goes out by IPv4 and IPv6 and over each network. Where they come from counts as an address of the node.
const duplicateWindow = 100 * time.Millisecond

// handleEvent takes what the watcher tells.
func (a *autoConnector) handleEvent(e Event) {
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

// isUnverified reports whether r, about a node that is connected, may be somebody else's: it has no proof, and comes
// from an address that the node was not known by when the connection began. The connection is better evidence than
// such a record, which anybody can make, with a greater revision each time so that the node's own is stale.
func (a *autoConnector) isUnverified(n *nodeState, r *Record) bool {
	return n != nil && n.phase == connected && a.waiter != nil && !r.proven && !r.Configured &&
		len(r.From) > 0 && !has(n.verifiedSources, r.From[0])
}

// rememberSources notes, as a connection begins, the addresses by which its node is known: records from there count as
// the node's own. A connection to an endpoint of the unverified record alone proves that record.
func (a *autoConnector) rememberSources(n *nodeState) {
	if n.unverified != nil {
		own, _ := a.p.choose(&n.record, a.service, a.types, a.locality)
		if !slices.Contains(own, n.live.endpoint) {
			n.record, n.unverified = *n.unverified, nil
		}
	}
	// The announced addresses too: a watch does not tell when a node is heard from one of these for the first time.
	n.verifiedSources = union(slices.Clone(n.record.From), n.record.Addrs)
	n.connectedAt = time.Now()
}

// learn takes a record of a node that offers the service; n is nil if the node was not known.
func (a *autoConnector) learn(n *nodeState, r Record) {
	switch {
	case n == nil && len(a.nodes) >= maxKnown:
		return
	case n == nil:
		n = &nodeState{id: r.ID}
		a.nodes[r.ID] = n
	case a.isUnverified(n, &r):
		if r.Digest() != n.record.Digest() || time.Since(n.connectedAt) > duplicateWindow {
			r = r.Clone()
			n.unverified, n.gone = &r, ""
			a.replan(n, false)
			return
		}
		n.verifiedSources = union(n.verifiedSources, r.From)
	case r.Incarnation > n.record.Incarnation:
		n.fails = 0 // the node was restarted
	}
	n.record, n.unverified, n.gone = r.Clone(), nil, ""
	if n.phase == connected {
		n.verifiedSources = union(n.verifiedSources, r.Addrs)
	}
	a.replan(n, false)
}

// left hears that a node said goodbye or no longer has the service; r is the last that is known, see [Event].
func (a *autoConnector) left(n *nodeState, r *Record) {
	if a.isUnverified(n, r) {
		a.gone(n, Expired) // its connection ends when the node ends it
		return
	}
	a.gone(n, Left)
}

// gone hears that a node left or expired.
func (a *autoConnector) gone(n *nodeState, how EventKind) {
	if n.gone == Left && n.phase == connected {
		return // the connection is being drained
	}
	n.gone, n.unverified = how, nil
	switch {
	case n.phase == connected && (how == Left || a.waiter == nil):
		a.stopTimer(&n.phaseTimer)
		n.phaseTimer = a.after(max(a.p.Drain, 0), func() { a.forget(n) })
		if how == Left {
			a.verifyGoodbye(n)
		}
	case n.phase == connected: // the connection knows better
	case n.phase == dialing && how == Expired: // an endpoint may answer all the same
	default:
		a.forget(n)
	}
}

// verifyGoodbye asks, while a connection drains, whether it was the node that said goodbye. Without that the node's
// next announcement, which undoes a forged goodbye, may come after the connection has ended. It asks twice, because a
// backend that has just heard a goodbye may take the first answer for a late packet from before it.
func (a *autoConnector) verifyGoodbye(n *nodeState) {
	a.stopTimer(&n.stepTimer)
	if a.confirmer == nil || a.p.Drain <= 0 {
		return
	}
	n.stepTimer = a.after(a.p.Drain/4, func() {
		a.confirmer.Confirm(n.id)
		n.stepTimer = a.after(a.p.Drain/2, func() { a.confirmer.Confirm(n.id) })
	})
}
