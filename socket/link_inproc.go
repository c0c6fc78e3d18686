package socket

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/yodel-mq/yodel/socket/internal/lockorder"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A direct is a link's way to a peer in the same process: no ZMTP, no bytes, messages move into the peer's queue as
// values. That queue is the only one between the two, and its high-water mark the sum of the sender's and the
// receiver's (libzmq inproc); what a sender keeps for it in the meantime (link_inproc_batch.go) counts towards that
// mark.
type direct struct {
	self  *link
	me    *Peer // this side, as the other sees it
	twin  *link // the other side's link
	other *direct
	batch senderBatch

	conduit *directConduit // until both are members

	stance  atomic.Int32  // whether the link is to be; see agree
	willing chan struct{} // closed once this side has agreed
	joined  chan struct{} // closed once this side has joined its socket

	telling lockorder.Mutex[lockorder.Telling] // held while the other side tells this one of a subscription
	parted  bool                               // there is nobody to tell any more; guarded by telling
}

// hello is what two sockets in one process trade instead of greetings.
type hello struct {
	typ      zmtp.SocketType
	greeting zmtp.Greeting
	peer     *Peer
	link     *link
	commands <-chan zmtp.Command // what the one who says hello has to say from then on
}

// greet trades hellos over a direct connection, runs the security mechanism and completes l.
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
	ours := make(chan zmtp.Command, 2) // the last one of the mechanism, and the first of what follows
	conduit := &directConduit{out: ours, done: conn.Done()}
	l.direct = &direct{
		self: l, me: me, conduit: conduit, willing: make(chan struct{}), joined: make(chan struct{}),
	}
	l.carrier = l.direct
	lockorder.Own(c, &l.direct.telling)
	var theirs hello
	_, err := zmtp.Negotiate(ctx, conduit, c.handshakeConfig(), func(ctx context.Context, g zmtp.Greeting) (zmtp.Greeting, error) {
		v, err := conn.Exchange(ctx, hello{c.typ, g, me, l, ours})
		if err != nil {
			return zmtp.Greeting{}, err
		}
		h, ok := v.(hello)
		if !ok {
			return zmtp.Greeting{}, fmt.Errorf("%w: the other end is a %T, not a socket", ErrProtocol, v)
		}
		theirs, conduit.in = h, h.commands
		return h.greeting, c.typ.Check(h.typ)
	})
	if err != nil {
		return err
	}
	l.describe(theirs.peer)
	l.direct.twin, l.direct.other = theirs.link, theirs.link.direct
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	l.in.limit = c.cfg.recvMark.plus(theirs.link.core.cfg.sendMark)
	if theirs.link.core.cfg.overflow.dropsOldest() {
		l.in.noPrefetch = true // or the other side has set it already
	}
	return nil
}

// What one side of a link thinks of it.
const (
	undecided int32 = iota
	willing         // it takes the other in
	counted         // so it does, and the other has counted on it
	unwilling       // it does not, or not any more
)

// agree says that this side takes the other in and returns once that is mutual. Only then anything passes between the
// two: a side that refuses, or that has to end first, has nothing to give back. Both come to the same result,
// whatever happens meanwhile: who has been counted on can not step back.
func (d *direct) agree() error {
	d.stance.Store(willing)
	close(d.willing)
	other := d.other
	select {
	case <-other.willing:
	case <-d.self.gone:
	case <-d.self.conn.(transport.Direct).Done():
	}
	if other.stance.CompareAndSwap(willing, counted) || !d.stance.CompareAndSwap(willing, unwilling) {
		return nil
	}
	return d.whyEnded()
}

// whyEnded is why a link that has ended did.
func (d *direct) whyEnded() error {
	select {
	case <-d.self.gone:
		return d.self.cause()
	default:
		return errPeerClosed
	}
}

// subscribe tells the other side of a subscription, unless it has left or is about to. What it does about it, it does
// before it leaves.
func (d *direct) subscribe(add bool, topic string) {
	twin, other := d.twin, d.other
	other.telling.Lock()
	defer other.telling.Unlock()
	if other.parted {
		return
	}
	if err := twin.core.role.subscription(twin, add, []byte(topic)); err != nil {
		twin.fail(err)
	}
}

