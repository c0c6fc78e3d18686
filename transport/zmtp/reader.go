package zmtp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
)

// Sizes of the buffers a Reader works with. A frame that an application keeps pins at most its slab and one block of
// the arena, about 30 KiB together, however small it is.
const (
	minSlab     = 512      // an idle peer's buffer
	maxSlab     = 24 << 10 // a busy peer's buffer
	maxSlabBody = 8 << 10
	// A body longer than maxSlabBody has a buffer of its own, which grows as bytes arrive (reader_body.go). It starts
	// at firstBuffer, or at the size of the largest body the peer has already sent whole, up to maxFirstBuffer: a
	// claim costs nothing.
	firstBuffer    = 64 << 10
	maxFirstBuffer = 1 << 20
	// While reads fill what they are given, one read brings several slabs' worth into a read-ahead buffer of this
	// size, from which it is copied: fewer system calls and fewer wake-ups are worth the copy, for bodies up to
	// readAheadBody. (Measured over tcp, a message without and with it: 10 KiB 11.3 and 7.5 µs, 16 KiB 15 and 12,
	// 32 KiB 24 and 27.)
	readAheadSize = 128 << 10
	readAheadBody = 16 << 10
)

var readAheadPool = sync.Pool{New: func() any { return new([readAheadSize]byte) }}

// A TwoReader is a source that can fill two buffers by one read: the rest of a long body and the header behind it.
type TwoReader interface {
	ReadTwo(first, second []byte) (n int, err error)
}

// Limits bound what one peer can make a [Reader] hold.
type Limits struct {
	MaxMessage int64 // bytes in all frames of one message; zero or less stands for no limit
	MaxFrames  int   // frames in one message; zero or less stands for no limit
	MaxCommand int   // bytes in the body of one command, which is read whole; zero or less stands for 64 KiB

	// Room, if set, is asked before an unfinished message takes more than 64 KiB, all its frames so far together, and
	// again when that is not enough; total is what the message is to take then. If Room returns false, Next returns
	// ErrNoRoom; it may be called again, and asks again. Room(0) gives the room of a message back: it is there whole,
	// or will never be.
	Room func(total int64) bool
}

// ErrNoRoom is what Next returns while [Limits.Room] returns false. Nothing is lost by it.
var ErrNoRoom = errors.New("no room for the rest of the message")

const (
	roomFree      = 64 << 10 // bytes a message takes without asking for room
	roomStep      = 64 << 10 // room is asked for in multiples of this
	frameOverhead = 32       // about what a frame takes beside its body
)

// A Reader decodes the frames that follow a handshake. It reads by the slab: one read fills a buffer and all whole
// messages in it are handed out as slices of it, without a copy. What it hands out is the caller's for good; the
// Reader never writes there again. A body longer than 8 KiB that is not there whole gets a buffer of its own, which
// grows as bytes arrive. A message that is kept holds on to at most about 30 KiB beside itself, or twice that if its
// frames came by several reads.
//
// Commands may stand between the frames of a message (libzmq sends PING there). A Reader is for one goroutine.
type Reader struct {
	src    io.Reader
	two    TwoReader // src, if it is one
	lim    Limits
	opener Opener // nil if nothing is encrypted

	slab         []byte // slab[r:w] is read and not yet decoded
	r, w         int
	nextSlabSize int
	handedOut    bool // something in the slab belongs to the caller

	arena       frameArena
	size        int64 // bytes in the unfinished message
	room        int64 // bytes that Limits.Room has allowed it
	batch       [][][]byte
	batchHolder *[][][]byte // what batch was in, if it came from the pool

	ahead          *[readAheadSize]byte // nil unless reads fill what they are given
	aheadR, aheadW int                  // ahead[aheadR:aheadW] is read and not yet in a slab
	lastFull       bool                 // the last read filled what it was given

	body        *bodyBuffer   // in progress, nil if there is none; its first bodyRead bytes have arrived
	parts       []*bodyBuffer // of a very long body, the full buffers before body
	bodyRead    int
	bodySize    int
	bodyFlags   byte
	largestBody int  // that this peer has sent whole, up to maxFirstBuffer
	afterBody   bool // the last frame was a long body

	allocated      uint64 // bytes of buffers
	allocatedLarge uint64 // of those above largeBuffer
}

// NewReader returns a Reader of src. The bytes in rest, read past the handshake (see [Session]), come first. Of a src
// that is a [TwoReader], a long body takes one read less.
func NewReader(src io.Reader, rest []byte, lim Limits) *Reader {
	r := &Reader{src: src, lim: lim, nextSlabSize: minSlab}
	r.two, _ = src.(TwoReader)
	if len(rest) > 0 {
		r.slab = append(make([]byte, 0, max(minSlab, len(rest))), rest...)
		r.w = len(rest)
		r.slab = r.slab[:cap(r.slab)]
	}
	return r
}

