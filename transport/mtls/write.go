package mtls

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// An outgoing is what is encrypted and not on the network yet. It belongs to whoever holds mu, which is also held while
// waiting for the network: others only try.
type outgoing struct {
	mu      sync.Mutex
	buf     *[]byte // whole records; nil if all are written
	written int     // bytes of buf that are
	records []record
	ended   bool        // nothing follows
	saidEnd atomic.Bool // by an alert, which is among what is written
}

// A record is one of application data that is not written whole: where it ends in the buffer, and how many bytes of
// plain text are in it.
type record struct{ end, plain int }

// owed is how many bytes were encrypted without having been reported as written: what is written next begins with them.
func (o *outgoing) owed() (plain int) {
	for _, r := range o.records {
		plain += r.plain
	}
	return plain
}

// wrote notes that n more bytes are on the network, and returns how many of plain text are whole there by that.
func (o *outgoing) wrote(n int) (plain int) {
	o.written += n
	done := 0
	for ; done < len(o.records) && o.records[done].end <= o.written; done++ {
		plain += o.records[done].plain
	}
	o.records = o.records[:copy(o.records, o.records[done:])]
	if o.written == len(*o.buf) {
		release(o.buf)
		o.buf, o.written = nil, 0
	}
	return plain
}

// Write writes b. n counts what is in records that the network has whole: no less, and no more, reaches the peer if the
// connection is over then. Whoever goes on after an error such as a deadline has to go on with b[n:], since a part of
// that may be encrypted already.
func (c *conn) Write(b []byte) (n int, err error) {
	if err := c.HandshakeContext(context.Background()); err != nil {
		return 0, err
	}
	one := [1][]byte{b}
	return c.write(one[:], true)
}

// WriteBuffers implements [transport.BuffersWriter]: small runs of bytes share a record, and records a write.
func (c *conn) WriteBuffers(v [][]byte) (int64, error) {
	if err := c.HandshakeContext(context.Background()); err != nil {
		return 0, err
	}
	n, err := c.write(v, true)
	return int64(n), err
}

// TryWrite implements [transport.TryWriter].
func (c *conn) TryWrite(b []byte) (int, error) {
	if c.try == nil || !c.shaken.Load() {
		return 0, nil
	}
	one := [1][]byte{b}
	return c.write(one[:], false)
}

func (c *conn) write(v [][]byte, wait bool) (n int, err error) {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return 0, c.opError("write", net.ErrClosed)
	}
	in := input{rest: v}
	defer in.release()
	in.skip(o.owed())
	for {
		plain, whole, err := c.flush(wait)
		n += plain
		if err != nil || !whole {
			return n, err
		}
		switch some, err := c.encrypt(&in); {
		case err != nil:
			return n, c.opError("write", err)
		case !some:
			return n, nil
		}
	}
}

// encrypt makes records of what is to be written, as many as make a batch. out.mu is held.
func (c *conn) encrypt(in *input) (some bool, err error) {
	for range batchRecords {
		b := in.next()
		if len(b) == 0 {
			break
		}
		if !some {
			c.below.prepare()
		}
		if _, err := c.tls.Write(b); err != nil {
			return some, err
		}
		c.out.records = append(c.out.records, record{c.below.size(), len(b)})
		some = true
	}
	return some, nil
}

// flush writes what is encrypted or, without wait, as much of it as goes. plain is how much of plain text is on the
// network whole by that; whole says that nothing is left. out.mu is held.
func (c *conn) flush(wait bool) (plain int, whole bool, err error) {
	o := &c.out
	for {
		if o.buf == nil {
			if o.buf = c.below.take(); o.buf == nil {
				return plain, true, nil
			}
		}
		rest := (*o.buf)[o.written:]
		var n int
		if wait {
			n, err = c.raw.Write(rest)
		} else {
			n, err = c.try.TryWrite(rest)
		}
		plain += o.wrote(n)
		switch {
		case err != nil:
			return plain, false, err
		case n < len(rest) && wait:
			return plain, false, fmt.Errorf("mtls: %d of %d bytes written", n, len(rest))
		case n < len(rest):
			return plain, false, nil
		}
	}
}

// An input cuts runs of bytes into pieces for a record each.
type input struct {
	run    []byte
	rest   [][]byte
	joined *[]byte
}

var joins = sync.Pool{New: func() any {
	b := make([]byte, 0, recordMost)
	return &b
}}

// more sees to it that there is something in run, and reports whether there is.
func (in *input) more() bool {
	for len(in.run) == 0 {
		if len(in.rest) == 0 {
			return false
		}
		in.run, in.rest = in.rest[0], in.rest[1:]
	}
	return true
}

// take takes up to most bytes off the first run.
func (in *input) take(most int) []byte {
	n := min(most, len(in.run))
	b := in.run[:n]
	in.run = in.run[n:]
	return b
}

func (in *input) skip(n int) {
	for n > 0 && in.more() {
		n -= len(in.take(n))
	}
}

// next returns the next piece, valid until the next call; empty at the end. A piece of its own that is too short is
// copied together with what follows.
func (in *input) next() []byte {
	if !in.more() {
		return nil
	}
	if len(in.run) >= recordMost || len(in.rest) == 0 {
		return in.take(recordMost)
	}
	if in.joined == nil {
		in.joined = joins.Get().(*[]byte)
	}
	b := (*in.joined)[:0]
	for len(b) < recordMost && in.more() {
		b = append(b, in.take(recordMost-len(b))...)
	}
	return b
}

func (in *input) release() {
	if in.joined != nil {
		clear((*in.joined)[:cap(*in.joined)]) // it is plain text
		joins.Put(in.joined)
	}
}
