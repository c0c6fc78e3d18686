package zmtp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

const (
	// DefaultMaxMetadata is the limit on a peer's READY, in bytes, when
	// [Config.MaxMetadata] does not give another.
	DefaultMaxMetadata = 4096

	// MaxIdentity is the longest identity, in bytes (RFC 37).
	MaxIdentity = 255

	// readSize is the most one read asks for: enough for the greeting and a usual
	// READY, and so also the bound on what is read past them.
	readSize = 512

	// A READY may have a property for each propertyWeight bytes of its limit, and
	// minProperties in any case.
	propertyWeight = 64
	minProperties  = 16

	// maxEmptyReads bounds how often a Read may return nothing at all.
	maxEmptyReads = 100
)

// Config is our side of a handshake.
type Config struct {
	// SocketType is our type. Required.
	SocketType SocketType
	// Identity is our identity (libzmq ZMQ_ROUTING_ID), at most 255 bytes, the first
	// not zero; empty for none. Only REQ, DEALER and ROUTER send it.
	Identity []byte
	// Properties are sent after Socket-Type and Identity, which may not be among
	// them. Names of applications start with "X-".
	Properties Metadata
	// MaxMetadata is the most bytes the body of the peer's READY may have; a larger
	// one is refused from its header alone. It may have a property for each 64 of
	// those bytes, and 16 in any case. Zero or less means [DefaultMaxMetadata].
	MaxMetadata int
	// Admit judges the peer before it is told who we are: our READY waits for the peer's, and is sent only if Admit
	// returns nil. Until then the peer cannot take us for connected and send us anything. An error ends the
	// handshake. Two ends that both wait so would wait for ever: leave it to the end that dials. nil admits every peer.
	Admit func(*Session) error
	// Staged sends the greeting in parts, as libzmq does, each when the peer has
	// shown as much of its own: the signature at once, then the version, then the
	// rest. A peer of ZMTP 2 hangs up on a whole greeting before it says which
	// version it speaks, but tells after a signature. It costs a round trip to a
	// peer that does the same, and nothing to one that sends all at once. Two
	// staged ends do not wait for each other. The default is all at once.
	Staged bool
}

// Session is what a handshake agreed on, and what the peer told about itself.
// Nothing in it is proven: the NULL mechanism authenticates nobody.
type Session struct {
	// Version is the version to speak: 3.0 or 3.1.
	Version Version
	// PeerType is the peer's socket type; ours accepts it.
	PeerType SocketType
	// Identity is the peer's identity, at most 255 bytes, empty if it gave none. It
	// may start with a zero byte, which RFC 37 reserves.
	Identity []byte
	// Metadata is all properties of the peer's READY in the order they came.
	Metadata Metadata
	// Rest is what was read past the READY: the start of the traffic, to be decoded
	// before anything else is read. It is nil if there is nothing.
	Rest []byte
}

// Handshake agrees with the peer at the other end of rw, by the NULL mechanism: it
// sends the greeting, reads the peer's, sends READY, reads the peer's READY, and
// sends nothing after it. Both ends may be ours: without [Config.Admit] it waits
// for the peer in neither step before it sends its own, and it reads while it
// writes, so that two of them do not block each other even over a connection
// without buffers.
//
// It has no time limit of its own. To bound it, close rw from another goroutine:
// that ends its Read and its Write. The one goroutine it starts has ended when it
// returns. After an error the connection is of no use any more and should be
// closed; if rw has SetWriteDeadline, it may have been used to end our own write.
//
// Errors that blame the peer wrap ErrNotZMTP, ErrVersion, ErrMechanism,
// ErrMalformed, ErrTooLarge, ErrSocketType or ErrRefused; an unusable cfg wraps
// ErrConfig; an end of the stream half way wraps [io.ErrUnexpectedEOF]; other
// errors of rw, and that of Admit, are wrapped as they come.
func Handshake(rw io.ReadWriter, cfg Config) (*Session, error) {
	ready, err := cfg.ready()
	if err != nil {
		return nil, err
	}
	w := startWriter(rw)
	greeting := greeter{
		w:      w,
		staged: cfg.Staged,
		rest:   AppendGreeting(nil, Greeting{Version: highest, Mechanism: mechanismNull}),
		ready:  ready,
	}
	if cfg.Staged {
		greeting.send(atMajor)
	} else {
		greeting.flush()
	}

	s, err := converse(rw, cfg, &greeting)
	switch {
	case err == nil:
		if err := w.finish(); err != nil {
			return nil, fmt.Errorf("zmtp: handshake: write: %w", err)
		}
		return s, nil
	case errors.Is(err, ErrSocketType), errors.Is(err, ErrMechanism):
		// The peer is in good faith: let it have our side, so that it can tell its
		// user the same reason and not just that the connection ended.
		greeting.flush()
		_ = w.finish()
	default:
		w.abandon(rw)
	}
	return nil, err // tells more than what became of our write
}

