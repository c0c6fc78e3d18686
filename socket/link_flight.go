package socket

import (
	"net"
	"slices"

	"github.com/yodel-mq/yodel/transport"
)

// A flight is what the writer of a link is writing: commands, and behind them a batch of messages.
//
// It belongs to the writer. Whoever sets linkOut.writing, under core.out.mu, owns the link's flight from then until
// they clear it under that lock, and uses it with or without the lock; once the link has been removed and nobody
// writes, finish does. So a write, which waits for the peer, holds no lock.
//
// All bytes of a link pass through here in the order of the wire, and only a flight says which of its messages are
// whole there: how many bytes a message takes on the wire is nobody else's business.
type flight struct {
	commands []byte
	batch    batch
	vec      [][]byte    // what is not written yet
	buffers  net.Buffers // a copy of vec during a write, which takes off what it has written
	written  int         // bytes of commands and batch so far
	seal     *seal       // encrypts them on the way; nil if the link's mechanism does not
}

// empty reports whether nothing is left to write.
func (f *flight) empty() bool { return len(f.vec) == 0 }

// load takes commands that wait and, unless messages is nil, a batch that waits, and leaves empty ones in exchange. The
// flight must be empty.
func (f *flight) load(commands *[]byte, messages *batch) {
	f.written = 0
	*commands, f.commands = f.commands[:0], *commands
	if messages != nil {
		*messages, f.batch = f.batch, *messages
	}
	if len(f.commands) > 0 {
		f.vec = append(f.vec, f.commands)
	}
	f.vec = f.batch.vectors(f.vec)
	f.join()
}

// joinMost is how long a batch may be to be copied behind the commands ahead of it.
const joinMost = 1 << 10

// join makes one run of bytes of commands and a small batch behind them, so that tryWrite writes both.
func (f *flight) join() {
	if n := len(f.commands); n > 0 && len(f.vec) == 2 && len(f.vec[1]) <= joinMost {
		joined := append(f.commands, f.vec[1]...)
		f.commands = joined[:n]
		f.vec[0], f.vec[1] = joined, nil
		f.vec = f.vec[:1]
	}
}

// single reports whether what is left is one run of bytes, so that tryWrite may write all of it.
func (f *flight) single() bool { return len(f.vec) == 1 }

// tryWrite writes as much of the first run of bytes as goes without waiting.
func (f *flight) tryWrite(w transport.TryWriter) (int, error) {
	if f.seal != nil {
		return w.TryWrite(f.seal.next(f.vec))
	}
	return w.TryWrite(f.vec[0])
}

// write writes everything that is left or, where that is to be encrypted, as much of it as goes at a time. After an
// error nothing is left to do with the flight but undo.
func (f *flight) write(conn net.Conn) (int, error) {
	if f.seal != nil {
		return conn.Write(f.seal.next(f.vec))
	}
	if len(f.vec) == 1 {
		return conn.Write(f.vec[0])
	}
	if w, ok := conn.(transport.BuffersWriter); ok {
		n, err := w.WriteBuffers(f.vec)
		return int(n), err
	}
	f.buffers = f.vec
	n, err := f.buffers.WriteTo(conn)
	return int(n), err
}

// advance notes that n more bytes are written, and reports whether nothing is left.
func (f *flight) advance(n int) (whole bool) {
	if f.seal != nil {
		n = f.seal.wrote(n)
	}
	f.written += n
	runs := 0
	for runs < len(f.vec) && n >= len(f.vec[runs]) {
		n -= len(f.vec[runs])
		runs++
	}
	f.vec = slices.Delete(f.vec, 0, runs)
	if len(f.vec) == 0 {
		return true
	}
	f.vec[0] = f.vec[0][n:]
	return false
}

// land takes the batch out of a flight that is written whole. It is valid until the next load.
func (f *flight) land() *batch {
	if cap(f.commands) > slabSize {
		f.commands = nil // a large resubscription is over
	}
	return &f.batch
}

// undo ends a flight before all of it is written. Of its messages those that are whole on the wire count as delivered,
// the others are unsent; begun says that the first of those was written in part. With keep, those that are whole are
// encoded there again.
func (f *flight) undo(keep *batch) (delivered Count, unsent []Msg, begun bool) {
	written := f.written
	if f.seal != nil {
		if f.seal.begun() {
			written++
		}
		f.seal.release()
	}
	delivered, unsent, begun = f.batch.undo(max(0, written-len(f.commands)), keep)
	*f = flight{seal: f.seal}
	return delivered, unsent, begun
}
