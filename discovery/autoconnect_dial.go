package discovery

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/discovery/internal/ifaces"
)

// A phase is what AutoConnect does about a node.
//
//	          ┌────────────────────┐
//	queued → dialing → connected → (lost: dialing again)
//	  ↑         ↓
//	  └───── backingOff         refused: until the record or this host's interfaces change
type phase int

const (
	fresh phase = iota
	refused
	queued
	dialing
	connected
	backingOff
)

var errNoAnswer = errors.New("no endpoint answered in time")

// A nodeState is what AutoConnect knows of a node that was announced and is wanted.
type nodeState struct {
	id                  ID
	record              Record
	unverified          *Record   // the latest record that may be somebody else's, nil if there is none; see isUnverified
	unverifiedEndpoints []string  // those in plan that come from unverified alone
	gone                EventKind // "", or Left or Expired
	plan                []string  // the endpoints to try, best first
	phase               phase

	live            *link        // while connected
	verifiedSources []netip.Addr // the addresses by which the node was known when it was connected
	connectedAt     time.Time
	tries           []*link  // while dialing: at least one
	tried           []string // the endpoints that had their turn in this round

	stepTimer    *timer // until the next endpoint is tried, or the next question of verifyGoodbye
	phaseTimer   *timer // until the end of dialing, of backing off, or of the drain while connected
	fails        int    // rounds without success in a row
	failedAt     time.Time
	skip         int  // how many endpoints at the head of plan were tried in such rounds, if not all
	wasConnected bool // once at least: PeerDisconnected is due in the end
}

// interfacesChanged takes note that this host's interfaces have changed.
func (a *autoConnector) interfacesChanged(now ifaces.Snapshot) {
	a.locality.links = now
	for _, n := range a.nodes {
		a.replan(n, true)
	}
}

// replan follows a change of a node's record, or, with anew, of this host's interfaces.
func (a *autoConnector) replan(n *nodeState, anew bool) {
	before := n.plan
	why := a.choose(n)
	switch n.phase {
	case connected:
		if n.gone == "" { // the node is back: the drain is over
			a.stopTimer(&n.phaseTimer)
			a.stopTimer(&n.stepTimer)
		}
		if a.isAt(n, n.live) {
			a.follow(n)
			return
		}
		l := n.live // the node is another process now; this link leads to the one before
		n.live = nil
		a.release(n, l)
		a.notify(PeerLost, n, l.endpoint, ErrWrongNode)
	case dialing:
		for _, l := range slices.Clone(n.tries) {
			if !slices.Contains(n.plan, l.endpoint) || l.key != a.serverKey(n) {
				n.tries = slices.DeleteFunc(n.tries, func(t *link) bool { return t == l })
				a.release(n, l)
			}
		}
		switch {
		case len(n.tries) > 0 && n.stepTimer == nil:
			n.stepTimer = a.after(stagger, func() { a.advance(n) })
			return
		case len(n.tries) > 0:
			return
		case len(n.plan) > 0: // in the same round: changing its record gains a node no attempts
			a.advance(n)
			return
		}
	case backingOff:
		if len(n.plan) > 0 {
			if anew || !slices.Equal(before, n.plan) {
				// Sooner than a pause that has doubled several times; but changing its record must not get a node
				// dialled more often than once in backoffFirst.
				a.backOff(n, time.Until(n.failedAt.Add(backoffFirst)))
			}
			return
		}
	case fresh, queued, refused:
	}
	a.again(n, why)
}

// choose makes the plan anew. If there is none, the error says why.
func (a *autoConnector) choose(n *nodeState) error {
	n.unverifiedEndpoints = nil
	if err := a.checkKey(&n.record); err != nil {
		n.plan = nil
		return err
	}
	plan, err := a.p.choose(&n.record, a.service, a.types, a.locality)
	if n.unverified != nil && a.keyTaker == nil { // tried last: the node may have moved
		others, _ := a.p.choose(n.unverified, a.service, a.types, a.locality)
		n.unverifiedEndpoints = slices.DeleteFunc(others, func(e string) bool { return slices.Contains(plan, e) })
		plan = append(plan, n.unverifiedEndpoints...)
	}
	if len(plan) > 0 {
		first := n.skip % len(plan)
		plan = append(plan[first:], plan[:first]...)
	}
	n.plan = plan
	return err
}

