package socket

import (
	"time"

	"github.com/yodel-mq/yodel/socket/internal/reliable"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// What a reliable link writes next. Messages of which NEXT has something to say are loaded by themselves, and that is
// where it is said: a number is a position on the link, so that none is given to a message that may still be taken
// back, or find others put ahead of it. (Those from a store have numbers of their own, and stay where they were put.)

// load hands the link's flight what is to be written next: what was sent before, then what waits, as far as the window
// allows.
func (s *session) load(l *link) {
	o := &l.out
	switch {
	case s.link != l: // it has not joined
		l.flight.load(&o.control, nil)
	case len(s.again) > 0:
		s.resend(l)
	case s.full() || o.open.empty():
		l.flight.load(&o.control, nil)
	default:
		s.ackAlong(l)
		s.loadOpen(l)
	}
}

// resends reports whether the link has to write what was sent over an earlier one.
func (l *link) resends() bool { return l.out.session != nil && l.out.session.resends(l) }

// resend hands the link's flight the next of the messages that were sent before.
func (s *session) resend(l *link) {
	r := &s.again[0]
	s.resending, s.flying = true, r.next
	b := r.batch
	if r.next.Redelivered || r.next.Attempts > 0 {
		b = s.empty()
		r.next.Number += s.repeat(b, r.batch, r.next, time.Time{}, repeatMost)
	} else {
		s.place(l, r.next)
	}
	if b == r.batch || r.empty() {
		s.again = s.again[1:]
	}
	l.flight.load(&l.out.control, b)
	s.recycled(b)
}

// loadOpen hands the link's flight messages that wait.
func (s *session) loadOpen(l *link) {
	o := &l.out
	if len(o.attempts) > 0 {
		s.loadTried(l)
		return
	}
	s.placeFirst(l)
	if o.stored != nil {
		o.stored.leave()
	}
	o.further = o.open.further
	l.flight.load(&o.control, &o.open)
	if s.feeder == nil {
		l.flight.batch.handOver(&o.open)
	}
}

// loadTried is loadOpen where some of the messages have been sent before: if the first have, they go, and otherwise
// those ahead of them.
func (s *session) loadTried(l *link) {
	o, b := &l.out, s.empty()
	if a := o.attempts[0]; a.ahead > 0 {
		s.placeFirst(l)
		b.move(&o.open, min(uint64(a.ahead), o.open.count.Messages), nil)
	} else {
		s.fresh = false
		s.repeat(b, &o.open, a.next(), a.expires, min(uint64(a.count), repeatMost))
	}
	o.further = b.further
	l.flight.load(&o.control, b)
	s.recycled(b)
}

// placeFirst places the messages that the flight is about to take if no message that is new on the link has been: what
// was sent again ahead of them had numbers of its own.
func (s *session) placeFirst(l *link) {
	if s.fresh {
		s.fresh = false
		s.place(l, reliable.Next{})
	}
}

// repeatMost is how many messages with a NEXT each are written at once.
const repeatMost = 512

// repeat moves up to n messages to a batch that is loaded next, with NEXT ahead of each: of the first, and of those
// behind it, which have the numbers behind its own. They expire at a time, unless that is zero. It returns how many it
// has moved.
func (s *session) repeat(to, from *batch, next reliable.Next, expires time.Time, n uint64) (moved uint64) {
	n = min(n, from.count.Messages)
	var ttl time.Duration
	if !expires.IsZero() {
		ttl = max(1, untilNow(expires)) // it is written now
	}
	to.move(from, n, func() {
		placed, _ := s.sender.Place(moved, next)
		to.announce(zmtp.Next{
			Number: placed.Number, Attempts: placed.Attempts, Redelivered: placed.Redelivered, TTL: ttl,
		})
		if moved++; next.Number > 0 {
			next.Number++
		}
	})
	return moved
}

// place says what has to be said ahead of the messages that the flight is about to take; as a rule nothing.
func (s *session) place(l *link, next reliable.Next) {
	next, needed := s.sender.Place(0, next)
	if needed {
		said := zmtp.Next{Number: next.Number, Attempts: next.Attempts, Redelivered: next.Redelivered}
		l.out.control = zmtp.AppendNext(l.out.control, said)
	}
}
