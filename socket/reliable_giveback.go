package socket

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/reliable"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// Messages that a receiver gives back. NAK has one sent again after a delay: to any peer or, where it is for this one
// alone, to this one, with how often its delivery was begun, until that was as often as WithMaxAttempts allows. TERM
// has it dropped. Where messages come from a store, that decides instead: it keeps the delay and counts the attempts,
// and makes a dead letter of what nobody wants.

// A reply is what a receiver has said of messages: an ACK, or a NAK or TERM of one.
type reply struct {
	ack    *reliable.Ack // nil for the others
	at     uint64        // the position of the one
	delay  time.Duration
	term   bool
	reason string
}

// gaveBack takes a NAK or TERM.
func (l *link) gaveBack(name string, data []byte) (err error) {
	var r reply
	if name == zmtp.CommandNak {
		r.at, r.delay, err = zmtp.ParseNak(data)
	} else {
		r.term = true
		r.at, r.reason, err = zmtp.ParseTerm(data)
	}
	if err != nil {
		return err
	}
	l.reading.useless += useless(1, len(data)) // each costs more than an ACK of many
	box := l.out.box
	box.mu.Lock()
	defer box.mu.Unlock()
	if l.out.session == nil {
		return nil
	}
	return l.out.session.take(l, r)
}

// take takes what the receiver says, after what it has said before. Of a message that is being written nothing can be
// given back until that is over.
func (s *session) take(l *link, r reply) error {
	if s.last != l || s.opened != l { // the next one has been opened
		return nil
	}
	if len(s.replies) > 0 {
		if len(s.replies) >= maxReplies {
			return fmt.Errorf("%w: too many messages are given back before they are sent", ErrProtocol)
		}
		if r.ack != nil {
			r.ack = &reliable.Ack{Upto: r.ack.Upto, Ranges: slices.Clone(r.ack.Ranges)}
		}
		s.replies = append(s.replies, r)
		return nil
	}
	err := s.hear(l, r)
	if errors.Is(err, reliable.ErrNotWritten) {
		s.replies = append(s.replies, r)
		return nil
	}
	return err
}

// maxReplies is how many replies may wait for a write that is under way.
const maxReplies = 64 << 10

// takeReplies takes what has waited for a write. What the receiver should not have said ends the link.
func (s *session) takeReplies(l *link) {
	for len(s.replies) > 0 {
		r := s.replies[0]
		err := s.hear(l, r)
		if errors.Is(err, reliable.ErrNotWritten) {
			return
		}
		s.replies = s.replies[1:]
		if err != nil {
			s.replies = nil
			s.box.env.writers.Go(func() { l.fail(err) })
			return
		}
	}
	s.replies = nil
}

// hear takes one reply.
func (s *session) hear(l *link, r reply) error {
	if s.feeder != nil {
		s.spooled.meet(s.receiver)
		s.feeder.meet()
		s.feeder.stateLost = false
	}
	if r.ack != nil {
		set, err := s.sender.Ack(s.on, s.underway(l), *r.ack)
		s.settled(set)
		return err
	}
	p, freed, ok, err := s.sender.GiveBack(s.on, s.underway(l), r.at)
	if err != nil || !ok {
		return err
	}
	if s.feeder != nil {
		s.returnStored(p, r)
	} else {
		s.giveBack(l, p, r)
	}
	s.settled(freed)
	if s.link == l {
		s.tellSettled(l)
		l.reopen()
	}
	s.box.drained()
	return nil
}

// errGivenBack is why a receiver that says no more has given a message back.
var errGivenBack = errors.New("the receiver has given it back")

// returnStored gives a message back to the store.
func (s *session) returnStored(p reliable.Piece[*batch], r reply) {
	s.holds.RemoveRange(p.Number, p.Number+1)
	if !s.has.Contains(p.Number) { // it is with another receiver, or done
		return
	}
	o, n := s.box, Count{1, min(p.Bytes, s.unacked.Bytes)}
	s.has.RemoveRange(p.Number, p.Number+1)
	s.unacked = s.unacked.minus(n)
	a := o.ledger(s.link)
	a.recall(n)
	if s.link != nil {
		requeue(&s.link.out.counts, &o.unassigned, n)
	}
	how := giveBack{tried: true, delay: r.delay, cause: errGivenBack, last: true}
	if r.term {
		how.terminate, how.cause = true, errors.New(r.reason)
	}
	s.feeder.restore(only(p.Number), n.Bytes, how)
}

// toldEvery is after how many messages that were given back a receiver is told what is settled, so that it does not
// remember for ever which numbers do not come again, and what it has refused.
const toldEvery = 1024

// tellSettled tells the receiver, now and then, what it need not remember.
func (s *session) tellSettled(l *link) {
	if s.feeder != nil { // which says so as messages are settled
		return
	}
	if s.returned++; s.returned < toldEvery {
		return
	}
	s.returned = 0
	low, above := s.sender.Settled(zmtp.MaxOpenedRanges)
	l.control(func(b []byte) []byte { return zmtp.AppendLow(b, low, toWire(above)...) })
	l.start(false)
}

// giveBack sends a message again, or drops it. core.out.mu is held.
func (s *session) giveBack(l *link, p reliable.Piece[*batch], r reply) {
	o, n := s.box, Count{1, p.Bytes}
	m := p.Payload.messages(p.Skip, 1)[0]
	from := m.From
	m = Msg{Frames: m.Frames}.Clone() // the batch may be given up with it
	m.From = from
	s.unacked = s.unacked.minus(n)
	a := o.ledger(s.link)
	a.recall(n)
	most := o.env.cfg.attempts()
	if r.term || most > 0 && int(p.Attempts) >= most {
		reason, why := Rejected, fmt.Errorf("%w: the receiver says %q", ErrUndeliverable, r.reason)
		if !r.term {
			reason = TooManyDeliveries
			why = fmt.Errorf("%w: %s: it was given back after %d", ErrUndeliverable, reason, p.Attempts)
		}
		a.drop(reason, n)
		e := Event{Kind: Undelivered, Endpoint: l.ep.name, Peer: l.peer, Reason: reason, Count: 1, Err: why}
		o.env.events.add(e)
		if o.abandoned != nil {
			o.abandoned(m, &PeerError{Op: "send to", Endpoint: l.ep.name, Peer: l.peer, Err: why})
		}
		return
	}
	if s.link != nil {
		requeue(&s.link.out.counts, &o.unassigned, n)
	}
	again := &returnee{msg: m, tried: tries{n: int(p.Attempts), seen: true}, to: s}
	if o.expiry != nil {
		again.tried.expires = o.expiry(m)
	}
	if o.keeps && m.From != pinned {
		again.to = nil
		o.notifyAssigned(nil, m)
	}
	if r.delay <= 0 {
		again.send(o)
		return
	}
	o.returnees.add(again, r.delay, o.sendReturnees)
}
