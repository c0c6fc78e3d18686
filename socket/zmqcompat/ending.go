package zmqcompat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/yodel-mq/yodel/socket"
)

// An ending tells the calls of a socket made with WithAutomaticReconnect(false) of connections that have ended, as the
// original does: Recv returns io.EOF once for each of them, behind everything that was received, and Send returns an
// error when none is left of those that were dialled.
type ending struct {
	tells bool // Recv of this type returns io.EOF

	mu      sync.Mutex
	dialled map[string]int // connections that are up, by endpoint
	over    map[string]int // those of them that are over, while the engine still has the endpoint
	alone   bool           // none is left
	due     int            // times Recv is to return io.EOF
	calls   map[*context.CancelFunc]bool
}

// errAlone is the error of Send when the connection that was dialled is over. It matches what the original returns.
var errAlone = fmt.Errorf("%w: the connection is over; Dial again: %w", ErrClosedConn, socket.ErrNoPeers)

func newEnding(typ SocketType) *ending {
	e := &ending{dialled: make(map[string]int), over: make(map[string]int), calls: make(map[*context.CancelFunc]bool)}
	e.tells = slices.Contains([]SocketType{Pair, Sub, Dealer, Pull, XSub}, typ)
	return e
}

// dialling notes that an endpoint is about to be dialled, and done that it was.
func (e *ending) dialling(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, known := e.dialled[name]; !known {
		e.dialled[name] = 0
	}
}

func (e *ending) done() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.alone = false
}

// follow listens to the engine until it closes.
func (e *ending) follow(engine socket.Socket) {
	for ev := range engine.Events(context.Background()) {
		if ev.Kind == socket.Missed {
			e.compare(engine)
		}
		e.note(ev)
	}
}

func (e *ending) note(ev socket.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, dialled := e.dialled[ev.Endpoint]
	switch ev.Kind {
	case socket.PeerUp:
		if dialled {
			e.dialled[ev.Endpoint]++
			e.alone = false
		}
	case socket.PeerDown, socket.ProtocolError, socket.LimitHit:
		switch {
		case !dialled:
			e.end(1)
		case errors.Is(ev.Err, socket.ErrDisconnected): // by the program
			e.dialled[ev.Endpoint]--
		default:
			e.over[ev.Endpoint]++ // until it can be dialled again
		}
	case socket.Disconnected:
		e.gone(ev.Endpoint, e.over[ev.Endpoint])
	default:
	}
}

// compare looks for connections whose end it was too slow to be told of.
func (e *ending) compare(engine socket.Socket) {
	up := make(map[string]int)
	for _, p := range engine.Stats().Peers {
		up[p.Peer.Endpoint]++
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for name, n := range e.dialled {
		e.gone(name, n-up[name])
	}
}

// gone ends n connections to an endpoint that was dialled.
func (e *ending) gone(name string, n int) {
	delete(e.over, name)
	if n > 0 {
		e.dialled[name] -= n
		e.alone = !e.connected()
		e.end(n)
	}
}

func (e *ending) connected() bool {
	for _, n := range e.dialled {
		if n > 0 {
			return true
		}
	}
	return false
}

// end counts connections that are over and has every call that waits look again.
func (e *ending) end(n int) {
	if e.tells {
		e.due += n
	}
	for cancel := range e.calls {
		(*cancel)()
	}
}

// begin gives a call a context that ends with the next connection, or at once if Recv is to return io.EOF.
func (e *ending) begin(parent context.Context, recv bool) (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancel(parent)
	e.mu.Lock()
	defer e.mu.Unlock()
	if recv && e.due > 0 || !recv && e.alone {
		cancel()
	}
	e.calls[&cancel] = true
	return ctx, func() {
		cancel()
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.calls, &cancel)
	}
}

// take reports whether this call of Recv is to return io.EOF.
func (e *ending) take() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.due == 0 {
		return false
	}
	e.due--
	return true
}

func (e *ending) isAlone() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.alone
}

// recv is Recv of the engine, with io.EOF for a connection that has ended.
func (e *ending) recv(ctx context.Context, in socket.Receiver) (socket.Msg, error) {
	for {
		call, done := e.begin(ctx, true)
		m, err := in.Recv(call)
		again := call.Err() != nil && ctx.Err() == nil
		done()
		switch {
		case errors.Is(err, socket.ErrPeerLost): // of a REQ that waits for its reply
			return m, io.EOF
		case err == nil || !again || !errors.Is(err, context.Canceled):
			return m, err
		case e.take():
			return m, io.EOF
		}
	}
}

// send is Send of the engine, with an error where it would wait for a connection that has ended.
func (e *ending) send(ctx context.Context, out socket.Sender, m socket.Msg) error {
	for {
		call, done := e.begin(ctx, false)
		err := out.Send(call, m)
		again := call.Err() != nil && ctx.Err() == nil
		done()
		if err == nil || !again || !errors.Is(err, context.Canceled) {
			return err
		}
		if e.isAlone() {
			return errAlone
		}
	}
}
