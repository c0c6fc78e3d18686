package group

import "slices"

const (
	maxGroups = 1000 // of a peer

	// What waits for the end of the connection that its sender used before. At the first number that connection is
	// ended; what it has brought by then is still told, so that some more may come. Beyond the others the new one is
	// ended too.
	maxHeld      = 1000
	maxHeldMore  = 4 * maxHeld
	maxHeldBytes = 64 << 20
)

// An ID tells members apart. It is drawn at random when a member is made.
type ID [16]byte

// presence is what a member knows of its peers, as a state machine without sockets, locks or clocks: it is told what
// the connections bring, and appends to steps what is to be done and told, in order. C stands for a connection, M for
// a shout or whisper.
//
// There may be several connections to a peer, for either side may connect to the other. Each side sends over one of
// them, the first that was up, and says hello there. So hello on another connection means that the peer sends over
// that one from now on: what it said on the one before comes first. That lasts until the earlier connection is over,
// which is brought about if it takes too long.
//
//	unknown ──hello──► present, over the connection it came by ──down──► gone, or
//	                     │                                                 present again, if it has said hello
//	                     └─ hello by another: that waits for the down ───► over another connection
type presence[C comparable, M any] struct {
	self    ID
	peers   map[ID]*member[C, M]
	present []*member[C, M] // those that have entered, in this order
	conns   map[C]*conn[C, M]
	steps   []step[C, M]
}

// A member is a peer as it is known.
type member[C comparable, M any] struct {
	id      ID
	conns   []*conn[C, M] // that lead to it and are up, in the order in which they came
	to      *conn[C, M]   // over which we send; nil if there is none
	streams []*conn[C, M] // over which it has said hello: the first is told of, the others wait
	now     *Peer         // as which it is present; nil if it is not
	groups  []string      // it is in, in the order in which it joined
}

// A conn is a connection, and what it has brought.
type conn[C comparable, M any] struct {
	key     C
	peer    *member[C, M] // nil as long as it is not known
	known   bool          // the peer has said in the handshake who it is
	greeted bool          // we have said hello
	name    string        // that of the peer's hello
	held    []heard[M]    // what it has brought while an earlier one lasts
	size    int           // of held, in bytes
	refused bool          // what it brings does not count any more
	over    bool          // it is down, and only what is held is left
	cause   error         // of that
}

// heard is something that a peer has said.
type heard[M any] struct {
	kind  Kind // Joined, Left, Shout or Whisper
	group string
	msg   M
	size  int // in bytes
}

// A step is something to do or to tell.
type step[C comparable, M any] struct {
	do   action
	conn C     // of greet, hasten and end
	peer *Peer // of say
	heard[M]
	cause error
}

type action int

const (
	say    action = iota // the application: kind, peer, group, msg, cause
	greet                // say hello over conn, and join the groups that we are in
	hasten               // conn is to end soon: its peer has left it for another
	end                  // conn has to end: cause says why
)

func newPresence[C comparable, M any](self ID) *presence[C, M] {
	return &presence[C, M]{self: self, peers: make(map[ID]*member[C, M]), conns: make(map[C]*conn[C, M])}
}

// up: a connection has begun. id is that of the peer if it says so in the handshake, else zero. dialed tells who has
// connected.
func (p *presence[C, M]) up(key C, id ID, dialed bool) {
	c := &conn[C, M]{key: key}
	p.conns[key] = c
	switch id {
	case p.self:
	case ID{}:
		// Foreign members do not say who they are before hello. One that is connected to may wait for ours: a ROUTER
		// cannot send before it has received. One that connects speaks first.
		if dialed {
			p.greet(c)
		}
	default:
		c.known = true
		p.attach(c, id)
		p.choose(c.peer)
	}
}

// attach notes where a connection leads.
func (p *presence[C, M]) attach(c *conn[C, M], id ID) {
	c.peer = p.peers[id]
	if c.peer == nil {
		c.peer = &member[C, M]{id: id}
		p.peers[id] = c.peer
	}
	c.peer.conns = append(c.peer.conns, c)
}

// choose finds a connection to send by, if there is none.
func (p *presence[C, M]) choose(m *member[C, M]) {
	if m.to == nil && len(m.conns) > 0 {
		m.to = m.conns[0]
		p.greet(m.to)
	}
}

func (p *presence[C, M]) greet(c *conn[C, M]) {
	if !c.greeted {
		c.greeted = true
		p.steps = append(p.steps, step[C, M]{do: greet, conn: c.key})
	}
}

