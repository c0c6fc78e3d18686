package socket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/yodel-mq/yodel/socket/internal/waitlist"
)

// An outbox is a socket's way out: the links that take messages, the messages that wait for a first link, and those
// who wait for room. Roles use one of its three ways: balance (one peer of many, outbox_balance.go), fanOut (every
// peer that wants it, outbox_fanout.go) and route (one given peer, below).
//
// A message is a Msg until a link takes it; a link holds encoded bytes; what a lost link had not written becomes Msg
// values again.
type outbox struct {
	outBehaviour
	core *core
	pace *pace // shared by all links; nil if each link has its own

	mu      sync.Mutex
	links   []*link
	lone    *link // the only one, if messages may take the short way (another)
	next    int
	pending queue    // not empty only while no link has room
	waits   Count    // in pending
	further uint64   // frames in pending beyond the first of each message
	begun   attempts // of those in pending
	connect int      // endpoints that are being connected to: with one, messages may wait for the first peer
	shut    bool     // takes no new messages
	closed  bool     // what is still queued is dropped
	counts  outCounts
	room    waitlist.List // for room in a link or in pending
	idle    waitlist.List // for queued to be zero

	scratch []byte
	marks   uint64
}

// A parcel is a message on its way into one or more links.
type parcel struct {
	frames [][]byte
	size   int
	wire   []byte // the encoded message, if several links share it
	shared bool   // several peers in this process would share the frames
	begun  int    // how often it was begun and not finished
}

// send runs one attempt after another, each under the lock, until one settles the matter or ctx ends. With wait false
// it makes a single attempt. attempt returns ErrWouldBlock or ErrNoPeers to wait for room; a link that it returns is
// written to after unlocking.
func (o *outbox) send(ctx context.Context, wait bool, attempt func() (*link, error)) error {
	o.mu.Lock()
	for {
		if o.shut {
			o.mu.Unlock()
			return ErrClosed
		}
		l, err := attempt()
		if err == nil && l == nil {
			o.mu.Unlock()
			return nil
		}
		if l != nil {
			o.mu.Unlock()
			l.writeNow()
			return err
		}
		if !wait || !errors.Is(err, ErrWouldBlock) || errors.Is(err, errRejected) {
			o.mu.Unlock()
			return err
		}
		w := o.room.Join()
		o.mu.Unlock()
		ended := w.Wait(ctx)
		o.mu.Lock()
		o.room.Leave(w, ended)
		if ended != nil {
			o.mu.Unlock()
			return fmt.Errorf("%w: %w", err, ended)
		}
	}
}

// route sends to one given link, looked up at each attempt; ErrPeerLost says that it is not there. instead takes the
// place of the policy Block.
func (o *outbox) route(ctx context.Context, wait bool, to func() *link, m Msg, instead Overflow) error {
	p := parcel{frames: m.Frames, size: m.Size()}
	var slow *link
	err := o.send(ctx, wait, func() (*link, error) {
		l := to()
		if l == nil || l.out.dead || !l.out.joined {
			return nil, ErrPeerLost
		}
		if !l.offer(&p) {
			policy := l.out.overflow
			if policy == Block {
				policy = instead
			}
			switch {
			case l.out.dead:
				return nil, ErrPeerLost
			case policy == DropNewest:
				l.refused(p.size)
				return nil, nil
			case policy == Disconnect:
				l.refused(p.size)
				slow = l
				return nil, nil
			case policy == Reject:
				return nil, errRejected
			case policy == DropOldest && l.makeRoom() && l.offer(&p): // over inproc the peer may end in between
			case policy == DropOldest: // all there is has begun to leave
				l.refused(p.size)
				return nil, nil
			default:
				return nil, ErrWouldBlock
			}
		}
		o.accept(p.size)
		if l.start(true) {
			return l, nil
		}
		return nil, nil
	})
	if slow != nil {
		slow.fail(ErrSlow)
	}
	return err
}

// drop counts a message that is accepted and dropped at once.
func (o *outbox) drop(why Reason, size int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.counts.accepted.add(size)
	o.counts.dropped.add(why, Count{1, uint64(size)})
}

// accept counts a message that a link or pending has taken. Over inproc the link has counted it as delivered already.
func (o *outbox) accept(size int) {
	o.counts.accepted.add(size)
	o.counts.queued.add(size)
}

