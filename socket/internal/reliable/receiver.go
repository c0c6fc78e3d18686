package reliable

import (
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// ReceiverConfig is what a [Receiver] is made with.
type ReceiverConfig struct {
	// ID is the receiver's: the name of a durable one, and of any other drawn for its socket (and the endpoint that
	// connects), so that one that has lost everything is another one.
	ID ID
	// Named says that an earlier life may have had the same ID, of which the sender has to hear that it is forgotten.
	Named bool
	// Credit is how much the sender may leave unacknowledged. Whoever grants it has to have room for it: a receiver that
	// stops reading also reads no acknowledgements of what it sends itself. Zero fields leave it to the sender's window.
	Credit Limit
	// AckEvery is after how much an ACK is due; zero fields are DefaultAckMessages and DefaultAckBytes. It is less where
	// the sender's window is small.
	AckEvery Limit
	// AckDelay is how long the first message waits for an ACK at most; 0 is DefaultAckDelay.
	AckDelay time.Duration
}

// A Memory is what is kept of a stream on disk: enough to take no message twice that was settled. It is part of the
// commit that settles them.
type Memory struct {
	Epoch, Nonce uint64 // a Nonce of 0 is not known
	Settled      ranges.Set
}

// A Receiver is the receiving side of one stream. It outlives links; one link at a time owns it, and what others bring
// is void. The caller sees to it that it is used by one goroutine at a time.
type Receiver struct {
	cfg      ReceiverConfig
	ackEvery Limit // on this link
	known    Knowledge
	doubt    uint64 // numbers below may have been received by an earlier life
	epoch    uint64
	nonce    uint64
	sender   Link // the last one of this epoch, as the sender counts

	link  Link // the last one
	owned bool // it is up

	taken ranges.Set // numbers not to be taken again: settled, held, or below what the sender has told

	// Positions on the link.
	arrived uint64 // messages
	places  places // their numbers
	done    ranges.Set
	next    uint64 // number of the next message
	top     uint64 // behind the greatest number that ever arrived
	flagged Next   // said of the next message, with a Number, or nothing

	refused []refusal // that the sender may not have heard of, in the order in which they were said

	owed      uint64 // settled and not acknowledged
	owedBytes uint64
	owedSince time.Duration
	fresh     []Range // positions above the floor of done that were settled since the last ACK
}

// NewReceiver returns the receiver of a stream, of which memory is what was kept from an earlier life; nil is nothing.
func NewReceiver(cfg ReceiverConfig, memory *Memory) *Receiver {
	cfg.AckEvery.Messages = orDefault(cfg.AckEvery.Messages, DefaultAckMessages)
	cfg.AckEvery.Bytes = orDefault(cfg.AckEvery.Bytes, DefaultAckBytes)
	cfg.AckDelay = orDefault(cfg.AckDelay, DefaultAckDelay)
	r := &Receiver{cfg: cfg}
	r.taken.Raise(1) // numbers begin with 1
	if memory != nil {
		r.known, r.epoch, r.nonce = Settled, memory.Epoch, memory.Nonce
		r.taken = memory.Settled.Clone()
		r.taken.Raise(1)
	}
	r.places.reset(0, r.taken.End())
	return r
}

// Open takes the OPEN of a new link, which owns the stream from now on unless the answer's status refuses it: what an
// earlier link still brings is void, and has to be, for the answer says exactly what has arrived. The caller moves what
// the earlier link has queued in front of whatever the new one will queue, in the same step.
func (r *Receiver) Open(o Open) (Link, Opened) {
	refuse := func(s Status) (Link, Opened) {
		return 0, Opened{Status: s, Receiver: r.cfg.ID, Known: r.known, Next: 1}
	}
	heard := r.known != Nothing || r.link > 0
	switch {
	case o.Next < o.Low || o.Low == 0 || o.Next >= mostNumber:
		return refuse(Refused)
	case heard && (o.Epoch < r.epoch || o.Epoch == r.epoch && o.Link != 0 && o.Link <= r.sender):
		return refuse(Fenced)
	case heard && o.Epoch == r.epoch && r.nonce != 0 && o.Nonce != r.nonce, r.taken.End() > o.Next:
		return refuse(Forked)
	}
	switch {
	case r.known == Everything && o.Epoch > r.epoch && o.Low < r.doubt: // this life of the sender has not heard that
		r.known = Settled
	case r.known != Everything && r.cfg.Named:
		r.doubt = max(r.doubt, o.Next)
	}
	r.epoch, r.nonce, r.sender = o.Epoch, o.Nonce, o.Link
	r.forgetRefused(func(number uint64) bool { return number < o.Low })
	held := r.held()
	settled := sum(held)
	held = r.holdRefused(held)
	done := r.taken.Clone()
	for _, h := range held {
		done.RemoveRange(h.From, h.To)
	}
	r.taken.Raise(o.Low)
	r.link++
	r.owned = true
	r.restart(held)
	if settled < r.arrived {
		r.done.AddRange(settled, r.arrived)
	}
	r.ackEvery = r.cfg.AckEvery.within(Limit{quarter(o.Window.Messages), quarter(o.Window.Bytes)})
	r.ackEvery = r.ackEvery.within(Limit{quarter(r.cfg.Credit.Messages), quarter(r.cfg.Credit.Bytes)})
	opened := Opened{Receiver: r.cfg.ID, Known: r.known, Next: r.next, Credit: r.cfg.Credit, Done: done, Held: held}
	if r.known == Nothing && !r.cfg.Named { // of what a life had forgotten the sender is told until it has heard it: Judge
		r.known = Everything
	}
	return r.link, opened
}

// MaxGaps is how many gaps between the numbers it has got a receiver remembers. A sender closes them by LOW.
const MaxGaps = 1 << 16

// mostNumber is beyond every number.
const mostNumber = 1 << 63

func quarter(n uint64) uint64 {
	if n == 0 {
		return 0
	}
	return max(1, n/4)
}

// held lists what has arrived and is not settled, in the order of the link.
func (r *Receiver) held() (held []Range) {
	for gap := range r.done.Gaps(0, r.arrived) {
		r.places.each(gap.From, gap.To, func(_, number, n uint64, _ run) {
			if i := len(held) - 1; i >= 0 && held[i].To == number {
				held[i].To += n
				return
			}
			held = append(held, Range{From: number, To: number + n})
		})
	}
	return held
}

// restart begins with the positions of a new link: what is held has the first.
func (r *Receiver) restart(held []Range) {
	r.arrived, r.done, r.flagged = 0, ranges.Set{}, Next{}
	r.places.reset(0, 0)
	for _, h := range held {
		r.places.add(run{pos: r.arrived, number: h.From})
		r.arrived += h.Len()
	}
	r.next = max(r.top, r.taken.End())
	r.places.add(run{pos: r.arrived, number: r.next})
	r.owed, r.owedBytes, r.fresh = 0, 0, r.fresh[:0]
}

// Lost ends the link, if it is the one given.
func (r *Receiver) Lost(link Link) {
	if link == r.link {
		r.owned = false
		r.flagged = Next{}
	}
}

// Owner returns the link that owns the stream; 0 if none does.
func (r *Receiver) Owner() Link {
	if !r.owned {
		return 0
	}
	return r.link
}

// A Verdict says what becomes of messages that arrive.
type Verdict uint8

const (
	Take      Verdict = iota // new
	Duplicate                // settled, or held, already
	Void                     // the link does not own the stream
)

// Judge looks at n messages that have arrived on a link: the first k of them, at least one, have the same verdict. Then
// the caller takes as many of these as it has room for and says how many by Took, drops duplicates and says so by
// Dropped, and drops void ones without a word. The first message was the subject of flags, if there are any: then k is
// 1.
func (r *Receiver) Judge(link Link, n uint64) (v Verdict, k uint64) {
	switch {
	case link != r.link || !r.owned:
		return Void, n
	case r.flagged.Number != 0:
		n = 1
	}
	r.known = Everything         // the sender has got the answer to its OPEN
	if r.next >= r.taken.End() { // in order
		return Take, n
	}
	for gap := range r.taken.Gaps(r.next, r.next+n) {
		if gap.From > r.next {
			return Duplicate, gap.From - r.next
		}
		return Take, gap.Len()
	}
	return Duplicate, n
}

// Flags is what NEXT has said of the message that arrives next; zero if nothing. Its Attempts and Redelivered go with
// the message to the application.
func (r *Receiver) Flags() Next { return r.flagged }

// NextNumber is the number of the message that arrives next.
func (r *Receiver) NextNumber() uint64 { return r.next }

// Took records that the first k messages of those judged were taken: they are held until they are settled.
func (r *Receiver) Took(k uint64) {
	r.taken.AddRange(r.next, r.next+k)
	r.arrived += k
	r.next += k
	r.top = max(r.top, r.next)
	r.flagged = Next{}
}

// Dropped records that k messages were dropped as duplicates, of so many bytes. The sender is told as if they were
// settled now. It reports whether an ACK is due.
func (r *Receiver) Dropped(now time.Duration, k, bytes uint64) (due bool) {
	from := r.arrived
	r.arrived += k
	r.next += k
	r.flagged = Next{}
	return r.settle(now, from, r.arrived, bytes)
}

// Next takes what NEXT says of the message that follows on a link.
func (r *Receiver) Next(link Link, n Next) error {
	if link != r.link || !r.owned {
		return nil
	}
	if n.Number == 0 || n.Number >= mostNumber {
		return fmt.Errorf("%w: NEXT with number %d", ErrProtocol, n.Number)
	}
	if len(r.taken.Above()) > MaxGaps {
		return fmt.Errorf("%w: more than %d gaps between numbers", ErrProtocol, MaxGaps)
	}
	if n.Number != r.next {
		r.next = n.Number
		r.places.add(run{pos: r.arrived, number: n.Number})
	}
	r.flagged = n
	return nil
}

// Low takes what LOW says on a link: everything below is settled, and what is in the ranges, by whomever.
func (r *Receiver) Low(link Link, low uint64, settled ...Range) error {
	if link != r.link || !r.owned {
		return nil
	}
	if low >= mostNumber {
		return fmt.Errorf("%w: LOW of %d", ErrProtocol, low)
	}
	for _, s := range settled {
		if s.Len() == 0 || s.To > mostNumber {
			return fmt.Errorf("%w: LOW with %d to %d", ErrProtocol, s.From, s.To)
		}
		r.taken.AddRange(s.From, s.To)
	}
	r.taken.Raise(low)
	if len(r.refused) > 0 {
		told := ranges.From(low, settled...)
		r.forgetRefused(told.Contains)
	}
	return nil
}

// Gap takes what GAP says on a link: the messages with these numbers will not come.
func (r *Receiver) Gap(link Link, gap Range) error {
	if link != r.link || !r.owned {
		return nil
	}
	if gap.Len() == 0 || gap.From == 0 || gap.To > mostNumber {
		return fmt.Errorf("%w: GAP of %d to %d", ErrProtocol, gap.From, gap.To)
	}
	r.taken.AddRange(gap.From, gap.To)
	return nil
}

// Memory returns what is to be kept of the stream: all that is settled now.
func (r *Receiver) Memory() Memory {
	m := Memory{Epoch: r.epoch, Nonce: r.nonce, Settled: r.taken.Clone()}
	for _, h := range r.held() {
		m.Settled.RemoveRange(h.From, h.To)
	}
	return m
}

// Unsettled is how many messages are held.
func (r *Receiver) Unsettled() uint64 {
	n := r.arrived - r.done.Floor()
	for _, d := range r.done.Above() {
		n -= d.Len()
	}
	return n
}
