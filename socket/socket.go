package socket

import (
	"context"
	"iter"
	"net"
)

// A Socket is what all roles have in common. What a role sends and receives is in its own type; [Sender] and [Receiver]
// say which can do which. All methods may be called by any number of goroutines. Errors come as a [PeerError] where
// one endpoint or one peer is concerned; after Close they match [ErrClosed].
type Socket interface {
	// Type returns the socket's type as ZMTP names it, for example "PUSH".
	Type() string

	// Bind listens at an endpoint and returns the actual one: with the port that "tcp://127.0.0.1:*" came to, or the
	// path of "ipc://*". ctx bounds the look-up of a name, nothing later.
	Bind(ctx context.Context, endpoint string) (actual string, err error)
	// BindListener is Bind for a listener that is there already, and is the socket's from then on.
	BindListener(ln net.Listener) (endpoint string, err error)
	// Unbind stops listening at an endpoint that Bind returned, and ends its connections. Without such an endpoint the
	// error matches ErrNoEndpoint.
	Unbind(endpoint string) error
	// Endpoints lists the actual endpoints that the socket is bound to.
	Endpoints() []string

	// Connect returns at once; the socket then keeps connecting to the endpoint until Disconnect or Close.
	Connect(endpoint string) error
	// ConnectWith is Connect with options for this one endpoint.
	ConnectWith(endpoint string, opts ...EndpointOption) error
	// Disconnect stops connecting to an endpoint, and ends the connection to it. Without such an endpoint the error
	// matches ErrNoEndpoint.
	Disconnect(endpoint string) error
	// DisconnectPeer ends the connection to one peer, found in an event, in Stats or in the From of a message. Without it
	// the error matches ErrPeerLost.
	DisconnectPeer(p *Peer) error
	// WaitConnected waits until the connection to an endpoint given to Connect is up.
	WaitConnected(ctx context.Context, endpoint string) error
	// WaitDisconnected waits until there is no connection to an endpoint given to Connect.
	WaitDisconnected(ctx context.Context, endpoint string) error
	// WaitPeers waits until at least n peers are connected.
	WaitPeers(ctx context.Context, n int) error

	// Events yields the events that are remembered, up to 1,024, and then each new one, until ctx ends or the socket
	// closes.
	Events(ctx context.Context) iter.Seq[Event]
	// Stats returns the socket's [Ledger] and that of each connected peer.
	Stats() Stats

	// Shutdown waits until everything accepted has reached the peers, or until ctx ends, and closes the socket.
	Shutdown(ctx context.Context) error
	// Close closes the socket within a second; what is queued has half a second to leave ([WithLinger]).
	Close() error
}

// A Sender is a socket that sends messages: every role but Pull and Sub.
type Sender interface {
	Socket
	// Send hands a message over to the socket, waiting for room until ctx ends, where the role waits at all. The frames
	// must not be changed afterwards. A nil error means that the message is accepted and in the ledger; with any other
	// it is not.
	Send(ctx context.Context, m Msg) error
	// TrySend is like Send but returns an error that matches ErrWouldBlock where Send would wait.
	TrySend(m Msg) error
}

// A Receiver is a socket that receives messages: every role but Push and Pub.
type Receiver interface {
	Socket
	// Recv returns the next message, waiting for one until ctx ends or the socket closes. With a context that has
	// ended it returns what is there already, or else the context's error. The message is the caller's for good.
	Recv(ctx context.Context) (Msg, error)
	// TryRecv is like Recv but returns an error that matches ErrWouldBlock where Recv would wait.
	TryRecv() (Msg, error)
}

var (
	_ Sender   = (*Push)(nil)
	_ Receiver = (*Pull)(nil)
	_ Sender   = (*Pub)(nil)
	_ Receiver = (*Sub)(nil)
	_ duplex   = (*Req)(nil)
	_ duplex   = (*Rep)(nil)
	_ duplex   = (*Dealer)(nil)
	_ duplex   = (*Router)(nil)
	_ duplex   = (*Pair)(nil)
	_ duplex   = (*XPub)(nil)
	_ duplex   = (*XSub)(nil)
)

type duplex interface {
	Sender
	Receiver
}
