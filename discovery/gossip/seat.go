package gossip

import (
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/hashicorp/memberlist"
)

// A seat is what one instance of memberlist has of a transport. There are two for a moment when this process moves to
// another address: memberlist cannot change its own. Packets come to both, which tell by the name in them whom they are
// for; streams to the later one.
type seat struct {
	*transport
	at      netip.AddrPort // to advertise
	packets chan *memberlist.Packet
	streams chan net.Conn
	left    chan struct{}
	once    sync.Once
}

var _ memberlist.NodeAwareTransport = (*seat)(nil)

// sit adds a seat.
func (t *transport) sit(at netip.AddrPort) *seat {
	s := &seat{
		transport: t, at: at,
		packets: make(chan *memberlist.Packet), streams: make(chan net.Conn), left: make(chan struct{}),
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seats = append(slices.Clip(t.seats), s)
	return s
}

// seated returns the seats, the latest last. The list is never changed.
func (t *transport) seated() []*seat {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seats
}

// FinalAdvertiseAddr implements [memberlist.Transport].
func (s *seat) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return s.at.Addr().AsSlice(), int(s.at.Port()), nil
}

// PacketCh implements [memberlist.Transport].
func (s *seat) PacketCh() <-chan *memberlist.Packet { return s.packets }

// StreamCh implements [memberlist.Transport].
func (s *seat) StreamCh() <-chan net.Conn { return s.streams }

// Shutdown implements [memberlist.Transport]: the transport goes on.
func (s *seat) Shutdown() error {
	s.once.Do(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.seats = slices.DeleteFunc(slices.Clone(s.seats), func(o *seat) bool { return o == s })
		close(s.left)
	})
	return nil
}
