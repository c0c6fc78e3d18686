package patterns

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf8"
)

// appendNumber appends a key and its value, unless that is 0, to a head of n keys.
func appendNumber(b []byte, n int, key byte, v uint64) ([]byte, int) {
	if v == 0 {
		return b, n
	}
	return appendUint(append(b, 0xa1, key), v), n + 1
}

// appendString appends a key and its value, unless that is empty, to a head of n keys.
func appendString(b []byte, n int, key byte, s string) ([]byte, int) {
	if s == "" {
		return b, n
	}
	return appendText(append(b, 0xa1, key), s), n + 1
}

// appendUint appends an integer in the fewest bytes.
func appendUint(b []byte, v uint64) []byte {
	switch {
	case v <= 0x7f:
		return append(b, byte(v))
	case v <= math.MaxUint8:
		return append(b, 0xcc, byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, 0xcd), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, 0xce), uint32(v))
	default:
		return binary.BigEndian.AppendUint64(append(b, 0xcf), v)
	}
}

// appendText appends a str: what is not valid UTF-8 is repaired, as other languages refuse a head for it.
func appendText(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, string(utf8.RuneError))
	}
	switch n := len(s); {
	case n < 32:
		b = append(b, 0xa0|byte(n))
	case n <= math.MaxUint8:
		b = append(b, 0xd9, byte(n))
	default:
		b = appendCount(b, 0xda, n)
	}
	return append(b, s...)
}

// appendBytes appends a bin.
func appendBytes(b []byte, s string) []byte {
	if len(s) <= math.MaxUint8 {
		b = append(b, 0xc4, byte(len(s)))
	} else {
		b = appendCount(b, 0xc5, len(s))
	}
	return append(b, s...)
}

// appendLength appends the header of an array or map: small has room for 15 in it, long is the code for 16 bits.
func appendLength(b []byte, small, long byte, n int) []byte {
	if n < 16 {
		return append(b, small|byte(n))
	}
	return appendCount(b, long, n)
}

// appendCount appends a length of 16 bits behind a code, or of 32 bits behind the next code.
func appendCount(b []byte, code byte, n int) []byte {
	if n <= math.MaxUint16 {
		return binary.BigEndian.AppendUint16(append(b, code), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, code+1), uint32(n))
}
