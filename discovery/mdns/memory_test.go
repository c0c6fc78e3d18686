package mdns

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	hashicorp "github.com/hashicorp/mdns"
	"github.com/miekg/dns"
)

// A memLAN is a local network in memory: what a host sends to the group reaches all, itself too.
type memLAN struct {
	families  []family
	loss      atomic.Int64 // percent of deliveries from the group that get lost
	announced atomic.Int64 // packets sent to the group, by what they are
	asked     atomic.Int64
	overflown atomic.Int64 // deliveries lost because a reader was slow

	mu    sync.Mutex
	hosts []*memHost
	tap   func(from *memHost, f family, packet []byte) // sees what is sent to the group
}

// A memHost is the network of one host: one interface with an address of each family.
type memHost struct {
	lan  *memLAN
	addr [len(families)]netip.Addr

	mu      sync.Mutex
	up      bool
	index   int
	refuse  error // what listen says
	conns   map[*memConn]struct{}
	nextOwn uint16
}

// ofHost is the interface that a host has from the start.
var ofHost = iface{Interface: net.Interface{Index: 2, Name: "eth0"}}

func newMemLAN(f ...family) *memLAN {
	if len(f) == 0 {
		f = []family{4, 6}
	}
	return &memLAN{families: f}
}

func (l *memLAN) lose(percent int64) { l.loss.Store(percent) }

func (l *memLAN) host() *memHost {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.hosts) + 1
	h := &memHost{lan: l, up: true, index: 2, conns: make(map[*memConn]struct{}), nextOwn: 40000}
	h.addr[0] = netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)})
	h.addr[1] = netip.MustParseAddr(fmt.Sprintf("fe80::%x", n))
	l.hosts = append(l.hosts, h)
	return h
}

func (l *memLAN) all() []*memHost {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clip(l.hosts)
}

func (h *memHost) interfaces() ([]iface, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.up {
		return nil, nil
	}
	i := iface{
		Interface: net.Interface{Index: h.index, Name: "eth0", Flags: net.FlagUp | net.FlagRunning | net.FlagMulticast},
	}
	for _, f := range h.lan.families {
		bits := 16
		if f == 6 {
			bits = 64
		}
		i.prefixes = append(i.prefixes, netip.PrefixFrom(h.addr[at(f)], bits))
	}
	return []iface{i}, nil
}

// at is the place of a family in families.
func at(f family) int { return int(f)/2 - 2 }

func (h *memHost) listen(i iface, f family) (conn, error) { return h.open(i, f, true, 1024) }
func (h *memHost) ask(i iface, f family) (conn, error)    { return h.open(i, f, false, 1024) }

func (h *memHost) open(i iface, f family, member bool, room int) (*memConn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if member && h.refuse != nil {
		return nil, h.refuse
	}
	c := &memConn{
		host: h, index: i.Index, family: f, port: port, in: make(chan memPacket, room), done: make(chan struct{}),
	}
	if !member {
		h.nextOwn++
		c.port = h.nextOwn
	}
	h.conns[c] = struct{}{}
	return c, nil
}

func (h *memHost) serve(i iface, z hashicorp.Zone) (io.Closer, error) {
	s := &memServer{}
	for _, f := range h.lan.families {
		c, err := h.open(i, f, true, 256)
		if err != nil {
			return nil, err
		}
		s.conns = append(s.conns, c)
		go s.run(c, z)
	}
	return s, nil
}

// move gives the host another interface index, as if the device had been made anew: sockets of the old one hear
// nothing.
func (h *memHost) renew() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.index++
}

func (h *memHost) set(up bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.up = up
}

func (h *memHost) refusing(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refuse = err
}

// deliver hands a packet to the conns that it concerns.
func (h *memHost) deliver(p memPacket, f family, to uint16, unicast bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.up {
		return
	}
	for c := range h.conns {
		if c.family != f || c.port != to || c.index != h.index {
			continue
		}
		if !unicast && rand.Int64N(100) < h.lan.loss.Load() {
			continue
		}
		select {
		case c.in <- p:
		default:
			h.lan.overflown.Add(1)
		}
	}
}

type memPacket struct {
	data []byte
	from netip.AddrPort
}

type memConn struct {
	host   *memHost
	index  int
	family family
	port   uint16
	in     chan memPacket
	done   chan struct{}
	once   sync.Once
}

func (c *memConn) read(buf []byte) (n int, from netip.AddrPort, index, ttl int, err error) {
	select {
	case p := <-c.in:
		return copy(buf, p.data), p.from, c.index, hopLimit, nil
	case <-c.done:
		return 0, netip.AddrPort{}, 0, 0, net.ErrClosed
	}
}

func (c *memConn) address() netip.AddrPort {
	return netip.AddrPortFrom(c.host.addr[at(c.family)], c.port)
}

func (c *memConn) send(packet []byte) error {
	c.host.mu.Lock()
	up := c.host.up && c.index == c.host.index
	c.host.mu.Unlock()
	if !up {
		return net.ErrClosed
	}
	if packet[2]&0x80 != 0 {
		c.host.lan.announced.Add(1)
	} else {
		c.host.lan.asked.Add(1)
	}
	if tap := c.host.lan.tap; tap != nil {
		tap(c.host, c.family, packet)
	}
	for _, h := range c.host.lan.all() {
		h.deliver(memPacket{packet, c.address()}, c.family, port, false)
	}
	return nil
}

func (c *memConn) Close() error {
	c.once.Do(func() {
		close(c.done)
		c.host.mu.Lock()
		defer c.host.mu.Unlock()
		delete(c.host.conns, c)
	})
	return nil
}

// A memServer does what hashicorp's does: it answers each question, all at once, to whoever asked.
type memServer struct{ conns []*memConn }

func (s *memServer) Close() error {
	for _, c := range s.conns {
		_ = c.Close()
	}
	return nil
}

func (s *memServer) run(c *memConn, z hashicorp.Zone) {
	for {
		var p memPacket
		select {
		case p = <-c.in:
		case <-c.done:
			return
		}
		if len(p.data) < minPacket || p.data[4] == 0 && p.data[5] == 0 { // no question
			continue
		}
		var q dns.Msg
		if q.Unpack(p.data) != nil {
			continue
		}
		r := dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Authoritative: true}, Compress: true}
		for _, question := range q.Question {
			r.Answer = append(r.Answer, z.Records(question)...)
		}
		if len(r.Answer) == 0 {
			continue
		}
		b, err := r.Pack()
		if err != nil {
			panic(err)
		}
		for _, h := range c.host.lan.all() {
			if h.addr[at(c.family)] == p.from.Addr() {
				h.deliver(memPacket{b, c.address()}, c.family, p.from.Port(), true)
			}
		}
	}
}
