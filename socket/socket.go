package socket

import (
	"context"
	"iter"
	"net"
)

// A Socket is what all roles have in common. What a role sends and receives is in its own type; [Sender] and [Receiver]
// say which can do which.
type Socket interface {
	// Type returns the socket's type as ZMTP names it, for example "PUSH".
	Type() string
	Bind(ctx context.Context, endpoint string) (actual string, err error)
	BindListener(ln net.Listener) (endpoint string, err error)
	Unbind(endpoint string) error
	Endpoints() []string
	Connect(endpoint string) error
	Disconnect(endpoint string) error
	WaitConnected(ctx context.Context, endpoint string) error
	WaitDisconnected(ctx context.Context, endpoint string) error
	WaitPeers(ctx context.Context, n int) error
	Events(ctx context.Context) iter.Seq[Event]
	Stats() Stats
	Shutdown(ctx context.Context) error
	Close() error
}

// A Sender is a socket that sends messages: every role but Pull and Sub.
type Sender interface {
	Send(ctx context.Context, m Msg) error
	TrySend(m Msg) error
}

// A Receiver is a socket that receives messages: every role but Push and Pub. Recv with a context that has ended
// returns what is there already, or else the context's error.
type Receiver interface {
	Recv(ctx context.Context) (Msg, error)
}

var (
	_ Socket = (*Push)(nil)
	_ Socket = (*Pull)(nil)
	_ Socket = (*Pub)(nil)
	_ Socket = (*Sub)(nil)
	_ Socket = (*Req)(nil)
	_ Socket = (*Rep)(nil)
	_ Socket = (*Dealer)(nil)
	_ Socket = (*Router)(nil)
	_ Socket = (*Pair)(nil)
	_ Socket = (*XPub)(nil)
	_ Socket = (*XSub)(nil)
)