// metadata is what our READY says.
func (c Config) metadata() Metadata {
	m := make(Metadata, 0, 2+len(c.Properties))
	m = append(m, Property{PropertySocketType, []byte(c.SocketType)})
	if c.SocketType.sendsIdentity() {
		m = append(m, Property{PropertyIdentity, c.Identity})
	}
	return append(m, c.Properties...)
}

// ready checks c and encodes our READY, so that a mistake shows before a byte is
// sent.
func (c Config) ready() ([]byte, error) {
	const op = "handshake"
	if !c.SocketType.Valid() {
		return nil, fail(op, ErrConfig, "socket type %q; want one of the eleven types of RFC 37", string(c.SocketType))
	}
	if len(c.Identity) > MaxIdentity {
		return nil, fail(op, ErrConfig, "identity of %d bytes; want at most %d", len(c.Identity), MaxIdentity)
	}
	if len(c.Identity) > 0 && c.Identity[0] == 0 {
		return nil, fail(op, ErrConfig, "identity %.64q starts with a zero byte, which is kept for identities made by the peer", c.Identity)
	}
	for _, reserved := range []string{PropertySocketType, PropertyIdentity} {
		if _, ok := c.Properties.Get(reserved); ok {
			return nil, fail(op, ErrConfig, "property %s is not for Properties; set the field of Config", reserved)
		}
	}
	if err := c.Properties.Validate(); err != nil {
		return nil, err
	}
	return AppendReady(nil, c.metadata()), nil
}

// A greeter sends our greeting, in parts or at once.
type greeter struct {
	w      *writer
	staged bool
	rest   []byte // not sent yet
	ready  []byte // our READY
}

func (g *greeter) send(n int) {
	if n > 0 {
		g.w.send(g.rest[:n:n])
		g.rest = g.rest[n:]
	}
}

func (g *greeter) flush() { g.send(len(g.rest)) }

func (g *greeter) sendReady() {
	g.rest = append(g.rest, g.ready...)
	g.flush()
}

// seen sends what a peer may have that has sent n bytes of its own, which were
// accepted. When its greeting is whole the rest goes together with our READY.
func (g *greeter) seen(n int) {
	const whole = GreetingSize - atMajor
	switch {
	case n == atMajor && len(g.rest) == whole:
		g.send(1)
	case n > atMajor && n < GreetingSize:
		g.flush()
	}
}

// hungUp guesses why a peer hung up after n bytes of its greeting; empty if it
// has no idea.
func (g *greeter) hungUp(n int) string {
	var who []string
	if !g.staged && (n == 0 || n >= atMajor) {
		who = append(who, "a peer of ZMTP 2.0 (libzmq before 4.0, JeroMQ before 0.4.1)")
	}
	if n >= atMajor { // libzmq sends its mechanism last and hangs up once ours is another
		who = append(who, "a libzmq that wants another security mechanism than our "+mechanismNull)
	}
	return strings.Join(who, ", or ")
}

// converse is the reading half. It sends our READY once the peer's greeting has
// been accepted or, with Admit, the peer itself.
func converse(r io.Reader, cfg Config, ours *greeter) (*Session, error) {
	in := inbox{r: r, buf: make([]byte, 0, readSize)}
	version, err := readGreeting(&in, ours)
	if err != nil {
		return nil, err
	}
	if cfg.Admit == nil {
		ours.sendReady()
	} else {
		ours.flush()
	}
	limit := cfg.MaxMetadata
	if limit <= 0 {
		limit = DefaultMaxMetadata
	}
	body, err := readCommandFrame(&in, uint64(limit))
	if err != nil {
		return nil, err
	}
	s, err := parseReady(body, cfg.SocketType, max(minProperties, limit/propertyWeight))
	if err != nil {
		if cfg.Admit != nil && errors.Is(err, ErrSocketType) {
			ours.sendReady() // the peer may know why, see Handshake
		}
		return nil, err
	}
	s.Version = version
	if len(in.buf) > 0 {
		s.Rest = bytes.Clone(in.buf) // do not pin the whole buffer
	}
	if cfg.Admit != nil {
		if err := cfg.Admit(s); err != nil {
			return nil, fmt.Errorf("zmtp: handshake: %w", err)
		}
		ours.sendReady()
	}
	return s, nil
}

