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
//	  └────── resting           refused: until the record or our interfaces change
type phase int

const (
	fresh phase = iota
	refused
	queued
	dialing
	connected
	resting
)

var errNoAnswer = errors.New("no endpoint answered in time")

// A target is what AutoConnect knows of a node that was announced and is wanted.
type target struct {
	id     ID
	record Record
	rumor  *Record   // nil, or what strangers say of it since it was connected
	others []string  // the endpoints of the plan that are rumor's alone
	gone   EventKind // "", or Left or Expired
	plan   []string  // the endpoints to try, best first
	phase  phase

	live  *link        // while connected
	from  []netip.Addr // that it was known by when it was connected
	since time.Time    // when that was
	tries []*link      // while dialing: at least one
	tried []string     // the endpoints that had their turn in this round

	step  *alarm // the next endpoint's turn
	over  *alarm // the end of the phase: of dialing, resting, or draining while connected
	fails int    // rounds without success in a row
	when  time.Time
	skip  int  // how many endpoints of the plan had their turn in such rounds, if not all
	known bool // it was connected once: PeerDisconnected is due
}

// moved hears that this host's interfaces have changed.
func (a *connecting) moved(now ifaces.Snapshot) {
	a.at.links = now
	for _, n := range a.nodes {
		a.replan(n, true)
	}
}

// replan follows a change of a node's record, or (anew) of what can be reached at all.
func (a *connecting) replan(n *target, anew bool) {
	before := n.plan
	why := a.choose(n)
	switch n.phase {
	case connected:
		if n.gone == "" { // of a drain
			a.silence(&n.over)
			a.silence(&n.step)
		}
		if a.isAt(n, n.live) {
			a.follow(n)
			return
		}
		l := n.live // to the process that the node was before
		n.live = nil
		a.release(n, l)
		a.tell(PeerLost, n, l.endpoint, ErrWrongNode)
	case dialing:
		for _, l := range slices.Clone(n.tries) {
			if !slices.Contains(n.plan, l.endpoint) {
				n.tries = slices.DeleteFunc(n.tries, func(t *link) bool { return t == l })
				a.release(n, l)
			}
		}
		switch {
		case len(n.tries) > 0 && n.step == nil:
			n.step = a.alarm(stagger, func() { a.advance(n) })
			return
		case len(n.tries) > 0:
			return
		case len(n.plan) > 0: // the round goes on: to change the record gives nobody more tries than one has
			a.advance(n)
			return
		}
	case resting:
		if len(n.plan) > 0 {
			if anew || !slices.Equal(before, n.plan) {
				// Sooner than the pause that has grown, yet nobody gets us to dial more often than this.
				a.rest(n, time.Until(n.when.Add(backoffFirst)))
			}
			return
		}
	case fresh, queued, refused:
	}
	a.again(n, why)
}

// choose makes the plan anew. If there is none, the error says why.
func (a *connecting) choose(n *target) error {
	plan, err := a.p.choose(&n.record, a.service, a.types, a.at)
	n.others = nil
	if n.rumor != nil { // behind its own: it may have moved
		others, _ := a.p.choose(n.rumor, a.service, a.types, a.at)
		n.others = slices.DeleteFunc(others, func(e string) bool { return slices.Contains(plan, e) })
		plan = append(plan, n.others...)
	}
	if len(plan) > 0 {
		first := n.skip % len(plan)
		plan = append(plan[first:], plan[:first]...)
	}
	n.plan = plan
	return err
}

// again begins with a node that is not being dialled nor connected; why is what choose said.
func (a *connecting) again(n *target, why error) {
	switch {
	case n.gone != "":
		a.forget(n)
	case len(n.plan) > 0:
		a.enqueue(n)
	case n.phase != refused:
		a.enter(n, refused)
		a.tell(PeerRefused, n, "", why)
	}
}

// follow moves a connection to the first endpoint of a new plan, if its own is not part of that any more and nobody
// will tell when it is lost.
func (a *connecting) follow(n *target) {
	old := n.live
	if a.stater != nil || len(n.plan) == 0 || slices.Contains(n.plan, old.endpoint) {
		return
	}
	l, err := a.acquire(n, n.plan[0])
	if err != nil {
		return
	}
	n.live = l
	a.release(n, old)
	a.tell(PeerConnected, n, l.endpoint, nil)
}

// enter begins a phase: whatever belonged to the one before has ended, except for live.
func (a *connecting) enter(n *target, p phase) {
	a.silence(&n.step)
	a.silence(&n.over)
	if n.phase == queued {
		a.queue = slices.DeleteFunc(a.queue, func(q *target) bool { return q == n })
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
	case fresh, refused, connected, resting:
	}
}

// forget gives a node up.
func (a *connecting) forget(n *target) {
	endpoint := ""
	if l := n.live; l != nil {
		endpoint, n.live = l.endpoint, nil
		a.release(n, l)
	}
	a.enter(n, fresh)
	delete(a.nodes, n.id)
	if n.known {
		a.tell(PeerDisconnected, n, endpoint, nil)
	}
}

