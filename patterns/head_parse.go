package patterns

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

// ParseHead reads a head. What it returns keeps nothing of b. Its errors match [ErrHead]: b is not one map of keys that
// are strings, has more than 16 KiB, 32 keys or 4 levels, or has a known key twice, of the wrong type or over its
// limit. Patterns parse heads themselves: this is for tools, and for bridges to something else.
func ParseHead(b []byte) (Head, error) {
	var h Head
	r := headReader{b: b}
	if len(b) > maxHead {
		r.fail("%d bytes, over %d", len(b), maxHead)
	}
	n := r.length(0x80, 0xde, "map")
	if n > maxHeadKeys {
		r.fail("%d keys, over %d", n, maxHeadKeys)
	}
	var seen uint32
	for range n {
		if r.err != nil {
			break
		}
		key := r.raw(str, "key")
		if len(key) != 1 || key[0] < 'a' || key[0] > 'z' {
			r.skip(maxHeadDepth - 1)
			continue
		}
		bit := uint32(1) << (key[0] - 'a')
		known := r.field(&h, key[0])
		if known && seen&bit != 0 {
			r.fail("key %q twice", key)
		}
		seen |= bit
	}
	if r.err == nil && r.i < len(b) {
		r.fail("%d bytes after the map", len(b)-r.i)
	}
	if r.err != nil {
		return Head{}, r.err
	}
	return h, nil
}

// field reads the value of a key and tells whether the key is known.
func (r *headReader) field(h *Head, key byte) bool {
	switch key {
	case 'v':
		h.Version = r.uint()
	case 'k':
		k := r.uint()
		if k > math.MaxUint8 {
			r.fail("kind %d, over %d", k, math.MaxUint8)
		}
		h.Kind = Kind(k)
	case 'm':
		h.Method = r.text()
	case 'd':
		h.Left = r.duration()
	case 'c':
		h.Type = r.text()
	case 'i':
		at := r.i
		k := r.raw(str|bin, "str or bin")
		if r.err == nil && (r.b[at] < 0xc4 || r.b[at] > 0xc6) && !utf8.Valid(k) { // it is no bin
			r.fail("a str that is not UTF-8")
		}
		if len(k) > maxKey {
			r.fail("a key of %d bytes, over %d", len(k), maxKey)
		}
		h.Key = string(k)
	case 'w':
		h.Window = r.uint()
	case 'e':
		h.Code = Code(r.text())
	case 't':
		h.Text = r.text()
	case 'r':
		h.Retry = r.duration()
	case 'f':
		f := r.uint()
		if f > 1 {
			r.fail("%d where only 1 can be", f)
		}
		h.NotBegun = f == 1
	case 'n':
		h.Seq = r.uint()
	case 'l':
		r.list(h)
	case 'a':
		h.Attempt = r.uint()
	case 'u':
		h.Delivery = r.uint()
	case 'p':
		p := r.raw(bin, "bin")
		if r.err == nil && len(p) != len(h.Origin) {
			r.fail("an origin of %d bytes", len(p))
		}
		copy(h.Origin[:], p)
	case 's':
		ms := r.uint()
		if ms > math.MaxInt64 {
			r.fail("time %d", ms)
		} else if ms > 0 {
			h.Time = time.UnixMilli(int64(ms))
		}
	case 'x':
		h.Flags = r.uint()
	case 'h':
		r.headers(h)
	default:
		r.skip(maxHeadDepth - 1)
		return false
	}
	return true
}

func (r *headReader) list(h *Head) {
	n := r.length(0x90, 0xdc, "array")
	if n > len(r.b)-r.i {
		r.fail("array of %d, %d bytes are left", n, len(r.b)-r.i)
		return
	}
	h.List = make([]uint64, n)
	for i := range h.List {
		h.List[i] = r.uint()
	}
}

func (r *headReader) headers(h *Head) {
	n, size := r.length(0x80, 0xde, "map"), 0
	if n > maxHeaders {
		r.fail("%d headers, over %d", n, maxHeaders)
		return
	}
	h.Headers = make(Headers, n)
	for range n {
		name, v := r.text(), r.text()
		if size += len(name) + len(v); size > maxHeaderBytes {
			r.fail("headers of more than %d bytes", maxHeaderBytes)
		}
		if r.err != nil {
			return
		}
		h.Headers[name] = v
	}
	if r.err == nil && len(h.Headers) != n {
		r.fail("a header twice")
	}
}

// A headReader reads values until the first error. After one it reads zeros, and i is no longer moved.
type headReader struct {
	b    []byte
	i    int
	err  error
	copy string // of b, made for the first text, of which all texts are parts
}

func (r *headReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: byte %d: %s", ErrHead, r.i, fmt.Sprintf(format, args...))
	}
}

// next returns the code of the next value; after an error c1, which is the code of nothing.
func (r *headReader) next() byte {
	if r.err == nil && r.i >= len(r.b) {
		r.fail("cut short")
	}
	if r.err != nil {
		return 0xc1
	}
	c := r.b[r.i]
	r.i++
	return c
}

