package socket

// A message for one given peer whose connection is lost waits for the next one, as long as its session does: to a
// caller of Router.Send or Rep.Send a reliable peer is there until it is given up on.

// awaited reports whether a session still serves the receiver at the other end of a link, or waits for it, though the
// link may be over or not have joined yet. core.out.mu is held.
func (o *outbox) awaited(l *link) bool {
	s := l.out.session
	return s != nil && o.sessions[s.key] == s
}

// follow returns the link that serves the receiver at the other end of l now, which is l itself as a rule; nil if there
// is none.
func (o *outbox) follow(l *link) *link {
	if l == nil || l.out.session == nil || l.out.joined && !l.out.removed {
		return l
	}
	return l.out.session.link
}

// hold has a message wait for the receiver at the other end of a link that is over, if that is awaited and not too much
// waits already.
func (o *outbox) hold(l *link, m *outgoing) bool {
	s := l.out.session
	if s.link != nil || o.env.cfg.sendMark.reached(s.waiting.count) {
		return false
	}
	s.waiting.append(Msg{Frames: m.frames})
	if s.lost.in != nil {
		o.lost.enter(s)
		o.boundLost()
	}
	o.ledger(nil).accept(Count{1, uint64(m.size)})
	return true
}

// awaits is awaited for a caller without the lock.
func (o *outbox) awaits(l *link) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.awaited(l)
}

// sameReceiver reports whether two links lead to the same socket: that of one peer, or of one that has come back. Which
// session a link has is settled before it joins.
func sameReceiver(a, b *link) bool {
	return a.peer == b.peer || a.out.session != nil && a.out.session == b.out.session
}
