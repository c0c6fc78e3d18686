package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/yodel-mq/yodel/socket"
)

// A source gives a sender its messages: the lines of standard input, --data or --file.
type source interface {
	// next returns the next message, waiting for it until ctx ends; io.EOF after the last. A line that makes no message
	// is a *badLine, after which there may be others.
	next(ctx context.Context) (item, error)
	// ready reports whether next would return without waiting.
	ready() bool
	// begun is closed once something has been read, or the input is known to be empty.
	begun() <-chan struct{}
	// finish makes next return io.EOF once it has returned what has been read already.
	finish()
	// refuses reports whether err, of next or of sending what next returned, concerns that message alone, so that the
	// next one may do better.
	refuses(err error) bool
	// close ends the source.
	close()
}

// An item is one message and the line that it came from.
type item struct {
	line   []byte
	frames [][]byte
}

// maxLine is the longest line that is taken: the socket's limit on a message.
const maxLine = 64 << 20

var errLongLine = fmt.Errorf(
	"standard input: a line of more than %d bytes, the limit on a message; the rest was not read", maxLine)

// source opens what the flags name.
func (f *socketFlags) source(stdin io.Reader) (source, error) {
	times := max(1, f.count)
	if f.verb.is(converses) { // --count counts what is received
		times = 1
	}
	switch {
	case f.hasData:
		line := []byte(f.data)
		frames, err := f.split(line)
		if err != nil {
			return nil, usagef("--data: %w", err)
		}
		return &repeated{item{line, frames}, times}, nil
	case f.hasFile:
		body, err := os.ReadFile(f.file)
		if err != nil {
			return nil, failf("%w", err)
		}
		return &repeated{item{[]byte(f.file), append(f.prefix(), body)}, times}, nil
	}
	l := newLines(stdin, f.skips, f.split)
	l.rejects = f.rejects()
	return l, nil
}

// repeated gives the same message several times.
type repeated struct {
	item item
	left int
}

func (r *repeated) next(ctx context.Context) (item, error) {
	if r.left == 0 {
		return item{}, io.EOF
	}
	if ctx.Err() != nil {
		return item{}, context.Cause(ctx)
	}
	r.left--
	return r.item, nil
}

func (r *repeated) ready() bool        { return true }
func (r *repeated) refuses(error) bool { return false } // the next one is the same
func (r *repeated) finish()            {}
func (r *repeated) close()             {}

func (r *repeated) begun() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// lines reads messages from standard input, one a line. A goroutine reads, since a read cannot be interrupted, and
// hands over all the lines that one read has brought.
type lines struct {
	skips   func(line []byte) bool
	split   func(line []byte) ([][]byte, error)
	rejects bool // the socket returns ErrWouldBlock where it could wait
	batches chan batch
	first   chan struct{} // closed when one batch has been read
	enough  chan struct{} // closed: what has been read is all that is wanted
	quit    chan struct{}
	now     batch
}

type batch struct {
	lines [][]byte
	err   error // after the lines
}

func newLines(r io.Reader, skips func([]byte) bool, split func([]byte) ([][]byte, error)) *lines {
	l := &lines{
		skips: skips, split: split, batches: make(chan batch, 1),
		first: make(chan struct{}), enough: make(chan struct{}), quit: make(chan struct{}),
	}
	go l.read(bufio.NewReaderSize(r, 64<<10))
	return l
}

func (l *lines) ready() bool { return len(l.now.lines) > 0 || l.now.err != nil }
func (l *lines) finish()     { close(l.enough) }
func (l *lines) close()      { close(l.quit) }

func (l *lines) begun() <-chan struct{} { return l.first }

func (l *lines) refuses(err error) bool {
	return isBadLine(err) || l.rejects && errors.Is(err, socket.ErrWouldBlock) ||
		errors.Is(err, socket.ErrUnroutable) || errors.Is(err, socket.ErrNoFrames) || errors.Is(err, socket.ErrTooLarge)
}

func (l *lines) next(ctx context.Context) (item, error) {
	if ctx.Err() != nil {
		return item{}, context.Cause(ctx)
	}
	for len(l.now.lines) == 0 {
		if l.now.err != nil {
			return item{}, l.now.err
		}
		select {
		case l.now = <-l.batches:
		case <-ctx.Done():
			return item{}, context.Cause(ctx)
		case <-l.enough:
			select {
			case l.now = <-l.batches:
			default:
				return item{}, io.EOF
			}
		}
	}
	line := l.now.lines[0]
	l.now.lines = l.now.lines[1:]
	frames, err := l.split(line)
	return item{line, frames}, err
}

func (l *lines) read(r *bufio.Reader) {
	for first := true; ; first = false {
		var b batch
		for b.err == nil {
			var line []byte
			if line, b.err = readLine(r, maxLine); line != nil && !l.skips(line) {
				b.lines = append(b.lines, line)
			}
			if waiting, _ := r.Peek(r.Buffered()); bytes.IndexByte(waiting, '\n') < 0 {
				break // the next line may take its time
			}
		}
		select {
		case l.batches <- b:
			if first {
				close(l.first)
			}
		case <-l.quit:
			return
		}
		if b.err != nil {
			return
		}
		select {
		case <-l.enough:
			return
		default:
		}
	}
}

// readLine returns the next line without its newline, in memory of its own. The last line need not end in one. With an
// error the line is nil, unless the input ended in the middle of it. A line of more than limit bytes is errLongLine.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	line := []byte{}
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch size := len(bytes.TrimSuffix(line, []byte{'\n'})); {
		case size > limit:
			return nil, errLongLine
		case err == nil:
			return line[:size], nil
		case errors.Is(err, bufio.ErrBufferFull):
		case len(line) == 0:
			return nil, err
		case err == io.EOF:
			return line, err
		default:
			return nil, err
		}
	}
}