// enqueue has a node wait for its turn.
func (a *connecting) enqueue(n *target) {
	if n.phase != queued {
		a.enter(n, queued)
	}
	if a.links[n.plan[0]] != nil { // to share a connection costs nothing
		a.dial(n)
	}
}

// room reports whether one more endpoint may be dialled.
func (a *connecting) room() bool { return a.dials < a.p.MaxDials && len(a.links) < a.p.MaxPeers }

// next lets those who wait dial, as far as the limits allow.
func (a *connecting) next() {
	for len(a.queue) > 0 && a.room() {
		// A flood from one address must not keep those behind others waiting.
		busy := make(map[netip.Addr]int, len(a.trying))
		for n := range a.trying {
			busy[n.source()]++
		}
		a.dial(slices.MinFunc(a.queue, func(x, y *target) int {
			return cmp.Or(cmp.Compare(x.fails, y.fails), cmp.Compare(busy[x.source()], busy[y.source()]))
		}))
	}
}

// source is the address that a node announces from, or none.
func (n *target) source() netip.Addr {
	if len(n.record.From) == 0 {
		return netip.Addr{}
	}
	return n.record.From[0].WithZone("")
}

// dial begins a round for a node in the queue.
func (a *connecting) dial(n *target) {
	if why := a.choose(n); len(n.plan) == 0 { // a file may have gone since
		a.again(n, why)
		return
	}
	if a.links[n.plan[0]] == nil && !a.room() {
		return // it was about to share a connection, and stays in the queue
	}
	a.enter(n, dialing)
	n.over = a.alarm(a.p.DialTimeout, func() { a.failed(n, a.why(n)) })
	a.advance(n)
}

// advance gives the next endpoint its turn.
func (a *connecting) advance(n *target) {
	a.silence(&n.step)
	var why error
	for _, endpoint := range n.plan {
		if slices.Contains(n.tried, endpoint) || len(n.tried) >= maxCandidates {
			continue
		}
		if a.links[endpoint] == nil && !a.room() {
			if len(n.tries) == 0 { // the one before could not be used at all
				a.enqueue(n)
				return
			}
			n.step = a.alarm(stagger, func() { a.advance(n) })
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
			n.step = a.alarm(stagger, func() { a.advance(n) })
		}
		return
	}
	if len(n.tries) == 0 {
		a.failed(n, cmp.Or(why, errNoAnswer))
	}
}

// connected hears that a try has succeeded. The others are over.
func (a *connecting) connected(n *target, l *link) {
	n.live, n.known = l, true
	n.fails, n.skip = 0, 0
	a.enter(n, connected)
	a.meet(n)
	a.tell(PeerConnected, n, l.endpoint, nil)
}

// lost hears that the connection is down. The socket tries to get it back, and the other endpoints get their chance.
func (a *connecting) lost(n *target) {
	l := n.live
	a.tell(PeerLost, n, l.endpoint, nil)
	if n.gone == Left {
		a.forget(n)
		return
	}
	a.confirm(n)
	why := a.choose(n)
	a.enter(n, dialing)
	n.live = nil
	if !slices.Contains(n.plan, l.endpoint) { // the record has moved on
		a.release(n, l)
		a.again(n, why)
		return
	}
	n.tries, n.tried = []*link{l}, []string{l.endpoint}
	n.over = a.alarm(a.p.DialTimeout, func() { a.failed(n, a.why(n)) })
	n.step = a.alarm(stagger, func() { a.advance(n) })
}

// broken hears that a link is no more, for somebody else has disconnected it or the socket is closed.
func (a *connecting) broken(n *target, l *link, err error) {
	if n.live == l {
		n.live = nil
		a.tell(PeerLost, n, l.endpoint, err)
		a.failed(n, err)
		return
	}
	n.tries = slices.DeleteFunc(n.tries, func(t *link) bool { return t == l })
	if len(n.tries) == 0 && n.phase == dialing {
		a.advance(n)
	}
}

// failed ends a round without success.
func (a *connecting) failed(n *target, err error) {
	// When the limits leave room for one endpoint at a time, each has its turn nevertheless.
	if n.skip += len(n.tried); len(n.tried) >= len(n.plan) {
		n.skip = 0
	}
	a.enter(n, resting)
	if n.gone != "" {
		a.forget(n)
		return
	}
	a.tell(PeerFailed, n, "", err)
	a.confirm(n)
	pause := backoffLimit
	if n.fails < 6 {
		pause = min(backoffFirst<<n.fails, backoffLimit)
	}
	n.fails++
	_ = a.choose(n) // in the next round's order
	n.when = time.Now()
	a.rest(n, pause/2+rand.N(pause/2+1))
}

// rest ends a pause after d.
func (a *connecting) rest(n *target, d time.Duration) {
	a.silence(&n.over)
	n.over = a.alarm(max(d, 0), func() { a.enqueue(n) })
}