// readGreeting takes the peer's greeting and returns the version to speak. Ours
// goes out along with it.
func readGreeting(in *inbox, ours *greeter) (Version, error) {
	for len(in.buf) < GreetingSize {
		if err := in.more("greeting"); err != nil {
			if who := ours.hungUp(len(in.buf)); who != "" && errors.Is(err, io.ErrUnexpectedEOF) {
				err = fmt.Errorf("%w (so does %s)", err, who)
			}
			return Version{}, err
		}
		if err := CheckGreetingPrefix(in.buf); err != nil {
			return Version{}, err
		}
		ours.seen(len(in.buf))
	}
	g, err := ParseGreeting(in.take(GreetingSize))
	if err != nil {
		return Version{}, err
	}
	if g.Mechanism != mechanismNull {
		return Version{}, fail("handshake", ErrMechanism, "the peer wants %s, ours is %s", g.Mechanism, mechanismNull)
	}
	return g.Version.Common(), nil
}

// readCommandFrame takes one whole command frame and returns its body, which is
// good until the next read. Memory grows with the bytes that arrive, up to limit.
func readCommandFrame(in *inbox, limit uint64) ([]byte, error) {
	for {
		h, n, err := ParseHeader(in.buf)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			if !h.Command() {
				return nil, fail("handshake", ErrMalformed, "a message came first; want the command READY")
			}
			if h.Size > limit {
				return nil, fail("handshake", ErrTooLarge, "the first command claims %d bytes; the limit is %d", h.Size, limit)
			}
			if h.Size <= uint64(len(in.buf)-n) {
				return in.take(n + int(h.Size))[n:], nil
			}
		}
		if err := in.more("READY"); err != nil {
			return nil, err
		}
	}
}

// parseReady judges the peer's first command, which may have so many properties.
func parseReady(body []byte, local SocketType, properties int) (*Session, error) {
	name, data, err := ParseCommand(body)
	if err != nil {
		return nil, err
	}
	switch name {
	case CommandReady:
	case CommandError:
		reason, err := ParseError(data)
		if err != nil {
			return nil, err
		}
		return nil, &RefusedError{Reason: reason}
	default:
		return nil, fail("handshake", ErrMalformed, "the first command is %.64q; want READY or ERROR", name)
	}
	m, err := parseMetadata(data, properties)
	if err != nil {
		return nil, err
	}
	peerType, _ := m.Get(PropertySocketType)
	if err := local.Check(SocketType(peerType)); err != nil {
		return nil, err
	}
	identity, _ := m.Get(PropertyIdentity)
	if len(identity) > MaxIdentity {
		return nil, fail("handshake", ErrMalformed, "the peer's identity has %d bytes; want at most %d", len(identity), MaxIdentity)
	}
	return &Session{PeerType: SocketType(peerType), Identity: identity, Metadata: m}, nil
}

// inbox holds bytes that have been read and not yet used.
type inbox struct {
	r    io.Reader
	buf  []byte
	came bool // something has
}

// more reads once more, at least one byte. The buffer grows only when it is full,
// by bytes that have come, so a claimed size costs nothing.
func (in *inbox) more(what string) error {
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
func (in *inbox) ended(what string, err error) error {
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
func (in *inbox) take(n int) []byte {
	b := in.buf[:n:n]
	in.buf = in.buf[n:]
	return b
}

// writer writes in the background, in order, so that reading never waits for a
// peer that does not read yet.
type writer struct {
	queue chan []byte
	done  chan struct{}
	err   error // good once done is closed
}

// startWriter begins a writer on w. It must be ended by finish or abandon.
func startWriter(w io.Writer) *writer {
	// Room for the greeting, in three parts at most, and READY: send never blocks.
	wr := &writer{queue: make(chan []byte, 4), done: make(chan struct{})}
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

func (wr *writer) send(b []byte) { wr.queue <- b }

// finish waits until all is written.
func (wr *writer) finish() error {
	close(wr.queue)
	<-wr.done
	return wr.err
}

// abandon ends a write that may be stuck. Where the connection knows no
// deadlines, the caller's Close ends it.
func (wr *writer) abandon(rw io.ReadWriter) {
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
