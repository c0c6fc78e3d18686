package zmtp

import (
	"encoding/binary"
	"time"
)

const (
	// MaxPingContext is the most bytes of context a PING carries (RFC 37).
	MaxPingContext = 16

	// MaxPingTTL is the longest TTL [AppendPing] writes: 655 tenths of a second.
	// libzmq counts it in 16 bits of milliseconds, so that 656 would reach it as
	// 64 ms and make it hang up at once.
	MaxPingTTL = maxTTLTenths * ttlUnit

	maxTTLTenths = 655
	ttlUnit      = 100 * time.Millisecond
	ttlSize      = 2
)

// AppendPing adds a PING command, whole frame. The TTL, how long the peer should
// wait for our next byte before it gives us up, is written in tenths of a second:
// rounded up, so that a short one does not become 0, which means "none"; never
// above [MaxPingTTL]; 0 if it is negative. It is always present, since libzmq reads
// it without looking whether it is. Of context the first [MaxPingContext] bytes
// are sent.
//
// Send PING to peers whose version has commands ([Version.HasCommands]) only.
func AppendPing(b []byte, ttl time.Duration, context []byte) []byte {
	// Compare before rounding: the longest Duration must not overflow.
	tenths := maxTTLTenths
	if ttl < MaxPingTTL {
		tenths = int((max(ttl, 0) + ttlUnit - 1) / ttlUnit)
	}
	context = clipContext(context)
	b = appendCommandHead(b, CommandPing, ttlSize+len(context))
	b = binary.BigEndian.AppendUint16(b, uint16(tenths))
	return append(b, context...)
}

// ParsePing reads the data of a PING command. A TTL of 0 means the peer asks for
// none. The context, to be sent back in the PONG, points into data; of one that
// is too long the first [MaxPingContext] bytes are taken, as libzmq does. Data
// without a whole TTL is ErrMalformed.
func ParsePing(data []byte) (ttl time.Duration, context []byte, err error) {
	if len(data) < ttlSize {
		return 0, nil, fail("PING command", ErrMalformed, "%d bytes of data; want a TTL of %d bytes", len(data), ttlSize)
	}
	ttl = time.Duration(binary.BigEndian.Uint16(data)) * ttlUnit
	return ttl, clipContext(data[ttlSize:]), nil
}

// AppendPong adds a PONG command, whole frame, with the context of the PING it
// answers; of one that is too long the first [MaxPingContext] bytes are sent.
func AppendPong(b []byte, context []byte) []byte {
	context = clipContext(context)
	b = appendCommandHead(b, CommandPong, len(context))
	return append(b, context...)
}

// ParsePong returns the context in the data of a PONG command, at most its first
// [MaxPingContext] bytes, pointing into data. Any data is a valid PONG.
func ParsePong(data []byte) (context []byte) { return clipContext(data) }

func clipContext(context []byte) []byte {
	n := min(len(context), MaxPingContext)
	return context[:n:n]
}
