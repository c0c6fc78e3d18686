package socket

import (
	"context"
	"errors"
)

// Room for one given peer: for a caller that was refused by TrySendTo, and serves others meanwhile.

// WaitRoom waits until there is room in the queue for one peer of the Dealer, found in an [Event], in [Stats] or in the
// From of a message, so that TrySendTo, refused before, would be taken; a full queue opens when it is down to half. It
// keeps no place: another caller may be faster. The error matches ErrPeerLost if that peer is not connected, or not any
// more, and ErrWouldBlock beside the context's own if ctx ends first.
func (s *Dealer) WaitRoom(ctx context.Context, p *Peer) error { return s.waitRoom(ctx, p) }

// WaitRoom waits until there is room in the queue for one peer of the Router, found in an [Event], in [Stats] or in the
// From of a message, so that TrySendTo or TrySend, refused before, would be taken; a full queue opens when it is down
// to half. It keeps no place: another caller may be faster. So one loop serves many peers, and what one of them has no
// room for waits for that one alone. The error matches ErrPeerLost if the peer is not connected, or not any more, and
// ErrWouldBlock beside the context's own if ctx ends first.
func (s *Router) WaitRoom(ctx context.Context, p *Peer) error { return s.waitRoom(ctx, p) }

func (c *core) waitRoom(ctx context.Context, p *Peer) error {
	const op = "wait for room at"
	if c.out.spooled != nil {
		return opError(op, errSpooledRoute)
	}
	err := c.out.waitRoom(ctx, c.linkTo(p))
	if errors.Is(err, ErrPeerLost) {
		return &PeerError{Op: op, Peer: p, Err: ErrPeerLost}
	}
	return c.ended(ctx, op, err)
}

// waitRoom waits until route would put a message on the link.
func (o *outbox) waitRoom(ctx context.Context, named *link) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.shut {
		l := o.follow(named)
		switch {
		case l == nil && named != nil && o.awaited(named):
			if !o.env.cfg.sendMark.reached(named.out.session.waiting.count) {
				return nil
			}
		case l == nil || l.out.draining || !l.out.joined:
			return ErrPeerLost
		case l.out.dead && !o.awaited(l):
			return ErrPeerLost
		case !l.out.dead && l.open():
			return nil
		}
		if err := o.awaitRoom(ctx, ErrWouldBlock); err != nil {
			return err
		}
	}
	return ErrClosed
}
