package zmtp

import "sync"

// A frameArena allocates the [][]byte of many messages at once. Slices from one block keep each other alive, so one
// block serves only messages of the same slab, or one message with a long body: who keeps a message never keeps another
// slab or another long body.
type frameArena struct {
	block    [][]byte // block[first:] belongs to the unfinished message
	first    int
	longBody bool // the unfinished message has one

	inSlab    int // frames so far in this slab
	expected  int // as many as the slab before had
	nextBlock int // frames of the next block once there are more than expected
}

const (
	minArenaBlock = 4   // frames
	maxArenaBlock = 256 // frames: 6 KiB
)

// pending is the number of frames in the unfinished message.
func (a *frameArena) pending() int { return len(a.block) - a.first }

// add adds a frame to the unfinished message and returns the message if that was its last frame.
func (a *frameArena) add(body []byte, more bool) [][]byte {
	if len(a.block) == cap(a.block) {
		a.newBlock()
	}
	a.block = append(a.block, body)
	a.inSlab++
	if more {
		return nil
	}
	n := len(a.block)
	m := a.block[a.first:n:n]
	a.first = n
	if a.longBody {
		a.longBody = false
		a.endBlock()
	}
	return m
}

// addBody is add for a long body. One that is a message by itself has its list already.
func (a *frameArena) addBody(b *bodyBuffer, more bool) [][]byte {
	if !more && a.pending() == 0 {
		return b[:]
	}
	if !a.longBody {
		a.longBody = true
		a.endBlock()
	}
	return a.add(b[0], more)
}

// startSlab has the frames to come share no block with those before.
func (a *frameArena) startSlab() {
	a.expected, a.inSlab, a.nextBlock = a.inSlab, 0, minArenaBlock
	a.endBlock()
}

// endBlock leaves the rest of the block unused.
func (a *frameArena) endBlock() {
	n := len(a.block)
	a.block = a.block[a.first:n:n]
	a.first = 0
}

// newBlock begins a block with what is there of the unfinished message.
func (a *frameArena) newBlock() {
	pending := a.block[a.first:]
	room := a.expected - a.inSlab + 1 // one more: it need not divide evenly
	switch {
	case a.longBody:
		room = minArenaBlock
	case room < minArenaBlock:
		room = a.nextBlock
		a.nextBlock = min(2*a.nextBlock, maxArenaBlock)
	}
	room = max(min(room, maxArenaBlock), len(pending)) // a message of many frames is not copied often
	a.block = append(make([][]byte, 0, len(pending)+room), pending...)
	a.first = 0
}

// maxIdleBatch is how long a list of messages a Reader keeps while it waits. A slab of the smallest messages needs
// 12,000 places, 290 KB, which an idle peer need not keep; they are for whoever reads next.
const maxIdleBatch = 512

var batchPool sync.Pool // of *[][][]byte, each empty

// putBatch gives a long list back, which must be empty.
func (r *Reader) putBatch() {
	p := r.batchHolder
	if p == nil {
		p = new([][][]byte)
	}
	*p = r.batch[:0]
	r.batch, r.batchHolder = nil, nil
	batchPool.Put(p)
}

// getBatch takes a long list where one is likely to be needed.
func (r *Reader) getBatch() {
	if p, _ := batchPool.Get().(*[][][]byte); p != nil {
		r.batch, r.batchHolder = *p, p
	}
}
