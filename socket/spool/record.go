package spool

import (
	"encoding/binary"
	"hash/crc32"
)

// A record is one record on its way to the disk. Its data is head's, then each of more: large bodies stand there as the
// caller has them and are not copied.
type record struct {
	recordHead
	head []byte // room for the record's own 24 bytes, then the data but for more
	more [][]byte
}

// newRecord begins a record with room for n bytes of data.
func newRecord(kind recordType, seq uint64, n int) record {
	return record{recordHead: recordHead{kind: kind, seq: seq}, head: make([]byte, recordHeader, recordHeader+n)}
}

// length is the record's size, without padding.
func (r *record) length() int {
	n := len(r.head)
	for _, b := range r.more {
		n += len(b)
	}
	return n
}

// seal writes the record's own bytes, with the checksum for a segment.
func (r *record) seal(seed uint32) {
	r.size = r.length()
	r.put(r.head)
	sum := crc32.Update(seed, castagnoli, r.head[4:])
	for _, b := range r.more {
		sum = crc32.Update(sum, castagnoli, b)
	}
	binary.LittleEndian.PutUint32(r.head, sum)
}

var zeros [1 << 20]byte

// A bundle is the records of one batch, and can be sealed for one segment after another.
type bundle struct {
	batch
	recs []record
}

func (b *bundle) add(r ...record) {
	for i := range r {
		b.size += padded(r[i].length())
		if r[i].flags&flagAtomic != 0 {
			b.flags |= batchAtomic
		}
	}
	b.recs = append(b.recs, r...)
}

// seal returns the batch as it is to be written into a segment, buffer by buffer, none of them empty: with none but
// empty ones pwritev makes no progress. What is copied goes to buf, if it has room for it.
func (b *bundle) seal(sum uint32, buf []byte) [][]byte {
	b.records = uint32(len(b.recs))
	if need := b.copied(); cap(buf) < need {
		buf = make([]byte, 0, need)
	}
	buf = buf[:batchHeader]
	h := b.batch
	h.size = b.total()
	h.put(buf, sum)
	out, from := make([][]byte, 0, 8), 0
	for i := range b.recs {
		r := &b.recs[i]
		r.seal(sum)
		buf = append(buf, r.head...)
		for _, m := range r.more {
			if len(m) < referenced {
				buf = append(buf, m...)
				continue
			}
			if len(buf) > from {
				out = append(out, buf[from:])
			}
			out, from = append(out, m), len(buf)
		}
		buf = append(buf, zeros[:padded(r.size)-r.size]...)
	}
	if len(buf) > from {
		out = append(out, buf[from:])
	}
	return out
}

// copied is how many bytes of the batch are not written from where the caller has them.
func (b *bundle) copied() int {
	n := b.total()
	for i := range b.recs {
		for _, m := range b.recs[i].more {
			if len(m) >= referenced {
				n -= len(m)
			}
		}
	}
	return n
}

// total is the batch's size.
func (b *bundle) total() int { return batchHeader + b.size }

// From what size on a frame is left where the caller has it until the batch is put together, and from what size on it
// is written from there.
const (
	held       = 512
	referenced = 16 << 10
)

// A stored record is one as it was read, its data a part of a larger buffer.
type stored struct {
	recordHead
	data []byte
}

// parseRecord reads the record at the beginning of b, which goes on up to the end of what may belong to it.
func parseRecord(b []byte, seed uint32) (r stored, ok bool) {
	h, ok := parseHead(b)
	if !ok || h.size > len(b) || crc32.Update(seed, castagnoli, b[4:h.size]) != binary.LittleEndian.Uint32(b) {
		return stored{}, false
	}
	return stored{h, b[recordHeader:h.size:h.size]}, true
}

// A field takes values one by one from data; once it was asked for more than there is, it is bad, and stays so.
type field struct {
	b   []byte
	bad bool
}

func (f *field) bytes(n uint64) []byte {
	if f.bad || n > uint64(len(f.b)) {
		f.bad = true
		return nil
	}
	b := f.b[:n:n]
	f.b = f.b[n:]
	return b
}

func (f *field) u8() byte {
	if b := f.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (f *field) u16() uint16 {
	if b := f.bytes(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (f *field) u32() uint32 {
	if b := f.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (f *field) u64() uint64 {
	if b := f.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (f *field) id() (id ID) {
	copy(id[:], f.bytes(uint64(len(id))))
	return id
}

func (f *field) uvarint() uint64 {
	if f.bad {
		return 0
	}
	v, n := binary.Uvarint(f.b)
	if n <= 0 {
		f.bad = true
		return 0
	}
	f.b = f.b[n:]
	return v
}

// text is bytes with their length ahead.
func (f *field) text() []byte { return f.bytes(f.uvarint()) }

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
