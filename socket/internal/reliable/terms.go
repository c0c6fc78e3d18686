package reliable

import (
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// An ID names a stream, or a receiver.
type ID [16]byte

// A Range is numbers, or positions, from From up to, but without, To.
type Range = ranges.Range

// A Limit bounds something in messages and in bytes; zero is no limit.
type Limit struct{ Messages, Bytes uint64 }

// within returns the smaller limit of the two in each respect.
func (l Limit) within(m Limit) Limit {
	return Limit{lesser(l.Messages, m.Messages), lesser(l.Bytes, m.Bytes)}
}

func lesser(a, b uint64) uint64 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// reached reports whether either is used up.
func (l Limit) reached(messages, bytes uint64) bool {
	return l.Messages > 0 && messages >= l.Messages || l.Bytes > 0 && bytes >= l.Bytes
}

// A Link tells the links of one stream apart, from its first on, in the order in which they were opened. Zero is none.
// The sender and the receiver each count their own.
type Link uint64

// Open is what a sender says when a stream begins or goes on over a new link (the command OPEN).
type Open struct {
	Stream ID
	// Epoch grows with each incarnation of the sender that goes on with the stream, and Nonce was drawn for this one:
	// the same epoch with another nonce is a copy. A sender without a disk has one incarnation.
	Epoch, Nonce uint64
	// Link counts the links of this incarnation. An OPEN that is late, from a connection that the sender has given up,
	// does not take the stream from a later one.
	Link Link
	// Low is the lowest number that is not settled: the receiver need not remember any below it.
	Low uint64
	// Next is the number of the first message that was never sent to anybody.
	Next uint64
	// Window is how much the sender leaves unacknowledged, so that the receiver acknowledges in time.
	Window Limit
	// Durable says that the stream outlives the sender's process, Shared that others get some of its messages, so that
	// there are gaps in what this receiver gets.
	Durable, Shared bool
	// Name is the sender's own name for the stream, for people; empty if it has none.
	Name string
}

// A Status is the receiver's verdict on an OPEN.
type Status uint8

// The values are those on the wire.
const (
	OK      Status = iota // the stream may go on
	Fenced                // the receiver knows a later epoch, or a later link
	Forked                // two senders continue the stream
	Refused               // the receiver takes no such stream
)

// err is the error that a status stands for.
func (s Status) err() error {
	switch s {
	case OK:
		return nil
	case Fenced:
		return ErrFenced
	case Forked:
		return ErrForked
	default:
		return ErrRefused
	}
}

// Knowledge is how much a receiver knows of a stream.
type Knowledge uint8

// The values are those on the wire.
const (
	// Nothing: it has never heard of the stream, or has lost what it knew. Like Settled it is said, by one that may have
	// lost something, until something comes over a link: an answer to an OPEN may be lost.
	Nothing Knowledge = iota
	// Settled: it has what was settled on disk, and nothing of what it had received besides.
	Settled
	// Everything: it has received all of the stream that it was ever sent in this process. Of one that has begun anew
	// each life of the sender hears so once: an earlier life may have received more.
	Everything
)

// Opened is the receiver's answer to an OPEN (the command OPENED). It is exact: from then on the receiver takes nothing
// of the stream that comes by an earlier link.
type Opened struct {
	Status   Status
	Receiver ID
	Known    Knowledge
	// Next is the number that the receiver takes the first message on the link for, unless NEXT says otherwise: it is
	// behind every number that has arrived.
	Next uint64
	// Credit is how much may be unacknowledged. The receiver has room for it.
	Credit Limit
	// Done is what is settled, with everything below Low of the OPEN.
	Done ranges.Set
	// Held is what the receiver has and has not settled yet. These messages take the first positions on the link, in this
	// order.
	Held []Range
}

// Next is what is said ahead of one message whose number does not follow from the one before it, or that is not sent
// for the first time (the command NEXT).
type Next struct {
	Number      uint64
	Attempts    uint16 // deliveries begun before this one
	Redelivered bool   // an application may have seen it
}

// Ack is what a receiver says of positions on a link (the command ACK): the first Upto are settled or were given back,
// and those in Ranges too.
type Ack struct {
	Upto   uint64
	Ranges []Range
}

// Defaults of acknowledging and of windows, as measured (DECISIONS.md). An acknowledgement wakes the sender: with one
// for each 512 KiB both sides together take 6 to 9 % more of a processor for messages of 1 KiB over tcp. The kernels
// alone hold 4 MiB of a stream, so that with one for each 2 MiB hardly more is unacknowledged.
const (
	DefaultWindowMessages = 1 << 20
	DefaultWindowBytes    = 8 << 20
	DefaultAckMessages    = 32 << 10
	DefaultAckBytes       = 2 << 20
	DefaultAckDelay       = 5 * time.Millisecond
	DefaultGrace          = 30 * time.Second
)

// MaxAckRanges is how many ranges an ACK carries at most; with more the receiver acknowledges at once.
const MaxAckRanges = 32
