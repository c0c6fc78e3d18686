package mdns

import (
	"context"
	"io"
	"log"
	"net"
	"net/netip"
	"runtime"

	hashicorp "github.com/hashicorp/mdns"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/yodel-mq/yodel/discovery/internal/ifaces"
)

// A socket's way to the group: what RFC 6762 section 11 asks for.
const hopLimit = 255

var (
	group4 = &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: port}
	group6 = &net.UDPAddr{IP: net.ParseIP("ff02::fb"), Port: port}
)

// system is the network of the machine.
type system struct{}

func (system) interfaces() ([]iface, error) {
	all, err := ifaces.System()
	if err != nil {
		return nil, err
	}
	var use []iface
	for _, i := range all {
		if !i.Running || len(i.Addrs) == 0 {
			continue
		}
		flags := net.FlagUp | net.FlagRunning
		if i.Multicast {
			flags |= net.FlagMulticast
		}
		if i.Loopback {
			flags |= net.FlagLoopback
		}
		use = append(use, iface{Interface: net.Interface{Index: i.Index, Name: i.Name, Flags: flags}, prefixes: i.Addrs})
	}
	return use, nil
}

func (system) listen(i iface, f family) (conn, error) {
	c, err := listenGroup(&i.Interface, f)
	if err != nil {
		return nil, err
	}
	return newSocket(c, &i.Interface, f, true)
}

func (system) ask(i iface, f family) (conn, error) {
	name := "udp4"
	if f == 6 {
		name = "udp6"
	}
	var lc net.ListenConfig
	c, err := lc.ListenPacket(context.Background(), name, ":0")
	if err != nil {
		return nil, err
	}
	return newSocket(c.(*net.UDPConn), &i.Interface, f, false)
}

func (system) serve(i iface, z hashicorp.Zone) (io.Closer, error) {
	s, err := hashicorp.NewServer(&hashicorp.Config{Zone: z, Iface: &i.Interface, Logger: log.New(io.Discard, "", 0)})
	if err != nil {
		return nil, err
	}
	return server{s}, nil
}

type server struct{ *hashicorp.Server }

func (s server) Close() error { return s.Shutdown() }

// socket is a conn of the system; v4 or v6 is set.
type socket struct {
	*net.UDPConn
	v4    *ipv4.PacketConn
	v6    *ipv6.PacketConn
	to    *net.UDPAddr
	index int
	own   *ipv4.ControlMessage // for packets out, or nil
}

// newSocket readies c for the group on that interface, as a member if told so. It closes c if that fails.
func newSocket(c *net.UDPConn, i *net.Interface, f family, member bool) (conn, error) {
	s := &socket{UDPConn: c, to: group4, index: i.Index}
	var steps []func() error
	if f == 4 {
		p := ipv4.NewPacketConn(c)
		s.v4 = p
		if i.Flags&net.FlagLoopback != 0 && runtime.GOOS == "linux" {
			// Linux prefers the address of another interface, which may change, and with it who we seem to be.
			s.own = &ipv4.ControlMessage{Src: net.IPv4(127, 0, 0, 1)}
		}
		steps = []func() error{
			func() error { return p.SetMulticastInterface(i) },
			func() error { return p.SetMulticastLoopback(true) },
			func() error { return p.SetMulticastTTL(hopLimit) },
		}
		if member {
			steps = append(steps, func() error { return p.JoinGroup(i, &net.UDPAddr{IP: group4.IP}) })
		}
		// Not on Windows, where each packet counts as from the socket's own interface.
		_ = p.SetControlMessage(ipv4.FlagInterface|ipv4.FlagTTL, true)
	} else {
		p := ipv6.NewPacketConn(c)
		// Without a zone: the socket knows its interface, and what package net remembers of names may be out of date.
		s.v6, s.to = p, group6
		steps = []func() error{
			func() error { return p.SetMulticastInterface(i) },
			func() error { return p.SetMulticastLoopback(true) },
			func() error { return p.SetMulticastHopLimit(hopLimit) },
		}
		if member {
			steps = append(steps, func() error { return p.JoinGroup(i, &net.UDPAddr{IP: group6.IP}) })
		}
		_ = p.SetControlMessage(ipv6.FlagInterface|ipv6.FlagHopLimit, true)
	}
	for _, step := range steps {
		if err := step(); err != nil {
			_ = c.Close()
			return nil, err
		}
	}
	_ = c.SetReadBuffer(1 << 20) // what the system allows of it: many peers may answer at once
	return s, nil
}

func (s *socket) read(buf []byte) (n int, from netip.AddrPort, index, ttl int, err error) {
	index = s.index
	var addr net.Addr
	if s.v4 != nil {
		var cm *ipv4.ControlMessage
		n, cm, addr, err = s.v4.ReadFrom(buf)
		if cm != nil {
			index, ttl = cm.IfIndex, cm.TTL
		}
	} else {
		var cm *ipv6.ControlMessage
		n, cm, addr, err = s.v6.ReadFrom(buf)
		if cm != nil {
			index, ttl = cm.IfIndex, cm.HopLimit
		}
	}
	if a, ok := addr.(*net.UDPAddr); ok {
		from = a.AddrPort()
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	}
	return n, from, index, ttl, err
}

func (s *socket) send(packet []byte) error {
	var err error
	if s.own != nil {
		_, err = s.v4.WriteTo(packet, s.own, s.to)
	} else {
		_, err = s.WriteToUDP(packet, s.to)
	}
	return err
}
