package socket

import (
	"errors"
	"fmt"
	"net"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// Errors that callers decide on. They come wrapped with the operation and, where there is one, the peer; match them
// with [errors.Is].
var (
	// ErrClosed: the socket was closed or is shutting down. It also matches [net.ErrClosed].
	ErrClosed error = closedError{}
	// ErrWouldBlock: TrySend, or Send under Reject, found every queue full, or TryRecv found nothing. The error of a
	// Send whose context ended matches it too, beside the context's own.
	ErrWouldBlock = errors.New("every queue is full")
	// ErrNoPeers: nobody is connected, and as much as may wait for a first peer does already. It also matches
	// ErrWouldBlock.
	ErrNoPeers error = noPeersError{}
	// ErrUnroutable: a Router has no peer with the identity in the message's first frame.
	ErrUnroutable = errors.New("no peer has this identity")
	// ErrPeerLost: the peer is gone that a request, a reply or the call is about.
	ErrPeerLost = errors.New("the peer is gone")
	// ErrTooLarge: a message or topic is over its limit (see Limits).
	ErrTooLarge = errors.New("over the limit")
	// ErrInvalidOption: Bind and Connect find that an option was given a value it cannot have, for constructors cannot
	// fail: an identity that is not 1 to 255 bytes of which the first is not zero, a metadata property whose name is
	// not one, or a topic that is over its limit, which matches ErrTooLarge too.
	ErrInvalidOption = errors.New("invalid option")
	// ErrState: the call is out of turn, such as a second request before the reply to the first, or takes back what was
	// never done.
	ErrState = errors.New("out of turn")
	// ErrNoEndpoint: Unbind, Disconnect or WaitConnected named an endpoint that this socket does not have.
	ErrNoEndpoint = errors.New("no such endpoint on this socket")
	// ErrUnconfirmed: Shutdown ended before every peer had read to the end of what it was sent and closed, or a
	// connection broke meanwhile.
	ErrUnconfirmed = errors.New("peers may not have read all that was delivered to them")
	// ErrUndeliverable: the peers that a request was sent to ended the connection in the middle of it, as often as
	// WithMaxAttempts allows. It is also the Err of an Undelivered event.
	ErrUndeliverable = errors.New("undeliverable")
	// ErrSettled: the message of a [Delivery] was settled before: by a verb, or by being received.
	ErrSettled = errors.New("settled already")
	// ErrExpired: the message of a [Delivery] was kept for too long (see WithAckWait) and given back.
	ErrExpired = errors.New("kept for too long, and given back")
	// ErrNoFrames: a message must have at least one frame, which may be empty.
	ErrNoFrames = errors.New("a message needs at least one frame")
)

// Causes of a lost or refused connection, found in the Err of an event: of a [PeerDown] where no other is named.
var (
	// ErrHeartbeat: nothing came from the peer for the heartbeat timeout (or for the time the peer itself allowed).
	ErrHeartbeat = errors.New("no sign of life within the heartbeat timeout")
	// ErrNoHeartbeat, of a HeartbeatOff event: the peer hung up on its first PING.
	ErrNoHeartbeat = errors.New("the peer hung up on our first PING; it gets none on its next connections")
	// ErrProtocol, of a ProtocolError event: the peer sent a command out of place. What is not ZMTP at all matches
	// zmtp.ErrMalformed.
	ErrProtocol = errors.New("protocol error")
	// ErrLimit, of a LimitHit event: the peer went over one of our Limits on topics and subscriptions. A message or
	// command that is too large matches zmtp.ErrTooLarge.
	ErrLimit = errors.New("limit hit")
	// ErrSlow: the peer's queue was full under the policy Disconnect.
	ErrSlow = errors.New("the peer is too slow")
	// ErrWrongNode, of a HandshakeFailed event: at an endpoint given to ConnectNode another node answered than is
	// accepted there. Nothing was sent to it.
	ErrWrongNode = errors.New("another node answers there")
	// ErrDenied, of a HandshakeFailed event: the peer may not come in, by the word of the Authenticator or the mechanism,
	// or because a name that it says is not its own (WithIdentityBinding, WithAuthenticator). Err says why, which the
	// peer is not told.
	ErrDenied = zmtp.ErrDenied
	// ErrRevoked: the Authenticator had let the peer in and does not any more; Err says why.
	ErrRevoked = errors.New("may not stay any more")
	// ErrIdentityInUse, of a DuplicateIdentity event, also returned by ConnectAs: another peer of this Router has the
	// identity already.
	ErrIdentityInUse = errors.New("the identity is in use")
	// ErrTakenOver: another peer took over the identity (see WithHandover), or the name (see WithName).
	ErrTakenOver = errors.New("another peer took over the identity")
	// ErrSuperseded: another connection of the same peer has taken the place of this one, of a reliable link.
	ErrSuperseded = errors.New("another connection of the same peer has taken its place")
	// ErrForeign, of a HandshakeFailed event: the peer takes no part in reliable links (see WithYodelOnly).
	ErrForeign = errors.New("the peer takes no part in reliable links")
	// ErrBusy, of a HandshakeFailed event: a Pair has its one peer already.
	ErrBusy = errors.New("this PAIR has a peer already")
	// ErrDisconnected: this side ended the connection by Disconnect, Unbind, Shutdown or Close.
	ErrDisconnected = errors.New("disconnected by this side")
	// ErrEvicted, of a HandshakeFailed event: a handshake gave way to newer ones (see Limits).
	ErrEvicted = errors.New("handshake given up in favour of newer connections")
	// ErrTooManyPeers, of a HandshakeFailed event: as many peers as Limits allow were connected, so that this one was
	// turned away.
	ErrTooManyPeers = errors.New("as many peers as MaxPeers allows are connected")
	// ErrTooManyFromAddress, of a HandshakeFailed event: as many connections from one address as Limits allow were open,
	// so that this one was turned away.
	ErrTooManyFromAddress = errors.New("as many connections from one address as MaxPerAddress allows are open")
	// ErrTooFast, of a HandshakeFailed event: connections came from one address faster than Limits allow, so that this
	// one was turned away.
	ErrTooFast = errors.New("connections from one address come faster than MaxHandshakeRate allows")
	// ErrTimeout, of a HandshakeFailed or ConnectFailed event: a handshake or an attempt to connect took longer than
	// WithHandshakeTimeout or WithConnectTimeout allows.
	ErrTimeout = errors.New("timed out")
)

type noPeersError struct{}

func (noPeersError) Error() string        { return "no peer is connected" }
func (noPeersError) Is(target error) bool { return target == ErrWouldBlock }

// errRejected is ErrWouldBlock for a Send that must not wait.
var errRejected error = rejectedError{}

type rejectedError struct{}

func (rejectedError) Error() string        { return ErrWouldBlock.Error() }
func (rejectedError) Is(target error) bool { return target == ErrWouldBlock }

// errNothingCame is ErrWouldBlock for a TryRecv that found nothing.
var errNothingCame error = nothingCameError{}

type nothingCameError struct{}

func (nothingCameError) Error() string        { return "socket: recv: no message has come" }
func (nothingCameError) Is(target error) bool { return target == ErrWouldBlock }

type closedError struct{}

func (closedError) Error() string        { return "the socket is closed" }
func (closedError) Is(target error) bool { return target == net.ErrClosed }

// A PeerError is an error that concerns one peer or one endpoint; find it by [errors.As].
type PeerError struct {
	Op       string // what was being done: "send", "recv", "bind", …
	Endpoint string // the endpoint of ours, if one is concerned
	Peer     *Peer  // the peer, if one is concerned
	Err      error  // the cause
}

// Error reads "socket: recv from REP 10.0.0.7:5555: the peer is gone".
func (e *PeerError) Error() string {
	switch {
	case e.Peer != nil && e.Endpoint != "":
		return fmt.Sprintf("socket: %s %s (%s): %v", e.Op, e.Peer, e.Endpoint, e.Err)
	case e.Peer != nil:
		return fmt.Sprintf("socket: %s %s: %v", e.Op, e.Peer, e.Err)
	case e.Endpoint != "":
		return fmt.Sprintf("socket: %s %s: %v", e.Op, e.Endpoint, e.Err)
	}
	return fmt.Sprintf("socket: %s: %v", e.Op, e.Err)
}

// Unwrap returns the cause.
func (e *PeerError) Unwrap() error { return e.Err }

func opError(op string, err error) error {
	if err == nil {
		return nil
	}
	return wrapped(op, err)
}

// wrapped is apart so that opError is inlined.
func wrapped(op string, err error) error {
	if _, ok := errors.AsType[*PeerError](err); ok {
		return err // says it all
	}
	return fmt.Errorf("socket: %s: %w", op, err)
}

// isClosed reports whether err says that the socket was closed.
func isClosed(err error) bool { return errors.Is(err, ErrClosed) }
