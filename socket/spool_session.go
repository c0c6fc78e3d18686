package socket

import (
	"errors"
	"fmt"
	"slices"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
	"github.com/yodel-mq/yodel/socket/internal/reliable"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A session whose messages come from a store differs from others in that it holds none: once a message is written its
// number is kept, and what has to be sent again goes back to the store, which hands it out first. All receivers share
// one stream, whose numbers are the store's, so that each knows a message again whoever it was sent to before.

// newStored returns the sender of a session with a store.
func (sp *spooled) newSender(cfg *config) *reliable.Sender[*batch] {
	return reliable.NewSender(reliable.SenderConfig[*batch]{
		Stream: sp.stream, Epoch: sp.epoch, Nonce: sp.nonce, Durable: true, Shared: true,
		Window: reliable.Limit{Messages: cfg.window.messages, Bytes: cfg.window.bytes},
		Grace:  cfg.grace,
		Size:   (*batch).sizeOf,
		Links:  sp.nextLink,
	})
}

// openSender begins a link of the session's stream.
func (s *session) openSender() (reliable.Link, reliable.Open, error) {
	if sp := s.spooled; sp != nil {
		return s.sender.OpenAt(sp.place())
	}
	return s.sender.Open()
}

// announceStored says what NEXT has to say ahead of a message that goes on the link behind all that is on it.
func (s *session) announceStored(l *link, m *stored) (next zmtp.Next, needed bool) {
	said := reliable.Next{Number: m.number, Attempts: uint16(min(m.attempts, 1<<16-1)), Redelivered: m.attempts > 0}
	// An earlier life may have sent it, to an earlier life of this receiver or, unless it is for one with a name of its
	// own, to another: of a durable subscription that is an earlier life of its subscriber.
	if s.feeder.mayHaveHad(m.number) {
		said.Redelivered = true
	}
	placed, needed := s.sender.Place(l.out.stored.len(), said)
	next = zmtp.Next{Number: placed.Number, Attempts: placed.Attempts, Redelivered: placed.Redelivered}
	if !m.expires.IsZero() {
		next.TTL, needed = max(1, untilNow(m.expires)), true
	}
	return next, needed
}

// keepNumbers is keep of a session with a store.
func (s *session) keepNumbers(l *link, b *batch) {
	n := b.count
	l.out.further = 0
	s.sent(l, n)
	b.recycle()
	s.settled(s.sender.Wrote(s.on, n.Messages, n.Bytes, s.written(l, n.Messages)))
	s.takeReplies(l)
	if s.full() {
		l.reachedMark()
	}
	l.reopen()
}

// written is what is kept of messages that are on the wire.
func (s *session) written(l *link, messages uint64) *batch {
	_, sizes := l.out.stored.pop(messages)
	return &batch{sizes: &sizes}
}

// acknowledgedNumbers is the settlement as the ledger has it: of the messages that the session has.
func (s *session) acknowledgedNumbers(set reliable.Settlement[*batch]) (n Count) {
	n.Messages = s.feeder.acknowledged(s, set.Numbers)
	n.Bytes = min(set.Bytes, s.unacked.Bytes)
	if n.Messages == s.unacked.Messages {
		n.Bytes = s.unacked.Bytes
	}
	return n
}

// goesOn takes what the receiver says of the stream. What has not arrived, or not to stay, goes back to the store.
func (s *session) goesOn(r reliable.Resumption[*batch], o reliable.Opened, low uint64) {
	sp := s.spooled
	if o.Known != reliable.Everything {
		s.feeder.beganAnew(sp.found)
	}
	s.feeder.claimed = ranges.Set{}
	s.settled(r.Settled)
	s.settledBelow(low, ranges.From(0, o.Held...))
	for _, p := range r.Again {
		tried := o.Known != reliable.Everything || p.Number < o.Next
		how := giveBack{tried: tried, cause: errLinkLost}
		s.backToStore(numberRange{From: p.Number, To: p.Number + p.Count}, p.Bytes, how)
	}
	s.holds = ranges.Set{}
	for _, h := range o.Held {
		s.holds.AddRange(h.From, h.To)
	}
	for _, h := range r.Held {
		if s.feeder.receiver != "" {
			break // which of them are its own shows as they are read: adoptedBy
		}
		for _, k := range parts(&sp.out, h) {
			if !k.in { // and not on the way to another, too
				s.adopt(k.numberRange)
			}
		}
	}
	_, met := sp.receivers[o.Receiver]
	if o.Known != reliable.Nothing {
		sp.meet(o.Receiver)
		s.feeder.meet()
		return
	}
	if r.StateLost || met || s.feeder.notes.met && !s.feeder.stateLost {
		s.box.env.events.add(Event{Kind: StateLost, Endpoint: s.opened.ep.name, Peer: s.opened.peer})
		s.feeder.stateLost = true
	}
	delete(sp.receivers, o.Receiver)
}

// settledBelow settles what the session has below low and the receiver does not hold: another one has acknowledged it
// meanwhile, so that this one has been told to forget it.
func (s *session) settledBelow(low uint64, held ranges.Set) {
	for _, k := range slices.Clone(s.has.Above()) {
		for _, p := range parts(&held, numberRange{From: k.From, To: min(k.To, low)}) {
			if p.in {
				continue
			}
			n := Count{Messages: s.feeder.acknowledged(s, []numberRange{p.numberRange})}
			if n.Messages == s.unacked.Messages {
				n.Bytes = s.unacked.Bytes
			}
			s.unacked = s.unacked.minus(n)
			s.box.ledger(nil).acknowledge(n)
		}
	}
	s.box.drained()
}

// maxReceivers is how many receivers a socket remembers to have met.
const maxReceivers = 4096

// meet notes that a receiver has had something. One that has said so may say later that it knows nothing any more.
func (sp *spooled) meet(id reliable.ID) {
	if _, met := sp.receivers[id]; met {
		return
	}
	if len(sp.receivers) >= maxReceivers {
		clear(sp.receivers)
	}
	if sp.receivers == nil {
		sp.receivers = make(map[reliable.ID]struct{})
	}
	sp.receivers[id] = struct{}{}
}

var errLinkLost = errors.New("the connection was lost before it was acknowledged")

// backToStore gives messages of a session without a link back that were written.
func (s *session) backToStore(r numberRange, bytes uint64, how giveBack) {
	o := s.box
	for _, k := range parts(&s.has, r) { // all of it, as a rule
		if !k.in {
			continue
		}
		n := Count{k.Len(), min(bytes, s.unacked.Bytes)}
		if k.Len() < r.Len() {
			n.Bytes = min(bytes/r.Len()*k.Len(), s.unacked.Bytes)
		}
		if n.Messages == s.unacked.Messages {
			n.Bytes = s.unacked.Bytes
		}
		s.has.RemoveRange(k.From, k.To)
		s.unacked = s.unacked.minus(n)
		o.ledger(nil).recall(n)
		s.feeder.restore(k.numberRange, n.Bytes, how)
	}
}

// adopt takes messages over that the receiver has and an earlier life has sent.
func (s *session) adopt(r numberRange) {
	sp, o := s.spooled, s.box
	for number := r.From; number < r.To; number++ {
		if sp.done.Contains(number) || s.feeder.cur.settled(number) {
			continue
		}
		sp.enter(number, Count{Messages: 1})
		sp.out.Add(number)
		s.has.Add(number)
		n := sp.spooledPart(1)
		n.Bytes = 0
		sp.unspool(n)
		o.ledger(nil).write(n)
		s.unacked = s.unacked.plus(n)
	}
}

// adoptedBy reports whether a receiver that is there has a message already, whose session then takes it over. To send
// it again would be worse than to do it twice: who has a message and has not done with it acknowledges its double.
func (f *feeder) adoptedBy(number uint64) bool {
	for _, l := range f.links {
		if s := l.out.session; s != nil && s.link == l && s.holds.Contains(number) {
			s.adopt(only(number))
			retain(&s.box.unassigned, &l.out.counts, Count{Messages: 1})
			return true
		}
	}
	return false
}

// loseNumbers is lose of a session with a store.
func (s *session) loseNumbers(l *link) {
	o := s.box
	written, _, begun := l.flight.undo(nil)
	l.out.open.discard()
	l.out.control = nil
	if written.Messages > 0 {
		s.sent(l, written)
		s.settled(s.sender.Wrote(s.on, written.Messages, written.Bytes, s.written(l, written.Messages)))
		s.takeReplies(l)
	}
	s.replies = nil // of what was not written nothing was said, and what was written is asked about anew
	s.sender.Lost(s.on, o.env.now())
	retain(&l.out.counts, &o.unassigned, s.unacked)
	s.link = nil
	s.feeder.takeBack(l, begun)
	switch {
	case o.closed:
		s.allToStore(false)
		o.drained()
	case s.left, s.leaving, o.env.cfg.connectOnce && !l.ep.bound:
		s.giveUp(!s.left)
	default:
		s.remain()
	}
}

// allToStore ends the session and gives all that was written and not acknowledged back to the store. tried says that
// the receiver may have got it.
func (s *session) allToStore(tried bool) {
	r := s.sender.Abandon(tried)
	s.settled(r.Settled)
	for _, p := range r.Again {
		how := giveBack{tried: tried, cause: errLinkLost}
		s.backToStore(numberRange{From: p.Number, To: p.Number + p.Count}, p.Bytes, how)
	}
	for _, left := range slices.Clone(s.has.Above()) { // what another receiver has acknowledged
		s.backToStore(left, 0, giveBack{tried: tried, cause: errLinkLost})
	}
	s.end()
}

// supersede ends the other sessions with the receiver that has answered: it has come back as another socket. It returns
// a link that has to be lost first; then it is to be called again.
func (sp *spooled) supersede(s *session, o *reliable.Opened) (earlier *link) {
	done := o.Done
	held := ranges.From(0, o.Held...)
	for _, other := range sp.box.sessions {
		if other == s || other.spooled != sp ||
			!sp.exclusive && (other.receiver != o.Receiver || other.receiver == (reliable.ID{})) {
			continue
		}
		if other.link != nil {
			return other.link
		}
		other.supersededBy(s, &done, &held)
	}
	return nil
}

// supersededBy ends a session for another one with the same receiver, who says what it has.
func (s *session) supersededBy(_ *session, done, held *ranges.Set) {
	for _, k := range slices.Clone(s.has.Above()) {
		for _, p := range parts(done, k) {
			n := Count{p.Len(), s.unacked.Bytes}
			if p.Len() < s.unacked.Messages {
				n.Bytes = s.unacked.Bytes / s.unacked.Messages * p.Len()
			}
			if p.in {
				s.feeder.acknowledged(s, []numberRange{p.numberRange})
				s.unacked = s.unacked.minus(n)
				s.box.ledger(nil).acknowledge(n)
				continue
			}
			for _, h := range parts(held, p.numberRange) {
				part := n.Bytes / p.Len() * h.Len()
				s.backToStore(h.numberRange, part, giveBack{tried: !h.in, cause: errLinkLost})
			}
		}
	}
	s.end()
}

// takeStored is what take does beside, of a session with a store: it finds out whose the session is, and ends an
// earlier one of the same receiver. core.out.mu is held, and given free in between.
func (o *opening) takeStored(opened *reliable.Opened) error {
	s, box, l := o.session, &o.link.core.out, o.link
	sp := s.spooled
	f := sp.feederFor(opened.Receiver)
	switch {
	case f == nil:
		return fmt.Errorf("%w: it is none of those that WithPartition names", ErrForeign)
	case s.feeder != nil && s.feeder != f:
		return fmt.Errorf("%w: it was the owner of another part", ErrProtocol)
	}
	s.feeder, s.receiver = f, opened.Receiver
	for {
		earlier := sp.supersede(s, opened)
		if earlier == nil {
			return nil
		}
		done := box.remove(earlier)
		box.mu.Unlock()
		earlier.fail(ErrSuperseded)
		select {
		case <-done:
		case <-l.core.done:
		case <-l.gone:
		}
		box.mu.Lock()
		if d := l.durable(); d != nil {
			d.had.take(l.peer.rival(), earlier.peer.rival())
		}
		if s.opened != l || box.closed {
			return ErrSuperseded
		}
	}
}

// feederFor is the feeder for a receiver; nil if there is none.
func (sp *spooled) feederFor(id reliable.ID) *feeder {
	for _, f := range sp.feeders {
		if f.receiver == "" || receiverID(f.receiver) == id {
			return f
		}
	}
	return nil
}

// tellLow tells the receiver what it need not remember.
func (s *session) tellLow(l *link) {
	f := s.feeder
	low := f.cur.low()
	due := s.sender.TellLow(low)
	if settled := f.of.done.End(); due || settled-s.toldAt >= lowEvery {
		s.toldAt = settled
		above := toWire(f.cur.above(zmtp.MaxOpenedRanges))
		l.control(func(b []byte) []byte { return zmtp.AppendLow(b, low, above...) })
		l.start(false)
	}
}

// lowEvery is after how many more messages a receiver is told what is settled even if the lowest is not: so that it
// does not remember too many gaps between its own.
const lowEvery = 16 << 10

// reassign is giveUp of a session with a store: what was written goes to another receiver.
func (s *session) reassign(reached bool) {
	o, n := s.box, s.unacked
	s.allToStore(reached)
	if n.Messages > 0 && reached {
		o.redelivered.increase(n)
		o.env.events.add(Event{Kind: Redelivered, Peer: s.peer, Count: n.Messages})
	}
	o.drained()
}
