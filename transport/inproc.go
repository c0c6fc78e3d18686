package transport

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
)

// Inproc is the transport for inproc://name: both ends are in this process and
// swap Go values; its connections implement [Direct]. Each Inproc is a
// name space of its own, so that tests need not share one. The zero value is
// ready to use; it must not be copied afterwards.
//
// The order of Listen and Dial does not matter: Dial waits until somebody
// binds the name. All waits are on channels made by the call that waits, so an
// Inproc also works in a testing/synctest bubble.
type Inproc struct {
	mu      sync.Mutex
	bound   map[string]*inprocListener
	waiting map[string]*inprocWait
	dialled uint64 // numbers the connections, for their addresses
}

// inprocWait is what dialers of a name that is not bound wait on.
type inprocWait struct {
	bound   chan struct{} // closed when the name is bound
	dialers int           // the last one to give up forgets the name
}

// NewInproc returns a new, empty name space, the same as &Inproc{}.
func NewInproc() *Inproc { return &Inproc{} }

var defaultInproc Inproc

// DefaultInproc returns the name space of the process, which sockets use
// unless they are given another.
func DefaultInproc() *Inproc { return &defaultInproc }

var _ Transport = (*Inproc)(nil)

// Scheme returns "inproc".
func (*Inproc) Scheme() string { return "inproc" }

// Validate implements [Transport]: any name is right but the empty one.
func (*Inproc) Validate(address string, _ Use) error {
	if address == "" {
		return &AddressError{Endpoint: "inproc://", Problem: "no name", Fix: "write it as inproc://name"}
	}
	return nil
}

// Dial implements [Transport]. It waits until the name is bound or ctx ends;
// once it is, Dial returns without waiting for Accept.
func (t *Inproc) Dial(ctx context.Context, address string) (net.Conn, error) {
	if err := t.Validate(address, ForConnect); err != nil {
		return nil, err
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, &OpError{Op: "dial", Endpoint: "inproc://" + address, Err: err}
		}
		conn, wait := t.connect(address)
		if wait == nil {
			return conn, nil
		}
		select {
		case <-wait.bound:
		case <-ctx.Done():
			t.giveUp(address, wait)
			return nil, &OpError{
				Op: "dial", Endpoint: "inproc://" + address, Err: fmt.Errorf("nobody has bound the name: %w", ctx.Err()),
			}
		}
	}
}

// connect makes a connection, or else joins those who wait for the name.
func (t *Inproc) connect(name string) (net.Conn, *inprocWait) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.bound[name]; l != nil {
		t.dialled++
		client, server := newInprocPair(name, t.dialled)
		client.unqueue = func() { l.forget(server) }
		l.queue = append(l.queue, server)
		l.wake()
		return client, nil
	}
	w := t.waiting[name]
	if w == nil {
		w = &inprocWait{bound: make(chan struct{})}
		if t.waiting == nil {
			t.waiting = make(map[string]*inprocWait)
		}
		t.waiting[name] = w
	}
	w.dialers++
	return nil, w
}

func (t *Inproc) giveUp(name string, w *inprocWait) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w.dialers--; w.dialers == 0 && t.waiting[name] == w {
		delete(t.waiting, name)
	}
}

// Listen implements [Transport]. A name that is bound already gives
// [ErrAddressInUse].
func (t *Inproc) Listen(ctx context.Context, address string) (Listener, error) {
	if err := t.Validate(address, ForBind); err != nil {
		return nil, err
	}
	fail := func(err error) (Listener, error) {
		return nil, &OpError{Op: "listen", Endpoint: "inproc://" + address, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bound[address] != nil {
		return fail(fmt.Errorf("%w: close the other listener or choose another name", ErrAddressInUse))
	}
	l := &inprocListener{space: t, name: address, ready: make(chan struct{}, 1), closed: make(chan struct{})}
	if t.bound == nil {
		t.bound = make(map[string]*inprocListener)
	}
	t.bound[address] = l
	if w := t.waiting[address]; w != nil {
		delete(t.waiting, address)
		close(w.bound)
	}
	return l, nil
}

// inprocListener is one bound name.
type inprocListener struct {
	space  *Inproc
	name   string
	ready  chan struct{} // holds a token when the queue may not be empty
	closed chan struct{}

	queue []*inprocConn // dialled, not yet accepted; guarded by space.mu
}

func (l *inprocListener) Address() string { return l.name }

func (l *inprocListener) Accept() (net.Conn, error) {
	for {
		select {
		case <-l.closed:
			return nil, &OpError{Op: "accept", Endpoint: "inproc://" + l.name, Err: net.ErrClosed}
		case <-l.ready:
			if c := l.take(); c != nil {
				return c, nil
			}
		}
	}
}

// take returns the oldest waiting connection, or nil.
func (l *inprocListener) take() *inprocConn {
	l.space.mu.Lock()
	defer l.space.mu.Unlock()
	if len(l.queue) == 0 {
		return nil
	}
	c := l.queue[0]
	l.queue = slices.Delete(l.queue, 0, 1)
	if len(l.queue) > 0 {
		l.wake() // the one token is for another Accept now
	}
	return c
}

// wake is called with space.mu held.
func (l *inprocListener) wake() {
	select {
	case l.ready <- struct{}{}:
	default:
	}
}

// forget drops a connection that its dialer closed before it was accepted, so
// that a listener that does not accept holds no dead ones.
func (l *inprocListener) forget(c *inprocConn) {
	l.space.mu.Lock()
	defer l.space.mu.Unlock()
	if i := slices.Index(l.queue, c); i >= 0 {
		l.queue = slices.Delete(l.queue, i, i+1)
	}
}

func (l *inprocListener) Close() error {
	l.space.mu.Lock()
	if l.space.bound[l.name] != l {
		l.space.mu.Unlock()
		return nil // closed before
	}
	delete(l.space.bound, l.name)
	close(l.closed)
	orphans := l.queue
	l.queue = nil
	l.space.mu.Unlock()
	for _, c := range orphans {
		_ = c.Close() // their dialers see Done
	}
	return nil
}
