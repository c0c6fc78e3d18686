package gossip

import (
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/hashicorp/memberlist"
)

// An instanceTransport is the share of one instance of memberlist in a transport. There are two of them while this
// process moves to another address, because an instance cannot change its own. Packets go to both instances, which know
// by the name in a packet whether it is theirs; streams go to the later one.
type instanceTransport struct {
	*transport
	at      netip.AddrPort // to advertise
	packets chan *memberlist.Packet
	streams chan net.Conn
	left    chan struct{}
	once    sync.Once
}

var _ memberlist.NodeAwareTransport = (*instanceTransport)(nil)

// addInstance adds an instance, which advertises that address.
func (t *transport) addInstance(at netip.AddrPort) *instanceTransport {
	s := &instanceTransport{
		transport: t, at: at,
		packets: make(chan *memberlist.Packet), streams: make(chan net.Conn), left: make(chan struct{}),
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.instances = append(slices.Clip(t.instances), s)
	return s
}

// currentInstances returns the instances, the latest last. The list is never changed, only replaced.
func (t *transport) currentInstances() []*instanceTransport {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.instances
}

// FinalAdvertiseAddr implements [memberlist.Transport].
func (s *instanceTransport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return s.at.Addr().AsSlice(), int(s.at.Port()), nil
}

// PacketCh implements [memberlist.Transport].
func (s *instanceTransport) PacketCh() <-chan *memberlist.Packet { return s.packets }

// StreamCh implements [memberlist.Transport].
func (s *instanceTransport) StreamCh() <-chan net.Conn { return s.streams }

// Shutdown implements [memberlist.Transport]. The transport itself stays open.
func (s *instanceTransport) Shutdown() error {
	s.once.Do(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.instances = slices.DeleteFunc(slices.Clone(s.instances), func(o *instanceTransport) bool { return o == s })
		close(s.left)
	})
	return nil
}
