package patterns

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// Limits of a head and of what is in it.
const (
	maxHead        = 16 << 10
	maxHeadKeys    = 32
	maxHeadDepth   = 4 // the map itself is the first
	maxKey         = 64
	maxHeaders     = 64
	maxHeaderBytes = 8 << 10 // of names and values together
)

// ErrHead matches every error of [ParseHead] and [Head.Validate].
var ErrHead = errors.New("patterns: not a valid head")

// Kind is what a message is. Which of them a pattern uses is in WIRE.md.
type Kind uint8

// The kinds of messages.
const (
	KindMessage    Kind = 0  // the thing itself: a call, reply, event, job, shout or whisper
	KindItem       Kind = 1  // an item of a stream
	KindEnd        Kind = 2  // no more items
	KindCredit     Kind = 3  // room for so much more
	KindCancel     Kind = 4  // the call is given up
	KindAck        Kind = 5  // done
	KindNack       Kind = 6  // again later
	KindInProgress Kind = 7  // still at work
	KindReject     Kind = 8  // never again
	KindBeat       Kind = 9  // how many messages were meant for this connection so far
	KindResume     Kind = 10 // how far a subscriber has got
	KindHello      Kind = 11 // who is there
	KindBye        Kind = 12 // draining: nothing new, please
	KindJoin       Kind = 13 // to a group
	KindLeave      Kind = 14 // from a group
)

var kindNames = [...]string{
	"message", "item", "end", "credit", "cancel", "ack", "nack", "in progress", "reject", "beat", "resume", "hello", "bye",
	"join", "leave",
}

// String returns the name of a kind, or its number if it has none.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Flags in [Head.Flags].
const (
	FlagReplay    = 1 // an event from before the subscription
	FlagLastValue = 2 // the newest event of its subject
	FlagDurable   = 4 // of a durable subscription, which Delivery names
)

// Head is the frame before the body. Fields that are zero do not travel.
type Head struct {
	// Version of the table in WIRE.md; 0 means 1. A later one has more keys, or keys that mean something else.
	Version uint64
	// Seq is the publisher's or pusher's count; of an ack the job.
	Seq uint64
	// Attempt is how many attempts there were before this one.
	Attempt uint64
	// Window is credit, in bytes for a stream and in jobs for a pipeline; of a beat how many messages were meant for
	// this connection so far.
	Window uint64
	// Delivery numbers what one connection brings of groups, or names a durable subscription.
	Delivery uint64
	// Flags are FlagReplay, FlagLastValue and FlagDurable.
	Flags uint64
	Kind  Kind
	// Method is what is called, the subject of a group's or durable subscription's event, or the name of a group.
	Method string
	// Type is the encoding of the body, as [Codec] has it.
	Type string
	// Key is the idempotency key of a call or the ordering key of a job: at most 64 bytes.
	Key string
	// Text says what went wrong, to people.
	Text string
	// Code is that of an error; without one the message is none.
	Code Code
	// Left is the time left until the deadline, of a nack the time until the job may come again. It travels in
	// milliseconds, rounded up. What is past, below 0, travels as a millisecond.
	Left time.Duration
	// Retry is the time after which another attempt makes sense. It travels as Left does.
	Retry time.Duration
	// NotBegun says of an error that no handler has begun, so that the call can go elsewhere.
	NotBegun bool
	// List is several counts, of acks and nacks, or ranges of them.
	List []uint64
	// Origin is who counts: the pusher or publisher.
	Origin [16]byte
	// Time is when it was published. It travels in milliseconds since 1970, if it is after that.
	Time time.Time
	// Headers are at most 64, of 8 KiB with their names.
	Headers Headers
}

