package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// inprocPair is what the two ends of a connection share.
type inprocPair struct {
	done   chan struct{}
	finish func()      // closes done, once
	given  [2]chan any // what each end gave, room for one

	mu     sync.Mutex
	left   [2]bool        // each end: it has closed
	queues *[2]*byteQueue // what each writes, once an end has asked for a stream of bytes
}

// inprocConn is one end of a connection.
type inprocConn struct {
	pair          *inprocPair
	side          int // index of this end
	endpoint      string
	local, remote inprocAddr
	exchanged     atomic.Bool
	closed        atomic.Bool
	unqueue       func() // takes the other end off the accept queue; nil at the accepting end
}

var (
	_ Direct       = (*inprocConn)(nil)
	_ ByteStreamer = (*inprocConn)(nil)
)

// newInprocPair makes the two ends of connection number n to name. Only the
// dialer's address carries the number: like an ephemeral port, it tells apart the
// connections to one listener.
func newInprocPair(name string, n uint64) (client, server *inprocConn) {
	done := make(chan struct{})
	p := &inprocPair{
		done:   done,
		finish: sync.OnceFunc(func() { close(done) }),
		given:  [2]chan any{make(chan any, 1), make(chan any, 1)},
	}
	bound, dialer := inprocAddr(name), inprocAddr(fmt.Sprintf("%s#%d", name, n))
	endpoint := "inproc://" + name
	client = &inprocConn{pair: p, side: 0, endpoint: endpoint, local: dialer, remote: bound}
	server = &inprocConn{pair: p, side: 1, endpoint: endpoint, local: bound, remote: dialer}
	return client, server
}

// Exchange implements [Direct].
func (c *inprocConn) Exchange(ctx context.Context, v any) (any, error) {
	fail := func(err error) (any, error) {
		return nil, &OpError{Op: "exchange", Endpoint: c.endpoint, Err: err}
	}
	if c.exchanged.Swap(true) {
		return fail(errors.New("called before; each end can exchange once"))
	}
	if c.closed.Load() {
		return fail(net.ErrClosed)
	}
	c.pair.given[c.side] <- v
	theirs := c.pair.given[1-c.side]
	select {
	case got := <-theirs:
		return got, nil
	case <-ctx.Done():
	case <-c.pair.done:
	}
	// Both may have been ready: what was given counts, as bytes sent before a
	// close do.
	if !c.closed.Load() {
		select {
		case got := <-theirs:
			return got, nil
		default:
		}
	}
	switch {
	case c.closed.Load():
		return fail(net.ErrClosed)
	case ctx.Err() != nil:
		return fail(ctx.Err())
	}
	return fail(fmt.Errorf("the other end has closed: %w", io.EOF))
}

// Done implements [Direct].
func (c *inprocConn) Done() <-chan struct{} { return c.pair.done }

// Close implements [net.Conn]. Closing again does nothing.
func (c *inprocConn) Close() error {
	c.closed.Store(true)
	c.pair.finish()
	c.pair.leave(c.side)
	if c.unqueue != nil {
		c.unqueue()
	}
	return nil
}

func (c *inprocConn) LocalAddr() net.Addr  { return c.local }
func (c *inprocConn) RemoteAddr() net.Addr { return c.remote }

func (c *inprocConn) Read([]byte) (int, error)         { return 0, c.unsupported("read") }
func (c *inprocConn) Write([]byte) (int, error)        { return 0, c.unsupported("write") }
func (c *inprocConn) SetDeadline(time.Time) error      { return c.unsupported("set deadline") }
func (c *inprocConn) SetReadDeadline(time.Time) error  { return c.unsupported("set deadline") }
func (c *inprocConn) SetWriteDeadline(time.Time) error { return c.unsupported("set deadline") }

func (c *inprocConn) unsupported(op string) error {
	return &OpError{
		Op: op, Endpoint: c.endpoint,
		Err: fmt.Errorf("the connection carries values; use Exchange, or ByteStream for bytes: %w", errors.ErrUnsupported),
	}
}

// inprocAddr is a bound name, or a dialer's "name#7".
type inprocAddr string

func (inprocAddr) Network() string  { return "inproc" }
func (a inprocAddr) String() string { return string(a) }
