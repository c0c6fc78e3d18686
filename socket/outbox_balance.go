package socket

import (
	"context"
	"slices"
)

// balance sends to one of the links, round robin over those with room (RFC 30; libzmq lb.cpp). Without any room it
// waits, or does what the overflow policy says.
func (o *outbox) balance(ctx context.Context, wait bool, m Msg) error {
	size := m.Size()
	o.mu.Lock()
	if o.lone != nil && !o.shut && o.lone.another(m, size) {
		o.mu.Unlock()
		return nil
	}
	p := parcel{frames: m.Frames, size: size}
	if !o.shut {
		if l := o.place(&p); l != nil { // nearly always
			o.accept(p.size)
			alone := l.start(true)
			o.mu.Unlock()
			if alone {
				l.writeNow()
			}
			return nil
		}
	}
	o.mu.Unlock()
	return o.balanceLater(ctx, wait && o.core.cfg.overflow != Reject, m)
}

// balanceLater sends a message for which there was no room just now.
func (o *outbox) balanceLater(ctx context.Context, wait bool, m Msg) error {
	p := parcel{frames: m.Frames, size: m.Size()}
	return o.send(ctx, wait, func() (*link, error) {
		if l := o.place(&p); l != nil {
			o.accept(p.size)
			if l.start(true) {
				return l, nil
			}
			return nil, nil
		}
		if o.hasLive() {
			return nil, o.overflow(m, ErrWouldBlock)
		}
		if o.connect > 0 && !o.core.cfg.immediate && (!o.core.cfg.sendMark.reached(o.load()) || o.core.cfg.overflow == Conflate) {
			o.wait(m)
			return nil, nil
		}
		return nil, o.overflow(m, ErrNoPeers)
	})
}

// place offers the parcel to each link in turn.
func (o *outbox) place(p *parcel) *link {
	if o.core.cfg.leastOutstanding {
		return o.placeLeast(p)
	}
	for range o.links {
		if o.next >= len(o.links) {
			o.next = 0
		}
		l := o.links[o.next]
		o.next++
		if o.assigned != nil && l.open() {
			o.assigned(l, Msg{Frames: p.frames}) // first: over inproc the reply may be back before offer returns
		}
		if l.offer(p) {
			return l
		}
	}
	return nil
}

// placeLeast offers the parcel to the open link with the fewest outstanding messages.
func (o *outbox) placeLeast(p *parcel) *link {
	var best *link
	var least uint64
	for i := range o.links {
		l := o.links[(o.next+i)%len(o.links)]
		if n := l.outstanding(); l.open() && (best == nil || n < least) {
			best, least = l, n
		}
	}
	if best == nil {
		return nil
	}
	best.unanswered.Add(1) // first: over inproc the reply may be back before offer returns
	if !best.offer(p) {
		best.answered(1)
		return nil
	}
	o.next = (slices.Index(o.links, best) + 1) % len(o.links)
	return best
}

// outstanding is what the link has to do still: what a Dealer's peer has not answered, what a Push has queued.
func (l *link) outstanding() uint64 {
	if !l.core.in.receives {
		if l.direct != nil {
			return l.direct.unread()
		}
		return l.out.queued.Messages
	}
	return l.unanswered.Load()
}

// answered takes n messages, that were answered or dropped, off what the peer owes. Who sends more than it was asked
// for earns nothing by it.
func (l *link) answered(n uint64) {
	for {
		owed := l.unanswered.Load()
		if l.unanswered.CompareAndSwap(owed, owed-min(owed, n)) {
			return
		}
	}
}

func (o *outbox) hasLive() bool {
	for _, l := range o.links {
		if !l.out.dead {
			return true
		}
	}
	return false
}

// wait queues a message for the first peer that appears.
func (o *outbox) wait(m Msg) {
	m.From = nil
	if o.core.cfg.overflow == Conflate {
		o.dropWaiting(o.pending.n, QueueFull)
	}
	o.pending.push(m)
	o.waits.add(m.Size())
	o.further += m.further()
	o.accept(m.Size())
	o.tell(nil, m)
}

func (o *outbox) tell(l *link, m Msg) {
	if o.assigned != nil {
		o.assigned(l, m)
	}
}

// overflow does what the policy says with a message for which there is no room, for the given reason.
func (o *outbox) overflow(m Msg, full error) error {
	size := m.Size()
	switch o.core.cfg.overflow {
	case DropNewest:
		o.counts.accepted.add(size)
		o.counts.dropped.add(QueueFull, Count{1, uint64(size)})
		return nil
	case DropOldest:
		if l := o.makeRoom(); l != nil {
			p := parcel{frames: m.Frames, size: size}
			l.unanswered.Add(1)
			if l.offer(&p) {
				o.accept(size)
				return nil
			}
			l.answered(1) // over inproc the peer may end in between
		}
		if o.pending.n > 0 {
			o.dropWaiting(1, QueueFull)
			o.wait(m)
			return nil
		}
		if o.hasLive() { // all there is has begun to leave
			o.counts.accepted.add(size)
			o.counts.dropped.add(QueueFull, Count{1, uint64(size)})
			return nil
		}
	default:
	}
	return full
}

// makeRoom drops the oldest message of the next link in turn that has one to drop.
func (o *outbox) makeRoom() *link {
	for i := range o.links {
		l := o.links[(o.next+i)%len(o.links)]
		if l.makeRoom() {
			o.next = (o.next + i + 1) % len(o.links)
			return l
		}
	}
	return nil
}

// dropWaiting drops the n oldest messages in pending.
func (o *outbox) dropWaiting(n int, why Reason) {
	for range n {
		m := o.pending.pop()
		o.begun.take(1)
		c := Count{1, uint64(m.Size())}
		o.waits = o.waits.minus(c)
		o.further -= m.further()
		o.counts.queued = o.counts.queued.minus(c)
		o.counts.dropped.add(why, c)
	}
}

// flushPending hands the messages that wait to the links, in order, as far as there is room.
func (o *outbox) flushPending() {
	for o.pending.n > 0 {
		m := *o.pending.first()
		p := parcel{frames: m.Frames, size: m.Size(), begun: o.begun.first()}
		l := o.place(&p)
		if l == nil {
			return
		}
		o.pending.pop()
		o.begun.take(1)
		o.waits.sub(p.size)
		o.further -= m.further()
		l.start(false)
	}
	o.drained()
}

// requeue sends a message once more, whatever the high-water mark, to the next peer there is.
func (o *outbox) requeue(m Msg) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.wait(m)
		o.flushPending()
	}
}

// abandon drops what waits for a peer, for a caller that wants it no more.
func (o *outbox) abandon() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dropWaiting(o.pending.n, GivenUp)
	o.drained()
}
