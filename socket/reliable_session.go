package socket

import (
	"crypto/rand"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
	"github.com/yodel-mq/yodel/socket/internal/reliable"
)

// A session is what a reliable socket owes one receiver, over however many connections:
//
//	attach ── a link to the receiver has joined; what the receiver has not got is written to it first
//	  │
//	keep ──── a batch is on the wire: it is unacknowledged, and stays
//	  │
//	ack ───── the receiver's application has received the first so many messages
//	  │
//	lose ──── the link is lost (reliable_lost.go): what is unacknowledged waits for the next link to the receiver
//	  │
//	giveUp ── none has come in time: it goes to another peer or is dropped, as the role says
//
// What is acknowledged, and what to send again, internal/reliable knows; a session moves batches and keeps the ledger.
// All of it is guarded by outbox.mu.
type session struct {
	box    *outbox
	key    sessionKey
	sender *reliable.Sender[*batch]
	opened *link         // the link that was opened last, which may not have joined yet
	on     reliable.Link // which of the sender's links that is
	link   *link         // that serves it; nil while there is none
	last   *link         // that served it last: acknowledgements may come by it for a while
	peer   *Peer         // its far end
	window mark          // how much may be unacknowledged on the link
	had    rivals        // of the receivers with its name
	owner  owner         // of the name

	replies   []reply       // of the receiver, that wait for a write
	again     []resend      // to be written ahead of anything else, oldest first
	fresh     bool          // no message that is new on the link has been written
	resending bool          // the link's flight has what was the first of again
	flying    reliable.Next // what is said of those messages
	spare     []*batch      // emptied
	returned  int           // messages that were given back since the receiver was told what is settled

	unsaid int           // writes since acknowledgements of what the receiver sends went along with one
	saidAt time.Duration // when that was

	unacked Count    // of the messages that the ledger has as unacknowledged
	waiting batch    // messages for this receiver alone that were not sent
	tried   attempts // of those

	// Of a socket with a store (spool_session.go).
	spooled  *spooled    // nil of any other
	feeder   *feeder     // once the receiver has answered
	receiver reliable.ID // as it calls itself
	has      ranges.Set  // numbers on its link, or written and not acknowledged
	holds    ranges.Set  // numbers that the receiver had when the link began, and has not done with
	toldAt   uint64      // how far the store was when LOW was said last

	opening bool        // a link has been opened that has not joined yet
	left    bool        // the receiver has said that it receives nothing more
	leaving bool        // this side ends the link for good
	expiry  *time.Timer // runs while there is no link
	expired bool        // it has run out, and there is no other peer to go to
	lost    lostPlace   // among the sessions without a link; zero while there is one, or is about to be
}

// A resend is messages that were sent over a link that is lost.
type resend struct {
	*batch
	next reliable.Next // of the first; the others have the numbers behind that, and the same was tried
}

// A sessionKey tells the receivers of a socket apart. Two connections between the same two sockets, by two endpoints,
// lead to two receivers.
type sessionKey struct {
	peer endID
	at   *endpointState // ours, if it is the one that connects
}

func (l *link) sessionKey() sessionKey {
	k := sessionKey{peer: l.peer.end}
	if !l.ep.bound {
		k.at = l.ep
	}
	return k
}

// sessionFor returns the session with the receiver at the other end of a link, a new one if need be.
func (o *outbox) sessionFor(l *link) *session {
	key := l.sessionKey()
	s, sp := o.sessions[key], o.storeFor(l)
	if s != nil && s.spooled != sp && s.link == nil { // of a subscription that has ended
		s.end()
		s = nil
	}
	if s == nil {
		s = &session{box: o, key: key, spooled: sp, sender: o.newSender(sp)}
		if o.sessions == nil {
			o.sessions = make(map[sessionKey]*session)
		}
		o.sessions[key] = s
	}
	return s
}

// storeFor is where what is for the peer of a link comes from; nil if it is what Send is given.
func (o *outbox) storeFor(l *link) *spooled {
	if d := l.durable(); d != nil {
		return d.spooled
	}
	return o.spooled
}

// newSender returns the sender of a stream that was never opened.
func (o *outbox) newSender(sp *spooled) *reliable.Sender[*batch] {
	cfg := o.env.cfg
	if sp != nil {
		return sp.newSender(cfg)
	}
	return reliable.NewSender(reliable.SenderConfig[*batch]{
		Stream: newStreamID(),
		Epoch:  uint64(time.Now().UnixNano()),
		Window: reliable.Limit{Messages: cfg.window.messages, Bytes: cfg.window.bytes},
		Grace:  cfg.grace,
		Size:   (*batch).sizeOf,
	})
}

// newStreamID names a stream for good: a later session with the same receiver is another stream.
func newStreamID() (id reliable.ID) {
	rand.Read(id[:])
	return id
}

// full reports whether the window is used up.
func (s *session) full() bool { return s.window.reached(s.inFlight()) }

// hasRoom reports whether the window is free down to half.
func (s *session) hasRoom() bool { return s.window.cleared(s.inFlight()) }

func (s *session) inFlight() Count {
	messages, bytes := s.sender.Unacknowledged()
	return Count{messages, bytes}
}

// resends reports whether a link has to write what was sent over an earlier one first.
func (s *session) resends(l *link) bool { return s.link == l && len(s.again) > 0 }

// resume takes note of what the receiver has got, and of what has to be sent again. If that was about to happen over an
// earlier link already, it comes behind what that had written.
func (s *session) resume(r reliable.Resumption[*batch]) {
	s.settled(r.Settled)
	var again []resend
	for _, p := range r.Again {
		b := p.Payload
		if p.Skip > 0 || p.Count < b.count.Messages || b.told {
			b = s.empty()
			for _, m := range p.Payload.messages(p.Skip, p.Count) {
				b.append(m)
			}
		}
		next := reliable.Next{Number: p.Number, Attempts: p.Attempts, Redelivered: p.Redelivered}
		again = append(again, resend{b, next})
	}
	s.again = append(again, s.again...)
}