// big reads a number of size bytes.
func (r *headReader) big(size int) uint64 {
	if size > len(r.b)-r.i {
		r.fail("cut short")
		return 0
	}
	b := r.b[r.i:]
	r.i += size
	switch size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.BigEndian.Uint16(b))
	case 4:
		return uint64(binary.BigEndian.Uint32(b))
	default:
		return binary.BigEndian.Uint64(b)
	}
}

// uint reads an integer that is not negative, in any of the forms that other languages write.
func (r *headReader) uint() uint64 {
	c := r.next()
	switch {
	case r.err != nil:
		return 0
	case c <= 0x7f:
		return uint64(c)
	case c >= 0xcc && c <= 0xcf:
		return r.big(1 << (c - 0xcc))
	case c >= 0xd0 && c <= 0xd3:
		size := 1 << (c - 0xd0)
		v := r.big(size)
		if v>>(8*size-1) != 0 {
			r.fail("a negative number")
			return 0
		}
		return v
	}
	r.fail("%02x where a number should be that is not negative", c)
	return 0
}

// duration reads milliseconds. More than Go has are as many as it has.
func (r *headReader) duration() time.Duration {
	return time.Duration(min(r.uint(), math.MaxInt64/uint64(time.Millisecond))) * time.Millisecond
}

// What raw may read.
const (
	str = 1 << iota
	bin
)

// raw reads a str or a bin, without copying it.
func (r *headReader) raw(kinds int, want string) []byte {
	c := r.next()
	n := uint64(0)
	switch {
	case r.err != nil:
		return nil
	case kinds&str != 0 && c&0xe0 == 0xa0:
		n = uint64(c & 0x1f)
	case kinds&str != 0 && c >= 0xd9 && c <= 0xdb:
		n = r.big(1 << (c - 0xd9))
	case kinds&bin != 0 && c >= 0xc4 && c <= 0xc6:
		n = r.big(1 << (c - 0xc4))
	default:
		r.fail("%02x where a %s should be", c, want)
		return nil
	}
	if n > uint64(len(r.b)-r.i) {
		r.fail("%d bytes were announced, %d are left", n, len(r.b)-r.i)
		return nil
	}
	b := r.b[r.i : r.i+int(n)]
	r.i += int(n)
	return b
}

// text reads a str, which must be valid UTF-8.
func (r *headReader) text() string {
	b := r.raw(str, "str")
	if !utf8.Valid(b) {
		r.fail("a str that is not UTF-8")
	}
	if r.err != nil || len(b) == 0 {
		return ""
	}
	if r.copy == "" {
		r.copy = string(r.b)
	}
	return r.copy[r.i-len(b) : r.i]
}

// length reads the header of an array or a map: small is its code for up to 15, long the one for 16 bits.
func (r *headReader) length(small, long byte, want string) int {
	c := r.next()
	switch {
	case r.err != nil:
		return 0
	case c&0xf0 == small:
		return int(c & 0x0f)
	case c == long:
		return int(r.big(2))
	case c == long+1:
		if n := r.big(4); n <= maxHead {
			return int(n)
		}
		r.fail("%s of more elements than a head has room for", want)
		return 0
	}
	r.fail("%02x where a %s should be", c, want)
	return 0
}

// skip passes over a value with at most depth levels of containers.
func (r *headReader) skip(depth int) {
	if r.err != nil {
		return
	}
	if r.i >= len(r.b) {
		r.fail("cut short")
		return
	}
	c := r.b[r.i]
	n := 0
	switch {
	case c&0xf0 == 0x90 || c == 0xdc || c == 0xdd:
		n = r.length(0x90, 0xdc, "array")
	case c&0xf0 == 0x80 || c == 0xde || c == 0xdf:
		n = 2 * r.length(0x80, 0xde, "map")
	case c == 0xc1:
		r.fail("c1 is no value")
		return
	default:
		r.scalar()
		return
	}
	if depth == 0 {
		r.fail("more than %d levels", maxHeadDepth)
	}
	for range n {
		if r.err != nil {
			return
		}
		r.skip(depth - 1)
	}
}

// scalar passes over a value that is no container.
func (r *headReader) scalar() {
	c := r.next()
	n := uint64(0)
	switch {
	case c <= 0x7f || c >= 0xe0 || c == 0xc0 || c == 0xc2 || c == 0xc3:
	case c&0xe0 == 0xa0:
		n = uint64(c & 0x1f)
	case c >= 0xc4 && c <= 0xc6:
		n = r.big(1 << (c - 0xc4))
	case c >= 0xc7 && c <= 0xc9:
		n = r.big(1<<(c-0xc7)) + 1
	case c == 0xca || c == 0xcb:
		n = 4 << (c - 0xca)
	case c >= 0xcc && c <= 0xcf:
		n = 1 << (c - 0xcc)
	case c >= 0xd0 && c <= 0xd3:
		n = 1 << (c - 0xd0)
	case c >= 0xd4 && c <= 0xd8:
		n = 1<<(c-0xd4) + 1
	case c >= 0xd9 && c <= 0xdb:
		n = r.big(1 << (c - 0xd9))
	}
	if n > uint64(len(r.b)-r.i) {
		r.fail("%d bytes were announced, %d are left", n, len(r.b)-r.i)
		return
	}
	r.i += int(n)
}
