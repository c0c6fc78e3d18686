package gossip

import (
	"bufio"
	"bytes"
	"compress/lzw"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// Without a key anybody can have memberlist read what they make up, and memberlist allocates what is claimed: a
// header of 30 bytes has it allocate 100 MB. So what comes by a stream is read here first. Nothing passes but what
// memberlist itself writes, and what is claimed counts as if it had come.

// What memberlist calls the messages that it reads from streams.
const (
	streamPing     = 0
	streamAck      = 2
	streamPushPull = 6
	streamUser     = 8
	streamCompress = 9
	streamErr      = 13
	streamLabel    = 244
)

const (
	nodeSize  = 128     // what memberlist allocates for each node that is claimed
	maxFields = 16      // of one message
	maxKey    = 32      // bytes
	maxValue  = 4 << 10 // bytes of a name, an address, metadata
)

var errClaim = errors.New("gossip: not what a member sends")

// A checkedStream passes what it has looked at.
type checkedStream struct {
	*stream
	in     *bufio.Reader
	answer bool         // it was opened by us: what comes has no label before it
	out    bytes.Buffer // looked at, and not read yet
	next   func() error // looks at more
}

// checked has all that is read from a stream looked at first, where that is called for.
func (t *transport) checked(s *stream, answer bool) net.Conn {
	if !t.keyless.Load() {
		return s
	}
	c := &checkedStream{stream: s, in: bufio.NewReader(s), answer: answer}
	c.next = c.begin
	return c
}

// Read implements [net.Conn].
func (c *checkedStream) Read(b []byte) (int, error) {
	for c.out.Len() == 0 {
		if err := c.next(); err != nil {
			c.out.Reset() // it is not to be read by half
			c.next = func() error { return err }
			return 0, err
		}
	}
	return c.out.Read(b)
}

// begin takes the label.
func (c *checkedStream) begin() error {
	c.next = c.message
	first, err := c.in.Peek(1)
	if err != nil || c.answer || first[0] != streamLabel {
		return err
	}
	head, err := c.in.Peek(2)
	if err != nil {
		return err
	}
	return c.pass(c.in, 2+int(head[1]))
}

// message takes the kind of a message, and what is claimed at its beginning.
func (c *checkedStream) message() error {
	kind, err := c.in.ReadByte()
	if err != nil {
		return err
	}
	if kind != streamCompress {
		return c.kind(c.in, kind)
	}
	// It is passed on as it was before it was compressed: small as it is it may claim to be 40 MB.
	var packed, size int
	err = c.fields(c.in, nil, func(name string, n int, isBytes bool) error {
		switch {
		case name == "Buf" && isBytes:
			packed++
			size = n
			return errPayload
		case name == "Algo" && !isBytes && n == 0:
			return nil
		}
		return errClaim
	})
	if err != nil && !errors.Is(err, errPayload) || packed != 1 {
		return errors.Join(errClaim, err)
	}
	plain := bufio.NewReader(&charged{lzw.NewReader(io.LimitReader(c.in, int64(size)), lzw.LSB, 8), c.stream})
	if kind, err = plain.ReadByte(); err != nil {
		return err
	}
	return c.kind(plain, kind)
}

// errPayload says that what follows is not for fields to read.
var errPayload = errors.New("payload")

// charged counts what comes out of a small packet.
type charged struct {
	io.Reader
	s *stream
}

func (c *charged) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	if n > 0 && !c.s.charge(n) {
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// kind looks at a message of that kind.
func (c *checkedStream) kind(r *bufio.Reader, kind byte) error {
	c.out.WriteByte(kind)
	c.next = func() error { return io.EOF }
	switch kind {
	case streamPing, streamAck, streamErr:
		c.next = func() error {
			c.next = func() error { return io.EOF }
			return c.fields(r, &c.out, nil)
		}
	case streamUser:
		c.next = func() error { return c.claims(r, "UserMsgLen") }
	case streamPushPull:
		c.next = func() error { return c.claims(r, "Nodes", "UserStateLen", "Join") }
	}
	return nil // memberlist refuses all others without reading on
}

// claims takes a header, and counts what it claims.
func (c *checkedStream) claims(r *bufio.Reader, names ...string) error {
	claimed := make(map[string]int, len(names))
	err := c.fields(r, &c.out, func(name string, n int, isBytes bool) error {
		if _, twice := claimed[name]; twice || isBytes || n < 0 || n > maxStream {
			return errClaim
		}
		claimed[name] = n
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, ok := claimed[name]; !ok {
			return errClaim
		}
	}
	nodes, rest := claimed["Nodes"], claimed["UserStateLen"]+claimed["UserMsgLen"]
	if len(claimed) != len(names) || !c.charge(nodes*nodeSize+rest) {
		return fmt.Errorf("%w: %d nodes and %d bytes", errClaim, nodes, rest)
	}
	c.next = func() error {
		if nodes > 0 {
			nodes--
			return c.fields(r, &c.out, nil)
		}
		some := min(rest, 32<<10)
		if some == 0 {
			return io.EOF
		}
		rest -= some
		return c.pass(r, some)
	}
	return nil
}

// pass passes n bytes on.
func (c *checkedStream) pass(r io.Reader, n int) error {
	_, err := io.CopyN(&c.out, r, int64(n))
	return halfway(err)
}

// halfway makes an end of the stream one within a message.
func halfway(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// fields reads one map of msgpack, as memberlist's messages are, of names to nothing, truths, whole numbers and
// bytes, and writes it to w, which may be nil. look, if not nil, is told of each: of bytes how many there are, before
// they are read.
func (c *checkedStream) fields(
	r *bufio.Reader, w *bytes.Buffer, look func(name string, n int, isBytes bool) error,
) error {
	if w == nil {
		w = new(bytes.Buffer)
	}
	f := fieldReader{r: r, w: w}
	count := int(f.byte())
	switch {
	case count&0xf0 == 0x80:
		count &= 0x0f
	case count == 0xde:
		count = f.number(2)
	default:
		return f.fail()
	}
	if count > maxFields {
		return errClaim
	}
	for range count {
		n, isBytes := f.value()
		if f.err != nil || !isBytes || n > maxKey {
			return f.fail()
		}
		name := f.take(n)
		n, isBytes = f.value()
		if f.err != nil {
			return f.fail()
		}
		if look != nil {
			if err := look(name, n, isBytes); err != nil {
				return err
			}
		}
		if isBytes {
			if n > maxValue {
				return errClaim
			}
			f.take(n)
		}
	}
	return halfway(f.err)
}

// A fieldReader reads msgpack and copies it.
type fieldReader struct {
	r   *bufio.Reader
	w   *bytes.Buffer
	err error
}

func (f *fieldReader) fail() error {
	f.refuse()
	return halfway(f.err)
}

func (f *fieldReader) refuse() {
	if f.err == nil {
		f.err = errClaim
	}
}

func (f *fieldReader) byte() (b byte) {
	if f.err == nil {
		if b, f.err = f.r.ReadByte(); f.err == nil {
			f.w.WriteByte(b)
		}
	}
	return b
}

// take reads n bytes, of which there are few.
func (f *fieldReader) take(n int) string {
	if f.err != nil {
		return ""
	}
	at := f.w.Len()
	if _, f.err = io.CopyN(f.w, f.r, int64(n)); f.err != nil {
		return ""
	}
	return string(f.w.Bytes()[at:])
}

// number reads a number of that many bytes.
func (f *fieldReader) number(size int) int {
	var b [8]byte
	copy(b[8-size:], f.take(size))
	n := binary.BigEndian.Uint64(b[:])
	if n > 1<<62 {
		f.refuse()
		return 0
	}
	return int(n)
}

// value reads a value, of bytes only how many there are.
func (f *fieldReader) value() (n int, isBytes bool) {
	switch b := f.byte(); {
	case b <= 0x7f:
		return int(b), false
	case b >= 0xe0:
		return int(int8(b)), false
	case b&0xe0 == 0xa0:
		return int(b & 0x1f), true
	case b == 0xc0 || b == 0xc2: // nil, false
		return 0, false
	case b == 0xc3:
		return 1, false
	case b >= 0xc4 && b <= 0xc6: // bytes
		return f.number(1 << (b - 0xc4)), true
	case b >= 0xcc && b <= 0xcf: // unsigned
		return f.number(1 << (b - 0xcc)), false
	case b >= 0xd0 && b <= 0xd3: // signed; memberlist writes none that are negative
		return f.number(1 << (b - 0xd0)), false
	case b >= 0xd9 && b <= 0xdb: // strings
		return f.number(1 << (b - 0xd9)), true
	default:
		f.refuse()
		return 0, false
	}
}
