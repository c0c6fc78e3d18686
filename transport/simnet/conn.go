package simnet

import (
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/transport"
)

// conn is one end of a connection.
type conn struct {
	net           *Network
	link          *Link
	local, remote addr
	names         names
	in, out       *pipe

	// Guarded by net.mu, which is also the conds' lock.
	canRead  *sync.Cond
	canWrite *sync.Cond
	writing  bool  // a Write is under way; another one would interleave its bytes
	closed   bool  // Close was called
	vanished bool  // its host is gone
	err      error // the connection failed; set once
	stalled  bool  // its host does not read
	readBy   deadline
	writeBy  deadline
}

var (
	_ net.Conn               = (*conn)(nil)
	_ transport.TryWriter    = (*conn)(nil)
	_ transport.ReadCanceler = (*conn)(nil)
	_ transport.CloseWriter  = (*conn)(nil)
	_ transport.Inspector    = (*conn)(nil)
)

func newConn(n *Network, l *Link, local, remote addr, ns names) *conn {
	return &conn{
		net: n, link: l, local: local, remote: remote, names: ns,
		canRead:  sync.NewCond(&n.mu),
		canWrite: sync.NewCond(&n.mu),
	}
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// Read returns what has arrived; then io.EOF if FIN has, or the connection's error.
func (c *conn) Read(b []byte) (int, error) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, c.wrap("read", net.ErrClosed)
		case c.readBy.passed():
			return 0, c.wrap("read", os.ErrDeadlineExceeded)
		case c.vanished:
			return 0, c.wrap("read", c.err)
		case len(b) == 0:
			return 0, nil
		case c.stalled:
		case c.in.readable() > 0:
			return c.in.read(b), nil
		case c.in.fin:
			return 0, io.EOF
		case c.err != nil:
			return 0, c.wrap("read", c.err)
		}
		c.canRead.Wait()
	}
}

// Write waits for room in the window until all of b is on its way.
func (c *conn) Write(b []byte) (n int, err error) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	for c.writing {
		if err := c.unwritable(); err != nil {
			return 0, err
		}
		c.canWrite.Wait()
	}
	c.writing = true
	defer func() {
		c.writing = false
		c.canWrite.Broadcast()
	}()
	for {
		if err := c.unwritable(); err != nil {
			return n, err
		}
		n += c.out.write(b[n:])
		if n == len(b) {
			return n, nil
		}
		c.canWrite.Wait()
	}
}

// TryWrite writes what the window has room for and never waits.
func (c *conn) TryWrite(b []byte) (int, error) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if err := c.unwritable(); err != nil {
		return 0, err
	}
	if c.writing {
		return 0, nil
	}
	return c.out.write(b), nil
}

func (c *conn) unwritable() error {
	switch {
	case c.closed:
		return c.wrap("write", net.ErrClosed)
	case c.writeBy.passed():
		return c.wrap("write", os.ErrDeadlineExceeded)
	case c.err != nil:
		return c.wrap("write", c.err)
	case c.out.goneFin:
		return c.wrap("write", errPipe)
	}
	return nil
}

// CloseWrite sends FIN behind all data written; reading goes on.
func (c *conn) CloseWrite() error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	switch {
	case c.closed:
		return c.wrap("close", net.ErrClosed)
	case c.err != nil:
		return c.wrap("close", c.err)
	}
	c.out.sendFin()
	c.canWrite.Broadcast()
	return nil
}

// Inspect tells what a kernel would know. A host behind a partition, or one that has vanished, answers nothing; one
// that is stalled answers.
func (c *conn) Inspect() (s transport.ConnState, ok bool) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if !c.stalled { // else this host does not even look
		s.Ended, s.Reset = c.ended()
		s.Unread = c.in.readable()
	}
	s.Acknowledged = c.out.fin && !s.Reset
	s.Untaken = c.out.buf.size
	s.Unacknowledged = int(c.out.written - c.out.arrived)
	if waits := c.out.next < len(c.out.wire) || c.out.room() == 0; waits && (c.out.held || c.out.dead) {
		s.Unanswered = 2
	}
	return s, !c.closed
}

// Ended tells what Inspect does of the end.
func (c *conn) Ended() (ended, reset bool) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.stalled || c.closed {
		return false, false
	}
	return c.ended()
}

// ended is Ended for callers that hold the mutex.
func (c *conn) ended() (ended, reset bool) { return c.in.fin || c.err != nil, c.err != nil }

// ProbeWithin does nothing: Inspect knows at once.
func (c *conn) ProbeWithin(int) {}

// Close sends FIN behind all data written, which still arrives, and ends every Read and Write of this end. It does
// not wait.
func (c *conn) Close() error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.closed {
		return c.wrap("close", net.ErrClosed)
	}
	c.close()
	return nil
}

// close is Close for callers that hold the mutex.
func (c *conn) close() {
	c.closed = true
	c.readBy.stop()
	c.writeBy.stop()
	c.wake()
	if !c.vanished {
		c.in.discard()
	}
	if c.err == nil {
		c.out.sendFin()
	}
	c.link.release()
}

// fail ends the connection for this end: what it has written and has not arrived is lost. The first error stays.
func (c *conn) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.out.drop()
	c.wake()
}

func (c *conn) wake() {
	c.canRead.Broadcast()
	c.canWrite.Broadcast()
}

func (c *conn) wrap(op string, err error) error { return connError(op, c, err) }

func (c *conn) SetDeadline(t time.Time) error { return c.setDeadline(t, true, true) }

func (c *conn) SetReadDeadline(t time.Time) error { return c.setDeadline(t, true, false) }

// CancelRead implements [transport.ReadCanceler].
func (c *conn) CancelRead() error { return c.SetReadDeadline(time.Unix(1, 0)) }

func (c *conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(t, false, true) }

func (c *conn) setDeadline(t time.Time, read, write bool) error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.closed {
		return c.wrap("set", net.ErrClosed)
	}
	if read {
		c.readBy.set(t, c.canRead)
	}
	if write {
		c.writeBy.set(t, c.canWrite)
	}
	return nil
}

// deadline is a moment after which waits on a cond end. The clock decides whether it has passed; the timer only wakes
// those who wait, so a stale one does no harm.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) set(t time.Time, cond *sync.Cond) {
	d.stop()
	d.at = t
	if t.IsZero() {
		return
	}
	if wait := time.Until(t); wait > 0 {
		d.timer = time.AfterFunc(wait, func() {
			cond.L.Lock()
			defer cond.L.Unlock()
			cond.Broadcast()
		})
		return
	}
	cond.Broadcast()
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
