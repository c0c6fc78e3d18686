package pipeline

import (
	"context"
	"errors"
	"slices"

	"github.com/yodel-mq/yodel/patterns/internal/line"
	"github.com/yodel-mq/yodel/socket"
)

// A Pusher gives jobs to workers, and knows what becomes of each. It may bind, connect, or both; workers do the other.
// A job lives in the Pusher's memory until it is settled, or in its
// spool ([WithSpool]). All methods may be called by any number of goroutines.
type Pusher[T any] struct{ p *pusher }

// NewPusher returns a Pusher that is neither bound nor connected. It does no I/O.
func NewPusher[T any](opts ...PusherOption) *Pusher[T] {
	c := pusherConfig{
		commonConfig: commonConfig{codec: known[0]},
		pending:      defaultPending, bytes: defaultPendingBytes, lease: defaultLease, attempts: defaultAttempts,
	}
	for _, o := range opts {
		if o != nil {
			o.setPusher(&c)
		}
	}
	return &Pusher[T]{newPusher(c)}
}

// Bind listens at an endpoint and returns the actual one, as that of a socket does.
func (p *Pusher[T]) Bind(ctx context.Context, endpoint string) (actual string, err error) {
	if err := p.p.open(); err != nil {
		return "", opError("bind", err)
	}
	return p.p.ends.bind(ctx, endpoint)
}

// Endpoints lists the endpoints that it is bound to.
func (p *Pusher[T]) Endpoints() []string { return p.p.ends.bound.Socket().Endpoints() }

// Connect begins to connect to a worker's endpoint, and returns at once. Errors are those of a socket's Connect.
func (p *Pusher[T]) Connect(endpoint string) error {
	if err := p.p.open(); err != nil {
		return opError("connect", err)
	}
	return p.p.ends.dialer.Connect(endpoint)
}

// ConnectNode is Connect that accepts some nodes only, as that of a socket does.
func (p *Pusher[T]) ConnectNode(endpoint string, accept func(node [16]byte) error) error {
	if err := p.p.open(); err != nil {
		return opError("connect", err)
	}
	return p.p.ends.dialer.ConnectNode(endpoint, accept)
}

// Disconnect gives up an endpoint given to Connect, and ends the connection.
func (p *Pusher[T]) Disconnect(endpoint string) error { return p.p.ends.dialer.Disconnect(endpoint) }

// WaitConnected waits until the connection to an endpoint given to Connect is up.
func (p *Pusher[T]) WaitConnected(ctx context.Context, endpoint string) error {
	return p.p.ends.dialer.WaitConnected(ctx, endpoint)
}

// WaitDisconnected waits until there is no connection to an endpoint given to Connect.
func (p *Pusher[T]) WaitDisconnected(ctx context.Context, endpoint string) error {
	return p.p.ends.dialer.WaitDisconnected(ctx, endpoint)
}

// Type is "ROUTER" once it is bound, and "DEALER" before.
func (p *Pusher[T]) Type() string { return p.p.ends.typ() }

// Sockets returns the sockets that it has, for their events and ledgers. Nobody else must receive from them.
func (p *Pusher[T]) Sockets() []socket.Socket { return p.p.ends.sockets() }

// ends are both sides that a pusher or a worker may take.
type ends struct {
	bound  *line.Bound
	dialer *line.Dialer
}

// newEnds makes both. Credit bounds what is on its way, so that the sockets must not: an answer that a queue has no
// room for would be lost.
func newEnds(p line.Pattern, h line.Handler, c commonConfig) ends {
	noMark := []socket.Option{socket.WithSendHWM(0), socket.WithSendHWMBytes(0)}
	router := []socket.RouterOption{noMark[0], noMark[1], socket.WithHandover()}
	dealer := []socket.DealerOption{noMark[0], noMark[1]}
	return ends{
		bound:  line.NewBound(p, h, append(slices.Clip(c.router), router...)...),
		dialer: line.NewDialer(p, h, append(slices.Clip(c.dealer), dealer...)...),
	}
}

func (e *ends) bind(ctx context.Context, endpoint string) (string, error) {
	return e.bound.Bind(ctx, endpoint)
}

func (e *ends) typ() string {
	if len(e.bound.Socket().Endpoints()) > 0 {
		return e.bound.Socket().Type()
	}
	return "DEALER"
}

func (e *ends) sockets() []socket.Socket {
	all := []socket.Socket{e.bound.Socket()}
	for _, s := range e.dialer.Sockets() {
		all = append(all, s)
	}
	return all
}

func (e *ends) shutdown(ctx context.Context) error {
	errs := make(chan error, 1)
	go func() { errs <- e.dialer.Shutdown(ctx) }()
	return errors.Join(e.bound.Shutdown(ctx), <-errs)
}

func (e *ends) close() error {
	errs := make(chan error, 1)
	go func() { errs <- e.dialer.Close() }()
	return errors.Join(e.bound.Close(), <-errs)
}