// again decides what to do about a node that is neither being dialled nor connected; why is the error of choose.
func (a *autoConnector) again(n *nodeState, why error) {
	switch {
	case n.gone != "":
		a.forget(n)
	case len(n.plan) > 0:
		a.enqueue(n)
	case n.phase != refused:
		a.enter(n, refused)
		a.notify(PeerRefused, n, "", why)
	}
}

// follow moves a connection to the first endpoint of a new plan that no longer has the connection's own. It does so
// only where the socket does not tell when a connection is lost; else that is waited for.
func (a *autoConnector) follow(n *nodeState) {
	old := n.live
	if a.waiter != nil || len(n.plan) == 0 || slices.Contains(n.plan, old.endpoint) {
		return
	}
	l, err := a.acquire(n, n.plan[0])
	if err != nil {
		return
	}
	n.live = l
	a.release(n, old)
	a.notify(PeerConnected, n, l.endpoint, nil)
}

// enter begins a phase, and ends all that belonged to the one before but live.
func (a *autoConnector) enter(n *nodeState, p phase) {
	a.stopTimer(&n.stepTimer)
	a.stopTimer(&n.phaseTimer)
	if n.phase == queued {
		a.queue = slices.DeleteFunc(a.queue, func(q *nodeState) bool { return q == n })
	}
	for _, l := range n.tries {
		if l != n.live {
			a.release(n, l)
		}
	}
	n.tries, n.tried = nil, nil
	delete(a.trying, n)
	n.phase = p
	switch p {
	case queued:
		a.queue = append(a.queue, n)
	case dialing:
		a.trying[n] = struct{}{}
	case fresh, refused, connected, backingOff:
	}
}

// forget disconnects a node and removes it.
func (a *autoConnector) forget(n *nodeState) {
	endpoint := ""
	if l := n.live; l != nil {
		endpoint, n.live = l.endpoint, nil
		a.release(n, l)
	}
	a.enter(n, fresh)
	delete(a.nodes, n.id)
	if n.wasConnected {
		a.notify(PeerDisconnected, n, endpoint, nil)
	}
}

// enqueue puts a node into the queue of those that wait to be dialled.
func (a *autoConnector) enqueue(n *nodeState) {
	if n.phase != queued {
		a.enter(n, queued)
	}
	if a.links[n.plan[0]] != nil { // a shared connection takes no place in the limits
		a.dial(n)
	}
}

// room reports whether one more endpoint may be dialled.
func (a *autoConnector) room() bool { return a.dials < a.p.MaxDials && len(a.links) < a.p.MaxPeers }

// next lets those who wait dial, as far as the limits allow.
func (a *autoConnector) next() {
	for len(a.queue) > 0 && a.room() {
		// A flood of nodes from one address must not delay those from others.
		busy := make(map[netip.Addr]int, len(a.trying))
		for n := range a.trying {
			busy[n.source()]++
		}
		a.dial(slices.MinFunc(a.queue, func(x, y *nodeState) int {
			return cmp.Or(cmp.Compare(x.fails, y.fails), cmp.Compare(busy[x.source()], busy[y.source()]))
		}))
	}
}

// source is the address that a node announces from, or none.
func (n *nodeState) source() netip.Addr {
	if len(n.record.From) == 0 {
		return netip.Addr{}
	}
	return n.record.From[0].WithZone("")
}

// dial begins a round of attempts for a node in the queue.
func (a *autoConnector) dial(n *nodeState) {
	if why := a.choose(n); len(n.plan) == 0 { // an ipc path may have gone since the node was queued
		a.again(n, why)
		return
	}
	if a.links[n.plan[0]] == nil && !a.room() {
		return // the connection that the node was to share has ended: it stays in the queue
	}
	a.enter(n, dialing)
	n.phaseTimer = a.after(a.p.DialTimeout, func() { a.failed(n, a.why(n)) })
	a.advance(n)
}

