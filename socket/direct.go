package socket

import (
	"context"
	"fmt"

	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A direct is a link's way to a peer in the same process: no ZMTP, no bytes, messages move into the peer's queue as
// values. That queue is the only one between the two, and its high-water mark the sum of the sender's and the
// receiver's (libzmq inproc); what a sender keeps for it in the meantime (run.go) counts towards that mark.
type direct struct {
	self   *link
	me     *Peer         // this side, as the other sees it
	joined chan struct{} // closed once this side has joined its socket
	twin   *link         // the other side's link; set by pair
	kept   run
}

// hello is what two sockets in one process trade instead of a handshake.
type hello struct {
	typ  zmtp.SocketType
	peer *Peer
	link *link
}

// greet trades hellos over a direct connection and completes l.
func greet(ctx context.Context, c *core, conn transport.Direct, l *link) error {
	me := &Peer{
		Type:     string(c.typ),
		Identity: c.cfg.identity,
		Endpoint: l.ep.name,
		Address:  conn.LocalAddr().String(),
		Node:     thisNode(),
		Metadata: c.metadata(),
		yodel:    true,
		inproc:   true,
	}
	l.direct = &direct{self: l, me: me, joined: make(chan struct{})}
	v, err := conn.Exchange(ctx, hello{c.typ, me, l})
	if err != nil {
		return err
	}
	theirs, ok := v.(hello)
	if !ok {
		return fmt.Errorf("%w: the other end is a %T, not a socket", ErrProtocol, v)
	}
	if err := c.typ.Check(theirs.typ); err != nil {
		return err
	}
	l.peer = theirs.peer
	pair(l, theirs.link)
	pair(theirs.link, l)
	return nil
}

// pair tells l who its twin is. Each side does so for both ends before it uses either.
func pair(l, twin *link) {
	l.core.in.mu.Lock()
	defer l.core.in.mu.Unlock()
	if l.direct.twin == nil {
		l.direct.twin = twin
		l.in.limit = l.core.cfg.recvMark.plus(twin.core.cfg.sendMark)
		l.in.exact = twin.core.cfg.overflow.dropsOldest()
	}
}

// offer moves a message into the peer's queue. The lock order is the sender's outbox before the receiver's inbox.
func (d *direct) offer(p *parcel) bool {
	if d.self.out.dead {
		return false
	}
	m := Msg{Frames: p.frames, From: d.me}
	if p.shared {
		m = m.clone()
	}
	q := &d.twin.core.in
	if d.keep(m, p.size) {
		d.self.out.counts.accepted.add(p.size)
		d.self.out.queued.add(p.size)
		if d.kept.n == 1 {
			d.kept.some.Store(true)
		}
		if !d.mayKeep() { // another: the run is full or the peer has run dry
			q.mu.Lock()
			d.flush()
			q.mu.Unlock()
		}
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case !d.flush():
		return false
	case !d.twin.core.receives || d.twin.in.refused:
		q.lose(d.twin, NotExpected, p.size)
	default:
		for d.self.out.overflow == Conflate && d.twin.in.queue.n > 0 {
			q.dropOldest(d.twin, Replaced)
		}
		if d.twin.in.full.Load() {
			return false
		}
		q.push(d.twin, m)
		q.announce(d.twin, 1)
		d.grant()
	}
	n := Count{1, uint64(p.size)}
	d.self.out.counts.accepted.add(p.size)
	d.self.out.queued.add(p.size)
	d.delivered(n) // the caller counts it as queued, as for any other link
	return true
}

// open reports whether the peer's queue has room.
func (d *direct) open() bool {
	if d.self.out.dead {
		return false
	}
	if d.mayKeep() {
		return true
	}
	q := &d.twin.core.in
	q.mu.Lock()
	defer q.mu.Unlock()
	return d.flush() && !d.twin.in.full.Load()
}

// unread is the number of messages in the peer's queue.
func (d *direct) unread() uint64 {
	q := &d.twin.core.in
	q.mu.Lock()
	defer q.mu.Unlock()
	d.flush()
	if q.recv.TryLock() {
		q.settle()
		q.recv.Unlock()
	}
	return d.twin.in.counts.unread.Messages
}

// exact sees to it that DropOldest and Conflate find all that is unread. What the receiver has in hand just now is past
// that.
func (d *direct) exact() {
	q := &d.twin.core.in
	q.mu.Lock()
	defer q.mu.Unlock()
	d.flush()
	d.kept.room = mark{}
	d.twin.in.exact = true
}

// makeRoom drops the oldest message in the peer's queue.
func (d *direct) makeRoom() bool {
	q := &d.twin.core.in
	q.mu.Lock()
	defer q.mu.Unlock()
	if d.self.out.dead || q.closed || d.twin.in.queue.n == 0 {
		return false
	}
	q.dropOldest(d.twin, QueueFull)
	return true
}

// reopened tells the sender that its peer's queue has room again; self is the receiver.
func (d *direct) reopened() {
	box := &d.twin.core.out
	box.mu.Lock()
	defer box.mu.Unlock()
	if !box.closed {
		d.twin.opened()
	}
}

// awaitTwin waits until the other side has joined, or never will.
func (d *direct) awaitTwin() {
	select {
	case <-d.twin.direct.joined:
	case <-d.self.conn.(transport.Direct).Done():
	case <-d.self.gone:
	}
}

// run waits for the end of a direct link.
func (d *direct) run() error {
	select {
	case <-d.self.conn.(transport.Direct).Done():
		return errPeerClosed
	case <-d.self.gone:
		return d.self.cause()
	}
}
