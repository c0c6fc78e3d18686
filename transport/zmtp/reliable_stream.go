package zmtp

import (
	"encoding/binary"
	"time"
)

// What a sender says among its messages. As a rule nothing: each has the number of the one before it plus one. Data of
// these commands, big endian:
//
//	NEXT  0  number    u64   of the message behind the command
//	      8  attempts  u16   deliveries of it that were begun before
//	     10  flags     u8    1 redelivered: an application may have seen it
//	     11  ttl       u32   milliseconds that it is still worth something, 0 for ever
//
//	LOW   0  low       u64   all below is settled, and may be forgotten
//	     [8  ranges    u16   how many follow; left out if there are none
//	     10  ranges    16    each: from u64, to u64 (exclusive): settled too]
//
//	GAP   0  from      u64   the messages from this number
//	      8  to        u64   up to this one (exclusive) will not come
//	     16  reason    u8    1 over the limit of the subscription, 2 expired, 3 damaged, 4 dropped for room
//
//	BYE   0  flags     u8    1 nothing follows on the stream, for good; 2 nothing more is received, for good
//
// BYE goes either way. Bytes behind the last field and flags that are not here are left to later versions.
const (
	CommandNext = "NEXT"
	CommandLow  = "LOW"
	CommandGap  = "GAP"
	CommandBye  = "BYE"
)

// Next is a NEXT command.
type Next struct {
	Number      uint64
	Attempts    uint16
	Redelivered bool
	TTL         time.Duration // 0 is none; it travels in milliseconds, rounded up, as far as they fit
}

const (
	nextRedelivered = 1
	nextSize        = 15
	gapSize         = 17
)

// AppendNext adds a NEXT command, whole frame.
func AppendNext(b []byte, n Next) []byte {
	b = appendCommandHead(b, CommandNext, nextSize)
	b = binary.BigEndian.AppendUint64(b, n.Number)
	b = binary.BigEndian.AppendUint16(b, n.Attempts)
	b = append(b, flag(n.Redelivered, nextRedelivered))
	return binary.BigEndian.AppendUint32(b, milliseconds(n.TTL))
}

// SetNextTTL replaces the TTL in a whole frame that AppendNext has made.
func SetNextTTL(frame []byte, ttl time.Duration) {
	binary.BigEndian.PutUint32(frame[len(frame)-4:], milliseconds(ttl))
}

// ParseNext reads the data of a NEXT command. Data that is cut short is ErrMalformed.
func ParseNext(data []byte) (n Next, err error) {
	if len(data) < nextSize {
		return n, short("NEXT command", data, nextSize)
	}
	n.Number = binary.BigEndian.Uint64(data)
	n.Attempts = binary.BigEndian.Uint16(data[8:])
	n.Redelivered = data[10]&nextRedelivered != 0
	n.TTL = time.Duration(binary.BigEndian.Uint32(data[11:])) * time.Millisecond
	return n, nil
}

// AppendLow adds a LOW command, whole frame. There may be up to 65,535 ranges; of more than 240 the frame is over 4
// KiB.
func AppendLow(b []byte, low uint64, settled ...Range) []byte {
	return appendRanged(b, CommandLow, low, settled)
}

// ParseLow reads the data of a LOW command, and adds its ranges to a slice of the caller's. Data that is cut short, and
// an empty range, is ErrMalformed.
func ParseLow(data []byte, settled []Range) (low uint64, all []Range, err error) {
	return parseRanged("LOW command", data, settled)
}

// A GapReason says why messages will not come. Values beyond those here are of later versions.
type GapReason byte

// Why messages do not come.
const (
	GapLimit   GapReason = 1 // the subscription was at its limit
	GapExpired GapReason = 2
	GapDamaged GapReason = 3
	GapDropped GapReason = 4 // for room
)

// AppendGap adds a GAP command, whole frame.
func AppendGap(b []byte, gap Range, why GapReason) []byte {
	b = appendCommandHead(b, CommandGap, gapSize)
	b = appendRanges(b, []Range{gap})
	return append(b, byte(why))
}

// ParseGap reads the data of a GAP command. Data that is cut short, and an empty range, is ErrMalformed.
func ParseGap(data []byte) (gap Range, why GapReason, err error) {
	if len(data) < gapSize {
		return gap, 0, short("GAP command", data, gapSize)
	}
	gap = Range{binary.BigEndian.Uint64(data), binary.BigEndian.Uint64(data[8:])}
	if gap.From >= gap.To {
		return Range{}, 0, fail("GAP command", ErrMalformed, "a range from %d to %d", gap.From, gap.To)
	}
	return gap, GapReason(data[16]), nil
}

// Bye is a BYE command: what its sender will not do any more.
type Bye byte

// What may be over.
const (
	ByeSending   Bye = 1 // nothing follows on its stream
	ByeReceiving Bye = 2 // it receives nothing more: what it has not acknowledged may go elsewhere
)

// AppendBye adds a BYE command, whole frame.
func AppendBye(b []byte, bye Bye) []byte {
	b = appendCommandHead(b, CommandBye, 1)
	return append(b, byte(bye))
}

// ParseBye reads the data of a BYE command. No data is ErrMalformed.
func ParseBye(data []byte) (Bye, error) {
	if len(data) < 1 {
		return 0, short("BYE command", data, 1)
	}
	return Bye(data[0]) & (ByeSending | ByeReceiving), nil
}
