package socket

import "context"

// route sends to one given link, which to looks up under the lock at each attempt. The error is ErrPeerLost if there is
// no such link. instead takes the place of the policy Block.
func (o *outbox) route(ctx context.Context, wait bool, to func() *link, m Msg, instead Overflow) error {
	out := outgoing{frames: m.Frames, size: m.Size(), pinned: o.keeps}
	o.mu.Lock()
	for !o.shut {
		named := to()
		l := o.follow(named)
		s := situation{way: routed}
		switch {
		case l == nil && named != nil && o.awaited(named):
			if o.hold(named, &out) {
				o.mu.Unlock()
				return nil
			}
			s.policy, s.begun = named.out.overflow, true // what waits already stays
		case l != nil && l.out.draining: // this side is done with it
			s.peer, l = nobody, nil
		case l != nil && l.out.dead && o.awaited(l): // it is about to be lost, and then the message can wait for the next
			s.policy, s.begun, l = instead, true, nil
		case l == nil || !l.out.joined:
			s.peer, l = nobody, nil
		default:
			if o.takeRouted(l, &out) {
				byCaller := l.start(true)
				o.mu.Unlock()
				if byCaller {
					l.writeNow()
				}
				return nil
			}
			s.policy = l.out.overflow
		}
		if s.policy == Block {
			s.policy = instead
		}
		v := o.overflow(s, l, &out)
		if v.do != waitForRoom || !wait {
			o.mu.Unlock()
			if v.do == dropNewAndPeer && l != nil {
				l.fail(ErrSlow)
			}
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

// takeRouted gives a message to the link it is for, if that takes it. The caller starts the link.
func (o *outbox) takeRouted(l *link, m *outgoing) bool {
	if o.env.cfg.leastOutstanding {
		return l.offerCounted(m)
	}
	return l.offer(m)
}

// give sends a message of the socket's own making to one link, if it has room.
func (o *outbox) give(l *link, m Msg) {
	out := outgoing{frames: m.Frames, size: m.Size(), shared: true}
	if ok, _ := o.put(l, &out, false); !ok {
		o.overflow(situation{way: given, policy: l.out.overflow}, l, &out)
	}
}

// drop counts a message that is accepted and dropped at once.
func (o *outbox) drop(why Reason, size int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.miss(nil, why, size)
}
