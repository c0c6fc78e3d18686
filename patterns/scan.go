package patterns

import (
	"encoding/binary"
	"fmt"
	"math"
)

// A budget is what one value may take, of the type it is decoded into.
type budget struct {
	depth    int
	elements uint64 // values in containers
	memory   uint64 // bytes that the containers take in memory, by the costs below
	plan
}

// A scanError says where a value is refused and why.
type scanError struct {
	at      int
	problem string
}

func (e *scanError) Error() string { return fmt.Sprintf("byte %d: %s", e.at, e.problem) }

func refuse(at int, format string, args ...any) error {
	return &scanError{at, fmt.Sprintf(format, args...)}
}

const (
	extTimestamp   = 0xff // the ext type -1, which is the only one that is let through
	maxNanoseconds = 999_999_999
	stackedDepth   = 64 // containers inside each other for which scan allocates nothing
)

// scan looks at the structure of a msgpack value before a decoder sees it: there is exactly one value, it is whole, and
// what it claims is there. It takes one pass, without recursion.
//
// It returns data, or a copy that is to be decoded in its place: the decoder skips only the header of an ext where it
// expects a map and takes the first byte of the body for the map's. So a timestamp that begins like a map is written in
// the form of 12 bytes, which begins with nanoseconds and so with 3b at most.
func scan(data []byte, b *budget) ([]byte, error) {
	var (
		buffer   [stackedDepth + 1]uint64
		open     = append(buffer[:0], 1) // of each container that is open, the values still to come
		need     = uint64(1)             // the sum of open: as many bytes must be left at least
		elements uint64
		cost     uint64
		copied   []byte // the copy up to from, once there is one
		from     int
	)
	for i := 0; need > 0; {
		if i >= len(data) {
			return nil, refuse(i, "cut short: %d more values were announced", need)
		}
		need--
		open[len(open)-1]--
		at := i
		var v value
		switch c := data[i]; {
		case c <= 0x7f || c >= 0xe0: // a small number
			i++
		case c&0xe0 == 0xa0 && int(c&0x1f) < len(data)-i: // a short string
			i += 1 + int(c&0x1f)
		default:
			var err error
			if v, err = header(data, i); err != nil {
				return nil, err
			}
			i = v.end
		}
		switch {
		case v.kind == arrayHeader || v.kind == mapHeader:
			n, what, takes := v.n, "array", v.n*b.element
			if v.kind == mapHeader {
				n, what, takes = 2*v.n, "map", b.table+v.n*b.entry
			}
			need += n
			if need > uint64(len(data)-i) { // from here on n is no more than the length of data
				return nil, refuse(at, "%s of %d, but %d bytes are left for %d values", what, v.n, len(data)-i, need)
			}
			elements += n
			if elements > b.elements {
				return nil, refuse(at, "more than %d values", b.elements)
			}
			cost += takes
			if cost > b.memory {
				return nil, refuse(at, "decoded it would take more than %d bytes", b.memory)
			}
			if len(open) > b.depth {
				return nil, refuse(at, "containers inside each other, more than %d", b.depth)
			}
			if n > 0 {
				open = append(open, n)
			}
		case v.kind == timestamp && beginsMap(data[v.body]):
			copied = appendLongTimestamp(append(copied, data[from:at]...), data[v.body:v.end])
			from = v.end
		}
		for len(open) > 1 && open[len(open)-1] == 0 {
			open = open[:len(open)-1]
		}
		if need == 0 && i < len(data) {
			return nil, refuse(i, "%d bytes after the value", len(data)-i)
		}
	}
	if copied == nil {
		return data, nil
	}
	return append(copied, data[from:]...), nil
}

// What a header says.
type headerKind uint8

const (
	scalar headerKind = iota // a number, a string, bytes: end is behind it
	arrayHeader
	mapHeader
	timestamp
)

type value struct {
	kind headerKind
	n    uint64 // elements of an array, entries of a map
	body int    // where the body of a timestamp begins
	end  int    // where the next value begins
}

