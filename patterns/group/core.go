package group

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/line"
	"github.com/yodel-mq/yodel/socket"
)

const (
	// idProperty is the property of READY that has the id of a member, so that two connections to the same are known
	// before anything is said.
	idProperty = "X-Yodel-Member"
	maxName    = 255
	maxUnread  = 256 // events that wait for Events, before those of all peers wait in the socket
	// moving is how long a peer that sends over another connection may take to end the one before.
	moving = time.Second
)

// core is a member without its type: the connections, what is known of the peers, and what is to be told of them.
//
// A message comes from the goroutine of bound by Handler's methods, which put it to presence and carry out what comes
// of it; what is to be told goes to unread, from where Events takes it. The way out does not pass through here: who
// sends asks presence for the lanes, and uses them.
type core struct {
	name  string
	id    ID
	codec patterns.Codec
	bound *line.Bound

	mu       sync.Mutex
	presence *known
	groups   []string      // that we are in
	changed  chan struct{} // closed when there is another peer, or one less, in any group
	closed   bool

	unread    chan told
	listening atomic.Bool // somebody has asked for events
	closing   chan struct{}
	done      chan struct{} // nothing comes any more

	work      sync.WaitGroup // of lanes
	received  atomic.Uint64
	ignored   atomic.Uint64
	unheard   atomic.Uint64
	closeOnce sync.Once
	doneOnce  sync.Once
}

// said is a shout or whisper.
type said struct {
	headers patterns.Headers
	body    patterns.Raw
}

// told is an event, or an error that Events yields.
type told struct {
	kind  Kind
	peer  *Peer
	group string
	said  *said
	cause error
	err   error
}

func newCore(name string, id ID, c config) *core {
	m := &core{
		name: name, id: id, codec: c.codec, presence: newPresence[*line.Conn, *said](id),
		changed: make(chan struct{}), unread: make(chan told, maxUnread),
		closing: make(chan struct{}), done: make(chan struct{}),
	}
	opts := append([]socket.RouterOption{socket.WithMetadata(idProperty, string(id[:]))}, c.router...)
	m.bound = line.NewBound(line.Member, handler{m}, opts...)
	return m
}

// What core knows of a peer.
type (
	known = presence[*line.Conn, *said]
	peer  = member[*line.Conn, *said]
)

// handler is what core is told by; it keeps these methods out of [Member].
type handler struct{ *core }

