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
	if o.soleLink != nil && !o.shut && o.soleLink.carrier.appendFast(m, size) {
		o.mu.Unlock()
		return nil
	}
	return o.balanceMore(ctx, wait, &outgoing{frames: m.Frames, size: size})
}

// balanceTried is balance of a message that was sent before, or expires.
func (o *outbox) balanceTried(ctx context.Context, m Msg, tried tries) error {
	o.mu.Lock()
	return o.balanceMore(ctx, true, &outgoing{frames: m.Frames, size: m.Size(), tried: &tried})
}

// balanceMore is balance beyond the shortest way. mu is held, and given free.
func (o *outbox) balanceMore(ctx context.Context, wait bool, out *outgoing) error {
	for !o.shut {
		if l := o.place(out); l != nil { // nearly always
			byCaller := l.start(true)
			o.mu.Unlock()
			if byCaller {
				l.writeNow()
			}
			return nil
		}
		v := o.overflow(situation{way: balanced, policy: o.env.cfg.overflow}, nil, out)
		if v.do != waitForRoom || !wait {
			o.mu.Unlock()
			return v.err
		}
		if err := o.awaitRoom(ctx, v.err); err != nil {
			o.mu.Unlock()
			return err
		}
	}
	o.mu.Unlock()
	return ErrClosed
}

// place gives the message to one of the links: the next in turn that takes it. It returns nil if none does. The caller
// starts the link.
func (o *outbox) place(m *outgoing) *link {
	if o.env.cfg.leastOutstanding {
		return o.placeLeast(m)
	}
	for range o.links {
		if o.next >= len(o.links) {
			o.next = 0
		}
		l := o.links[o.next]
		o.next++
		if o.assigned != nil && l.carrier.open() {
			o.assigned(l, Msg{Frames: m.frames}) // first: over inproc the reply may be back before offer returns
		}
		if l.offer(m) {
			return l
		}
	}
	return nil
}

// placeLeast gives the message to the open link with the fewest outstanding messages.
func (o *outbox) placeLeast(m *outgoing) *link {
	var best *link
	var least uint64
	for i := range o.links {
		l := o.links[(o.next+i)%len(o.links)]
		if n := l.outstanding(); l.carrier.open() && (best == nil || n < least) {
			best, least = l, n
		}
	}
	if best == nil || !best.offerCounted(m) {
		return nil
	}
	o.next = (slices.Index(o.links, best) + 1) % len(o.links)
	return best
}

// offerCounted is offer of a message that the peer may answer.
func (l *link) offerCounted(m *outgoing) bool {
	l.unanswered.Add(1) // first: over inproc the reply may be back before offer returns
	ok := l.offer(m)
	if !ok {
		l.answered(1)
	}
	return ok
}

// outstanding is how many messages the peer still has to deal with: where peers reply, those that it has not answered;
// where they do not, those that are queued for it here.
func (l *link) outstanding() uint64 {
	if !l.out.box.env.replies {
		return l.carrier.queued()
	}
	return l.unanswered.Load()
}

// answered takes n messages, which were answered or dropped, off those the peer has not answered. A peer that sends
// more than it was asked for gains nothing by it.
func (l *link) answered(n uint64) {
	for {
		left := l.unanswered.Load()
		if l.unanswered.CompareAndSwap(left, left-min(left, n)) {
			return
		}
	}
}

// hasLive reports whether there is a link that may take messages, now or once it has room.
func (o *outbox) hasLive() bool {
	for _, l := range o.links {
		if !l.out.dead {
			return true
		}
	}
	return false
}

// notifyAssigned tells the role, if it wants to know, which link a message goes to, or nil for the backlog.
func (o *outbox) notifyAssigned(l *link, m Msg) {
	if o.assigned != nil {
		o.assigned(l, m)
	}
}
