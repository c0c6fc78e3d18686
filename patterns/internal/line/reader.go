package line

import (
	"context"
	"errors"
	"sync"

	"github.com/yodel-mq/yodel/socket"
)

// A reader receives what comes to one socket and tells a Handler of it, in order.
//
// Events and messages come from a socket on two ways. One goroutine follows the events, notes them, and ends the
// context of the Recv under way. As Recv with a context that has ended returns what is there first, the other
// goroutine, which receives, has handed over all that a lost peer had sent when it comes to the note of its loss. It
// may come to a message before the note of its peer, which is up then.
type reader struct {
	socket   peerSocket
	pattern  Pattern
	handler  Handler
	line     *Line // nil for a Router
	identity bool  // is in front of each message

	conns map[*socket.Peer]*Conn // of the goroutine that receives
	work  sync.WaitGroup

	mu        sync.Mutex
	notes     []socket.Event
	interrupt context.CancelFunc // ends the Recv under way
}

// start begins to receive, until the socket is closed.
func (r *reader) start() {
	r.conns = make(map[*socket.Peer]*Conn)
	r.interrupt = func() {}
	r.work.Go(r.follow)
	r.work.Go(r.receive)
}

// wait returns once the socket is closed and the Handler has been told of all.
func (r *reader) wait() { r.work.Wait() }

// follow notes the events that matter until the socket is closed.
func (r *reader) follow() {
	for ev := range r.socket.Events(context.Background()) {
		switch ev.Kind { //nolint:exhaustive // the others tell nothing of a peer
		case socket.PeerUp, socket.PeerDown, socket.ProtocolError, socket.LimitHit, socket.Missed,
			socket.ConnectFailed, socket.HandshakeFailed:
			r.mu.Lock()
			r.notes = append(r.notes, ev)
			r.interrupt()
			r.mu.Unlock()
		}
	}
}

// receive hands over messages and, at each interruption, what is noted.
func (r *reader) receive() {
	for {
		ctx, cancel := r.interruptible()
		m, err := r.socket.Recv(ctx)
		for ; err == nil; m, err = r.socket.Recv(ctx) {
			r.message(m)
		}
		cancel()
		if errors.Is(err, socket.ErrClosed) {
			for _, c := range r.conns {
				r.down(c, err)
			}
			return
		}
		r.catchUp()
	}
}

// interruptible returns a context that ends when there is a note.
func (r *reader) interruptible() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.interrupt = cancel
	if len(r.notes) > 0 {
		cancel()
	}
	return ctx, cancel
}

// catchUp goes through the notes. Those that came after the last Recv had looked may be of a peer whose last messages
// did, too.
func (r *reader) catchUp() {
	r.mu.Lock()
	notes := r.notes
	r.notes = nil
	r.mu.Unlock()
	var now []socket.PeerStats
	for _, ev := range notes {
		if ev.Kind == socket.Missed {
			now = r.socket.Stats().Peers
			break
		}
	}
	for m, err := r.socket.TryRecv(); err == nil; m, err = r.socket.TryRecv() {
		r.message(m)
	}
	for _, ev := range notes {
		switch ev.Kind {
		case socket.PeerUp:
			r.conn(ev.Peer)
		case socket.Missed:
			r.compare(now)
		case socket.ConnectFailed, socket.HandshakeFailed:
			if r.line != nil {
				r.handler.Failed(ev.Endpoint, ev.Err)
			}
		default: // over, for one of three reasons
			if c := r.conns[ev.Peer]; c != nil {
				r.down(c, ev.Err)
			}
		}
	}
}

// compare finds out from the peers that were connected which events were missed.
func (r *reader) compare(now []socket.PeerStats) {
	up := make(map[*socket.Peer]bool, len(now))
	for _, p := range now {
		up[p.Peer] = true
		r.conn(p.Peer)
	}
	for peer, c := range r.conns {
		if !up[peer] {
			r.down(c, socket.ErrPeerLost)
		}
	}
}

// conn returns the connection to a peer, which begins with it.
func (r *reader) conn(p *socket.Peer) *Conn {
	c := r.conns[p]
	if c != nil {
		return c
	}
	c = &Conn{Peer: p, Line: r.line, socket: r.socket}
	r.conns[p] = c
	if err := r.pattern.Meet(p); err != nil {
		c.refused = true
		c.Disconnect()
		r.handler.Failed(p.Endpoint, err)
		return c
	}
	r.handler.Up(c)
	return c
}

func (r *reader) message(m socket.Msg) {
	c := r.conn(m.From)
	if c.refused {
		return
	}
	if r.identity {
		m.Frames = m.Frames[1:]
	}
	r.handler.Message(c, m)
}

func (r *reader) down(c *Conn, err error) {
	delete(r.conns, c.Peer)
	if !c.refused {
		r.handler.Down(c, err)
	}
}
