package zmtp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
)

const (
	// DefaultMaxMetadata is the limit on a peer's READY, in bytes, when [Config.MaxMetadata] does not give another.
	DefaultMaxMetadata = 4096

	// MaxIdentity is the longest identity, in bytes (RFC 37).
	MaxIdentity = 255

	// A READY may have a property for each propertyWeight bytes of its limit, and
	// minProperties in any case.
	propertyWeight = 64
	minProperties  = 16
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
	// MaxMetadata is the most bytes the body of a command of the peer's may have during the handshake: its READY, with
	// NULL. A larger one is refused from its header alone. The metadata may have a property for each 64 of those
	// bytes, and 16 in any case. Zero or less means [DefaultMaxMetadata].
	MaxMetadata int
	// Mechanism is the security mechanism; nil means [Null]. A peer that wants another is refused.
	Mechanism Mechanism
	// Admit judges the peer by what it says of itself. An error ends the handshake. With NULL the peer is not told
	// who we are before that: our READY waits for the peer's, and is sent only if Admit returns nil. Until then the
	// peer cannot take us for connected and send us anything. Two ends that both wait so would wait for ever: leave
	// it to the end that dials. nil admits every peer.
	Admit func(*Session) error
	// Authenticate decides who the peer is and whether it may come in; the error ends the handshake, which wraps
	// ErrDenied beside it. It may wait as long as ctx, that of Handshake, lasts. nil lets everybody in whom the
	// mechanism lets in. With NULL it is asked before our READY goes out and, unless Admit is set too, without waiting
	// for the peer's, so that the peer may be one that waits for ours.
	Authenticate func(ctx context.Context, c Claim) (User, error)
	// Confirm decides whether what the peer says of itself goes with the User it has proven to be, once both are known.
	// An error is like one of Authenticate. nil takes the peer at its word.
	Confirm func(*Session) error
	// Staged sends the greeting in parts, as libzmq does, each when the peer has
	// shown as much of its own: the signature at once, then the version, then the
	// rest. A peer of ZMTP 2 hangs up on a whole greeting before it says which
	// version it speaks, but tells after a signature. It costs a round trip to a
	// peer that does the same, and nothing to one that sends all at once. Two
	// staged ends do not wait for each other. The default is all at once.
	Staged bool
}

// Session is what a handshake agreed on, and what the peer told about itself. What it told is proven by nothing, not
// even where the mechanism proves who the peer is.
type Session struct {
	// Version is the version to speak: 3.0 or 3.1.
	Version Version
	// Mechanism is the name of the security mechanism.
	Mechanism string
	// User is whom [Config.Authenticate] took the peer for.
	User User
	// PeerType is the peer's socket type; ours accepts it.
	PeerType SocketType
	// Identity is the peer's identity, at most 255 bytes, empty if it gave none. It may start with a zero byte, which
	// RFC 37 reserves.
	Identity []byte
	// Metadata is all properties the peer told, in the order they came.
	Metadata Metadata
	// Opener decrypts what follows, for [Reader.SetOpener]; nil if the mechanism does not encrypt.
	Opener Opener
	// Sealer encrypts what we send after the handshake; nil if the mechanism does not encrypt.
	Sealer Sealer
	// Rest is what was read past the handshake: the start of the traffic, to be decoded before anything else is read.
	// It is nil if there is nothing.
	Rest []byte
}

// Handshake agrees with the peer at the other end of rw: it sends the greeting, reads the peer's, and runs the
// mechanism. With NULL it sends READY, reads the peer's READY, and sends nothing after it. Both ends may be ours:
// without [Config.Admit] it waits for the peer in neither step before it sends its own, and it reads while it writes,
// so that two of them do not block each other even over a connection without buffers.
//
// When ctx ends, Handshake closes rw, if that is an [io.Closer], and returns ctx's cause. For an rw that is none the
// caller has to end its Read and its Write. The goroutines it starts have ended when it returns. After an error the
// connection is of no use any more and should be closed; if rw has SetWriteDeadline, it may have been used to end our
// own write.
//
// Errors that blame the peer wrap ErrNotZMTP, ErrVersion, ErrMechanism, ErrMalformed, ErrTooLarge, ErrSocketType,
// ErrRefused or ErrDenied; an unusable cfg wraps ErrConfig; an end of the stream half way wraps
// [io.ErrUnexpectedEOF]; other errors of rw, and those of Admit, Authenticate and Confirm, are wrapped as they come.
func Handshake(ctx context.Context, rw io.ReadWriter, cfg Config) (*Session, error) {
	n, err := newNegotiation(cfg)
	if err != nil {
		return nil, err
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		if c, ok := rw.(io.Closer); ok {
			_ = c.Close() // ctx's error tells why
		}
	})
	s, err := n.overBytes(ctx, rw)
	if !stop() {
		<-closed
		if err == nil || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) {
			err = fmt.Errorf("zmtp: handshake: %w", context.Cause(ctx))
		}
		return nil, err
	}
	return s, err
}