// Next returns the whole messages that were already buffered or, if no whole frame was, those that one read brings;
// either may be none. Each is a list of frames and the caller's to keep; the list of messages is valid until the next
// call. Commands go to h, which is told where among the messages each one stood; a nil h ignores them.
//
// Messages decoded before an error are returned along with it. It wraps ErrMalformed or ErrTooLarge, or is that of h
// or of src as it came: [io.EOF] also in the middle of a message. After ErrNoRoom, ErrPause and an error of src Next
// may be called again and loses nothing; after any other the Reader is of no use.
func (r *Reader) Next(h Handler) ([][][]byte, error) {
	clear(r.batch)
	r.batch = r.batch[:0]
	if r.w > r.r && r.body == nil {
		begin := r.r
		if err := r.decode(h); err != nil || len(r.batch) > 0 || r.r > begin {
			return r.batch, err
		}
	}
	for {
		if err := r.fill(); err != nil {
			return r.batch, err
		}
		if err := r.decode(h); err != nil || r.aheadR == r.aheadW {
			return r.batch, err
		}
	}
}

// largeBuffer is the size above which the runtime keeps each buffer apart from others.
const largeBuffer = 32 << 10

// Allocated returns how many bytes of buffers the Reader has taken so far for what it read, some of them maybe again
// after [Recycle], and how many of those were in buffers of more than 32 KiB, which cost the garbage collector most.
func (r *Reader) Allocated() (total, large uint64) { return r.allocated, r.allocatedLarge }

// took takes note of a buffer.
func (r *Reader) took(n int) {
	r.allocated += uint64(n)
	if n > largeBuffer {
		r.allocatedLarge += uint64(n)
	}
}

// LastReadFull reports whether the last read filled the buffer it was given, so that more bytes have probably arrived
// already.
func (r *Reader) LastReadFull() bool { return r.lastFull }

// fill does one read, into the long body in progress or into the slab.
func (r *Reader) fill() error {
	if r.body != nil {
		if r.bodyRead == len(r.body[0]) && !r.growBody() {
			return ErrNoRoom
		}
		body := r.body[0]
		if r.two != nil && len(body) == r.bodySize && r.bodySize > readAheadBody && r.aheadR == r.aheadW {
			return r.fillTwo()
		}
		n, err := r.read(body[r.bodyRead:], r.bodySize <= readAheadBody)
		r.bodyRead += n
		return readError(n, err)
	}
	r.makeRoom()
	into := r.slab[r.w:]
	headerOnly := r.afterBody && r.bodySize > readAheadBody
	if headerOnly { // another long body is likely: what is read of it here would have to be copied
		into = into[:min(minSlab, len(into))]
	}
	n, err := r.read(into, len(r.slab) == maxSlab && !headerOnly)
	r.afterBody = r.afterBody && n < len(into)
	r.w += n
	return readError(n, err)
}

// fillTwo reads the rest of a long body and the header of the next one at once.
func (r *Reader) fillTwo() error {
	r.releaseIdle()
	r.makeRoom()
	body, next := r.body[0][r.bodyRead:], r.slab[r.w:min(r.w+minSlab, len(r.slab))]
	n, err := r.two.ReadTwo(body, next)
	r.lastFull = n == len(body)+len(next)
	own := min(n, len(body))
	r.bodyRead += own
	r.w += n - own
	return readError(n, err)
}

// read brings more bytes: from the read-ahead buffer if that has some, or else by one read of src. That goes by way of
// the read-ahead buffer if the last read was full and bulk allows it. The buffer is given back before a read that might
// wait for long.
func (r *Reader) read(b []byte, bulk bool) (int, error) {
	if r.aheadR == r.aheadW {
		if !r.lastFull || !bulk {
			r.releaseIdle()
			n, err := r.src.Read(b)
			r.lastFull = n == len(b)
			return n, err
		}
		if r.ahead == nil {
			r.ahead = readAheadPool.Get().(*[readAheadSize]byte)
		}
		n, err := r.src.Read(r.ahead[:])
		if n == 0 {
			r.releaseIdle()
			return 0, err
		}
		r.aheadR, r.aheadW = 0, n
		r.lastFull = n == readAheadSize
	}
	n := copy(b, r.ahead[r.aheadR:r.aheadW])
	r.aheadR += n
	return n, nil
}

// releaseIdle gives back what a Reader that waits does not need.
func (r *Reader) releaseIdle() {
	if r.ahead != nil {
		readAheadPool.Put(r.ahead)
		r.ahead = nil
	}
	if cap(r.batch) > maxIdleBatch && len(r.batch) == 0 {
		r.putBatch()
	}
}