// hello: the peer says who it is, and that it sends over this connection.
func (p *presence[C, M]) hello(key C, id ID, name string) {
	c := p.conns[key]
	switch {
	case c.refused:
		return
	case c.streams():
		p.refuse(c, errTwice)
		return
	case !c.known && !p.meet(c, id) || c.known && c.peer.id != id:
		p.refuse(c, errID)
		return
	}
	m := c.peer
	c.name = name
	m.streams = append(m.streams, c)
	if len(m.streams) == 1 {
		p.enter(m)
	} else {
		p.steps = append(p.steps, step[C, M]{do: hasten, conn: m.streams[0].key})
	}
}

// meet: a foreign member says who it is. It wants to be talked to where it has said hello.
func (p *presence[C, M]) meet(c *conn[C, M], id ID) bool {
	if id == (ID{}) || id == p.self {
		return false
	}
	p.attach(c, id)
	m := c.peer
	if slices.ContainsFunc(m.conns, func(c *conn[C, M]) bool { return c.known }) {
		m.conns, c.peer = m.conns[:len(m.conns)-1], nil // it is somebody else's
		return false
	}
	m.conns = m.conns[len(m.conns)-1:] // what was said over another one is not added to
	m.to = c
	p.greet(c)
	return true
}

// streams tells whether the peer has said hello over c.
func (c *conn[C, M]) streams() bool { return c.peer != nil && slices.Contains(c.peer.streams, c) }

// says: the peer has joined or left a group, shouted or whispered.
func (p *presence[C, M]) says(key C, h heard[M]) {
	c := p.conns[key]
	switch {
	case c.refused:
		return
	case !c.streams():
		p.refuse(c, errNoHello)
		return
	case c.peer.streams[0] == c:
		p.take(c, h)
		return
	case len(c.held) >= maxHeldMore || c.size > maxHeldBytes:
		p.refuse(c, errHeld)
		return
	}
	c.held = append(c.held, h)
	c.size += h.size
	if earlier := c.peer.streams[0]; len(c.held) >= maxHeld && !earlier.refused {
		p.refuse(earlier, errMoved)
	}
}

// take tells the application of something that is its turn.
func (p *presence[C, M]) take(c *conn[C, M], h heard[M]) {
	m := c.peer
	in := slices.Index(m.groups, h.group)
	switch h.kind {
	case Joined:
		if in >= 0 {
			return
		}
		if len(m.groups) == maxGroups {
			p.refuse(c, errGroups)
			return
		}
		m.groups = append(m.groups, h.group)
	case Left:
		if in < 0 {
			return
		}
		m.groups = slices.Delete(m.groups, in, in+1)
	case Shout, Whisper, Entered, Exited:
	}
	p.steps = append(p.steps, step[C, M]{peer: m.now, heard: h})
}

// refuse ends a connection over which the peer says what it must not. What else it says does not count.
func (p *presence[C, M]) refuse(c *conn[C, M], cause error) {
	c.refused = true
	p.steps = append(p.steps, step[C, M]{do: end, conn: c.key, cause: cause})
}

// enter begins the presence of a peer, over the first of its streams.
func (p *presence[C, M]) enter(m *member[C, M]) {
	m.now = &Peer{ID: m.id, Name: m.streams[0].name}
	p.present = append(p.present, m)
	p.steps = append(p.steps, step[C, M]{conn: m.streams[0].key, peer: m.now, heard: heard[M]{kind: Entered}})
}

// exit ends it, by the end of this stream.
func (p *presence[C, M]) exit(m *member[C, M]) {
	for _, g := range m.groups {
		p.steps = append(p.steps, step[C, M]{peer: m.now, heard: heard[M]{kind: Left, group: g}})
	}
	p.steps = append(p.steps, step[C, M]{peer: m.now, heard: heard[M]{kind: Exited}, cause: m.streams[0].cause})
	m.now, m.groups, m.streams = nil, nil, m.streams[1:]
	p.present = slices.DeleteFunc(p.present, func(other *member[C, M]) bool { return other == m })
}

// down: a connection is over, and all that it has brought was told.
func (p *presence[C, M]) down(key C, cause error) {
	c := p.conns[key]
	delete(p.conns, key)
	m := c.peer
	if m == nil {
		return
	}
	c.over, c.cause = true, cause
	m.conns = slices.DeleteFunc(m.conns, func(other *conn[C, M]) bool { return other == c })
	if m.to == c {
		m.to = nil
		p.choose(m)
	}
	for len(m.streams) > 0 && m.streams[0].over {
		p.exit(m)
		if len(m.streams) == 0 {
			break
		}
		p.enter(m)
		next := m.streams[0]
		for _, h := range next.held {
			p.take(next, h)
		}
		next.held = nil
	}
	if len(m.conns) == 0 && len(m.streams) == 0 {
		delete(p.peers, m.id)
	}
}