// mayAttach reports whether the session goes on over a link that is about to join: unless another one has been opened
// meanwhile, or has another session taken its place.
func (s *session) mayAttach(l *link) bool {
	other := s.box.sessions[s.key]
	return s.link == nil && s.opened == l && (other == s || other == nil)
}

// attach has a link that joins serve the session. It takes over what was sent and has not arrived, and then what has
// been waiting.
func (s *session) attach(l *link) {
	s.stopExpiry()
	s.box.lost.leave(s)
	s.opening = false
	s.box.sessions[s.key] = s
	s.link, s.last, s.peer = l, l, l.peer
	s.fresh = s.feeder == nil
	retain(&s.box.unassigned, &l.out.counts, s.unacked)
	if !s.waiting.empty() {
		requeue(&s.box.unassigned, &l.out.counts, s.waiting.count)
		l.out.open, s.waiting = s.waiting, batch{}
		l.out.attempts, s.tried = s.tried, nil
	}
	if s.full() || l.out.limit.reached(l.out.load()) {
		l.reachedMark()
	}
	if s.resends(l) || !l.out.open.empty() || len(l.out.control) > 0 {
		l.start(false)
	}
}

// keep takes over a batch that is on the wire whole.
func (s *session) keep(l *link, b *batch) {
	if s.feeder != nil {
		s.keepNumbers(l, b)
		return
	}
	n := b.count
	s.settled(s.sender.Wrote(s.on, n.Messages, n.Bytes, s.takeOver(l, b)))
	s.takeReplies(l)
	if s.full() {
		l.reachedMark()
	}
	l.reopen()
}

// takeOver enters a batch that is on the wire and returns what was in it: that is left empty.
func (s *session) takeOver(l *link, b *batch) (kept *batch) {
	if s.resending {
		s.resending = false
	} else {
		l.out.further = 0
		s.sent(l, b.count)
	}
	kept = s.empty()
	*kept, *b = *b, *kept
	return kept
}

// sent enters messages that are on the wire.
func (s *session) sent(l *link, n Count) {
	if len(l.out.attempts) > 0 {
		l.out.attempts.take(int(n.Messages))
	}
	s.box.ledger(l).write(n)
	s.unacked = s.unacked.plus(n)
}

// ack takes what the receiver has acknowledged.
func (s *session) ack(l *link, a reliable.Ack) error {
	return s.take(l, reply{ack: &a})
}

// underway is how many messages have been begun to be written, or may have been.
func (s *session) underway(l *link) uint64 {
	if s.link != l || !l.out.writing {
		return 0
	}
	return l.flight.batch.count.Messages
}

// settled accounts for messages that were acknowledged, and gives back what held them.
func (s *session) settled(set reliable.Settlement[*batch]) {
	if set.Messages == 0 && set.Bytes == 0 && len(set.Payloads)+len(set.Ahead) == 0 && len(set.Numbers) == 0 {
		return
	}
	for _, b := range set.Payloads {
		b.recycle()
		s.recycled(b)
	}
	for _, b := range set.Ahead {
		b.discard()
		s.recycled(b)
	}
	n := Count{set.Messages, set.Bytes}
	if s.feeder != nil {
		n = s.acknowledgedNumbers(set)
	}
	s.unacked = s.unacked.minus(n)
	s.box.ledger(s.link).acknowledge(n)
	if l := s.link; l != nil {
		if s.feeder != nil {
			s.tellLow(l)
		}
		if s.unacked.Messages == 0 && !l.out.writing && l.out.open.empty() {
			l.out.open.recycle() // an idle link holds on to no slab
		}
		if !l.out.open.empty() && !s.full() {
			l.start(false)
		}
		if l.out.draining && s.unacked.Messages == 0 {
			s.box.env.schedule(l, 0)
		}
		l.reopen()
	}
	s.box.drained()
}

// empty returns an empty batch, and recycled takes one back.
func (s *session) empty() *batch {
	if n := len(s.spare); n > 0 {
		b := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return b
	}
	return new(batch)
}

func (s *session) recycled(b *batch) {
	if len(s.spare) < maxSpare {
		s.spare = append(s.spare, b)
	}
}

// maxSpare is how many empty batches a session keeps.
const maxSpare = 32

// sizeOf is the payload of n messages from the one behind skip others on.
func (b *batch) sizeOf(skip, n uint64) (size uint64) {
	if b.sizes != nil {
		return sizeOfAll((*b.sizes)[skip : skip+n])
	}
	for _, m := range b.messages(skip, n) {
		size += uint64(m.Size())
	}
	return size
}

// messages decodes n messages behind skip others. They stay in the batch, whose slabs must not be given back then.
func (b *batch) messages(skip, n uint64) (ms []Msg) {
	c := batch{segs: slices.Clone(b.segs[b.base:]), head: b.head, count: b.count, further: b.further, pins: b.pins.clone()}
	for i := uint64(0); i < skip+n && !c.empty(); i++ {
		if m := c.shiftMsg(); i >= skip {
			ms = append(ms, m)
		}
	}
	return ms
}

// shiftMsg takes the oldest message off and leaves the slab to it.
func (b *batch) shiftMsg() (m Msg) {
	if b.pins.isPinned() {
		m.From = pinned
	}
	m.Frames, _ = b.shift(true)
	return m
}

func (p *pins) clone() *pins {
	if p == nil {
		return nil
	}
	return &pins{at: slices.Clone(p.at), front: p.front}
}
