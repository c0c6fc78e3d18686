package rpc

import (
	"context"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
)

// Info is what is known of a call beside its request. A handler finds its own by [InfoFrom]; middleware is given it.
type Info struct {
	// Method is what is called.
	Method string
	// Headers came with the call. On the side of the caller they will go with it, and middleware may set more; they are
	// never nil there.
	Headers patterns.Headers
	// Trailers go back with the reply: a handler or middleware may set them. On the side of the caller they are those
	// that have come, once next has returned.
	Trailers patterns.Headers
	// Peer is the caller; on the side of the caller the replica that has replied.
	Peer *socket.Peer
	// Key is that of [Once], "" without. Of a call that is answered from another one the middleware sees it, and the
	// handler does not.
	Key string
	// Attempt is how many attempts there were before this one, as the caller says.
	Attempt int
}

type infoKey struct{}

// InfoFrom returns what is known of the call that ctx belongs to, in a handler; elsewhere nil.
func InfoFrom(ctx context.Context) *Info {
	i, _ := ctx.Value(infoKey{}).(*Info)
	return i
}

// Middleware is called around each call, of a service before the handler and of a client around all attempts. It calls
// next, at most once in a service, and returns what the call comes to. It sees neither requests nor replies. A panic
// of the handler is an error by the time next returns.
type Middleware func(ctx context.Context, i *Info, next func(context.Context) error) error

// through calls do within all middleware, of which the first is outermost.
func through(ctx context.Context, ms []Middleware, i *Info, do func(context.Context) error) error {
	if len(ms) == 0 {
		return do(ctx)
	}
	return ms[0](ctx, i, func(ctx context.Context) error { return through(ctx, ms[1:], i, do) })
}
