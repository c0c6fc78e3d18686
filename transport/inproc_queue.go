package transport

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Sizes of a byteQueue, which doubles as it is filled.
const (
	queueLeast = 4 << 10
	queueMost  = 256 << 10
)

// A byteQueue is one direction of a connection within the process: a buffer with a writer and a reader that wait for
// each other. Unlike a kernel's it loses nothing when the writer closes, nor when that has not read what came the other
// way: what was written can be read, and the end behind it.
type byteQueue struct {
	mu       sync.Mutex
	readable sync.Cond // there are bytes, or the end, or a reader has to look again
	writable sync.Cond // there is room, or nobody reads any more, or a writer has to look again
	buf      []byte    // a ring
	head     int       // index of the oldest byte
	size     int       // bytes held
	writing  bool      // a write is under way; another one would come in between

	ended  bool // the writer writes nothing more
	closed bool // its end is closed
	gone   bool // the reader's end is closed
	lost   bool // and not all was read, so that the writer is to be told

	readBy, writeBy queueDeadline
}

func newByteQueue() *byteQueue {
	q := new(byteQueue)
	q.readable.L, q.writable.L = &q.mu, &q.mu
	return q
}

// read waits for bytes and takes up to len(b) of them.
func (q *byteQueue) read(b []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		switch {
		case q.gone:
			return 0, net.ErrClosed
		case q.readBy.passed():
			return 0, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, nil
		case q.size > 0:
			return q.take(b), nil
		case q.ended:
			return 0, io.EOF
		}
		q.readable.Wait()
	}
}

func (q *byteQueue) take(b []byte) int {
	n := min(len(b), q.size)
	k := copy(b[:n], q.buf[q.head:min(q.head+n, len(q.buf))])
	copy(b[k:n], q.buf)
	full := q.size == queueMost
	if q.size -= n; q.size == 0 {
		q.head = 0
	} else {
		q.head = (q.head + n) % len(q.buf)
	}
	if full || q.writing {
		q.writable.Broadcast()
	}
	return n
}

// write waits for room until all of b is in the queue.
func (q *byteQueue) write(b []byte) (n int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.writing {
		if err := q.unwritable(); err != nil {
			return 0, err
		}
		q.writable.Wait()
	}
	q.writing = true
	defer func() {
		q.writing = false
		q.writable.Broadcast()
	}()
	for {
		if err := q.unwritable(); err != nil {
			return n, err
		}
		if n += q.put(b[n:]); n == len(b) {
			return n, nil
		}
		q.writable.Wait()
	}
}

// tryWrite puts as much of b into the queue as there is room for.
func (q *byteQueue) tryWrite(b []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.unwritable(); err != nil {
		return 0, err
	}
	if q.writing {
		return 0, nil
	}
	return q.put(b), nil
}

func (q *byteQueue) unwritable() error {
	switch {
	case q.closed:
		return net.ErrClosed
	case q.writeBy.passed():
		return os.ErrDeadlineExceeded
	case q.gone || q.ended:
		return syscall.EPIPE
	}
	return nil
}

func (q *byteQueue) put(b []byte) int {
	n := min(len(b), queueMost-q.size)
	if n == 0 {
		return 0
	}
	if need := q.size + n; need > len(q.buf) {
		bigger := len(q.buf)
		for bigger = max(bigger, queueLeast); bigger < need; bigger *= 2 {
		}
		q.grow(bigger)
	}
	tail := (q.head + q.size) % len(q.buf)
	k := copy(q.buf[tail:], b[:n])
	copy(q.buf, b[k:n])
	if q.size == 0 {
		q.readable.Broadcast()
	}
	q.size += n
	return n
}

func (q *byteQueue) grow(to int) {
	buf := make([]byte, to)
	k := copy(buf, q.buf[q.head:min(q.head+q.size, len(q.buf))])
	copy(buf[k:q.size], q.buf)
	q.buf, q.head = buf, 0
}

// end says that nothing more is written, and closed that the writer's end is closed.
func (q *byteQueue) end(closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	if closed {
		q.closed = true
		q.writeBy.stop()
	}
	q.wake()
}

// leave closes the reader's end.
func (q *byteQueue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.gone {
		q.gone, q.lost = true, q.size > 0
		q.buf, q.head, q.size = nil, 0, 0
		q.readBy.stop()
		q.wake()
	}
}

func (q *byteQueue) wake() {
	q.readable.Broadcast()
	q.writable.Broadcast()
}

func (q *byteQueue) setReadDeadline(t time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.gone {
		return net.ErrClosed
	}
	q.readBy.set(t, &q.readable)
	return nil
}

func (q *byteQueue) setWriteDeadline(t time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return net.ErrClosed
	}
	q.writeBy.set(t, &q.writable)
	return nil
}

// A queueDeadline is a moment after which waits end. The clock decides whether it has passed; the timer only wakes
// those who wait, so that one that is late does no harm.
type queueDeadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *queueDeadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *queueDeadline) set(t time.Time, cond *sync.Cond) {
	d.stop()
	d.at = t
	if t.IsZero() {
		return
	}
	if wait := time.Until(t); wait > 0 {
		d.timer = time.AfterFunc(wait, func() {
			cond.L.Lock()
			defer cond.L.Unlock()
			cond.Broadcast()
		})
		return
	}
	cond.Broadcast()
}

func (d *queueDeadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