// subscribeAll waits until the other side has joined: a publisher greets before it hears of subscriptions.
func (d *direct) subscribeAll(s *subscriptions) {
	<-d.other.joined
	s.changes.Lock()
	defer s.changes.Unlock()
	s.links[d.self] = struct{}{}
	for _, topic := range s.inOrder() {
		d.subscribe(true, topic)
	}
}

// leave ends the time in which the other side may tell this one something.
func (d *direct) leave() {
	d.telling.Lock()
	defer d.telling.Unlock()
	d.parted = true
}

// offer moves a message into the peer's queue. The lock order is the sender's outbox before the receiver's inbox.
func (d *direct) offer(p outgoing) bool {
	if d.self.out.dead {
		return false
	}
	m := Msg{Frames: p.frames, From: d.me}
	if p.shared {
		m = m.Clone()
	}
	q := &d.twin.core.in
	if !p.pinned && d.append(m, p.size) {
		d.self.core.out.account(d.self, &p)
		if d.batch.n == 1 {
			d.batch.nonEmpty.Store(true)
		}
		if !d.mayAppend() { // the batch is full, or the receiver has found its queue empty meanwhile
			q.mu.Lock()
			d.pushBatch()
			q.mu.Unlock()
		}
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case !d.pushBatch():
		return false
	case !q.receives:
		q.rejectLocked(d.twin, Unexpected, Count{1, uint64(p.size)})
	default:
		for d.self.out.overflow.replaces() && d.twin.in.queue.n > 0 {
			q.dropOldest(d.twin, Replaced)
		}
		if d.twin.in.full.Load() {
			d.self.filled()
			return false
		}
		q.push(d.twin, m)
		q.announce(d.twin, 1)
		d.setBatchLimit()
	}
	box := &d.self.core.out
	box.account(d.self, &p)
	box.ledger(d.self).deliver(Count{1, uint64(p.size)})
	return true
}

// open reports whether the peer's queue has room.
func (d *direct) open() bool {
	if d.self.out.dead {
		return false
	}
	if d.mayAppend() {
		return true
	}
	q := &d.twin.core.in
	q.mu.Lock()
	defer q.mu.Unlock()
	if d.twin.in.full.Load() {
		d.self.filled()
	}
	return d.pushBatch() && !d.twin.in.full.Load()
}

// queued is the number of messages in the peer's queue.
func (d *direct) queued() uint64 {
	q := &d.twin.core.in
	q.mu.Lock()
	defer q.mu.Unlock()
	d.pushBatch()
	if q.recv.TryLock() {
		q.enterTaken()
		q.recv.Unlock()
	}
	return d.twin.in.counts.unread.Messages
}

// policyChanged sees to it that DropOldest and Conflate find all that is unread. What is in the receiver's prefetch
// buffer just now is past that.
func (d *direct) policyChanged() {
	if !d.self.out.overflow.dropsOldest() {
		return
	}
	q := &d.twin.core.in
	q.mu.Lock()
	defer q.mu.Unlock()
	d.pushBatch()
	d.batch.limit = mark{}
	d.twin.in.noPrefetch = true
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

// resume tells the sender that its peer's queue has room again; self is the receiver.
func (d *direct) resume() {
	box := &d.twin.core.out
	box.mu.Lock()
	defer box.mu.Unlock()
	if !box.closed {
		d.twin.hasOpened()
	}
}

// run lets the other side tell this one of subscriptions, and waits for the end.
func (d *direct) run() error {
	close(d.joined)
	select {
	case <-d.self.conn.(transport.Direct).Done():
		return errPeerClosed
	case <-d.self.gone:
		return d.self.cause()
	}
}

// peerEnd tells that either side has ended the connection.
func (d *direct) peerEnd() error {
	select {
	case <-d.self.conn.(transport.Direct).Done():
		return errPeerClosed
	default:
		return nil
	}
}

// mayBeUnread is false: what counts as delivered is in the peer's queue.
func (d *direct) mayBeUnread() bool { return false }

// pull has the other side put into the queue what it keeps.
func (d *direct) pull() {
	other := d.other
	if !other.batch.nonEmpty.Load() {
		return
	}
	box := &d.twin.core.out
	box.mu.Lock()
	defer box.mu.Unlock()
	other.flush()
}

// startWriting has nothing to do: a message that was taken is in the peer's queue, or in a batch that gets there in time.
func (d *direct) startWriting(bool) (byCaller bool) { return false }
