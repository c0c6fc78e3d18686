// Package ifaces tells which network interfaces there are, with their addresses, and when that changes. It polls, which
// works alike on every system.
package ifaces

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
)

// An Interface is a network interface that is up.
type Interface struct {
	Name     string
	Index    int // a device that is made anew under the same name has another one
	Loopback bool
	// Multicast says that it can multicast. A loopback interface always can, though Linux does not set the flag there.
	Multicast bool
	// Running says that it has a carrier: a cable, say. A link that goes and comes back may change nothing else.
	Running bool
	// Addrs are its addresses with the prefix that is on-link, sorted, IPv4 first. IPv4 ones are never mapped into
	// IPv6.
	Addrs []netip.Prefix
}

func (i Interface) equal(o Interface) bool {
	return i.Name == o.Name && i.Index == o.Index && i.Loopback == o.Loopback && i.Multicast == o.Multicast &&
		i.Running == o.Running && slices.Equal(i.Addrs, o.Addrs)
}

// A Snapshot is all interfaces that were up at one moment, sorted by index. It is not changed after it was handed out.
type Snapshot []Interface

// A Source takes a Snapshot.
type Source func() (Snapshot, error)

// System is the Source that asks the operating system. An interface that vanishes while it is asked for its addresses
// is left out.
func System() (Snapshot, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var s Snapshot
	for _, n := range all {
		if n.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := n.Addrs()
		if err != nil {
			continue
		}
		i := Interface{Name: n.Name, Index: n.Index, Loopback: n.Flags&net.FlagLoopback != 0}
		i.Running = n.Flags&net.FlagRunning != 0
		i.Multicast = i.Loopback || n.Flags&net.FlagMulticast != 0
		for _, a := range addrs {
			if p, ok := prefix(a); ok {
				i.Addrs = append(i.Addrs, p)
			}
		}
		s = append(s, i)
	}
	return s.sort(), nil
}

func prefix(a net.Addr) (netip.Prefix, bool) {
	n, ok := a.(*net.IPNet)
	if !ok {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice(n.IP)
	ones, bits := n.Mask.Size()
	if !ok || bits == 0 {
		return netip.Prefix{}, false
	}
	addr = addr.Unmap()
	if addr.Is4() && bits == 128 {
		ones -= 96
	}
	p := netip.PrefixFrom(addr, ones)
	return p, p.IsValid()
}

// sort puts a Snapshot into the order that makes equal ones compare equal.
func (s Snapshot) sort() Snapshot {
	slices.SortFunc(s, func(a, b Interface) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Name, b.Name))
	})
	for _, i := range s {
		slices.SortFunc(i.Addrs, func(a, b netip.Prefix) int {
			return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
		})
	}
	return s
}

// Multicast is the part of s that can multicast, loopback included.
func (s Snapshot) Multicast() Snapshot {
	return slices.DeleteFunc(slices.Clone(s), func(i Interface) bool { return !i.Multicast })
}

// Local reports whether a is an address of this host: any loopback address, or one of an interface. Zones do not count.
func (s Snapshot) Local(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return a.IsLoopback() || s.any(func(p netip.Prefix) bool { return p.Addr() == a })
}

// OnLink reports whether a is in the network of an interface, so that packets to it need no router. A link-local IPv6
// address always is, on some link: its zone says which.
func (s Snapshot) OnLink(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return s.any(func(p netip.Prefix) bool { return p.Contains(a) })
}

// Broadcast reports whether a means everybody in the network of an interface, or is the name of the network itself.
func (s Snapshot) Broadcast(a netip.Addr) bool {
	a = a.Unmap()
	if !a.Is4() {
		return false
	}
	return s.any(func(p netip.Prefix) bool {
		if !p.Addr().Is4() || p.Bits() >= 31 || !p.Contains(a) { // RFC 3021: with 31 bits both addresses are hosts
			return false
		}
		return a == p.Masked().Addr() || a == last(p)
	})
}

// last is the highest address of an IPv4 prefix.
func last(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := range b {
		if host := 8*(i+1) - p.Bits(); host > 0 {
			b[i] |= byte(1<<min(host, 8) - 1)
		}
	}
	return netip.AddrFrom4(b)
}

func (s Snapshot) any(f func(netip.Prefix) bool) bool {
	return slices.ContainsFunc(s, func(i Interface) bool { return slices.ContainsFunc(i.Addrs, f) })
}