// Up: a connection has begun.
func (m handler) Up(c *line.Conn) {
	c.Data = newLane(c)
	var id ID
	if shown := c.Peer.Metadata[idProperty]; len(shown) == len(id) {
		copy(id[:], shown)
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	err := m.bound.Socket().WaitConnected(over, c.Peer.Endpoint)
	dialed := !errors.Is(err, socket.ErrNoEndpoint) // it is one that we connect to, however it is spelled
	m.do(func(p *known) { p.up(c, id, dialed) })
}

// Down: it is over.
func (m handler) Down(c *line.Conn, err error) {
	m.do(func(p *known) {
		if t := c.Data.(*lane).hasten; t != nil {
			t.Stop()
		}
		p.down(c, err)
	})
}

// Failed: a peer was refused.
func (m handler) Failed(endpoint string, err error) {
	if errors.Is(err, ErrPattern) {
		m.tell(told{err: &socket.PeerError{Op: "meet", Endpoint: endpoint, Err: err}})
	}
}

// Message: a peer has said something.
func (m handler) Message(c *line.Conn, msg socket.Msg) {
	head, body, ok := read(msg)
	if !ok {
		m.ignored.Add(1)
		return
	}
	h := heard[*said]{group: head.Method, size: len(body) + len(msg.Frames[1])}
	switch head.Kind {
	case patterns.KindHello:
	case patterns.KindJoin:
		h.kind = Joined
	case patterns.KindLeave:
		h.kind = Left
	case patterns.KindMessage:
		h.kind = Shout
		if h.group == "" {
			h.kind = Whisper
		}
		h.msg = &said{headers: head.Headers, body: patterns.Raw{Type: head.Type, Data: body}}
	default:
		m.ignored.Add(1)
		return
	}
	m.do(func(p *known) {
		switch {
		case len(head.Method) > maxName || h.group == "" && (h.kind == Joined || h.kind == Left):
			p.refuse(p.conns[c], errLong)
		case head.Kind == patterns.KindHello:
			p.hello(c, head.Origin, head.Method)
		case h.kind == Shout && !slices.Contains(m.groups, h.group):
			m.ignored.Add(1) // we have left
		default:
			p.says(c, h)
		}
	})
}

// read takes a message apart.
func read(msg socket.Msg) (head patterns.Head, body []byte, ok bool) {
	f := msg.Frames
	if len(f) < 2 || len(f) > 3 || len(f[0]) > 0 {
		return head, nil, false
	}
	head, err := patterns.ParseHead(f[1])
	if len(f) == 3 {
		body = f[2]
	}
	return head, body, err == nil && head.Version <= 1
}

// do puts something to presence, and carries out what comes of it.
func (m *core) do(put func(p *known)) {
	var lanes []*lane
	var tell []told
	m.mu.Lock()
	put(m.presence)
	steps := m.presence.steps
	for _, s := range steps {
		switch s.do {
		case greet:
			l := s.conn.Data.(*lane)
			l.add(message(&patterns.Head{Kind: patterns.KindHello, Method: m.name, Origin: m.id}))
			for _, g := range m.groups {
				l.add(message(&patterns.Head{Kind: patterns.KindJoin, Method: g}))
			}
			lanes = append(lanes, l)
		case hasten:
			if l := s.conn.Data.(*lane); l.hasten == nil && !m.closed {
				l.hasten = time.AfterFunc(moving, s.conn.Disconnect)
			}
		case end:
			s.conn.Disconnect()
			if errors.Is(s.cause, ErrProtocol) {
				err := &socket.PeerError{Op: "meet", Endpoint: s.conn.Peer.Endpoint, Peer: s.conn.Peer, Err: s.cause}
				tell = append(tell, told{err: err})
			}
		case say:
			if s.kind == Entered {
				s.peer.Socket = s.conn.Peer
			}
			if s.kind != Shout && s.kind != Whisper {
				close(m.changed)
				m.changed = make(chan struct{})
			} else {
				m.received.Add(1)
			}
			tell = append(tell, told{kind: s.kind, peer: s.peer, group: s.group, said: s.msg, cause: s.cause})
		}
	}
	clear(steps)
	m.presence.steps = steps[:0]
	m.mu.Unlock()
	for _, l := range lanes {
		l.flush(&m.work)
	}
	for _, t := range tell {
		m.tell(t)
	}
}

// tell keeps something for Events, waiting for room once anybody has asked for it; until then the oldest goes.
func (m *core) tell(t told) {
	for {
		select {
		case m.unread <- t:
			return
		default:
		}
		if m.listening.Load() {
			select {
			case m.unread <- t:
			case <-m.closing:
			}
			return
		}
		select {
		case <-m.unread:
			m.unheard.Add(1)
		default:
		}
	}
}

// next returns what Events yields next.
func (m *core) next(ctx context.Context) (told, error) {
	select {
	case t := <-m.unread:
		return t, nil
	default:
	}
	select {
	case t := <-m.unread:
		return t, nil
	case <-ctx.Done():
		return told{}, ctx.Err()
	case <-m.done:
	}
	select {
	case t := <-m.unread:
		return t, nil
	default:
		return told{}, socket.ErrClosed
	}
}

// lanes returns the ways to those of the peers that fit.
func (m *core) lanes(fits func(p *peer) bool) (lanes []*lane, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, socket.ErrClosed
	}
	for _, p := range m.presence.present {
		if p.to != nil && fits(p) {
			lanes = append(lanes, p.to.key.Data.(*lane))
		}
	}
	return lanes, nil
}

// message makes a message of a head.
func message(h *patterns.Head) socket.Msg { return framed(h.AppendTo(nil), nil) }

// framed makes a message of a head and a body.
func framed(head, body []byte) socket.Msg {
	m := socket.Msg{Frames: [][]byte{{}, head}}
	if len(body) > 0 {
		m.Frames = append(m.Frames, body)
	}
	return m
}

// belong joins a group, or leaves it, and tells all peers.
func (m *core) belong(op, group string, join bool) error {
	if err := checkName(op, group); err != nil {
		return err
	}
	kind := patterns.KindLeave
	if join {
		kind = patterns.KindJoin
	}
	msg := &patterns.Head{Kind: kind, Method: group}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return fmt.Errorf("group: %s: %w", op, socket.ErrClosed)
	}
	at := slices.Index(m.groups, group)
	if join == (at >= 0) {
		m.mu.Unlock()
		return nil
	}
	if join {
		m.groups = append(m.groups, group)
	} else {
		m.groups = slices.Delete(m.groups, at, at+1)
	}
	var lanes []*lane
	for _, p := range m.presence.peers {
		if p.to != nil {
			l := p.to.key.Data.(*lane)
			l.add(message(msg))
			lanes = append(lanes, l)
		}
	}
	m.mu.Unlock()
	for _, l := range lanes {
		l.flush(&m.work)
	}
	return nil
}

func checkName(op, group string) error {
	if group == "" || len(group) > maxName || !utf8.ValidString(group) {
		return fmt.Errorf("group: %s %.32q: %w", op, group, ErrName)
	}
	return nil
}

// stop ends the member by a way to close the socket.
func (m *core) stop(by func() error) error {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.closeOnce.Do(func() { close(m.closing) })
	err := by()
	m.work.Wait()
	m.doneOnce.Do(func() { close(m.done) })
	return err
}