func readError(n int, err error) error {
	if n > 0 {
		return nil // an error that came with bytes comes again without them
	}
	return err
}

// makeRoom makes sure that the slab has a useful amount of free space. If not, it takes a new one, whose size follows
// the traffic; the old one belongs to those who hold messages in it.
func (r *Reader) makeRoom() {
	free := len(r.slab) - r.w
	switch {
	case r.slab != nil && free == 0:
		r.nextSlabSize = min(4*r.nextSlabSize, maxSlab)
	case r.slab != nil && free >= len(r.slab)/4:
		return
	case r.slab != nil:
		r.nextSlabSize = max(r.nextSlabSize/2, minSlab)
	}
	undecoded := r.slab[r.r:r.w]
	next := make([]byte, max(r.nextSlabSize, 2*len(undecoded)))
	r.took(len(next))
	r.w = copy(next, undecoded)
	r.r = 0
	r.slab, r.handedOut = next, false
	r.arena.startSlab()
}

// decode takes every whole frame out of the slab.
func (r *Reader) decode(handler Handler) error {
	if r.body != nil {
		if r.bodyRead < r.bodySize {
			return nil
		}
		if err := r.endBody(handler); err != nil {
			return err
		}
	}
	if r.batch == nil && r.w-r.r > minSlab {
		r.getBatch()
	}
	for {
		b := r.slab[r.r:r.w]
		h, short := parseShortHeader(b)
		n := 2
		if !short {
			var err error
			if h, n, err = ParseHeader(b); n == 0 || err != nil {
				return err
			}
		}
		if h.Command() && h.Size == 0 && short {
			long, ok := unflagged(b)
			if !ok && len(b) < MaxHeaderSize {
				return nil
			}
			if ok {
				h, n = long, MaxHeaderSize
			}
		}
		if r.opener != nil {
			if whole, err := r.decodeSealed(handler, h, n); err != nil || !whole {
				return err
			}
			continue
		}
		if err := r.check(h); err != nil {
			return err
		}
		size := int(h.Size)
		switch {
		case size <= len(b)-n:
			if h.Flags == FlagMore && !r.askRoom(size) {
				return ErrNoRoom
			}
			body := b[n : n+size : n+size]
			r.r += n + size
			if h.Flags&FlagCommand == 0 {
				r.handedOut = true
				r.size += int64(h.Size)
				if m := r.arena.add(body, h.Flags&FlagMore != 0); m != nil {
					r.batch = append(r.batch, m)
					r.size = 0
					if r.room > 0 {
						r.releaseRoom()
					}
				}
				continue
			}
			if err := r.command(handler, body); err != nil {
				return err
			}
		case size > maxSlabBody && h.Flags&FlagCommand == 0:
			if !r.startBody(b[n:], size, h.Flags) {
				return ErrNoRoom
			}
			return nil
		default:
			return nil
		}
	}
}

// unflagged reads the header of a command that claims to be empty, which none is. libzmq 4.3.3 and 4.3.4 send a
// SUBSCRIBE or CANCEL of 256 to 265 bytes with an eight-byte size and without the flag that says so (libzmq #4367).
func unflagged(b []byte) (h Header, ok bool) {
	if len(b) < MaxHeaderSize {
		return Header{}, false
	}
	size := binary.BigEndian.Uint64(b[1:MaxHeaderSize])
	return Header{Flags: FlagCommand, Size: size}, size >= 256 && size <= 265
}

// check holds a header against the limits, before anything is allocated for it.
func (r *Reader) check(h Header) error {
	if h.Flags&FlagCommand != 0 {
		// A command is read in the slab, so that it is bounded even without a limit.
		if limit := commandLimit(r.lim); h.Size > uint64(limit) {
			return fmt.Errorf("zmtp: %w: a command of %d bytes, the limit is %d", ErrTooLarge, h.Size, limit)
		}
		return nil
	}
	if h.Size > math.MaxInt {
		return fmt.Errorf("zmtp: %w: a frame of %d bytes does not fit this machine", ErrTooLarge, h.Size)
	}
	if r.lim.MaxMessage > 0 && h.Size > uint64(r.lim.MaxMessage-r.size) {
		return fmt.Errorf("zmtp: %w: a message of at least %d bytes, the limit is %d", ErrTooLarge, uint64(r.size)+h.Size,
			r.lim.MaxMessage)
	}
	if r.lim.MaxFrames > 0 && r.arena.pending() >= r.lim.MaxFrames {
		return fmt.Errorf("zmtp: %w: a message of more than %d frames", ErrTooLarge, r.lim.MaxFrames)
	}
	return nil
}

func commandLimit(lim Limits) int {
	if lim.MaxCommand > 0 {
		return lim.MaxCommand
	}
	return firstBuffer
}
