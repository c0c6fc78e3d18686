package reliable

import (
	"fmt"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// SenderConfig is what a [Sender] is made with.
type SenderConfig[P any] struct {
	// Stream, Epoch, Nonce, Durable, Shared and Name are said in OPEN. A sender without a disk has any one epoch.
	Stream          ID
	Epoch, Nonce    uint64
	Durable, Shared bool
	Name            string
	// Next is the number of the first message; 0 is 1.
	Next uint64
	// Links numbers the links, for a stream that has several Senders in one incarnation: each call returns a greater
	// number. Nil counts those of this Sender.
	Links func() Link
	// Window is how much may be unacknowledged; zero fields are DefaultWindowMessages and DefaultWindowBytes.
	Window Limit
	// Grace is how long a lost receiver is waited for; 0 is DefaultGrace, less is for ever.
	Grace time.Duration
	// Size returns the bytes of count messages of a payload, from the one with index skip on. Nil divides what Wrote was
	// told evenly.
	Size func(payload P, skip, count uint64) uint64
}

// A Sender is the sending side of one stream to one receiver. It outlives links: of what was written it keeps a record
// until the receiver has acknowledged it, and says what has to be sent again over the next link.
//
// P is what stands for the messages of one write, such as the batch that was written; a sender with a spool, which
// reads again what it has to send again, has nothing there. The caller sees to it that a Sender is used by one
// goroutine at a time.
type Sender[P any] struct {
	cfg    SenderConfig[P]
	window Limit // of this link: the own one and the receiver's credit

	link   Link // the last one
	up     bool // it is open, and answered
	opened bool // OPEN was said on it

	lost     bool // since lostAt
	lostAt   time.Duration
	met      bool       // the receiver has had something of the stream, and is not known to have lost it
	given    bool       // numbers are given: OpenAt
	owed     ranges.Set // numbers that are to be sent again and are not written yet, above a floor of 0
	told     uint64     // the lowest number not settled, as the receiver knows it
	nextFree uint64     // the number of the next message that was never sent

	// Positions on the link.
	written    uint64     // messages written whole
	places     places     // their numbers
	done       ranges.Set // settled or given back
	records    []record[P]
	unacked    uint64 // written and not done
	unackedLen uint64 // their bytes, by whole records

	settled Settlement[P] // what the last call returned; its slices are used again
}

// A record is messages that were written together and are not all done.
type record[P any] struct {
	pos, count uint64
	left       uint64 // not done
	bytes      uint64
	payload    P
	skip       uint64 // index of the first message in the payload
	part       bool   // others have the same payload
	adopted    bool   // there is no payload
	freed      bool   // all are done, and the payload is given up
}

// A Settlement is what has been settled by one call. Its slices are valid until the next call to the Sender.
type Settlement[P any] struct {
	// Messages is exact, Bytes counts those of a write once all of its messages are settled.
	Messages, Bytes uint64
	// Numbers are those of the messages.
	Numbers []Range
	// Payloads are no longer needed: all of their messages are settled. Of a write that a lost link has parted, the
	// payload is not among them. Those in Ahead are not needed either, but of a write before theirs something is: whoever
	// has writes share memory with the one before must not use theirs again.
	Payloads, Ahead []P
}

// A Piece is messages that have to be sent again: Count of a payload from index Skip on, whose numbers begin with
// Number and follow each other.
type Piece[P any] struct {
	Payload     P
	Skip, Count uint64
	Number      uint64
	Bytes       uint64
	// Attempts is how many deliveries of each were begun and may have reached an application, Redelivered whether any may
	// have. Both are what Place is to be told.
	Attempts    uint16
	Redelivered bool

	adopted bool // there is no payload
}

// Resumption is what becomes of unacknowledged messages when their stream goes on over a new link.
type Resumption[P any] struct {
	// Settled have arrived and been acknowledged, as the receiver now says. Where numbers are given, its numbers are all
	// that the receiver says are settled, also those that an earlier life has sent.
	Settled Settlement[P]
	// Again are to be sent on this link, in this order, which is that of their numbers, ahead of anything else. They are
	// the caller's again, and keep their numbers until they are written, if need be over a later link; or Forget is told.
	Again []Piece[P]
	// Held is what the receiver has though this Sender has not written it: an earlier life of a sender whose numbers are
	// given did. It counts as written now, without a payload, and need not be sent.
	Held []Range
	// StateLost says that the receiver has forgotten what it had: of those to be sent again some may be doubled. One that
	// never had anything, as far as its acknowledgements say, has lost nothing. It is said once.
	StateLost bool
}

// NewSender returns the sender of a stream that was never opened.
func NewSender[P any](cfg SenderConfig[P]) *Sender[P] {
	cfg.Window.Messages = orDefault(cfg.Window.Messages, DefaultWindowMessages)
	cfg.Window.Bytes = orDefault(cfg.Window.Bytes, DefaultWindowBytes)
	cfg.Grace = orDefault(cfg.Grace, DefaultGrace)
	s := &Sender[P]{cfg: cfg, window: cfg.Window, nextFree: max(cfg.Next, 1)}
	s.places.reset(0, s.nextFree)
	return s
}

func orDefault[T uint64 | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// Open begins a link: it returns what to say in OPEN, of a sender that gives the numbers itself. ErrLinkUp says that
// the link before has not been Lost yet.
func (s *Sender[P]) Open() (Link, Open, error) { return s.open(s.Low(), s.nextFree) }

// OpenAt is Open for a sender whose numbers are given, such as a spool's: low is the lowest that this receiver may
// still be sent, over all receivers, next the one behind the last that may have been sent, also in an earlier life.
func (s *Sender[P]) OpenAt(low, next uint64) (Link, Open, error) {
	s.given = true
	return s.open(low, next)
}

func (s *Sender[P]) open(low, next uint64) (Link, Open, error) {
	if s.opened {
		return 0, Open{}, ErrLinkUp
	}
	if s.cfg.Links != nil {
		s.link = s.cfg.Links()
	} else {
		s.link++
	}
	s.opened, s.up = true, false
	s.nextFree, s.told = max(s.nextFree, next), low
	return s.link, Open{
		Stream: s.cfg.Stream, Epoch: s.cfg.Epoch, Nonce: s.cfg.Nonce, Link: s.link, Low: low, Next: s.nextFree,
		Window: s.cfg.Window, Durable: s.cfg.Durable, Shared: s.cfg.Shared, Name: s.cfg.Name,
	}, nil
}

// Opened takes the receiver's answer to the OPEN of the link. An error ends the link; what is unacknowledged stays as
// it is.
func (s *Sender[P]) Opened(link Link, o Opened) (Resumption[P], error) {
	var r Resumption[P]
	if link != s.link || !s.opened || s.up {
		return r, fmt.Errorf("%w: an OPENED that nobody asked for", ErrProtocol)
	}
	if err := o.Status.err(); err != nil {
		return r, err
	}
	held, err := s.judge(&o)
	if err != nil {
		return r, err
	}
	s.begin()
	r.StateLost = o.Known == Nothing && s.met
	var kept []Piece[P]
	for p := range s.pieces() {
		for part := range split(p, &o.Done) {
			if part.settled {
				s.settled.Messages += part.Count
				s.settled.Numbers = append(s.settled.Numbers, Range{From: part.Number, To: part.Number + part.Count})
				continue
			}
			for rest := range split(part.Piece, &held) {
				if rest.settled { // held, that is
					kept = append(kept, rest.Piece)
					continue
				}
				had, others := rest.cut(s.arrivedBelow(&o))
				if had.Count > 0 { // and has given it back
					r.Again = append(r.Again, had.again())
				}
				if others.Count > 0 {
					r.Again = append(r.Again, others)
				}
			}
		}
	}
	s.settled.Bytes = s.unackedLen
	s.weigh(r.Again)
	slices.SortFunc(r.Again, func(a, b Piece[P]) int { return compare(a.Number, b.Number) })
	if !s.given {
		for _, p := range r.Again {
			s.owed.AddRange(p.Number, p.Number+p.Count)
		}
	}
	r.Held = s.restart(&o, kept)
	s.settled.Bytes -= s.unackedLen // of what is kept
	if s.given {
		s.settled.Numbers = append(s.settled.Numbers[:0], o.Done.Above()...)
		if o.Done.Floor() > s.told {
			s.settled.Numbers = append(s.settled.Numbers, Range{From: s.told, To: o.Done.Floor()})
		}
	}
	r.Settled = s.settled
	s.up, s.lost, s.met = true, false, o.Known != Nothing
	s.window = s.cfg.Window.within(o.Credit)
	return r, nil
}

// arrivedBelow is below which number messages that the receiver neither holds nor has settled may have been received.
func (s *Sender[P]) arrivedBelow(o *Opened) uint64 {
	if o.Known == Everything {
		return o.Next
	}
	return mostNumber
}

// judge checks what the receiver says that it has against what it can have.
func (s *Sender[P]) judge(o *Opened) (held ranges.Set, err error) {
	var total uint64
	for _, r := range o.Held {
		if r.Len() == 0 {
			return held, fmt.Errorf("%w: an empty range in OPENED", ErrProtocol)
		}
		total += held.AddRange(r.From, r.To)
		if r.To > s.nextFree {
			return held, fmt.Errorf("%w: it has number %d, the next one is %d", ErrForked, r.To-1, s.nextFree)
		}
	}
	for _, r := range o.Held {
		total -= r.Len()
	}
	switch {
	case total != 0:
		return held, fmt.Errorf("%w: ranges in OPENED overlap", ErrProtocol)
	case o.Done.End() > s.nextFree || o.Next > s.nextFree:
		has := max(o.Done.End(), o.Next) - 1
		return held, fmt.Errorf("%w: it has number %d, the next one is %d", ErrForked, has, s.nextFree)
	case o.Next == 0:
		return held, fmt.Errorf("%w: OPENED expects number 0", ErrProtocol)
	}
	return held, nil
}

// restart begins with the positions of a new link, of which the messages that the receiver holds have the first. It
// returns those of them that were not known.
func (s *Sender[P]) restart(o *Opened, kept []Piece[P]) (adopted []Range) {
	other := func(from, to uint64) {
		switch {
		case from == to:
		case s.given:
			s.keep(Piece[P]{Number: from, Count: to - from, adopted: true})
			adopted = append(adopted, Range{From: from, To: to})
		default:
			s.retire(to - from)
		}
	}
	slices.SortFunc(kept, func(a, b Piece[P]) int { return compare(a.Number, b.Number) })
	s.clear()
	for _, r := range o.Held {
		s.places.add(run{pos: s.written, number: r.From})
		at := r.From
		i, _ := slices.BinarySearchFunc(kept, r.From, func(p Piece[P], n uint64) int {
			return compare(p.Number+p.Count-1, n)
		})
		for ; i < len(kept) && kept[i].Number < r.To; i++ {
			p := kept[i]
			if p.Number < at { // the range has the rest of it
				p = p.from(at)
			}
			p = p.to(r.To - p.Number)
			other(at, p.Number)
			s.keep(p)
			at = p.Number + p.Count
		}
		other(at, r.To)
	}
	s.places.add(run{pos: s.written, number: o.Next})
	return adopted
}

// keep has the next positions be those of messages that the receiver holds.
func (s *Sender[P]) keep(p Piece[P]) {
	bytes := s.sizeOf(&p)
	if p.Attempts > 0 || p.Redelivered {
		s.places.add(run{pos: s.written, number: p.Number, attempts: p.Attempts, redelivered: p.Redelivered})
	}
	s.records = append(s.records, record[P]{
		pos: s.written, count: p.Count, left: p.Count, bytes: bytes, payload: p.Payload, skip: p.Skip, part: true,
		adopted: p.adopted,
	})
	s.written += p.Count
	s.unacked += p.Count
	s.unackedLen += bytes
}

// retire has the next n positions be those of messages that the receiver holds and this side has settled.
func (s *Sender[P]) retire(n uint64) {
	s.done.AddRange(s.written, s.written+n)
	s.written += n
}

// clear forgets all positions.
func (s *Sender[P]) clear() {
	s.written, s.unacked, s.unackedLen = 0, 0, 0
	s.done = ranges.Set{}
	s.records = nil
	s.places.reset(0, 0)
}

// Lost ends the link, if it is the one given. Everything that was written on it must have been told by Wrote, and
// nothing may be written on it any more.
func (s *Sender[P]) Lost(link Link, now time.Duration) {
	if link != s.link || !s.opened {
		return
	}
	s.opened, s.up = false, false
	s.lost, s.lostAt = true, now
	s.places.cut(s.written)
}

// Forget is told of messages that were to be sent again and are not to be sent with their numbers any more: they go
// elsewhere, or nowhere.
func (s *Sender[P]) Forget(number, count uint64) { s.owed.RemoveRange(number, number+count) }

// Expires returns when a receiver that is lost need not be waited for any longer; ok is false if that is never, or if
// it is not lost or nothing is unacknowledged.
func (s *Sender[P]) Expires() (at time.Duration, ok bool) {
	return s.lostAt + s.cfg.Grace, s.lost && s.unacked > 0 && s.cfg.Grace > 0
}

// Abandon gives up on the receiver: all that it has not acknowledged is to be sent to another or dropped, and from now
// on this Sender counts it as settled. reached says that an application may have got some of it: it is for a receiver
// that is lost, not for one that has said that it leaves (BYE). The link must have been lost before. What Opened has
// returned and is not written yet the caller has anyway.
func (s *Sender[P]) Abandon(reached bool) (r Resumption[P]) {
	s.begin()
	s.settled.Bytes = s.unackedLen
	for p := range s.pieces() {
		if reached {
			p = p.again()
		}
		r.Again = append(r.Again, p)
	}
	s.weigh(r.Again)
	r.Settled = s.settled
	s.owed = ranges.Set{}
	written, at := s.written, s.places.number(s.written)
	s.clear()
	s.places.reset(written, at)
	s.written = written
	s.done.Raise(written)
	return r
}

// Unacknowledged is how many messages were written and not acknowledged, and their bytes; of a write that is partly
// acknowledged all bytes count.
func (s *Sender[P]) Unacknowledged() (messages, bytes uint64) { return s.unacked, s.unackedLen }

// Low is the lowest number that was given to a message and is not settled, or else that of the next message, of a
// sender that gives the numbers itself.
func (s *Sender[P]) Low() uint64 {
	low := s.nextFree
	for p := range s.pieces() {
		low = min(low, p.Number)
		if len(s.places.runs) == 1 {
			break // numbers ascend
		}
	}
	if owed := s.owed.Above(); len(owed) > 0 {
		low = min(low, owed[0].From)
	}
	return low
}