// header reads the value at i that is no small number, of a container only the header.
func header(data []byte, i int) (value, error) {
	c := data[i]
	switch {
	case c <= 0x8f:
		return value{kind: mapHeader, n: uint64(c & 0x0f), end: i + 1}, nil
	case c <= 0x9f:
		return value{kind: arrayHeader, n: uint64(c & 0x0f), end: i + 1}, nil
	case c <= 0xbf:
		return fixed(data, i, 1+int(c&0x1f))
	}
	switch c {
	case 0xc0, 0xc2, 0xc3: // nil, false, true
		return value{end: i + 1}, nil
	case 0xcc, 0xd0: // numbers
		return fixed(data, i, 2)
	case 0xcd, 0xd1:
		return fixed(data, i, 3)
	case 0xca, 0xce, 0xd2:
		return fixed(data, i, 5)
	case 0xcb, 0xcf, 0xd3:
		return fixed(data, i, 9)
	case 0xc4, 0xd9: // bytes and strings, by the size of their length
		return counted(data, i, 1)
	case 0xc5, 0xda:
		return counted(data, i, 2)
	case 0xc6, 0xdb:
		return counted(data, i, 4)
	case 0xdc, 0xde: // arrays and maps
		return container(data, i, 2)
	case 0xdd, 0xdf:
		return container(data, i, 4)
	case 0xc7, 0xd6, 0xd7: // ext of any length up to 255, of 4, of 8
		return ext(data, i)
	}
	if c == 0xc1 {
		return value{}, refuse(i, "c1 is no value")
	}
	return value{}, refuse(i, "ext %02x: only timestamps of 4, 8 or 12 bytes are accepted", c)
}

func fixed(data []byte, i, size int) (value, error) {
	if size > len(data)-i {
		return value{}, refuse(i, "%02x has %d bytes, %d are left", data[i], size, len(data)-i)
	}
	return value{end: i + size}, nil
}

// number reads the length or count of size bytes that follows the code at i.
func number(data []byte, i, size int) (uint64, error) {
	if 1+size > len(data)-i {
		return 0, refuse(i, "%02x is cut short", data[i])
	}
	switch b := data[i+1:]; size {
	case 1:
		return uint64(b[0]), nil
	case 2:
		return uint64(binary.BigEndian.Uint16(b)), nil
	default:
		return uint64(binary.BigEndian.Uint32(b)), nil
	}
}

func counted(data []byte, i, size int) (value, error) {
	n, err := number(data, i, size)
	if err != nil {
		return value{}, err
	}
	begin := i + 1 + size
	if n > uint64(len(data)-begin) {
		return value{}, refuse(i, "%d bytes were announced, %d are left", n, len(data)-begin)
	}
	return value{end: begin + int(n)}, nil
}

func container(data []byte, i, size int) (value, error) {
	n, err := number(data, i, size)
	if err != nil {
		return value{}, err
	}
	kind := arrayHeader
	if data[i] >= 0xde {
		kind = mapHeader
	}
	return value{kind: kind, n: n, end: i + 1 + size}, nil
}

func ext(data []byte, i int) (value, error) {
	size, begin := 4, i+2
	switch data[i] {
	case 0xd7:
		size = 8
	case 0xc7:
		n, err := number(data, i, 1)
		if err != nil {
			return value{}, err
		}
		size, begin = int(n), i+3
	}
	if size > len(data)-begin {
		return value{}, refuse(i, "ext of %d bytes is cut short", size)
	}
	if data[begin-1] != extTimestamp || size != 4 && size != 8 && size != 12 {
		return value{}, refuse(i, "ext %d of %d bytes: only timestamps of 4, 8 or 12 bytes are accepted",
			int8(data[begin-1]), size)
	}
	if _, nanos := timestampOf(data[begin : begin+size]); nanos > maxNanoseconds {
		return value{}, refuse(i, "a timestamp with %d nanoseconds", nanos)
	}
	return value{kind: timestamp, body: begin, end: begin + size}, nil
}

// timestampOf reads the body of a timestamp: seconds since 1970, in two's complement, and nanoseconds.
func timestampOf(body []byte) (seconds, nanos uint64) {
	switch len(body) {
	case 4:
		return uint64(binary.BigEndian.Uint32(body)), 0
	case 8:
		both := binary.BigEndian.Uint64(body)
		return both & (1<<34 - 1), both >> 34
	default:
		return binary.BigEndian.Uint64(body[4:]), uint64(binary.BigEndian.Uint32(body))
	}
}

func appendLongTimestamp(b, body []byte) []byte {
	seconds, nanos := timestampOf(body)
	b = append(b, 0xc7, 12, extTimestamp)
	b = binary.BigEndian.AppendUint32(b, uint32(nanos&math.MaxUint32)) // below 10⁹
	return binary.BigEndian.AppendUint64(b, seconds)
}

// beginsMap tells whether a decoder takes c for the length of a map: a map's own codes and nil.
func beginsMap(c byte) bool {
	return c&0xf0 == 0x80 || c == 0xc0 || c == 0xde || c == 0xdf
}
