package discovery

import (
	"net/netip"
	"slices"
	"time"
)

// maxFrom is how many source addresses are kept for each node.
const maxFrom = 8

// paths are the addresses that a node was heard from, what led to it last first. Record.From is made of them.
type paths []path

type path struct {
	addr netip.Addr
	last time.Time // when the node was heard from there
}

// heard adds the addresses of an announcement, before the others or, of a copy, behind them, and drops those from
// which nothing has come for as long as an announcement counts: they may belong to an interface or a network that is
// no more.
func (p paths) heard(from []netip.Addr, duplicate bool, until time.Time) paths {
	now := time.Now()
	var lead, rest paths
	for _, addr := range from {
		addr = addr.Unmap()
		if addr.IsValid() && !lead.has(addr) {
			lead = append(lead, path{addr, now})
		}
	}
	for _, old := range p {
		switch {
		case lead.has(old.addr):
			old.last = now
			if duplicate {
				rest = append(rest, old)
			}
		case until.IsZero() || now.Sub(old.last) < until.Sub(now):
			rest = append(rest, old)
		}
	}
	if duplicate {
		lead = slices.DeleteFunc(lead, func(a path) bool { return rest.has(a.addr) })
		lead, rest = rest, lead
	}
	lead = append(lead, rest...)
	return lead[:min(len(lead), maxFrom)]
}

func (p paths) has(addr netip.Addr) bool {
	return slices.ContainsFunc(p, func(a path) bool { return a.addr == addr })
}

func (p paths) addrs() []netip.Addr {
	if len(p) == 0 {
		return nil
	}
	addrs := make([]netip.Addr, len(p))
	for i, a := range p {
		addrs[i] = a.addr
	}
	return addrs
}