// advance tries the next endpoint of the plan.
func (a *autoConnector) advance(n *nodeState) {
	a.stopTimer(&n.stepTimer)
	var why error
	for _, endpoint := range n.plan {
		if slices.Contains(n.tried, endpoint) || len(n.tried) >= maxCandidates {
			continue
		}
		if a.links[endpoint] == nil && !a.room() {
			if len(n.tries) == 0 { // Connect has failed for all endpoints before this
				a.enqueue(n)
				return
			}
			n.stepTimer = a.after(stagger, func() { a.advance(n) })
			return
		}
		n.tried = append(n.tried, endpoint)
		l, err := a.acquire(n, endpoint)
		if err != nil {
			why = err
			continue
		}
		n.tries = append(n.tries, l)
		if l.up && a.isAt(n, l) {
			a.connected(n, l)
			return
		}
		if len(n.tried) < len(n.plan) {
			n.stepTimer = a.after(stagger, func() { a.advance(n) })
		}
		return
	}
	if len(n.tries) == 0 {
		a.failed(n, cmp.Or(why, errNoAnswer))
	}
}

// connected takes note that an attempt has succeeded, and ends the others.
func (a *autoConnector) connected(n *nodeState, l *link) {
	n.live, n.wasConnected = l, true
	n.fails, n.skip = 0, 0
	a.enter(n, connected)
	a.rememberSources(n)
	a.notify(PeerConnected, n, l.endpoint, nil)
}

// lost takes note that the connection is down. The socket tries to restore it, and the other endpoints are tried
// beside.
func (a *autoConnector) lost(n *nodeState) {
	l := n.live
	a.notify(PeerLost, n, l.endpoint, nil)
	if n.gone == Left {
		a.forget(n)
		return
	}
	a.confirm(n)
	why := a.choose(n)
	a.enter(n, dialing)
	n.live = nil
	if !slices.Contains(n.plan, l.endpoint) || l.key != a.serverKey(n) { // a newer record says otherwise
		a.release(n, l)
		a.again(n, why)
		return
	}
	n.tries, n.tried = []*link{l}, []string{l.endpoint}
	n.phaseTimer = a.after(a.p.DialTimeout, func() { a.failed(n, a.why(n)) })
	n.stepTimer = a.after(stagger, func() { a.advance(n) })
}

// broken takes note that the socket no longer connects to a link: somebody else has disconnected it, or closed the
// socket.
func (a *autoConnector) broken(n *nodeState, l *link, err error) {
	if n.live == l {
		n.live = nil
		a.notify(PeerLost, n, l.endpoint, err)
		a.failed(n, err)
		return
	}
	n.tries = slices.DeleteFunc(n.tries, func(t *link) bool { return t == l })
	if len(n.tries) == 0 && n.phase == dialing {
		a.advance(n)
	}
}

// failed ends a round of attempts without success.
func (a *autoConnector) failed(n *nodeState, err error) {
	// Where the limits leave room for one endpoint at a time, the next round begins with the next endpoint.
	if n.skip += len(n.tried); len(n.tried) >= len(n.plan) {
		n.skip = 0
	}
	a.enter(n, backingOff)
	if n.gone != "" {
		a.forget(n)
		return
	}
	a.notify(PeerFailed, n, "", err)
	a.confirm(n)
	pause := backoffLimit
	if n.fails < 6 {
		pause = min(backoffFirst<<n.fails, backoffLimit)
	}
	n.fails++
	_ = a.choose(n) // orders the plan by skip
	n.failedAt = time.Now()
	a.backOff(n, pause/2+rand.N(pause/2+1))
}

// backOff has a node wait for d before it is queued again.
func (a *autoConnector) backOff(n *nodeState, d time.Duration) {
	a.stopTimer(&n.phaseTimer)
	n.phaseTimer = a.after(max(d, 0), func() { a.enqueue(n) })
}
