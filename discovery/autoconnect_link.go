package discovery

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// A link is an endpoint that s was told to connect to, for one node or more.
type link struct {
	endpoint string
	key      string // of the server, if the socket was told
	users    []*nodeState
	up       bool
	wasUp    bool
	began    time.Time
	stop     func() // ends its tracker
	answer   answer
}

// acquire makes a node a user of the link to an endpoint.
func (a *autoConnector) acquire(n *nodeState, endpoint string) (*link, error) {
	key := a.serverKey(n)
	if l := a.links[endpoint]; l != nil {
		if l.key != key {
			return nil, fmt.Errorf("%w at %.100q: it is connected to by the key of that one", ErrWrongNode, endpoint)
		}
		l.users = append(l.users, n)
		return l, nil
	}
	l := &link{endpoint: endpoint, key: key, users: []*nodeState{n}, began: time.Now(), stop: func() {}}
	if err := a.connect(l); err != nil {
		return nil, err
	}
	a.links[endpoint] = l
	if a.waiter == nil {
		l.up, l.wasUp = true, true
		return l, nil
	}
	a.dials++
	a.track(l)
	return l, nil
}

// track follows whether a link is up, until it is stopped.
func (a *autoConnector) track(l *link) {
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	a.wg.Go(func() {
		for up := true; ; up = !up {
			wait := a.waiter.WaitConnected
			if !up {
				wait = a.waiter.WaitDisconnected
			}
			err := wait(ctx, l.endpoint)
			if ctx.Err() != nil {
				return
			}
			a.post(func() {
				if ctx.Err() == nil { // the link may have been stopped before this was called
					a.changed(l, up, err)
				}
			})
			if err != nil {
				return
			}
		}
	})
}

// release takes a user from a link, and ends it if that was the last.
func (a *autoConnector) release(n *nodeState, l *link) {
	l.users = slices.DeleteFunc(l.users, func(u *nodeState) bool { return u == n })
	if len(l.users) == 0 {
		a.cut(l)
	}
}

// cut disconnects a link.
func (a *autoConnector) cut(l *link) {
	delete(a.links, l.endpoint)
	if !l.wasUp {
		a.coolDown(l)
	}
	l.stop()
	_ = a.s.Disconnect(l.endpoint) // fails only if somebody else has disconnected it
}

// coolDown gives back a link's place in Policy.MaxDials, no sooner than a second after the link began: records that
// come and go must not raise the rate of attempts.
func (a *autoConnector) coolDown(l *link) {
	rest := time.Until(l.began.Add(backoffFirst))
	if rest <= 0 {
		a.dials--
		return
	}
	var tm *timer
	tm = a.after(rest, func() {
		delete(a.coolingDown, tm)
		a.dials--
	})
	a.coolingDown[tm] = struct{}{}
}

// changed takes note that a link is up or down, or, with an error, that the socket no longer connects to it.
func (a *autoConnector) changed(l *link, up bool, err error) {
	if a.links[l.endpoint] != l {
		return // the link has been cut since
	}
	users := slices.Clone(l.users)
	switch {
	case err != nil:
		l.up = false
		a.cut(l)
		for _, n := range users {
			a.broken(n, l, err)
		}
	case up:
		l.up = true
		if !l.wasUp {
			l.wasUp = true
			a.dials--
		}
		for _, n := range users {
			if n.phase == dialing && a.isAt(n, l) {
				a.connected(n, l)
			}
		}
	default:
		l.up = false
		for _, n := range users {
			if n.live == l {
				a.lost(n)
			}
		}
	}
}
