package zmtp

import (
	"runtime"
	"runtime/debug"
)

// The buffer of a long body grows as bytes arrive. It starts at firstBuffer whatever size the peer claims, and doubles
// when it is full, so that at most twice the bytes received are held.
//
// To double a body of gigabytes would copy it over and over and hold one and a half times its size at the end, beside
// the garbage of all steps before. So from partsFrom bytes on nothing is copied: what arrives is kept in parts of
// partSize each until an eighth of the body is there. Then the whole body gets its buffer, the parts are copied into
// it, and the rest is read straight into it. That takes one and an eighth of the body at most, and what has not arrived
// of it takes up addresses rather than memory, since nothing has touched it.
const (
	partsFrom = 32 << 20
	partSize  = 16 << 20
	bodyTrust = 8 // the whole body gets its buffer once this part of it, one in so many, has arrived
)

// startBody moves what has arrived of a long body into a buffer of its own; the slab starts afresh. It returns false if
// there is no room.
func (r *Reader) startBody(received []byte, size int, flags byte) bool {
	n := min(size, max(firstBuffer, r.largestBody, len(received)))
	if !r.askRoom(n) {
		return false
	}
	r.body = getBodyBuffer(n)
	r.took(len(r.body[0]))
	r.bodyRead = copy(r.body[0], received)
	r.bodySize, r.bodyFlags = size, flags
	r.r = r.w
	if size > readAheadBody && !r.handedOut { // nothing but headers was in it
		r.r, r.w = 0, 0
	}
	return true
}

// endBody takes the long body, which is there whole.
func (r *Reader) endBody(handler Handler) error {
	body := r.body
	r.body, r.afterBody = nil, true
	r.largestBody = max(r.largestBody, min(r.bodySize, maxFirstBuffer))
	if r.opener != nil {
		return r.open(handler, r.bodyFlags, body[0], body)
	}
	r.size += int64(r.bodySize)
	r.finish(r.arena.addBody(body, r.bodyFlags&FlagMore != 0))
	return nil
}

// growBody gives the long body in progress, whose buffer is full, a larger one. It returns false if there is no room.
func (r *Reader) growBody() bool {
	received := r.bodyRead
	for _, p := range r.parts {
		received += len(p[0])
	}
	if received >= partsFrom && r.bodySize/bodyTrust > received {
		if !r.askRoom(received + partSize) {
			return false
		}
		r.parts = append(r.parts, r.body)
		r.body, r.bodyRead = getBodyBuffer(partSize), 0
		return true
	}
	size := r.bodySize
	if received < partsFrom {
		size = min(2*received, size)
	}
	if !r.askRoom(size) {
		return false
	}
	if size >= hugeBody {
		freeHeapFor(uint64(size))
	}
	larger := getBodyBuffer(size)
	r.bodyRead = 0
	for _, p := range append(r.parts, r.body) {
		r.bodyRead += copy(larger[0][r.bodyRead:], p[0])
		p.recycle()
	}
	r.body, r.parts = larger, nil
	return true
}

// askRoom asks [Limits.Room] for n bytes beside the frames of the unfinished message.
func (r *Reader) askRoom(n int) bool {
	if r.lim.Room == nil {
		return true
	}
	total := r.size + int64(r.arena.pending())*frameOverhead + int64(n)
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

// releaseRoom gives back the room of a message that is there whole.
func (r *Reader) releaseRoom() {
	r.room = 0
	r.lim.Room(0)
}

// hugeBody is the size from which a body is worth a collection. No peer sends one unless the limit on messages was
// raised to that.
const hugeBody = 256 << 20

// freeHeapFor collects what is left of earlier huge bodies, and gives it back to the system, before another takes its
// memory. Left to itself the collector lets a process grow to twice what is in use: to three times the message, where
// one message of a gigabyte follows the other. A heap that is small beside the body has nothing to give; one that is
// far larger gains too little by it.
func freeHeapFor(size uint64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > size/4 && m.HeapAlloc < 4*size {
		debug.FreeOSMemory()
	}
}
