package line

import (
	"context"
	"sync"

	"github.com/yodel-mq/yodel/socket"
)

// A Bound is the side that peers connect to: one ROUTER. Its methods may be called by any number of goroutines.
type Bound struct {
	router *socket.Router
	reader reader
	once   sync.Once
}

// NewBound returns a Bound that is neither bound nor connected. It has no goroutine until it is.
func NewBound(p Pattern, h Handler, opts ...socket.RouterOption) *Bound {
	b := &Bound{router: socket.NewRouter(append([]socket.RouterOption{p.Option()}, opts...)...)}
	b.reader = reader{socket: b.router, pattern: p, handler: h, identity: true}
	return b
}

// Socket returns the ROUTER, from which nobody else must receive.
func (b *Bound) Socket() *socket.Router { return b.router }

func (b *Bound) start() { b.once.Do(b.reader.start) }

// Bind is as that of a socket.
func (b *Bound) Bind(ctx context.Context, endpoint string) (actual string, err error) {
	b.start()
	return b.router.Bind(ctx, endpoint)
}

// Connect is as that of a socket: to the DEALER of a proxy, which has peers of its own.
func (b *Bound) Connect(endpoint string) error {
	b.start()
	return b.router.Connect(endpoint)
}

// ConnectNode is Connect that accepts some nodes only, as that of a socket.
func (b *Bound) ConnectNode(endpoint string, accept func(node [16]byte) error) error {
	b.start()
	return b.router.ConnectNode(endpoint, accept)
}

// Shutdown waits until all that was sent has reached its peers, or until ctx ends, and closes.
func (b *Bound) Shutdown(ctx context.Context) error {
	b.start() // what waits for the end of a reader that never began would wait for ever
	err := b.router.Shutdown(ctx)
	b.reader.wait()
	return err
}

// Close closes within a second. All connections are over when it returns.
func (b *Bound) Close() error {
	b.start()
	err := b.router.Close()
	b.reader.wait()
	return err
}
