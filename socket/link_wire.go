package socket

import (
	"net"

	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A wire carries a link's messages over a connection, as bytes: link_write.go is the way out, link_read.go the way in,
// link_heartbeat.go looks after the peer.
type wire struct{ link *link }

// newWireLink makes a link of a connection over which two peers have shaken hands.
func newWireLink(c *core, ep *endpointState, conn net.Conn, sess *zmtp.Session, peer *Peer) *link {
	l := newLink(c, ep, conn)
	l.carrier = &wire{l}
	l.version = sess.Version
	l.try, _ = conn.(transport.TryWriter)
	l.canceler, _ = conn.(transport.ReadCanceler)
	l.in.resume = make(chan struct{}, 1)
	l.life.pingable = sess.Version.HasCommands()
	l.reading.reader = l.newReader(sess)
	if sess.Sealer != nil {
		l.flight.seal = &seal{sealer: sess.Sealer}
	}
	l.describe(peer)
	return l
}

func (w *wire) agree() error   { return nil }
func (w *wire) run() error     { return w.link.read() }
func (w *wire) leave()         {}
func (w *wire) peerEnd() error { return w.link.farEnd() }

func (w *wire) flush()         {} // what is queued is being written
func (w *wire) policyChanged() {} // the next message that finds no room meets it

// mayBeUnread reports whether the peer was sent messages, counted or just being written: the kernels have them.
func (w *wire) mayBeUnread() bool {
	l := w.link
	l.core.out.mu.Lock()
	defer l.core.out.mu.Unlock()
	return l.out.counts.delivered.Messages > 0 || l.out.writing
}

func (w *wire) pull() {}

// resume tells the reader that there is room again.
func (w *wire) resume() {
	select {
	case w.link.in.resume <- struct{}{}:
	default:
	}
}

// subscribeAll has the peer sent all subscriptions as fast as it reads.
func (w *wire) subscribeAll(s *subscriptions) {
	s.changes.Lock()
	defer s.changes.Unlock()
	l := w.link
	s.links[l] = struct{}{}
	s.core.out.mu.Lock()
	defer s.core.out.mu.Unlock()
	l.out.commands = s.log.reader()
	if s.core.keptBy(l.peer) {
		l.out.listing = new(listing)
	}
	if len(s.wants) > 0 || l.out.listing != nil {
		l.sendSubscriptions()
	}
}

// subscribe has the peer sent what is in the log of changes.
func (w *wire) subscribe(bool, string) {
	w.link.core.out.mu.Lock()
	defer w.link.core.out.mu.Unlock()
	w.link.sendSubscriptions()
}

func (w *wire) offer(m outgoing) bool { return w.take(&m) }

func (w *wire) take(m *outgoing) bool {
	l := w.link
	o := &l.out
	if o.full || o.dead {
		return false
	}
	replaces := o.overflow.replaces()
	if replaces {
		l.dropOpen()
	}
	if m.wire != nil {
		o.open.addEncoded(m.wire, m.size)
	} else {
		o.open.add(m.frames, m.size)
	}
	if len(m.frames) > 1 {
		o.open.further += uint64(len(m.frames)) - 1
	}
	if m.pinned {
		o.open.pin()
	}
	if m.tried != nil {
		o.attempts.add(int(o.counts.queued.Messages), 1, *m.tried)
	}
	if m.backlogged {
		o.box.account(l, m)
	} else { // inlined
		o.box.ledger(l).accept(Count{1, uint64(m.size)})
	}
	if !replaces && o.limit.reached(o.load()) {
		l.reachedMark()
	}
	return true
}

// appendFast puts a message into the batch that a writer comes back for.
func (w *wire) appendFast(m Msg, size int) bool {
	l := w.link
	o := &l.out
	if !o.writing || o.full || o.dead || len(m.Frames) != 1 || !o.open.addFast(m.Frames[0]) {
		return false
	}
	l.out.box.ledger(l).accept(Count{1, uint64(size)})
	if o.limit.reached(o.load()) {
		l.reachedMark()
	}
	return true
}

// appendEncoded is appendFast for a message that several links share and that was encoded before.
func (w *wire) appendEncoded(m *outgoing) bool {
	l := w.link
	o := &l.out
	if !o.writing || o.full || o.dead || len(m.frames) != 1 || o.overflow.replaces() ||
		!o.open.addEncodedFast(m.wire, m.size) {
		return false
	}
	o.box.ledger(l).accept(Count{1, uint64(m.size)})
	if o.limit.reached(o.load()) {
		l.reachedMark()
	}
	return true
}

// reachedMark closes the queue, which is at its high-water mark.
func (l *link) reachedMark() {
	l.out.full = true
	l.filled()
}

func (w *wire) open() bool { return w.link.open() }

func (w *wire) makeRoom() bool {
	o := &w.link.out
	if o.dead || o.open.count.Messages == 0 {
		return false
	}
	o.attempts.remove(int(o.counts.queued.Messages-o.open.count.Messages), 1)
	w.link.dropped(QueueFull, o.open.dropOldest())
	o.full = false
	return true
}

func (w *wire) queued() uint64 {
	c := &w.link.out.counts
	return c.queued.Messages + c.unacked.Messages
}

// undo takes apart what is in flight and what waits behind it.
func (w *wire) undo() (delivered Count, unsent []Msg, begun bool) {
	l := w.link
	delivered, unsent, begun = l.flight.undo(nil)
	_, waiting, _ := l.out.open.undo(0, nil)
	l.out.control = nil
	return delivered, append(unsent, waiting...), begun
}

// dropOpen drops what has not begun to leave, for Conflate.
func (l *link) dropOpen() {
	n := l.out.open.count
	l.out.attempts.remove(int(l.out.counts.queued.Messages-n.Messages), int(n.Messages))
	l.out.open.discard()
	l.dropped(QueueFull, n)
}
