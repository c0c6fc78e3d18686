package zmtp

import (
	"encoding/binary"
	"slices"
	"time"
)

// What a receiver says of messages, by their positions on the connection: 0 is the first behind OPENED, but for those
// that OPENED has as held, which have the first positions. Data of these commands, big endian:
//
//	ACK   0  upto    u64   the first so many are settled, or were given back
//	     [8  ranges  u16   how many follow; left out if there are none
//	     10  ranges  16    each: from u64, to u64 (exclusive): settled out of order]
//
//	NAK   0  at      u64   this one is given back
//	      8  delay   u32   milliseconds before it is to be sent again
//
//	TERM  0  at      u64   this one is settled, and nobody wants it
//	      8  length  u8    of the reason
//	      9  reason
//
// Bytes behind the last field are left to later versions.
const (
	CommandAck  = "ACK"
	CommandNak  = "NAK"
	CommandTerm = "TERM"
)

const positionSize = 8

// AppendAck adds an ACK command, whole frame. There may be up to 65,535 ranges; of more than 240 the frame is over 4
// KiB.
func AppendAck(b []byte, upto uint64, ranges ...Range) []byte {
	return appendRanged(b, CommandAck, upto, ranges)
}

// ParseAck reads the data of an ACK command, and adds its ranges to a slice of the caller's. Data that is cut short,
// and an empty range, is ErrMalformed.
func ParseAck(data []byte, ranges []Range) (upto uint64, all []Range, err error) {
	return parseRanged("ACK command", data, ranges)
}

// appendRanged adds a command that is a number and, unless there are none, ranges.
func appendRanged(b []byte, name string, n uint64, ranges []Range) []byte {
	if len(ranges) == 0 {
		return appendNumber(b, name, n)
	}
	b = appendCommandHead(b, name, positionSize+2+rangeSize*len(ranges))
	b = binary.BigEndian.AppendUint64(b, n)
	b = binary.BigEndian.AppendUint16(b, uint16(len(ranges)))
	return appendRanges(b, ranges)
}

func parseRanged(op string, data []byte, ranges []Range) (n uint64, all []Range, err error) {
	if len(data) < positionSize {
		return 0, ranges, short(op, data, positionSize)
	}
	n = binary.BigEndian.Uint64(data)
	if len(data) < positionSize+2 {
		return n, ranges, nil
	}
	count := int(binary.BigEndian.Uint16(data[positionSize:]))
	if want := positionSize + 2 + rangeSize*count; len(data) < want {
		return 0, ranges, short(op, data, want)
	}
	all, err = parseRanges(op, slices.Grow(ranges, count), data[positionSize+2:], count)
	return n, all, err
}

// AppendNak adds a NAK command, whole frame. The delay is rounded up to milliseconds, as far as they fit.
func AppendNak(b []byte, at uint64, delay time.Duration) []byte {
	b = appendCommandHead(b, CommandNak, positionSize+4)
	b = binary.BigEndian.AppendUint64(b, at)
	return binary.BigEndian.AppendUint32(b, milliseconds(delay))
}

// ParseNak reads the data of a NAK command. Data that is cut short is ErrMalformed.
func ParseNak(data []byte) (at uint64, delay time.Duration, err error) {
	if len(data) < positionSize+4 {
		return 0, 0, short("NAK command", data, positionSize+4)
	}
	ms := binary.BigEndian.Uint32(data[positionSize:])
	return binary.BigEndian.Uint64(data), time.Duration(ms) * time.Millisecond, nil
}

// AppendTerm adds a TERM command, whole frame. Of a reason over 255 bytes the first 255 are sent.
func AppendTerm(b []byte, at uint64, reason string) []byte {
	reason = reason[:min(len(reason), maxShortString)]
	b = appendCommandHead(b, CommandTerm, positionSize+1+len(reason))
	b = binary.BigEndian.AppendUint64(b, at)
	b = append(b, byte(len(reason)))
	return append(b, reason...)
}

// ParseTerm reads the data of a TERM command. The reason is untrusted text. Data that is cut short is ErrMalformed.
func ParseTerm(data []byte) (at uint64, reason string, err error) {
	const size = positionSize + 1
	if len(data) < size || len(data) < size+int(data[size-1]) {
		return 0, "", short("TERM command", data, size)
	}
	return binary.BigEndian.Uint64(data), string(data[size:][:data[size-1]]), nil
}

// appendNumber adds a command that is a number.
func appendNumber(b []byte, name string, n uint64) []byte {
	b = appendCommandHead(b, name, 8)
	return binary.BigEndian.AppendUint64(b, n)
}
