package socket

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"syscall"
	"time"

	"github.com/yodel-mq/yodel/transport"
)

// How a connection ends. Its two directions end apart:
//
//   - The way out ends with a failed write, when the peer's end of stream is seen, or because this side ends it
//     (endOut). What was not written is accounted for, and goes to other peers where the role allows that. Nothing is
//     written any more: to write to a peer that has closed makes its kernel throw away what it sent last.
//   - The way in goes on until it has brought all that came before the peer's end, however long the application takes
//     to make room. If that is long, a connecting endpoint does not wait for it with a new connection (link.again).
//   - cutOff is for a peer that may be alive though this side counts on it no more: it has been silent for too long, or
//     another has taken its place. It has left the socket at once; what it sends before it has met the end of our
//     stream counts as delivered there, and is read for gracefulTimeout at most.
//   - fail ends both at once: the peer breaks the rules, or this side will have no more of it. What was read by then is
//     still received.
//
// The side that ends first stays half-closed until the peer has read everything and closes in turn: within a time
// after Disconnect (closeGracefully), while the socket closes (halfCloseAll) and after that (lingeringClose). A
// connection that is closed whole answers anything the peer still writes with a reset, which costs the peer what it
// has not read.

// errPeerClosed is the cause when the peer has ended the connection.
var errPeerClosed = fmt.Errorf("the peer closed the connection: %w", io.EOF)

// errClosedEarly is the cause when it has done so though it cannot have read all that it was sent.
var errClosedEarly = fmt.Errorf("the peer closed the connection before it had got everything: %w", io.EOF)

// fail ends the link for the given cause; the first cause stands. It may be called from anywhere but under
// core.out.mu. The first to call it closes the connection, which takes until nobody reads that any more.
func (l *link) fail(cause error) {
	l.condemn(cause)
	if !l.failed.hungUp.Swap(true) {
		l.hangUp()
	}
}

// dismiss is fail without that wait: the link's own goroutine closes the connection.
func (l *link) dismiss(cause error) {
	l.condemn(cause)
	_ = l.conn.SetReadDeadline(longAgo) // of a closed connection, at worst, or of one that is not read
}

// condemn marks the link as failed. Whoever waits for it learns that by gone.
func (l *link) condemn(cause error) {
	l.failed.once.Do(func() {
		l.failed.cause = cause
		l.out.box.mu.Lock()
		l.out.fallSilent()
		if l.out.cause == nil {
			l.out.cause = cause
		}
		l.out.box.mu.Unlock()
		close(l.gone)
	})
}

// cause is why the link failed. Call it only after gone is closed.
func (l *link) cause() error { return l.failed.cause }

// endOut ends the way out for the given cause; the first one stands. The caller holds no lock.
func (l *link) endOut(cause error) {
	box := l.out.box
	box.mu.Lock()
	if l.out.cause == nil {
		l.out.cause = cause
	}
	box.remove(l)
	writing := l.out.writing
	box.mu.Unlock()
	if writing { // it would wait for a peer that reads no more
		_ = l.conn.SetWriteDeadline(longAgo) // of a closed connection, at worst
	}
	l.carrier.resume() // a reader that waits for room does not keep the endpoint from connecting anew
}

// over reports whether the way out has ended.
func (l *link) over() bool { return l.endingCause() != nil }

// endingCause is why the way out has ended; nil if it has not.
func (l *link) endingCause() error {
	l.out.box.mu.Lock()
	defer l.out.box.mu.Unlock()
	return l.out.cause
}

// errPeerReset is the cause when the peer has reset the connection, and may not have read all that it was sent.
var errPeerReset = fmt.Errorf("the peer reset the connection: %w", syscall.ECONNRESET)

// peerEnd is how the peer has ended the connection, maybe behind messages that were not read yet: errPeerClosed,
// errPeerReset, or nil if it has not.
func (l *link) peerEnd() error {
	look, ok := l.conn.(transport.Inspector)
	if !ok {
		return nil
	}
	switch ended, reset := look.Ended(); {
	case reset:
		return errPeerReset
	case ended:
		return errPeerClosed
	}
	return nil
}

// farEnd is peerEnd with what the kernel of this host knows of a peer on it: that it has closed, though the end of its
// stream waits behind what was not read.
func (l *link) farEnd() error {
	if end := l.peerEnd(); end != nil {
		return end
	}
	if far, ok := l.conn.(transport.FarInspector); ok {
		if open, known := far.FarOpen(); known && !open {
			return errPeerClosed
		}
	}
	return nil
}

// writable says why nothing is to be written now, though the link is up. While the link is being read, the end of the
// peer's stream is met there; but this process may have stood still since, and the peer may have given it up, or have
// closed behind what was not read. A Yodel closes only once it has met our own end of stream.
func (l *link) writable() error {
	rested := l.out.box.env.now()-time.Duration(l.life.wrote.Load()) > sinceWritten
	switch {
	case rested && !l.peer.yodel && l.unread():
		return l.farEnd()
	case rested || l.life.paused.Load():
		return l.peerEnd()
	}
	return nil
}

