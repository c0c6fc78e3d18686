package gossip

import (
	"net/netip"
	"slices"

	"github.com/yodel-mq/yodel/discovery/internal/ifaces"
)

// usable reports whether a member could be at that address.
func usable(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && a.Zone() == "" && !a.IsLinkLocalUnicast()
}

// ownAddr chooses among the host's addresses the one to advertise, as WithAdvertise says. Loopback is better than
// nothing: members on this host find each other even then.
func ownAddr() netip.Addr {
	ifs, _ := ifaces.System() // without, it is loopback
	return choose(addrsOf(ifs))
}

func addrsOf(ifs ifaces.Snapshot) (addrs []netip.Addr) {
	for _, ifi := range ifs {
		for _, p := range ifi.Addrs {
			addrs = append(addrs, p.Addr())
		}
	}
	return addrs
}

func choose(addrs []netip.Addr) netip.Addr {
	best := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	rank := func(a netip.Addr) int {
		return slices.Index([]bool{
			a.IsPrivate() && a.Is4(), a.IsPrivate(), !a.IsLoopback() && a.Is4(), !a.IsLoopback(), true,
		}, true)
	}
	for _, a := range addrs {
		if usable(a) && rank(a) < rank(best) {
			best = a
		}
	}
	return best
}
