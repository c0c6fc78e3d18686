package gossip

import (
	"io"
	"net"
	"net/netip"
)

const (
	maxStreams   = 64       // that others have opened
	maxPerSource = 16       // of them from one source
	maxStream    = 8 << 20  // bytes of one
	maxStreaming = 64 << 20 // bytes of all of them: read, and perhaps not yet decrypted
)

// A stream is a connection of a transport.
type stream struct {
	net.Conn
	t      *transport
	in     bool
	source netip.Addr

	// Guarded by t.mu.
	number uint64
	read   int
	proven bool // it was answered: memberlist has understood what came, which with a key takes the key
}

// sourceOf returns what counts as one of those who open streams: a host of IPv6 has all the addresses of its /64.
func sourceOf(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		return netip.PrefixFrom(a, 64).Masked().Addr()
	}
	return a
}

// track has a connection end with the transport. When others have opened too many, the oldest of those that have proven
// nothing gives way to a new one: of the same source if that has too many, else of a source that has the most. So who
// holds streams open keeps nobody out. If there is none, the new one is closed: nil.
func (t *transport) track(c net.Conn, in bool) *stream {
	s := &stream{Conn: c, t: t, in: in}
	if ap, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
		s.source = sourceOf(ap.Addr())
	}
	evicted, ok := t.admit(s)
	if evicted != nil {
		_ = evicted.Conn.Close()
	}
	if !ok {
		_ = c.Close()
		return nil
	}
	return s
}

// admit takes a stream into the books, perhaps in place of another, which it returns.
func (t *transport) admit(s *stream) (evicted *stream, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done.Err() != nil {
		return nil, false
	}
	if s.in && (t.in >= maxStreams || t.perSource[s.source] >= maxPerSource) {
		if evicted = t.leastProven(s.source); evicted == nil {
			return nil, false
		}
		t.forget(evicted)
	}
	t.opened++
	s.number = t.opened
	t.open[s] = struct{}{}
	if s.in {
		t.in++
		t.perSource[s.source]++
	}
	return evicted, true
}

// leastProven returns the stream that gives way to a new one of that source. t.mu is held.
func (t *transport) leastProven(newcomer netip.Addr) (least *stream) {
	full := t.perSource[newcomer] >= maxPerSource
	for s := range t.open {
		if !s.in || s.proven || full && s.source != newcomer {
			continue
		}
		if least == nil || t.perSource[s.source] > t.perSource[least.source] ||
			t.perSource[s.source] == t.perSource[least.source] && s.number < least.number {
			least = s
		}
	}
	return least
}

// forget takes a stream out of the books, once. t.mu is held.
func (t *transport) forget(s *stream) {
	if _, ok := t.open[s]; ok {
		delete(t.open, s)
		t.streaming -= s.read
		if s.in {
			t.in--
			if t.perSource[s.source]--; t.perSource[s.source] == 0 {
				delete(t.perSource, s.source)
			}
		}
	}
	s.read = -1 << 62 // what is read from now on is no longer counted
}

// incoming returns how many streams of others there are.
func (t *transport) incoming() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.in
}

// Read fails once others have sent too much.
func (s *stream) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if !s.in || n == 0 {
		return n, err
	}
	if !s.charge(n) {
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// charge counts bytes of others, and reports whether they are not too many.
func (s *stream) charge(n int) bool {
	t := s.t
	t.mu.Lock()
	defer t.mu.Unlock()
	s.read += n
	if s.read > 0 { // else it is closed, see forget
		t.streaming += n
	}
	return s.read <= maxStream && t.streaming <= maxStreaming
}

// Write takes note that the stream has led to an answer.
func (s *stream) Write(b []byte) (int, error) {
	s.t.mu.Lock()
	s.proven = true
	s.t.mu.Unlock()
	return s.Conn.Write(b)
}

// Close closes it, once.
func (s *stream) Close() error {
	s.t.mu.Lock()
	s.t.forget(s)
	s.t.mu.Unlock()
	return s.Conn.Close()
}
