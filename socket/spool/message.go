package spool

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// An ID names a spool, and with it the stream of messages that comes from it.
type ID [16]byte

// String is the ID in hexadecimal.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

func (id ID) compare(other ID) int { return bytes.Compare(id[:], other[:]) }

// A Message is what a spool keeps.
type Message struct {
	Seq      uint64    // its number, given by the spool when it is appended; ascending from 1, never given twice
	Frames   [][]byte  // what it says
	Enqueued time.Time // when it was appended, to the millisecond; zero in Append: now
	Expires  time.Time // from when on it is worth nothing, to the second, rounded up; zero: never
	Attempts int       // deliveries that were begun before this one
	Origin   Origin    // where it came from, zero if it was appended here
}

// An Origin says which message of which other spool this one was.
type Origin struct {
	Stream ID
	Seq    uint64
}

// A Range is the seqs from From up to, but without, To.
type Range struct{ From, To uint64 }

// Len is how many seqs there are in the range.
func (r Range) Len() uint64 {
	if r.From >= r.To {
		return 0
	}
	return r.To - r.From
}

// bytes is how much a message's frames hold.
func (m *Message) bytes() (n int) {
	for _, f := range m.Frames {
		n += len(f)
	}
	return n
}

// clockStart is what a record's expiry counts from.
var clockStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

// putExpiry is a time as a record has it: never too early.
func putExpiry(t time.Time) uint32 {
	if t.IsZero() {
		return 0
	}
	s := t.Unix() - clockStart
	if t.Nanosecond() > 0 {
		s++
	}
	return uint32(min(max(s, 1), 1<<32-1))
}

func getExpiry(s uint32) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(clockStart+int64(s), 0)
}

// A time in milliseconds since 1970; zero stands for the zero time.
func putTime(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func getTime(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// messageRecord makes the record of a message, of the given type, which is MESSAGE, COPY or, behind what else a dead
// letter has, DEAD.
func messageRecord(kind recordType, m *Message, ahead []byte) record {
	n, large := len(ahead)+8+24+binary.MaxVarintLen32*(1+len(m.Frames)), 0
	for _, f := range m.Frames {
		if len(f) < held {
			n += len(f)
		} else {
			large++
		}
	}
	r := newRecord(kind, m.Seq, n)
	r.attempts = uint16(min(m.Attempts, 1<<16-1))
	r.expiry = putExpiry(m.Expires)
	r.head = append(r.head, ahead...)
	r.head = binary.LittleEndian.AppendUint64(r.head, uint64(putTime(m.Enqueued)))
	if m.Origin != (Origin{}) {
		r.flags |= flagOrigin
		r.head = append(r.head, m.Origin.Stream[:]...)
		r.head = binary.LittleEndian.AppendUint64(r.head, m.Origin.Seq)
	}
	r.head = binary.AppendUvarint(r.head, uint64(len(m.Frames)))
	for _, f := range m.Frames {
		r.head = binary.AppendUvarint(r.head, uint64(len(f)))
	}
	if large > 0 { // once one frame is held, those behind it follow it
		r.more = make([][]byte, 0, len(m.Frames))
	}
	for _, f := range m.Frames {
		switch {
		case len(r.more) > 0 || len(f) >= held:
			r.more = append(r.more, f)
		default:
			r.head = append(r.head, f...)
		}
	}
	return r
}

// message reads what messageRecord has written. The frames are parts of data.
func (r *stored) message(data []byte) (m Message, ok bool) {
	f := field{b: data}
	m.Seq = r.seq
	m.Attempts = int(r.attempts)
	m.Expires = getExpiry(r.expiry)
	m.Enqueued = getTime(int64(f.u64()))
	if r.flags&flagOrigin != 0 {
		m.Origin.Stream = f.id()
		m.Origin.Seq = f.u64()
	}
	n := f.uvarint()
	if f.bad || n > uint64(len(f.b)) { // a frame takes a byte at least, for its length
		return Message{}, false
	}
	m.Frames = make([][]byte, n)
	lengths := f
	for range n {
		f.uvarint()
	}
	for i := range m.Frames {
		m.Frames[i] = f.bytes(lengths.uvarint())
	}
	return m, !f.bad && !lengths.bad && len(f.b) == 0 && r.flags&flagSealed == 0
}
