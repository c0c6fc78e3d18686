package transport

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// inprocStream is one end of a connection within the process as a stream of bytes.
type inprocStream struct {
	conn    *inprocConn
	in, out *byteQueue
}

var (
	_ net.Conn     = (*inprocStream)(nil)
	_ TryWriter    = (*inprocStream)(nil)
	_ ReadCanceler = (*inprocStream)(nil)
	_ CloseWriter  = (*inprocStream)(nil)
	_ Inspector    = (*inprocStream)(nil)
)

// ByteStream implements [ByteStreamer].
func (c *inprocConn) ByteStream() net.Conn {
	queues := c.pair.byteQueues()
	return &inprocStream{conn: c, in: queues[1-c.side], out: queues[c.side]}
}

// byteQueues returns the two directions. Either end may have closed before there were any.
func (p *inprocPair) byteQueues() *[2]*byteQueue {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.queues == nil {
		p.queues = &[2]*byteQueue{newByteQueue(), newByteQueue()}
		for side, left := range p.left {
			if left {
				p.endBytes(side)
			}
		}
	}
	return p.queues
}

// leave notes that an end has closed.
func (p *inprocPair) leave(side int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left[side] = true; p.queues != nil {
		p.endBytes(side)
	}
}

// endBytes ends what an end reads and writes. mu is held.
func (p *inprocPair) endBytes(side int) {
	p.queues[1-side].leave()
	p.queues[side].end(true)
}

func (s *inprocStream) LocalAddr() net.Addr  { return s.conn.local }
func (s *inprocStream) RemoteAddr() net.Addr { return s.conn.remote }

// Close implements [net.Conn]. Unlike a kernel it loses nothing of what was written.
func (s *inprocStream) Close() error {
	if s.conn.closed.Load() {
		return s.wrap("close", net.ErrClosed)
	}
	return s.conn.Close()
}

func (s *inprocStream) Read(b []byte) (int, error) {
	n, err := s.in.read(b)
	return n, s.wrap("read", err)
}

func (s *inprocStream) Write(b []byte) (int, error) {
	n, err := s.out.write(b)
	return n, s.wrap("write", err)
}

// TryWrite implements [TryWriter].
func (s *inprocStream) TryWrite(b []byte) (int, error) {
	n, err := s.out.tryWrite(b)
	return n, s.wrap("write", err)
}

// CloseWrite implements [CloseWriter].
func (s *inprocStream) CloseWrite() error {
	if s.conn.closed.Load() {
		return s.wrap("close", net.ErrClosed)
	}
	s.out.end(false)
	return nil
}

// CancelRead implements [ReadCanceler].
func (s *inprocStream) CancelRead() error { return s.SetReadDeadline(longAgo) }

func (s *inprocStream) SetReadDeadline(t time.Time) error {
	return s.wrap("set", s.in.setReadDeadline(t))
}

func (s *inprocStream) SetWriteDeadline(t time.Time) error {
	return s.wrap("set", s.out.setWriteDeadline(t))
}

func (s *inprocStream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

// Inspect implements [Inspector]. What is written has reached the peer's host at once. An end that closes without
// having read everything counts as a reset.
func (s *inprocStream) Inspect() (state ConnState, ok bool) {
	state.Ended, state.Reset = s.Ended()
	s.in.mu.Lock()
	state.Unread = s.in.size
	s.in.mu.Unlock()
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	state.Untaken = s.out.size
	state.Acknowledged = s.out.ended && !state.Reset
	return state, !s.out.closed
}

// Ended implements [Inspector].
func (s *inprocStream) Ended() (ended, reset bool) {
	s.in.mu.Lock()
	ended = s.in.ended && !s.in.gone
	s.in.mu.Unlock()
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return ended, ended && s.out.lost
}

// ProbeWithin implements [Inspector]: the peer's end is known at once.
func (s *inprocStream) ProbeWithin(int) {}

// wrap makes an error what package net would return.
func (s *inprocStream) wrap(op string, err error) error {
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return err
	case errors.Is(err, syscall.EPIPE) && s.lost():
		err = syscall.ECONNRESET
	}
	return &net.OpError{Op: op, Net: "inproc", Source: s.conn.local, Addr: s.conn.remote, Err: err}
}

func (s *inprocStream) lost() bool {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.lost
}
