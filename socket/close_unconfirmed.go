package socket

import (
	"context"
	"errors"
	"time"
)

// unconfirmed is what was written to peers that may not have read it.
type unconfirmed struct {
	peers int
	sent  Count
}

// halfCloseAll ends the ways out and lets the peers close first: to close at once, with bytes of theirs unread, or
// before they have stopped writing, would make the kernels throw away what they have not read yet. wait decides for
// how long, and which peers need not close. A peer that was sent no message has none to lose; to read on from it
// would take what it could still give to somebody else.
func (c *core) halfCloseAll(links []*link, wait func(peers []*link) (late []*link)) (left unconfirmed) {
	var peers []*link
	for _, l := range links {
		c.out.mu.Lock()
		ending := l.out.ending
		quiet := !l.out.silent() && l.out.counts.queued.Messages == 0
		c.out.mu.Unlock()
		switch {
		case !quiet && !ending:
		case l.unconfirmed().Messages == 0 && l.in.stream == nil: // the last ACK is not to be lost
			l.dismiss(ErrDisconnected)
		case ending || l.closeWrite(ErrDisconnected): // it wakes a reader that waits for room, to see the peer close
			peers = append(peers, l)
		}
	}
	if len(peers) == 0 {
		return left
	}
	for _, l := range wait(peers) {
		if n := l.unconfirmed(); n.Messages > 0 { // of a reliable link the last ACK may be lost, and nothing else
			left.peers++
			left.sent = left.sent.plus(n)
		}
	}
	return left
}

// noteLost notes what a connection that breaks while Shutdown waits for the queues had been sent and may not have
// read; later halfCloseAll sees to it. It is called before what is queued for the link goes elsewhere.
func (c *core) noteLost(l *link, cause error) {
	if l.out.session != nil {
		return // it keeps what is not acknowledged
	}
	sent := l.unconfirmed()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.draining, c.closing, sent.Messages == 0:
		return
	case readToEnd(cause):
		return
	}
	c.lostUnconfirmed.peers++
	c.lostUnconfirmed.sent = c.lostUnconfirmed.sent.plus(sent)
}

// unconfirmed is what was delivered to the peer, which it may not have read yet.
func (l *link) unconfirmed() Count {
	if !l.carrier.mayBeUnread() {
		return Count{}
	}
	l.core.out.mu.Lock()
	defer l.core.out.mu.Unlock()
	if l.out.session != nil {
		return l.out.counts.unacked
	}
	return l.out.counts.delivered
}

// endDue reports whether the way out was ended for a peer that may not have read everything.
func (l *link) endDue() bool {
	l.core.out.mu.Lock()
	defer l.core.out.mu.Unlock()
	return l.out.ending
}

// waitBriefly waits for peers to close for as long as Close can.
func (c *core) waitBriefly(peers []*link) (late []*link) {
	t := time.NewTimer(halfCloseTimeout)
	defer t.Stop()
	c.waitNoLinks(peers, t.C)
	return nil
}

// untilRead waits for peers to close until ctx ends; see Shutdown. It returns those that may not have read
// everything.
func (c *core) untilRead(ctx context.Context) func(peers []*link) (late []*link) {
	return func(peers []*link) (late []*link) {
		for _, l := range peers {
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
// Over ipc a peer that is no Yodel must have read it: a libzmq that is behind throws away what it has not read once the
// other end is closed, by the end of its process at the latest. It reports whether it came to that.
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
			return readToEnd(l.cause())
		case <-ctx.Done():
			return false
		case <-c.closeCalled:
			return false
		case <-tick:
			state, known := l.inspect()
			switch {
			case !known:
				if c.now()-since >= halfCloseTimeout {
					return false
				}
			case state.Reset:
				return false
			case state.Acknowledged && (l.peer.yodel || state.Waiting == 0):
				return true
			case least < 0 || state.Unacknowledged+state.Waiting < least:
				least, since = state.Unacknowledged+state.Waiting, c.now()
			case c.now()-since >= takesNothing:
				return false
			}
		}
	}
}

// readToEnd reports whether a peer had read to the end, as far as can be known, when its link ended: it has closed, as
// it was told to or, just before that, by itself. By a reset it says that it has not.
func readToEnd(cause error) bool {
	return errors.Is(cause, ErrDisconnected) || errors.Is(cause, errPeerClosed)
}

// waitNoLinks waits until every link has ended or until the deadline.
func (c *core) waitNoLinks(links []*link, deadline <-chan time.Time) {
	for _, l := range links {
		select {
		case <-l.gone:
		case <-deadline:
			return
		}
	}
}
