package zmtp

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// A Handler is told of the commands that a [Reader] meets between messages.
type Handler interface {
	// Command is called for each command, in the order they came. It came behind the first after messages of the
	// batch that Next is about to return, and ahead of the others; one that stood between the frames of a message
	// came ahead of that message. name and data are valid during the call only. An error ends the Reader, unless it
	// is [ErrPause].
	Command(name string, data []byte, after int) error
}

// A HandlerFunc is a function as a [Handler].
type HandlerFunc func(name string, data []byte, after int) error

// Command calls f.
func (f HandlerFunc) Command(name string, data []byte, after int) error { return f(name, data, after) }

// ErrPause is what a [Handler] returns to look at nothing behind this command for now: Next then returns the messages
// ahead of it along with ErrPause, and goes on behind it when it is called again.
var ErrPause = errors.New("paused behind a command")

// An Opener decrypts the frames of a connection whose mechanism encrypts them (RFC 26 and its MESSAGE commands). It
// belongs to one [Reader] and is called by whoever reads.
type Opener interface {
	// Open is given the flags and the body of every frame, in the order they came, and returns those of the frame
	// inside: a part of a message, or with FlagCommand a command. It may decrypt in place, and plain may be a part of
	// body. An error ends the Reader; one that blames the peer wraps ErrMalformed.
	Open(flags byte, body []byte) (plainFlags byte, plain []byte, err error)
	// Overhead is the most bytes that a body has more than the one inside.
	Overhead() int
}

// SetOpener has all frames decrypted by o. It must be called before Next. [Limits] then hold for what is inside a
// frame: a message that comes as a command is bounded by MaxMessage.
func (r *Reader) SetOpener(o Opener) { r.opener = o }

// command hands a command to h. Without a Handler it is ignored.
func (r *Reader) command(h Handler, body []byte) error {
	name, data, err := ParseCommand(body)
	if err != nil || h == nil {
		return err
	}
	return h.Command(name, data, len(r.batch))
}

// decodeSealed is decode for the encrypted frame at r.r, with a header of n bytes. It returns false if the frame is
// not there whole.
func (r *Reader) decodeSealed(handler Handler, h Header, n int) (bool, error) {
	if err := r.checkSealed(h); err != nil {
		return false, err
	}
	b, size := r.slab[r.r:r.w], int(h.Size)
	switch {
	case size <= len(b)-n:
		if !r.askRoom(size) {
			return false, ErrNoRoom
		}
		r.r += n + size
		return true, r.open(handler, h.Flags, b[n:n+size:n+size], nil)
	case size > maxSlabBody && !r.startBody(b[n:], size, h.Flags):
		return false, ErrNoRoom
	}
	return false, nil
}

// checkSealed is check for a frame of which only the encrypted size is known: it may be a command or a part of a
// message.
func (r *Reader) checkSealed(h Header) error {
	if h.Size > math.MaxInt {
		return fmt.Errorf("zmtp: %w: a frame of %d bytes does not fit this machine", ErrTooLarge, h.Size)
	}
	if r.lim.MaxMessage <= 0 {
		return nil
	}
	limit := max(uint64(r.lim.MaxMessage-r.size), uint64(commandLimit(r.lim)))
	if over := uint64(r.opener.Overhead()); h.Size > over && h.Size-over > limit {
		return fmt.Errorf("zmtp: %w: an encrypted frame of %d bytes, the limit is %d and %d for the encryption",
			ErrTooLarge, h.Size, limit, over)
	}
	return nil
}

// open decrypts a whole frame and takes what is inside. long is its buffer if it has one of its own.
func (r *Reader) open(handler Handler, flags byte, body []byte, long *bodyBuffer) error {
	flags, plain, err := r.opener.Open(flags, body)
	if err != nil {
		return err
	}
	h := Header{Flags: flags & (FlagMore | FlagCommand), Size: uint64(len(plain))}
	if err := r.check(h); err != nil {
		return err
	}
	if h.Command() {
		err := r.command(handler, plain)
		if long != nil {
			long.recycle()
		}
		if r.room > 0 && r.size == 0 && r.arena.pending() == 0 {
			r.releaseRoom()
		}
		return err
	}
	r.size += int64(len(plain))
	if long != nil {
		long[0] = plain
		r.finish(r.arena.addBody(long, h.More()))
		return nil
	}
	r.handedOut = true
	r.finish(r.arena.add(slices.Clip(plain), h.More()))
	return nil
}

// finish puts a message that is there whole into the batch. nil is none.
func (r *Reader) finish(m [][]byte) {
	if m == nil {
		return
	}
	r.batch = append(r.batch, m)
	r.size = 0
	if r.room > 0 {
		r.releaseRoom()
	}
}