// sinceWritten is the time since the last write after which the peer's end is looked for: less than any peer bears
// silence, and so long that the look costs nothing worth mentioning.
const sinceWritten = 20 * time.Millisecond

// endOfReading is why the link ends when reading it has ended with err.
func (l *link) endOfReading(err error) error {
	if cause := l.endingCause(); cause != nil && l.cut.Load() {
		return cause // however the peer has taken it
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if state, known := l.inspect(); known && state.Unacknowledged > endOfStream {
		return errClosedEarly // by itself, for its host has not even got everything
	}
	l.out.box.mu.Lock()
	defer l.out.box.mu.Unlock()
	if errors.Is(l.out.cause, ErrDisconnected) {
		return l.out.cause // the peer did as it was told
	}
	return errPeerClosed
}

// endOfStream is what the end of our stream counts among the bytes that are not acknowledged over TCP.
const endOfStream = 1

// byPeer reports whether the far end ended a connection: not this side, nor a network that is down.
func byPeer(cause error) bool {
	broken, ok := errors.AsType[*net.OpError](cause)
	return errors.Is(cause, io.EOF) || errors.Is(cause, errPeerReset) ||
		ok && !broken.Timeout() && !errors.Is(cause, net.ErrClosed)
}

// gracefulTimeout is how long a peer whose connection this side ends may take to read what was written to it and to
// close.
const gracefulTimeout = 10 * time.Second

// closeGracefully ends the connection for a peer that loses nothing by it: no more is written, but by a reliable link
// that has something left (link_drain.go), and what the peer sends is received until it has read to the end and closes,
// or until gracefulTimeout has passed.
func (l *link) closeGracefully() {
	if !l.drain() {
		l.endGracefully()
	}
}

func (l *link) endGracefully() {
	if !l.closeWrite(ErrDisconnected) {
		l.fail(ErrDisconnected)
		return
	}
	l.endWithin(gracefulTimeout)
}

// endWithin has the link fail after a time if it has not by then.
func (l *link) endWithin(d time.Duration) {
	l.life.closeAt.Store(int64(l.core.now() + d))
	l.core.heartbeats.schedule(l, d)
}

// cutOff ends the connection to a peer that is lost, for the given cause, unless it turns out to have stood still only:
// then it finds all that it was sent, and what it sends is received until it closes. A reliable peer sends it again.
func (l *link) cutOff(cause error) {
	if l.cut.Swap(true) || l.endDue() || !l.closeWrite(cause) || l.in.stream != nil {
		l.fail(cause)
		return
	}
	l.endWithin(gracefulTimeout)
	q := &l.core.in
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopReceiverOf(l)
	l.in.leaving = true
	_ = l.conn.SetReadDeadline(longAgo) // of a closed connection, at worst
}

// leaveSocket ends the membership of a link that was cut off and has reads wait again. It is called by the link's own
// goroutine.
func (l *link) leaveSocket() {
	q := &l.core.in
	q.mu.Lock()
	l.in.leaving = false
	l.readAgain()
	q.mu.Unlock()
	if !l.readOnly.Load() {
		l.core.makeReadOnly(l)
	}
}

// isLeaving reports whether the link's own goroutine has to call leaveSocket.
func (l *link) isLeaving() bool {
	if !l.cut.Load() {
		return false
	}
	q := &l.core.in
	q.mu.Lock()
	defer q.mu.Unlock()
	return l.in.leaving
}

// readAgain ends a read deadline that was in the past, unless it is there because the link has failed.
func (l *link) readAgain() {
	_ = l.conn.SetReadDeadline(time.Time{}) // of a closed connection, at worst
	select {
	case <-l.gone: // closed before the deadline of hangUp or dismiss was set, which this may have undone
		_ = l.conn.SetReadDeadline(longAgo)
	default:
	}
}

// closeWrite ends the way out and sends the end of our stream. It reports whether that worked. A message that is half
// written makes the peer see an end that is none, but what came before it stands.
func (l *link) closeWrite(cause error) bool {
	if _, ok := l.conn.(transport.CloseWriter); !ok {
		return false
	}
	l.stopWriting(cause)
	return l.sendEnd()
}

// stopWriting ends the way out, and whoever is writing.
func (l *link) stopWriting(cause error) {
	l.out.box.mu.Lock()
	l.out.ending = true
	l.out.box.mu.Unlock()
	l.endOut(cause)
	l.probeWithin(math.MaxInt32) // the kernel gives a connection without an owner up the sooner, the more often it asks
}

// sendEnd sends the end of our stream once nobody writes any more.
func (l *link) sendEnd() bool {
	cw, ok := l.conn.(transport.CloseWriter)
	if !ok {
		return false
	}
	select {
	case <-l.out.done:
	case <-l.gone:
		return false
	}
	return cw.CloseWrite() == nil
}

// inspect is what the operating system knows of the connection.
func (l *link) inspect() (state transport.ConnState, known bool) {
	if look, ok := l.conn.(transport.Inspector); ok {
		return look.Inspect()
	}
	return state, false
}

func (l *link) probeWithin(ms int) {
	if look, ok := l.conn.(transport.Inspector); ok {
		look.ProbeWithin(ms)
	}
}
