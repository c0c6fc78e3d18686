package curve

import (
	"encoding/binary"
	"errors"
	"math"
)

// Z85 (RFC 32) writes four bytes, as a big-endian number, in five digits of base 85.
const (
	z85Digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
	z85Bytes  = 4
	z85Chars  = 5
)

var (
	errZ85Length = errors.New("another length")
	errZ85Digit  = errors.New("a character that is no digit of Z85")
	errZ85Range  = errors.New("five digits that stand for more than 32 bits")
)

// encodeZ85 returns src as text. The length of src must be a multiple of four.
func encodeZ85(src []byte) []byte {
	dst := make([]byte, 0, len(src)/z85Bytes*z85Chars)
	for ; len(src) > 0; src = src[z85Bytes:] {
		n := binary.BigEndian.Uint32(src)
		var five [z85Chars]byte
		for i := range five {
			five[len(five)-1-i] = z85Digits[n%85]
			n /= 85
		}
		dst = append(dst, five[:]...)
	}
	return dst
}

// decodeZ85 fills dst, whose length is a multiple of four, with what src stands for. The time it takes depends on no
// digit of src, only on whether all are digits.
func decodeZ85[T string | []byte](dst []byte, src T) error {
	if len(src) != len(dst)/z85Bytes*z85Chars {
		return errZ85Length
	}
	var bad, over uint64
	for ; len(src) > 0; src, dst = src[z85Chars:], dst[z85Bytes:] {
		n := uint64(0)
		for i := range z85Chars {
			d := z85Value(src[i])
			bad |= d >> 8
			n = n*85 + d
		}
		over |= n >> 32
		binary.BigEndian.PutUint32(dst, uint32(n&math.MaxUint32))
	}
	switch {
	case bad != 0:
		return errZ85Digit
	case over != 0:
		return errZ85Range
	}
	return nil
}

// z85Value is what a digit stands for, or a number over 255. It looks at all digits, since a table at the place of a
// secret digit would leave its trace in the cache.
func z85Value(c byte) uint64 {
	v := uint64(1) << 8
	for i := range uint64(len(z85Digits)) {
		differs := uint64(c ^ z85Digits[i])
		same := (differs - 1) >> 63 // 1 if differs is 0
		v ^= (v ^ i) & -same
	}
	return v
}
