package transport

import (
	"context"
	"net"
)

// Use says what an address is for; several forms are right for one use only
// (a wildcard can be bound, not connected to).
type Use int

const (
	// ForBind is the use of an address given to [Transport.Listen].
	ForBind Use = iota
	// ForConnect is the use of an address given to [Transport.Dial].
	ForConnect
)

// String returns "bind" or "connect".
func (u Use) String() string {
	if u == ForConnect {
		return "connect"
	}
	return "bind"
}

// Transport carries byte streams (or, for [Direct] connections, Go values)
// between two sockets. The address arguments are the part of an endpoint
// after "scheme://". All methods may be called concurrently.
type Transport interface {
	// Scheme returns the scheme this transport answers to, in lower case,
	// such as "tcp".
	Scheme() string

	// Validate reports whether address is well formed for use. It does no
	// I/O: a nil result does not promise that Dial or Listen will succeed.
	// The error says what to write instead.
	Validate(address string, use Use) error

	// Dial opens one connection. Names are resolved anew at each call, so
	// that a peer that has moved is found again. It returns when connected,
	// on failure, or when ctx ends.
	Dial(ctx context.Context, address string) (net.Conn, error)

	// Listen binds address. The context bounds only the act of binding (name
	// look-ups, say), not the life of the listener.
	Listen(ctx context.Context, address string) (Listener, error)
}

// Listener accepts the connections that arrive at one bound address.
// Its methods may be called concurrently.
type Listener interface {
	// Accept waits for the next connection. After Close it returns an error
	// that wraps [net.ErrClosed].
	Accept() (net.Conn, error)

	// Close stops listening, frees the address and unblocks Accept.
	// Connections already accepted stay open.
	Close() error

	// Address returns the address as actually bound, with an ephemeral port
	// resolved and without the scheme: what a peer on this host can dial.
	Address() string
}

// Canonicalizer is what a transport may be able to do beyond [Transport],
// found by type assertion: to tell which addresses are the same.
type Canonicalizer interface {
	// Canonical returns the one form that all spellings of an address share. The address must be valid for use; the
	// result is valid for the same use and names the same place even if the process changes its working directory
	// later. Canonical does no I/O but to ask for the working directory.
	Canonical(address string, use Use) string
}

// NamedListener is what a listener may be able to do beyond [Listener], found by type assertion: to know other names of
// its own, such as that of the interface whose address it is bound to.
type NamedListener interface {
	// Named reports whether address, which must be valid to bind, is a name of this listener. It sends nothing to
	// other hosts.
	Named(address string) bool
}

// TryWriter is what a connection may be able to do beyond [net.Conn], found by
// type assertion: to write without waiting.
type TryWriter interface {
	// TryWrite makes one non-blocking attempt to write b and allocates
	// nothing. A result of n < len(b) with a nil error means that the rest
	// would block. It must not be called at the same time as Write or
	// another TryWrite; Close may run at any time. What is written next has
	// to begin with the rest: a connection may have encrypted it already.
	TryWrite(b []byte) (n int, err error)
}

// BuffersWriter is what a connection may be able to do beyond [net.Conn], found by type assertion: to write several
// runs of bytes as if they were one. Package net's own connections do that for [net.Buffers], which writes to any other
// one run after the other.
type BuffersWriter interface {
	// WriteBuffers is like Write with all of v in one. It leaves v as it is.
	WriteBuffers(v [][]byte) (n int64, err error)
}

// Handshaker is what a connection may be able to do beyond [net.Conn], found by type assertion: to settle with the far
// end how they are to talk, and who is there, before the first byte of what is said. A transport does that neither in
// Dial nor in Accept, so that the caller has one deadline for all that comes before the first message, and a far end
// that says nothing keeps nobody else waiting.
type Handshaker interface {
	// HandshakeContext returns once the two have settled it, with an error that wraps [ErrHandshake] if they have not.
	// When ctx ends first the connection is of no use any more. Further calls return the same. Read and Write call it if
	// nobody has.
	HandshakeContext(ctx context.Context) error
}

// Certified is what a connection may be able to do beyond [net.Conn], found by type assertion: to tell by which
// certificate the peer has proven who it is. Somebody who decides on who may come in can do so by that.
type Certified interface {
	// PeerCertificate returns the certificate whose private key the peer has proven to have; ok is false before the
	// handshake is over ([Handshaker]), and if the peer has shown none. Who vouches for it, if anybody has to, is for the
	// transport's settings to say.
	PeerCertificate() (c Certificate, ok bool)
}

// Certificate is the certificate of a peer. It does without crypto/x509, which programs without certificates need not
// link.
type Certificate struct {
	// KeyHash is the SHA-256 of the public key, as the certificate has it (SubjectPublicKeyInfo): it is the peer's as
	// long as it keeps the key, whoever issues the certificate anew.
	KeyHash [32]byte
	// Subject is whom the certificate names, such as "CN=alice,O=Example". It is worth as much as whoever has issued it.
	Subject string
	// DER is the certificate as it came, for [crypto/x509.ParseCertificate], and behind it those that the peer has sent
	// along. It must not be changed.
	DER [][]byte
}

