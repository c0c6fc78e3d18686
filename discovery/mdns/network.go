package mdns

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"syscall"

	hashicorp "github.com/hashicorp/mdns"
)

// port is where multicast DNS happens.
const port = 5353

// family is 4 or 6.
type family int

var families = [...]family{4, 6}

// A network is what this package needs of the system. Tests have one in memory.
type network interface {
	// interfaces lists those that are up and have an address.
	interfaces() ([]iface, error)
	// listen opens a socket on port 5353 that hears what is sent to the group on that interface, and nothing else.
	listen(i iface, f family) (conn, error)
	// ask opens a socket on a port of its own, for questions and the answers to them.
	ask(i iface, f family) (conn, error)
	// serve answers questions that come in on that interface.
	serve(i iface, z hashicorp.Zone) (io.Closer, error)
}

// A conn is a socket for one interface and family. Close ends a read under way.
type conn interface {
	// read waits for a packet and says where it came from and on which interface; ttl is 0 if the system does not tell.
	read(buf []byte) (n int, from netip.AddrPort, index, ttl int, err error)
	// send sends a packet to the group on this interface.
	send(packet []byte) error
	io.Closer
}

// taken reports whether an error of listen says that another program holds the port for itself.
func taken(err error) bool {
	for _, e := range [...]syscall.Errno{syscall.EADDRINUSE, syscall.EACCES, 10048, 10013} { // the last two on Windows
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// An iface is a snapshot of a network interface.
type iface struct {
	net.Interface
	prefixes []netip.Prefix // its addresses, each with the size of its network
}

func (i *iface) loopback() bool { return i.Flags&net.FlagLoopback != 0 }

// multicasts reports whether the interface can be used at all.
func (i *iface) multicasts() bool { return i.Flags&(net.FlagMulticast|net.FlagLoopback) != 0 }

// same reports whether nothing has changed that matters here.
func (i *iface) same(other *iface) bool {
	return i.Index == other.Index && i.Name == other.Name && slices.Equal(i.prefixes, other.prefixes)
}

// has reports whether there is an address of that family.
func (i *iface) has(f family) bool {
	return slices.ContainsFunc(i.prefixes, func(p netip.Prefix) bool { return p.Addr().Is4() == (f == 4) })
}

// onLink reports whether an address is in one of the interface's networks.
func (i *iface) onLink(a netip.Addr) bool {
	a = a.WithZone("")
	if a.Is6() && a.IsLinkLocalUnicast() {
		return true
	}
	return slices.ContainsFunc(i.prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// private reports whether the interface is used if the user does not say otherwise: not one whose only IPv4 addresses
// are public, where strangers would be told, and could use this host to flood others.
func (i *iface) private() bool {
	public := false
	for _, p := range i.prefixes {
		a := p.Addr()
		switch {
		case !a.Is4():
		case a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || shared.Contains(a):
			return true
		default:
			public = true
		}
	}
	return !public
}

var shared = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598: between a provider and its customers
