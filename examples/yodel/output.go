package main

import (
	"bufio"
	"io"
	"sync"
)

// A lockedWriter is standard output as printers share it: buffered, and aware of which messages have been written
// whole.
type lockedWriter struct {
	mu   sync.Mutex
	w    *bufio.Writer
	out  *countingWriter
	end  int64   // bytes taken so far
	ends []int64 // where messages end that are not written whole yet
}

func newLockedWriter(w io.Writer) *lockedWriter {
	out := &countingWriter{w: w}
	return &lockedWriter{w: bufio.NewWriterSize(out, 64<<10), out: out}
}

// write takes parts of the output, which together are a message if so said.
func (l *lockedWriter) write(message bool, parts ...[]byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range parts {
		l.end += int64(len(p))
	}
	if message {
		if len(l.ends) == cap(l.ends) {
			l.forget()
		}
		l.ends = append(l.ends, l.end)
	}
	for _, p := range parts {
		if _, err := l.w.Write(p); err != nil {
			return outputError(err)
		}
	}
	return nil
}

func (l *lockedWriter) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.w.Buffered() == 0 {
		return nil
	}
	if err := l.w.Flush(); err != nil {
		return outputError(err)
	}
	l.ends = l.ends[:0]
	return nil
}

// forget lets go of messages that are written by now, of which there are many when nothing is flushed for long.
func (l *lockedWriter) forget() {
	n := 0
	for n < len(l.ends) && l.ends[n] <= l.out.n {
		n++
	}
	l.ends = append(l.ends[:0], l.ends[n:]...)
}

// taken is how many bytes it was given.
func (l *lockedWriter) taken() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

// unwritten is how many messages have not been written whole.
func (l *lockedWriter) unwritten() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget()
	return uint64(len(l.ends))
}

// A countingWriter counts the bytes that were written in earnest.
type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