// ReadCanceler is what a connection may be able to do beyond [net.Conn], found by type assertion: to end a read in
// progress and go on afterwards. A socket lets a receiver read such a connection itself, which spares a wake-up for
// each message; the receiver must be able to leave at any time.
type ReadCanceler interface {
	// CancelRead ends a Read or ReadTwo in progress, and those that follow until SetReadDeadline is called, with an
	// error that wraps [os.ErrDeadlineExceeded]. No bytes are lost by it. It waits for nothing and may be called at
	// any time, also after Close.
	CancelRead() error
}

// TwoReader is what a connection may be able to do beyond [net.Conn], found by
// type assertion: to fill two buffers by one system call (readv).
type TwoReader interface {
	// ReadTwo is like Read, into first and then into second. It must not be
	// called at the same time as Read or another ReadTwo; deadlines and Close
	// end it as they end a Read.
	ReadTwo(first, second []byte) (n int, err error)
}

// CloseWriter is what a connection may be able to do beyond [net.Conn], found by
// type assertion: to close one direction.
type CloseWriter interface {
	// CloseWrite tells the peer that no more bytes will follow (a FIN);
	// reading goes on.
	CloseWrite() error
}

// Inspector is what a connection may be able to do beyond [net.Conn], found by
// type assertion: to tell what the operating system knows of it. Its methods
// may be called at any time and wait for nothing.
type Inspector interface {
	// Inspect reports the state of the connection; ok is false where the
	// operating system cannot tell.
	Inspect() (state ConnState, ok bool)

	// Ended is Inspect for these two alone, at a fraction of its cost.
	Ended() (ended, reset bool)

	// ProbeWithin asks for a peer's host that does not answer, or takes
	// nothing, to be asked again after at most so many milliseconds. It is a
	// hint: the answer is seen in ConnState.Unanswered.
	ProbeWithin(ms int)
}

// FarInspector is what a connection may be able to do beyond [net.Conn], found by type assertion: to tell whether
// anybody is left at its far end. A process may have closed that though its end of stream has not come, because bytes
// before it have not been read; whatever is written to such a connection resets it, and those bytes are lost.
type FarInspector interface {
	// FarOpen reports whether a process holds the far end; known is false where the operating system cannot tell, as of
	// another host. It may be called at any time and waits for nothing.
	FarOpen() (open, known bool)

	// Harmless reports whether something written now costs nothing of what comes from the far end, however soon that is
	// closed: either bytes that were sent outlast a reset, or a process holds the far end that has more to write than
	// there is room for, and so is not about to close. It is false where the operating system cannot tell, and of a far
	// end of which everything may have been written. Call it and write while nothing is being read: to read makes room.
	Harmless() bool
}

// ConnState is what the operating system knows of a connection.
type ConnState struct {
	// Ended: the peer's end of stream, or a reset, has arrived. Bytes that
	// arrived before it may still be unread.
	Ended bool
	// Reset: the connection has ended by a reset, or because the peer's host did
	// not answer for too long, rather than by an end of stream: the peer may not
	// have read all that was written. It may not be told any more once a Read or
	// a Write has failed with the error that says so.
	Reset bool
	// Unread is the number of bytes that have arrived and were not read.
	Unread int
	// Unanswered is how many times in a row the peer's host was sent data again,
	// or asked for room, without an answer of any kind. A host that is alive
	// answers even while the peer's process takes nothing.
	Unanswered int
	// Unacknowledged is the number of bytes that were written and the peer's host
	// has not acknowledged.
	Unacknowledged int
	// Untaken is about how many bytes that were written the peer's process has not
	// read yet, where the operating system gives a clue; a few KiB count as none.
	Untaken int
	// Acknowledged: CloseWrite was called, and the peer's host has all that was
	// written and the end of it. Whether the peer has read it is not known. It is
	// not said of a connection that was reset.
	Acknowledged bool

	// Waiting is how many bytes that were written wait in this host for the
	// peer's process to read them, as the kernel counts its memory; 0 where it
	// cannot tell. Known over ipc.
	Waiting int
}

// Direct is a connection whose two ends live in one process. It carries no
// bytes: Read and Write return an error that wraps [errors.ErrUnsupported],
// and the ends swap Go values instead. Such a pair can share queues and so
// spares the copying and framing that a byte stream needs. Ends that want one
// all the same may be able to make it of the connection ([ByteStreamer]).
type Direct interface {
	net.Conn

	// Exchange gives v to the other end and returns what the other end gave.
	// It waits for the other end until ctx ends or either end closes. Each
	// end may call it once; a second call is an error.
	Exchange(ctx context.Context, v any) (any, error)

	// Done returns a channel that is closed when either end has closed.
	Done() <-chan struct{}
}

// ByteStreamer is what a [Direct] connection may be able to do beyond that,
// found by type assertion: to carry bytes, for ends that agree to.
type ByteStreamer interface {
	// ByteStream returns this end of a stream of bytes to the other end, which
	// has to ask for its own. It is the same stream at each call, and the same
	// connection: to close either closes both. What was written before can
	// still be read by the other end.
	ByteStream() net.Conn
}
