package zmtp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"
)

const (
	// readSize is the most one read asks for: enough for the greeting and a usual READY, and so also the bound on
	// what is read past them.
	readSize = 512

	// maxEmptyReads bounds how often a Read may return nothing at all.
	maxEmptyReads = 100
)

// A frameConduit carries the commands of a mechanism in frames.
type frameConduit struct {
	in      readBuffer
	ours    *greeter
	limit   uint64 // bytes in the body of one command
	awaited string // the command we wait for, for errors
}

// Send implements [Conduit].
func (c *frameConduit) Send(_ context.Context, command Command) error {
	c.ours.sendCommand(command)
	return nil
}

// Receive implements [Conduit]. Memory grows with the bytes that arrive, up to limit.
func (c *frameConduit) Receive(context.Context) (Command, error) {
	for {
		h, n, err := ParseHeader(c.in.buf)
		if err != nil {
			return Command{}, err
		}
		if n > 0 {
			if !h.Command() {
				return Command{}, fail("handshake", ErrMalformed, "a message came first; want %s", c.awaited)
			}
			if h.Size > c.limit {
				return Command{}, fail("handshake", ErrTooLarge, "a command claims %d bytes; the limit is %d", h.Size, c.limit)
			}
			if h.Size <= uint64(len(c.in.buf)-n) {
				body := c.in.take(n + int(h.Size))[n:]
				if data, ok := plainMisspelt(body); ok && c.ours.mechanism == mechanismPlain {
					return Command{CommandError, data}, nil
				}
				name, data, err := ParseCommand(body)
				return Command{name, data}, err
			}
		}
		if err := c.in.more(c.awaited); err != nil {
			return Command{}, err
		}
	}
}

// A readBuffer holds bytes that have been read and not yet used.
type readBuffer struct {
	r    io.Reader
	buf  []byte
	came bool // something has
}

// more reads once more, at least one byte. The buffer grows only when it is full,
// by bytes that have come, so a claimed size costs nothing.
func (in *readBuffer) more(what string) error {
	if len(in.buf) == cap(in.buf) {
		in.buf = slices.Grow(in.buf, readSize)
	}
	window := in.buf[len(in.buf):min(cap(in.buf), len(in.buf)+readSize)]
	for range maxEmptyReads {
		n, err := in.r.Read(window)
		in.buf = in.buf[:len(in.buf)+n]
		if n > 0 {
			in.came = true
			return nil // an error, if any, comes back with the next read
		}
		if err != nil {
			return in.ended(what, err)
		}
	}
	return fmt.Errorf("zmtp: handshake: read %s: %w", what, io.ErrNoProgress)
}

// ended words the error of a read.
func (in *readBuffer) ended(what string, err error) error {
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("peer closed the connection after %d bytes of its %s: %w", len(in.buf), what, io.ErrUnexpectedEOF)
	} else {
		err = fmt.Errorf("read %s: %w", what, err)
	}
	if ours := errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe); !in.came && !ours {
		err = fmt.Errorf("%w: %w", ErrSilent, err)
	}
	return fmt.Errorf("zmtp: handshake: %w", err)
}

// take splits off the first n bytes.
func (in *readBuffer) take(n int) []byte {
	b := in.buf[:n:n]
	in.buf = in.buf[n:]
	return b
}

// A backgroundWriter writes in order, in a goroutine of its own, so that reading never waits for a peer that does not
// read yet.
type backgroundWriter struct {
	queue chan []byte
	done  chan struct{}
	err   error // valid once done is closed
}

// startWriter begins a writer on w. It must be ended by finish or abandon.
func startWriter(w io.Writer) *backgroundWriter {
	// The greeting, in three parts at most, and the first command never wait.
	wr := &backgroundWriter{queue: make(chan []byte, 4), done: make(chan struct{})}
	go func() {
		defer close(wr.done)
		for b := range wr.queue {
			if _, err := w.Write(b); err != nil {
				wr.err = err
				return
			}
		}
	}()
	return wr
}

// send leaves b to be written. It waits for a peer that goes on sending and reads nothing; a write error ends that.
func (wr *backgroundWriter) send(b []byte) {
	select {
	case wr.queue <- b:
	case <-wr.done:
	}
}

// finish waits until all is written.
func (wr *backgroundWriter) finish() error {
	close(wr.queue)
	<-wr.done
	return wr.err
}

// abandon ends a write that may be stuck. Where the connection knows no deadlines, the caller's Close ends it.
func (wr *backgroundWriter) abandon(rw io.ReadWriter) {
	close(wr.queue)
	if d, ok := rw.(interface{ SetWriteDeadline(time.Time) error }); ok {
		select {
		case <-wr.done:
		default:
			_ = d.SetWriteDeadline(time.Unix(1, 0)) // any past time; on failure Close is still there
		}
	}
	<-wr.done
}