// delivered moves messages of a link from queued to delivered.
func (o *outbox) delivered(l *link, n Count) {
	if len(l.out.attempts) > 0 {
		l.out.attempts.take(int(n.Messages))
	}
	l.out.queued = l.out.queued.minus(n)
	l.out.counts.delivered = l.out.counts.delivered.plus(n)
	o.counts.delivered = o.counts.delivered.plus(n)
	o.counts.queued = o.counts.queued.minus(n)
	o.drained()
}

// drained wakes those who wait for nothing to be queued.
func (o *outbox) drained() {
	if o.counts.queued.Messages == 0 {
		o.idle.WakeAll()
	}
}

// recovered takes back what a lost link had not written.
func (o *outbox) recovered(l *link, unsent []Msg) {
	var n Count
	var further uint64
	for _, m := range unsent {
		n.add(m.Size())
		further += m.further()
	}
	if !o.keeps || o.closed || o.core.cfg.connectOnce && !l.ep.bound {
		l.dropped(l.lostReason(), n)
		o.drained()
		return
	}
	l.out.queued = l.out.queued.minus(n)
	l.out.counts.requeued = l.out.counts.requeued.plus(n)
	o.waits = o.waits.plus(n)
	o.further += further
	o.pending.unshift(unsent)
	o.begun.unshift(len(unsent), l.out.attempts)
	if o.assigned != nil {
		for _, m := range unsent {
			o.assigned(nil, m)
		}
	}
	o.opened()
}

func (l *link) lostReason() Reason {
	if l.core.out.closed {
		return SocketClosed
	}
	return PeerGone
}

// opened is called when a link has room again: what is pending goes first, then those who wait.
func (o *outbox) opened() {
	o.flushPending()
	o.room.WakeAll()
}

// add lets a link take part, in both directions.
func (o *outbox) add(l *link) {
	l.core.in.admit(l)
	o.links = append(o.links, l)
	l.out.joined = true
	if o.core.cfg.connectOnce && !l.ep.bound {
		o.spend(l.ep) // for a peer to come from
	}
	o.choose()
	if o.core.cfg.probe {
		o.give(l, NewMsg(nil))
	}
	o.opened()
}

// choose finds the lone link, if there is one.
func (o *outbox) choose() {
	o.lone = nil
	if len(o.links) == 1 && o.assigned == nil && !o.core.cfg.leastOutstanding && o.core.cfg.overflow != Conflate {
		o.lone = o.links[0]
	}
}

// remove ends a link's part. The channel it returns is closed once the link's messages are accounted for.
func (o *outbox) remove(l *link) (done <-chan struct{}) {
	if l.out.removed {
		return l.out.done
	}
	for i, other := range o.links {
		if other == l {
			o.links = slices.Delete(o.links, i, i+1)
			if o.next > i {
				o.next--
			}
			break
		}
	}
	o.choose()
	l.out.dead, l.out.removed = true, true
	l.finish()
	o.room.WakeAll() // those who wait for this very link
	return l.out.done
}

// refuse ends the taking of new messages and wakes all who wait to send one.
func (o *outbox) refuse() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shut = true
	for _, l := range o.links {
		if l.direct != nil {
			l.direct.flushNow()
		}
	}
	o.room.WakeAll()
}

// waitIdle waits until nothing is queued.
func (o *outbox) waitIdle(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.counts.queued.Messages > 0 {
		w := o.idle.Join()
		o.mu.Unlock()
		err := w.Wait(ctx)
		o.mu.Lock()
		o.idle.Leave(w, err)
		if err != nil {
			return err
		}
	}
	return nil
}

// close gives up what waits for a first peer; what the links hold follows as they go.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shut, o.closed = true, true
	o.counts.queued = o.counts.queued.minus(o.waits)
	o.counts.dropped.add(SocketClosed, o.waits)
	o.pending, o.waits, o.further, o.begun = queue{}, Count{}, 0, nil
	o.links, o.lone = nil, nil // nobody is sent to any more, and thousands of links need not be looked up as they leave
	o.room.WakeAll()
	o.drained()
}

// give sends a message of the socket's own making to one link, if it has room.
func (o *outbox) give(l *link, m Msg) {
	p := parcel{frames: m.Frames, size: m.Size(), shared: true}
	switch {
	case l.offer(&p):
		o.accept(p.size)
		l.start(false)
	case l.out.dead:
		l.missed(PeerGone, p.size)
	default:
		l.refused(p.size)
	}
}
