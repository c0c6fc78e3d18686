package socket

import (
	"time"

	"github.com/yodel-mq/yodel/transport"
)

// What a link has read goes to the inbox, as far as there is room. While there is none the link is not read: the peer
// feels that as backpressure.

// queueAll is the intake of the roles that receive: everything goes to the inbox, as fast as there is room. What was
// read is kept whatever becomes of the link meanwhile.
func (l *link) queueAll(msgs [][][]byte) error {
	var ended error // that a receiver met behind these messages
	for parked := false; ; parked = !parked {
		n := l.core.in.put(l, msgs)
		if l.reading.superseded {
			return ErrSuperseded
		}
		if msgs = msgs[n:]; len(msgs) == 0 {
			return ended
		}
		l.answer() // not only once there is room
		var err error
		switch {
		case l.throttled(): // some that went before were of no use
			err = l.sitOut()
		case !parked:
			msgs, ended = l.park(msgs)
		default:
			err = l.pause()
		}
		if err != nil {
			l.core.in.putAll(l, msgs)
			return err
		}
	}
}

// lookEvery is how often a reader that waits for room looks whether the peer has ended, which it cannot read yet, and
// how long it has been waiting.
const lookEvery = 500 * time.Millisecond

// pause waits until the application has made room.
func (l *link) pause() error { return l.stopReading(l.in.resume, nil) }

// stopReading waits until there is room, by way of resume, or until a time is over. Being behind is not being dead:
// meanwhile the peer gets keepalives, often enough for the PINGs it was heard to send.
func (l *link) stopReading(resume <-chan struct{}, over <-chan time.Time) error {
	l.life.behind.Store(true)
	l.life.paused.Store(true)
	defer func() {
		l.life.read.Store(int64(l.core.now()))
		l.life.paused.Store(false)
	}()
	l.keepAlive()
	l.nameCongestion()
	tick := time.NewTimer(l.nextLook())
	defer tick.Stop()
	for {
		if l.over() && !l.readOnly.Load() {
			l.core.makeReadOnly(l)
		}
		select {
		case <-resume:
			if l.hasRoom() {
				return nil
			}
		case <-over:
			return nil
		case <-l.gone:
			return l.cause()
		case <-tick.C:
			if end := l.farEnd(); end != nil {
				l.endOut(end)
				continue
			}
			l.keepAlive()
			l.nameCongestion()
			tick.Reset(l.nextLook())
		}
	}
}

// nextLook is the time until a reader that does not read looks after the peer again.
func (l *link) nextLook() time.Duration {
	next := never
	if every := l.keepaliveInterval(); every > 0 {
		next = max(l.keepaliveDue(every, l.core.now()), every/4) // not at once: a peer that takes nothing has got no sign
	}
	if _, known := l.conn.(transport.Inspector); known || l.core.in.answers {
		next = min(next, lookEvery)
	}
	return next
}

// hasRoom reports whether the inbox takes more from the link.
func (l *link) hasRoom() bool { return !l.in.full.Load() || l.core.in.isClosed() }