// Validate returns an error that matches [ErrHead] if another side would refuse the head: a key that is too long,
// headers that are too many or not UTF-8, or more than 16 KiB in all.
func (h *Head) Validate() error {
	size := 0
	for name, v := range h.Headers {
		if !utf8.ValidString(name) || !utf8.ValidString(v) {
			return fmt.Errorf("%w: header %q is not UTF-8", ErrHead, name)
		}
		size += len(name) + len(v)
	}
	switch {
	case len(h.Key) > maxKey:
		return fmt.Errorf("%w: a key of %d bytes, over %d", ErrHead, len(h.Key), maxKey)
	case len(h.Headers) > maxHeaders:
		return fmt.Errorf("%w: %d headers, over %d", ErrHead, len(h.Headers), maxHeaders)
	case size > maxHeaderBytes:
		return fmt.Errorf("%w: headers of %d bytes, over %d", ErrHead, size, maxHeaderBytes)
	}
	// Only a head that may be too long is encoded to find out.
	if size += len(h.Method) + len(h.Type) + len(h.Text) + len(h.Code); size+9*len(h.List) > maxHead/3 {
		if n := len(h.AppendTo(nil)); n > maxHead {
			return fmt.Errorf("%w: %d bytes, over %d", ErrHead, n, maxHead)
		}
	}
	return nil
}

// AppendTo appends the head as it travels, with the keys in the order of the table in WIRE.md and headers by name. Text
// that is not valid UTF-8 is repaired, a Key that is not goes as bytes.
func (h *Head) AppendTo(b []byte) []byte {
	at := len(b)
	b = append(b, 0x80) // the number of keys is put in later
	n := 0
	if h.Version != 1 {
		b, n = appendNumber(b, n, 'v', h.Version)
	}
	b, n = appendNumber(b, n, 'k', uint64(h.Kind))
	b, n = appendString(b, n, 'm', h.Method)
	b, n = appendNumber(b, n, 'd', milliseconds(h.Left))
	b, n = appendString(b, n, 'c', h.Type)
	if utf8.ValidString(h.Key) {
		b, n = appendString(b, n, 'i', h.Key)
	} else {
		b, n = appendBytes(append(b, 0xa1, 'i'), h.Key), n+1
	}
	b, n = appendNumber(b, n, 'w', h.Window)
	b, n = appendString(b, n, 'e', string(h.Code))
	b, n = appendString(b, n, 't', h.Text)
	b, n = appendNumber(b, n, 'r', milliseconds(h.Retry))
	if h.NotBegun {
		b, n = appendNumber(b, n, 'f', 1)
	}
	b, n = appendNumber(b, n, 'n', h.Seq)
	if len(h.List) > 0 {
		b, n = appendLength(append(b, 0xa1, 'l'), 0x90, 0xdc, len(h.List)), n+1
		for _, v := range h.List {
			b = appendUint(b, v)
		}
	}
	b, n = appendNumber(b, n, 'a', h.Attempt)
	b, n = appendNumber(b, n, 'u', h.Delivery)
	if h.Origin != ([16]byte{}) {
		b, n = append(append(b, 0xa1, 'p', 0xc4, 16), h.Origin[:]...), n+1
	}
	if !h.Time.IsZero() {
		b, n = appendNumber(b, n, 's', uint64(max(h.Time.UnixMilli(), 0)))
	}
	b, n = appendNumber(b, n, 'x', h.Flags)
	if len(h.Headers) > 0 {
		b, n = appendHeaders(append(b, 0xa1, 'h'), h.Headers), n+1
	}
	if n < 16 {
		b[at] = 0x80 | byte(n)
		return b
	}
	return slices.Replace(b, at, at+1, 0xde, 0, byte(n)) // there are 19 keys, so nearly always it is one byte
}

func appendHeaders(b []byte, h Headers) []byte {
	b = appendLength(b, 0x80, 0xde, len(h))
	if len(h) == 1 {
		for name, v := range h {
			b = appendText(appendText(b, name), v)
		}
		return b
	}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		b = appendText(appendText(b, name), h[name])
	}
	return b
}

// milliseconds rounds up: a deadline that is near is not one that has passed, and 0 would say that there is none.
func milliseconds(d time.Duration) uint64 {
	switch {
	case d == 0:
		return 0
	case d < time.Millisecond:
		return 1
	}
	return uint64((d-1)/time.Millisecond) + 1
}
