package socket

import (
	"slices"
	"sync"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// Sizes of the way out, found by measuring (see BenchmarkPushPull).
const (
	slabSize = 64 << 10 // small frames are copied into slabs of this size
	referTo  = 8 << 10  // a body at least this long is referenced instead and leaves by writev
)

type slab [slabSize]byte

var slabs = sync.Pool{New: func() any { return new(slab) }}

// A batch is a run of whole messages, encoded as ZMTP frames and ready for one write. The zero batch is empty.
//
// No frame straddles two segments, except that a referenced body is a segment of its own, right behind the one that
// ends with its header.
type batch struct {
	segs   []segment
	base   int32 // segments that shift has taken off whole
	shared bool  // its first slab begins with bytes of an earlier batch (handOver)
	told   bool  // there are NEXT commands among its messages (announce)
	head   int   // bytes of segs[base] that it has taken off
	count  Count
	// further is how many frames there are beyond the first of each message.
	further uint64
	pins    *pins     // nil while no message is pinned (link_pinned.go)
	sizes   *[]uint32 // nil unless there is nothing but the sizes of messages that a store has
}

// A segment is a run of bytes: part of a slab, or the body of one frame. The last segment in a slab carries the slab,
// so that it is given back when that segment is done with.
type segment struct {
	b    []byte
	slab *slab
}

func (b *batch) empty() bool { return b.count.Messages == 0 }

// last returns the last segment if it has room for need more bytes; nil if not.
func (b *batch) last(need int) *segment {
	if n := len(b.segs); n > int(b.base) {
		if t := &b.segs[n-1]; t.slab != nil && cap(t.b)-len(t.b) >= need {
			return t
		}
	}
	return nil
}

// tail returns the last segment if it has room for need more bytes, or else a new one.
func (b *batch) tail(need int) *segment {
	if t := b.last(need); t != nil {
		return t
	}
	if n := len(b.segs); n > int(b.base) {
		if b.segs[n-1].slab == nil && n-1 > int(b.base) { // a referenced body: the slab of its header goes on behind it
			if owner := &b.segs[n-2]; owner.slab != nil && cap(owner.b)-len(owner.b) >= need {
				end := len(owner.b)
				next := segment{b: owner.b[end:end:cap(owner.b)], slab: owner.slab}
				owner.slab = nil
				b.segs = append(b.segs, next)
				return &b.segs[n]
			}
		}
	}
	s := slabs.Get().(*slab)
	b.segs = append(b.segs, segment{b: s[:0], slab: s})
	return &b.segs[len(b.segs)-1]
}

// add encodes one message. It copies small frames and keeps references to large ones.
func (b *batch) add(frames [][]byte, size int) {
	for i, f := range frames {
		flags := byte(zmtp.FlagMore)
		if i == len(frames)-1 {
			flags = 0
		}
		if len(f) >= referTo {
			t := b.tail(9)
			t.b = zmtp.AppendHeader(t.b, flags, len(f))
			b.segs = append(b.segs, segment{b: f})
			continue
		}
		t := b.tail(9 + len(f))
		t.b = append(zmtp.AppendHeader(t.b, flags, len(f)), f...)
	}
	b.count.add(size)
}

// append is add for a message that undo has given back.
func (b *batch) append(m Msg) {
	b.add(m.Frames, m.Size())
	b.further += m.further()
	if m.From == pinned {
		b.pin()
	}
}

// addFast is add for a message of one small frame, if that fits behind the last one.
func (b *batch) addFast(body []byte) bool {
	t := b.last(9 + len(body))
	if t == nil || len(body) >= referTo {
		return false
	}
	t.b = append(zmtp.AppendHeader(t.b, 0, len(body)), body...)
	b.count.add(len(body))
	return true
}

// addEncoded appends one message that was encoded before, at most slabSize bytes.
func (b *batch) addEncoded(wire []byte, size int) {
	t := b.tail(len(wire))
	t.b = append(t.b, wire...)
	b.count.add(size)
}

// addEncodedFast is addEncoded, if the message fits behind the last one.
func (b *batch) addEncodedFast(wire []byte, size int) bool {
	t := b.last(len(wire))
	if t == nil {
		return false
	}
	t.b = append(t.b, wire...)
	b.count.add(size)
	return true
}

// encodeSmall appends a message's frames to buf, if they all are of the kind that is copied and fit a slab together.
func encodeSmall(buf []byte, frames [][]byte) ([]byte, bool) {
	for i, f := range frames {
		if len(f) >= referTo || len(buf)+9+len(f) > slabSize {
			return buf, false
		}
		flags := byte(zmtp.FlagMore)
		if i == len(frames)-1 {
			flags = 0
		}
		buf = append(zmtp.AppendHeader(buf, flags, len(f)), f...)
	}
	return buf, true
}

// vectors appends the batch's bytes to vec, for writev.
func (b *batch) vectors(vec [][]byte) [][]byte {
	for i, s := range b.segs[b.base:] {
		if i == 0 {
			s.b = s.b[b.head:]
		}
		if len(s.b) > 0 {
			vec = append(vec, s.b)
		}
	}
	return vec
}

// handOver has next, which is empty and without a slab, go on in the slab that b leaves half full. Then b is kept for
// long after it was written: it would otherwise hold on to a whole slab for one small message, and all of them would
// have to be taken anew. A slab that two batches share is given back with the later one; the earlier one is done with
// by then.
func (b *batch) handOver(next *batch) {
	n := len(b.segs)
	if n == int(b.base) || len(next.segs) > int(next.base) {
		return
	}
	owner := &b.segs[n-1]
	if owner.slab == nil && n-1 > int(b.base) { // a referenced body, behind the slab with its header
		owner = &b.segs[n-2]
	}
	end := len(owner.b)
	if owner.slab == nil || cap(owner.b)-end < handOverLeast {
		return
	}
	next.segs = append(next.segs, segment{b: owner.b[end:end:cap(owner.b)], slab: owner.slab})
	next.shared = true
	owner.slab = nil
}

// handOverLeast is the room below which a slab is not worth going on in.
const handOverLeast = 512

// recycle empties the batch and gives its slabs back. Nobody may hold on to bytes of it, nor of an earlier batch that
// it shares a slab with.
func (b *batch) recycle() {
	for _, s := range b.segs[b.base:] {
		if s.slab != nil {
			slabs.Put(s.slab)
		}
	}
	b.reset()
}

// discard empties the batch for good. Unless it shares a slab, nobody holds on to bytes of it.
func (b *batch) discard() {
	if b.shared {
		b.reset()
		return
	}
	b.recycle()
}

// reset empties the batch and leaves its slabs to those who hold messages in them.
func (b *batch) reset() {
	clear(b.segs)
	*b = batch{segs: b.segs[:0], pins: b.pins.reset()}
}

// first decodes the oldest message, which stays. wire is the number of bytes it takes up, next and off where the one
// after it begins.
func (b *batch) first() (frames [][]byte, wire, next, off int) {
	next, off = int(b.base), b.head
	for {
		for off == len(b.segs[next].b) {
			next, off = next+1, 0
		}
		h, n, _ := zmtp.ParseHeader(b.segs[next].b[off:])
		off, wire = off+n, wire+n+int(h.Size)
		if h.Command() { // NEXT, which belongs to the message
			off += int(h.Size)
			continue
		}
		var body []byte
		if rest := b.segs[next].b[off:]; uint64(len(rest)) >= h.Size {
			body = rest[:h.Size:h.Size]
			off += int(h.Size)
		} else {
			next++
			body = b.segs[next].b
			off = len(body)
		}
		frames = append(frames, body)
		if h.Flags&zmtp.FlagMore == 0 {
			return frames, wire, next, off
		}
	}
}

// shift takes the oldest message off. A slab it leaves behind is given back if nobody keeps the frames.
func (b *batch) shift(keep bool) (frames [][]byte, wire int) {
	frames, wire, next, off := b.first()
	for i := int(b.base); i < next; i++ {
		if s := b.segs[i].slab; s != nil && !keep {
			slabs.Put(s)
		}
		b.segs[i] = segment{}
	}
	b.base = int32(next)
	if next > len(b.segs)/2 { // move down now and then, not each time
		b.segs = slices.Delete(b.segs, 0, next)
		b.base = 0
	}
	b.head = off
	m := Msg{Frames: frames}
	b.count.sub(m.Size())
	b.further -= m.further()
	b.pins.shift()
	return frames, wire
}

// nextFrame is the size of a NEXT command, whole frame, or more.
const nextFrame = 32

// announce says something of the message that is added next. It returns the frame.
func (b *batch) announce(next zmtp.Next) []byte {
	b.told = true
	t := b.tail(nextFrame)
	begin := len(t.b)
	t.b = zmtp.AppendNext(t.b, next)
	return t.b[begin:]
}

// move takes the oldest n messages off another batch and adds them here; ahead, unless nil, is called before each.
func (b *batch) move(from *batch, n uint64, ahead func()) {
	for range n {
		m := from.shiftMsg()
		if ahead != nil {
			ahead()
		}
		b.append(m)
	}
	if from.empty() {
		from.reset()
	}
}

// dropOldest takes the oldest message off for good.
func (b *batch) dropOldest() Count {
	frames, _ := b.shift(b.shared)
	n := Count{1, uint64(Msg{Frames: frames}.Size())}
	if b.count.Messages == 0 {
		b.discard()
	}
	return n
}

// undo empties the batch: of its messages, those that lie whole in the first written bytes count as delivered, all
// others become messages again, in order. begun says that the first of those was written in part. With keep, the
// delivered ones are encoded there again.
func (b *batch) undo(written int, keep *batch) (delivered Count, rest []Msg, begun bool) {
	for b.count.Messages > 0 {
		var from *Peer
		if b.pins.isPinned() {
			from = pinned
		}
		frames, wire := b.shift(true)
		if wire <= written {
			m := Msg{Frames: frames, From: from}
			delivered.add(m.Size())
			if keep != nil {
				keep.append(m)
			}
		} else {
			begun = begun || written > 0
			rest = append(rest, Msg{Frames: frames, From: from})
		}
		written -= min(wire, written) // a message written in part leaves none for the next
	}
	b.reset()
	return delivered, rest, begun
}
