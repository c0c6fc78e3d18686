package zmtp

import (
	"runtime"
	"runtime/debug"
)

// How the buffer of a long body grows. A claim of any size costs bodyStart; a buffer doubles when it is full, so that
// what is held stays within twice what has come.
//
// To double a body of gigabytes would copy it over and over, and hold it one and a half times at the end, beside the
// garbage of all steps before. So once partsFrom bytes have come no more are copied: they stay in parts of partSize
// each until an eighth of the body is there. Then the whole gets its buffer, into which the parts are copied, and the
// rest is read straight into that. It takes one and an eighth of the body at most, and what has not come of it yet
// takes up addresses rather than memory, since nothing has touched it.
const (
	partsFrom = 32 << 20
	partSize  = 16 << 20
	bodyTrust = 8 // times what has come
)

// startBody moves what has come of a long body into a buffer of its own. The slab starts afresh. It returns false if
// there is no room.
func (r *Reader) startBody(come []byte, size int, flags byte) bool {
	n := min(size, max(bodyStart, r.largest, len(come)))
	if !r.fits(n) {
		return false
	}
	r.long = takeBody(n)
	r.took(len(r.long[0]))
	r.have = copy(r.long[0], come)
	r.bodySize, r.bodyFlags = size, flags
	r.r = r.w
	if size > surgeBody && !r.lent { // nothing but headers was in it
		r.r, r.w = 0, 0
	}
	return true
}

// endBody takes the long body, which is there whole.
func (r *Reader) endBody(handler Handler) error {
	long := r.long
	r.long, r.afterBody = nil, true
	r.largest = max(r.largest, min(r.bodySize, bodyKnown))
	if r.opener != nil {
		return r.open(handler, r.bodyFlags, long[0], long)
	}
	r.size += int64(r.bodySize)
	r.finish(r.lists.addLong(long, r.bodyFlags&FlagMore != 0))
	return nil
}

// growBody makes room for more of the long body under way, whose buffer is full. It returns false if there is none.
func (r *Reader) growBody() bool {
	come := r.have
	for _, p := range r.parts {
		come += len(p[0])
	}
	if come >= partsFrom && r.bodySize/bodyTrust > come {
		if !r.fits(come + partSize) {
			return false
		}
		r.parts = append(r.parts, r.long)
		r.long, r.have = takeBody(partSize), 0
		return true
	}
	size := r.bodySize
	if come < partsFrom {
		size = min(2*come, size)
	}
	if !r.fits(size) {
		return false
	}
	if size >= hugeBody {
		makeWay(uint64(size))
	}
	grown := takeBody(size)
	r.have = 0
	for _, p := range append(r.parts, r.long) {
		r.have += copy(grown[0][r.have:], p[0])
		p.recycle()
	}
	r.long, r.parts = grown, nil
	return true
}

// fits asks for room for n bytes beside the frames that are there of the message under way.
func (r *Reader) fits(n int) bool {
	if r.lim.Room == nil {
		return true
	}
	total := r.size + int64(r.lists.open())*frameTakes + int64(n)
	if total <= max(roomFree, r.room) {
		return true
	}
	total = (total + roomStep - 1) / roomStep * roomStep
	if !r.lim.Room(total) {
		return false
	}
	r.room = total
	return true
}

// giveRoom gives back what the message that is there whole was given.
func (r *Reader) giveRoom() {
	r.room = 0
	r.lim.Room(0)
}

// hugeBody is the size from which a body is worth a collection. No peer sends one unless the limit on messages was
// raised to that.
const hugeBody = 256 << 20

// makeWay has what is left of earlier bodies of that kind collected and given back before memory is taken for
// another. Left to itself the collector lets a process grow to twice what is in use: with one message of a gigabyte
// after the other, to three times the message. A heap that is small beside the body has nothing to give, and of one
// that is far larger it is no great part.
func makeWay(size uint64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > size/4 && m.HeapAlloc < 4*size {
		debug.FreeOSMemory()
	}
}
