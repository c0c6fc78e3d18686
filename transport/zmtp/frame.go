package zmtp

import (
	"encoding/binary"
	"math"
)

// Bits of the first byte of a frame (RFC 37). Bits 3 to 7 are reserved: sent as
// zero, ignored on receipt, as libzmq does.
const (
	FlagMore    = 1 // another frame of the same message follows
	FlagLong    = 2 // the size takes eight bytes instead of one
	FlagCommand = 4 // the body is a command, not part of a message
)

// MaxHeaderSize is the length in bytes of the longest frame header: flags and an
// eight-byte size.
const MaxHeaderSize = longHeader

// Sizes of a frame header in bytes.
const (
	shortHeader = 2
	longHeader  = 9

	// maxShortBody is the largest body whose size fits the short form.
	maxShortBody = 255
)

// Header is what precedes the body of a frame.
type Header struct {
	// Flags holds FlagMore and FlagCommand. FlagLong, which only says how the size
	// was written, and the reserved bits are cleared.
	Flags byte
	// Size is the length of the body in bytes as the peer claims it, at most
	// MaxInt64. It is no promise: do not allocate by it.
	Size uint64
}

// More reports whether another frame of the same message follows.
func (h Header) More() bool { return h.Flags&FlagMore != 0 }

// Command reports whether the body is a command.
func (h Header) Command() bool { return h.Flags&FlagCommand != 0 }

// AppendHeader adds the header of a frame with a body of size bytes, in the
// shortest form. Of flags only FlagMore and FlagCommand count. The size must not
// be negative.
func AppendHeader(b []byte, flags byte, size int) []byte {
	if size <= maxShortBody {
		return append(b, flags&(FlagMore|FlagCommand), byte(size))
	}
	return appendLongHeader(b, flags, size)
}

func appendLongHeader(b []byte, flags byte, size int) []byte {
	b = append(b, flags&(FlagMore|FlagCommand)|FlagLong)
	return binary.BigEndian.AppendUint64(b, uint64(size))
}

// ParseHeader reads the header at the start of b and returns its length n. With
// n == 0 and no error, b is too short to tell: come back with more bytes. A size
// that needs all 64 bits is ErrMalformed; RFC 37 allows 63. The long form is
// accepted for small sizes too.
func ParseHeader(b []byte) (h Header, n int, err error) {
	if h, ok := parseShortHeader(b); ok {
		return h, shortHeader, nil
	}
	return parseLongHeader(b)
}

// parseShortHeader reads the two-byte form, by far the commonest, and says no to
// all else. It is apart from ParseHeader so that it inlines into a hot loop.
func parseShortHeader(b []byte) (h Header, ok bool) {
	if len(b) >= shortHeader && b[0]&FlagLong == 0 {
		return Header{b[0] & (FlagMore | FlagCommand), uint64(b[1])}, true
	}
	return Header{}, false
}

func parseLongHeader(b []byte) (Header, int, error) {
	if len(b) < longHeader {
		return Header{}, 0, nil
	}
	size := binary.BigEndian.Uint64(b[1:])
	if size > math.MaxInt64 {
		return Header{}, 0, fail("frame", ErrMalformed, "size %#x; want at most 2^63-1", size)
	}
	return Header{b[0] & (FlagMore | FlagCommand), size}, longHeader, nil
}