// overBytes is the handshake from the greeting on.
func (n *negotiation) overBytes(ctx context.Context, rw io.ReadWriter) (*Session, error) {
	w := startWriter(rw)
	ours := greeter{
		w:         w,
		staged:    n.cfg.Staged,
		mechanism: n.mech.Name(),
		rest:      AppendGreeting(nil, n.greeting()),
	}
	if n.cfg.Staged {
		ours.send(atMajor)
	} else {
		ours.flush()
	}
	c := &frameConduit{
		in: readBuffer{r: rw, buf: make([]byte, 0, readSize)}, ours: &ours, limit: uint64(n.cfg.maxMetadata()),
	}
	c.awaited = CommandReady
	if ours.mechanism != mechanismNull {
		c.awaited = ours.mechanism + " command"
	}

	told, err := n.conversation(ctx, c)
	switch {
	case err == nil:
		if err := w.finish(); err != nil {
			return nil, fmt.Errorf("zmtp: handshake: write: %w", err)
		}
		s, err := n.end()
		if err != nil {
			return nil, err
		}
		if o, ok := n.ex.(Opener); ok { // a nil interface from a failed assertion may still hold on to n.ex
			s.Opener = o
		}
		if o, ok := n.ex.(Sealer); ok {
			s.Sealer = o
		}
		if len(c.in.buf) > 0 {
			s.Rest = bytes.Clone(c.in.buf) // do not pin the whole buffer
		}
		return s, nil
	case told, errors.Is(err, ErrSocketType), errors.Is(err, ErrMechanism), startsTLS(c.in.buf):
		// The peer is in good faith: let it have our side, so that it can tell its user the same reason and not just
		// that the connection ended.
		ours.flush()
		_ = w.finish()
	default:
		w.abandon(rw)
	}
	return nil, err // tells more than what became of our write
}

// conversation reads the peer's greeting and runs the mechanism. told is that of converse.
func (n *negotiation) conversation(ctx context.Context, c *frameConduit) (told bool, err error) {
	g, err := readGreeting(&c.in, c.ours)
	if err != nil {
		return false, err
	}
	if err := n.greeted(g); err != nil {
		return false, err
	}
	if n.first.Name == "" {
		c.ours.flush()
	}
	return converse(ctx, c, n.ex, n.first)
}

func (c Config) mechanism() Mechanism {
	if c.Mechanism == nil {
		return Null
	}
	return c.Mechanism
}

func (c Config) maxMetadata() int {
	if c.MaxMetadata <= 0 {
		return DefaultMaxMetadata
	}
	return c.MaxMetadata
}

// metadata checks c and returns what it tells a peer.
func (c Config) metadata() (Metadata, error) {
	const op = "handshake"
	if !c.SocketType.Valid() {
		return nil, fail(op, ErrConfig, "socket type %q; want one of the eleven types of RFC 37", string(c.SocketType))
	}
	if len(c.Identity) > MaxIdentity {
		return nil, fail(op, ErrConfig, "identity of %d bytes; want at most %d", len(c.Identity), MaxIdentity)
	}
	if len(c.Identity) > 0 && c.Identity[0] == 0 {
		return nil, fail(op, ErrConfig,
			"identity %.64q starts with a zero byte, which is kept for identities made by the peer",
			c.Identity)
	}
	for _, reserved := range []string{PropertySocketType, PropertyIdentity} {
		if _, ok := c.Properties.Get(reserved); ok {
			return nil, fail(op, ErrConfig, "property %s is not for Properties; set the field of Config", reserved)
		}
	}
	if err := c.Properties.Validate(); err != nil {
		return nil, err
	}
	m := make(Metadata, 0, 2+len(c.Properties))
	m = append(m, Property{PropertySocketType, []byte(c.SocketType)})
	if c.SocketType.sendsIdentity() {
		m = append(m, Property{PropertyIdentity, c.Identity})
	}
	return append(m, c.Properties...), nil
}
