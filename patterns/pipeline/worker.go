package pipeline

import (
	"context"

	"github.com/yodel-mq/yodel/socket"
)

// A Worker does the jobs of pushers. It may connect, bind, or both; pushers do the other. It asks for jobs only while a
// Run or Jobs is under way. All methods may be called by any number of goroutines.
type Worker[T any] struct{ w *worker }

// NewWorker returns a Worker that is neither bound nor connected. It does no I/O.
func NewWorker[T any](opts ...WorkerOption) *Worker[T] {
	c := workerConfig{
		commonConfig: commonConfig{codec: known[0]}, prefetch: defaultPrefetch, bytes: defaultPrefetchSize,
	}
	for _, o := range opts {
		if o != nil {
			o.setWorker(&c)
		}
	}
	return &Worker[T]{newWorker(c)}
}

// Bind listens at an endpoint and returns the actual one, as that of a socket does.
func (w *Worker[T]) Bind(ctx context.Context, endpoint string) (actual string, err error) {
	return w.w.ends.bind(ctx, endpoint)
}

// Endpoints lists the endpoints that it is bound to.
func (w *Worker[T]) Endpoints() []string { return w.w.ends.bound.Socket().Endpoints() }

// Connect begins to connect to a pusher's endpoint, and returns at once. Errors are those of a socket's Connect.
func (w *Worker[T]) Connect(endpoint string) error { return w.w.ends.dialer.Connect(endpoint) }

// ConnectNode is Connect that accepts some nodes only, as that of a socket does.
func (w *Worker[T]) ConnectNode(endpoint string, accept func(node [16]byte) error) error {
	return w.w.ends.dialer.ConnectNode(endpoint, accept)
}

// Disconnect gives up an endpoint given to Connect, and ends the connection.
func (w *Worker[T]) Disconnect(endpoint string) error { return w.w.ends.dialer.Disconnect(endpoint) }

// WaitConnected waits until the connection to an endpoint given to Connect is up.
func (w *Worker[T]) WaitConnected(ctx context.Context, endpoint string) error {
	return w.w.ends.dialer.WaitConnected(ctx, endpoint)
}

// WaitDisconnected waits until there is no connection to an endpoint given to Connect.
func (w *Worker[T]) WaitDisconnected(ctx context.Context, endpoint string) error {
	return w.w.ends.dialer.WaitDisconnected(ctx, endpoint)
}

// Type is "ROUTER" once it is bound, and "DEALER" before.
func (w *Worker[T]) Type() string { return w.w.ends.typ() }

// Sockets returns the sockets that it has, for their events and ledgers. Nobody else must receive from them.
func (w *Worker[T]) Sockets() []socket.Socket { return w.w.ends.sockets() }

// Stats returns how the worker is.
func (w *Worker[T]) Stats() WorkerStats { return w.w.counts() }

// Shutdown begins nothing more, gives back what has not begun, waits for the handlers of Run, or until ctx ends, when
// their contexts end too, and closes. Run and Jobs return socket.ErrClosed.
func (w *Worker[T]) Shutdown(ctx context.Context) error { return w.w.shutdown(ctx) }

// Close ends the contexts of handlers and closes within a second. It does not wait for handlers.
func (w *Worker[T]) Close() error { return w.w.close() }
