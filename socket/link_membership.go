package socket

import "errors"

// A link's membership in its socket:
//
//	admit ── keeps a place; the role may refuse the link
//	  │
//	join ─── messages flow, PeerUp, the peer counts for WaitPeers
//	  │
//	  ├── makeReadOnly ── the way out is over, what came is still being read: PeerDown, and the endpoint connects anew
//	  │
//	leave ── the link has failed: PeerDown, unless told before
//
// All of these are called by the goroutine that runs the connection (runConn), in this order.

// admit keeps a place for a link, unless the socket or the endpoint is on its way out or the role refuses it.
func (c *core) admit(l *link) bool {
	c.mu.Lock()
	if c.closing || l.ep.bound && c.bound[l.ep.name] != l.ep || !l.ep.bound && c.connected[l.ep.key] != l.ep {
		c.mu.Unlock()
		l.fail(ErrDisconnected)
		l.release()
		return false
	}
	if l.ep.bound && c.crowded() { // with handshakes that were under way when the last place was taken
		c.mu.Unlock()
		l.fail(ErrTooManyPeers)
		c.role.left(l)
		defer l.release()
		c.fail(l.ep, Event{Kind: HandshakeFailed, Address: l.peer.Address, Peer: l.peer, Err: ErrTooManyPeers})
		return false
	}
	c.links[l] = struct{}{}
	if l.ep.bound {
		c.taken++
	}
	c.mu.Unlock()

	if c.known.spares(l) {
		l.life.pingable = false
	}
	if err := c.role.admit(l); err != nil {
		l.fail(err)
		c.remove(l)
		defer l.release()
		kind := HandshakeFailed
		if errors.Is(err, ErrIdentityInUse) {
			kind = DuplicateIdentity
		}
		c.fail(l.ep, Event{Kind: kind, Address: l.peer.Address, Peer: l.peer, Err: err})
		return false
	}
	return true
}

// unwanted takes back the place of a link over inproc whose other side has refused it or has ended. Over the other
// transports a peer is up before that is seen, and whoever follows the events is told the same here.
func (c *core) unwanted(l *link, err error) {
	l.fail(err)
	c.remove(l)
	defer l.release()
	c.mu.Lock()
	l.ep.record.lost(l, err)
	c.mu.Unlock()
	c.events.add(Event{Kind: PeerUp, Endpoint: l.ep.name, Peer: l.peer})
	c.events.add(Event{Kind: PeerDown, Endpoint: l.ep.name, Peer: l.peer, Err: err})
}

// join makes a link that was admitted part of the socket.
func (c *core) join(l *link) {
	c.role.joined(l)
	if l.out.session != nil {
		c.out.mu.Lock()
		superseded := !l.out.joined
		c.out.mu.Unlock()
		if superseded {
			l.dismiss(ErrSuperseded)
		}
	}
	c.in.pullFromPrevious()
	c.disk.know(l)
	l.tellUp()
	if c.foreign(l.peer) {
		c.events.add(Event{Kind: PeerForeign, Endpoint: l.ep.name, Peer: l.peer})
	}
	l.startHeartbeat()

	c.mu.Lock()
	c.up++
	l.ep.up++
	l.ep.record.inARow = 0
	c.peers.WakeAll()
	c.mu.Unlock()
}

// leave ends the membership of a link that has failed. A link that was made read-only has ended most of it before.
func (c *core) leave(l *link) {
	c.heartbeats.stop(l)
	if l.readOnly.Load() {
		c.removeIn(l)
		return
	}
	c.endMembership(l, l.cause())
}

// makeReadOnly ends the membership of a link whose way out is over while the application is behind with what it
// brought: that goes on, and a connecting endpoint connects anew. It is called by the link's own goroutine.
func (c *core) makeReadOnly(l *link) {
	c.mu.Lock()
	closing := c.closing
	if !closing {
		c.readOnly[l] = struct{}{}
	}
	c.mu.Unlock()
	if closing {
		return
	}
	l.readOnly.Store(true)
	c.out.mu.Lock()
	cause := l.out.cause
	c.out.mu.Unlock()
	c.endMembership(l, cause)
	if l.again != nil {
		l.again()
	}
}

// endMembership takes a link that has joined out of the socket and tells why it was lost.
func (c *core) endMembership(l *link, cause error) {
	c.noteLost(l, cause)
	c.remove(l)
	c.mu.Lock()
	c.up--
	l.ep.up--
	l.ep.record.lost(l, cause)
	c.peers.WakeAll()
	c.mu.Unlock()
	defer l.release()
	l.tellDown(cause)
	if c.known.ended(l, cause) {
		c.events.add(Event{Kind: HeartbeatOff, Endpoint: l.ep.name, Peer: l.peer, Err: ErrNoHeartbeat})
	}
}

// told is what events have told of a link's peer. It changes together with the log, so that whoever has had an event
// told, or finds that it was, may count on it being there: the log may be closed next.
type told int8

const (
	toldNothing told = iota
	toldUp
	toldDown // or is not to be told of any more
)

// tellUp tells that the peer is up, unless Close has been quicker.
func (l *link) tellUp() {
	log := &l.core.events
	log.mu.Lock()
	defer log.mu.Unlock()
	if l.told == toldNothing {
		l.told = toldUp
		log.append(Event{Kind: PeerUp, Endpoint: l.ep.name, Peer: l.peer})
	}
}

// tellDown tells that a peer of which tellUp has told is gone, once.
func (l *link) tellDown(cause error) {
	log := &l.core.events
	log.mu.Lock()
	defer log.mu.Unlock()
	if l.told == toldUp {
		log.append(Event{Kind: lossKind(cause), Endpoint: l.ep.name, Peer: l.peer, Err: cause})
	}
	l.told = toldDown
}

// remove takes a link out of the socket, once all that it had queued is accounted for. One that is still being read
// stays in the inbox.
func (c *core) remove(l *link) {
	l.carrier.leave()
	c.out.mu.Lock()
	done := c.out.remove(l)
	c.out.mu.Unlock()
	<-done
	l.carrier.pull() // the other side may settle later
	if !l.readOnly.Load() {
		c.removeIn(l)
	}
	c.role.left(l)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.links, l)
}

// removeIn ends what a link holds of the way in, and its place among the connections.
func (c *core) removeIn(l *link) {
	c.dismissSender(l)
	c.in.leave(l)
	c.disk.forget(l)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.readOnly, l)
	if l.ep.bound {
		c.taken--
	}
}

// snapshot lists the links that have not ended yet.
func (c *core) snapshot() []*link {
	c.mu.Lock()
	defer c.mu.Unlock()
	links := make([]*link, 0, len(c.links))
	for l := range c.links {
		links = append(links, l)
	}
	return links
}
