package socket

import (
	"context"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// How a reliable link is ended by this side (Disconnect, Unbind, DisconnectPeer). What was acknowledged by then, either
// way, is nobody else's business any more, so first
//
//   - what is queued for the peer is written, and its acknowledgement waited for; nothing new is taken for it;
//   - what the application has in its queue of the peer's is received and acknowledged; what comes behind that is
//     dropped, for the peer has it still.
//
// When both is done, or gracefulTimeout is over, the peer is told by BYE that nothing follows, so that it need not wait
// for this side to come back, and the link ends as any other. The session ends with it: what the peer has not
// acknowledged goes elsewhere, or nowhere, as the role says.

// drain begins all that, and reports whether there is anything to wait for. It may be called again.
func (l *link) drain() bool {
	c := l.core
	c.out.mu.Lock()
	o := &l.out
	s := o.session
	if o.removed || !o.joined {
		c.out.mu.Unlock()
		return false
	}
	sends := s != nil && s.link == l
	if sends && !o.dead {
		o.dead, o.draining, s.leaving = true, true, true
		c.out.spaceWaiters.WakeAll() // callers may wait for this very link
	}
	c.out.mu.Unlock()
	if receives := c.in.leaveStream(l); !sends && !receives {
		return false
	}
	if l.life.drainBy.Load() == 0 {
		l.life.drainBy.Store(int64(c.now() + gracefulTimeout))
	}
	c.heartbeats.schedule(l, 0)
	return true
}

// checkDrain ends a link that has nothing more to wait for, and returns when to look again.
func (l *link) checkDrain(now time.Duration) (next time.Duration) {
	by := time.Duration(l.life.drainBy.Load())
	if by == 0 {
		return never
	}
	sent, received := l.drained()
	if now < by && (!sent || !received) {
		return by - now
	}
	l.life.drainBy.Store(0)
	l.core.heartbeats.running.Go(func() {
		l.sayLast(received)
		l.endGracefully()
	})
	return never
}

// drained reports whether the peer has acknowledged all that it was sent, and whether the application has received, or
// settled, all that was taken of the peer's.
func (l *link) drained() (sent, received bool) {
	o := &l.core.out
	o.mu.Lock()
	sent = !l.out.draining || l.out.counts.queued.Messages == 0 && l.out.counts.unacked.Messages == 0
	o.mu.Unlock()
	q := &l.core.in
	q.recv.Lock()
	defer q.recv.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	s := l.in.stream
	if s == nil || s.owner != l {
		return sent, true
	}
	if q.byNumber {
		return sent, s.receiver.Unsettled() == 0
	}
	q.enterTaken()
	h := s.holding()
	return sent, h == nil || h.in.counts.unread.Messages == 0
}

// sayLast acknowledges what was received, and says that nothing more is sent and, if so, that nothing more is received.
func (l *link) sayLast(received bool) {
	var bye zmtp.Bye
	if l.in.stream != nil {
		l.payAcks()
		if received {
			bye |= zmtp.ByeReceiving
		}
	}
	if l.out.session != nil && l.out.session.spooled == nil { // what comes from a store goes on in another life
		bye |= zmtp.ByeSending
	}
	if bye == 0 {
		return
	}
	l.sendCommand(func(b []byte) []byte { return zmtp.AppendBye(b, bye) })
	ctx, cancel := context.WithTimeout(context.Background(), byeTimeout)
	defer cancel()
	l.core.out.awaitWritten(ctx, l)
}

// leaveStream has nothing more be taken of what the peer of a link sends, and reports whether there is a stream.
func (q *inbox) leaveStream(l *link) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := l.in.stream
	if s == nil || s.owner != l {
		return false
	}
	s.leaving = true
	return true
}

// silent reports whether nothing at all is written any more.
func (o *linkOut) silent() bool { return o.dead && !o.draining }

// fallSilent has nothing be written any more.
func (o *linkOut) fallSilent() { o.dead, o.draining = true, false }
