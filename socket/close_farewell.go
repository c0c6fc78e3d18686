package socket

import (
	"context"
	"errors"
	"io"
	"time"
)

// unread is what was written to peers that may not have read it.
type unread struct {
	peers int
	sent  Count
}

// sayFarewell ends the ways out and lets the peers close first: to close at once, with bytes of theirs unread, or
// before they have stopped writing, would make the kernels throw away what they have not read yet. wait decides for
// how long, and which peers need not close. A peer that was sent no message has none to lose; to read on from it
// would take what it could still give to somebody else.
func (c *core) sayFarewell(links []*link, wait func(owed []*link) (late []*link)) (left unread) {
	var owed []*link
	for _, l := range links {
		c.out.mu.Lock()
		ending := l.out.ending
		quiet := !l.out.dead && l.out.counts.queued.Messages == 0
		c.out.mu.Unlock()
		switch {
		case !quiet && !ending:
		case l.unconfirmed().Messages == 0:
			l.dismiss(ErrDisconnected)
		case ending || l.closeWrite(ErrDisconnected): // it wakes a reader that waits for room, to see the peer's farewell
			owed = append(owed, l)
		}
	}
	if len(owed) == 0 {
		return left
	}
	for _, l := range wait(owed) {
		left.peers++
		left.sent = left.sent.plus(l.unconfirmed())
	}
	return left
}

// lost notes what a connection owed that breaks while Shutdown waits for the queues; later sayFarewell sees to it. It
// is called before what is queued for the link goes elsewhere. A peer that closed knows what it has not read.
func (c *core) lost(l *link, cause error) {
	owed := l.unconfirmed()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.draining, c.closing, owed.Messages == 0:
		return
	case errors.Is(cause, ErrDisconnected), errors.Is(cause, io.EOF):
		return
	}
	c.broken.peers++
	c.broken.sent = c.broken.sent.plus(owed)
}

// unconfirmed is what was delivered to the peer, which it may not have read yet.
func (l *link) unconfirmed() Count {
	if !l.carrier.mayBeUnread() {
		return Count{}
	}
	l.core.out.mu.Lock()
	defer l.core.out.mu.Unlock()
	return l.out.counts.delivered
}

// endDue reports whether the way out was ended for a peer that may not have read everything.
func (l *link) endDue() bool {
	l.core.out.mu.Lock()
	defer l.core.out.mu.Unlock()
	return l.out.ending
}

// forMoment waits for peers to close as long as Close can.
func (c *core) forMoment(owed []*link) (late []*link) {
	t := time.NewTimer(farewell)
	defer t.Stop()
	c.waitNoLinks(owed, t.C)
	return nil
}

// untilRead waits for peers to close until ctx ends; see Shutdown. It returns those that may not have read everything.
func (c *core) untilRead(ctx context.Context) func(owed []*link) (late []*link) {
	return func(owed []*link) (late []*link) {
		for _, l := range owed {
			if !c.waitRead(ctx, l) {
				late = append(late, l)
			}
		}
		return late
	}
}

// How long a Shutdown without a deadline waits for a peer's host that takes nothing, and how often it asks.
const (
	takesNothing = 30 * time.Second
	takenEvery   = 10 * time.Millisecond
)

// waitRead waits until the peer has read to the end and closed or, without a deadline, until its host has everything.
// It reports whether it came to that.
func (c *core) waitRead(ctx context.Context, l *link) bool {
	var tick <-chan time.Time
	if _, limited := ctx.Deadline(); !limited {
		t := time.NewTicker(takenEvery)
		defer t.Stop()
		tick = t.C
	}
	least, since := -1, c.now()
	for {
		select {
		case <-l.gone:
			return errors.Is(l.cause(), ErrDisconnected) // by a reset it says that it has not read to the end
		case <-ctx.Done():
			return false
		case <-c.hurried:
			return false
		case <-tick:
			state, known := l.inspect()
			switch {
			case !known:
				if c.now()-since >= farewell {
					return false
				}
			case state.Reset:
				return false
			case state.Acknowledged:
				return true
			case least < 0 || state.Unacknowledged < least:
				least, since = state.Unacknowledged, c.now()
			case c.now()-since >= takesNothing:
				return false
			}
		}
	}
}
