package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// Dial implements [Transport]. A connection to itself is refused with
// [ErrSelfConnect].
func (t *TCP) Dial(ctx context.Context, address string) (net.Conn, error) {
	a, err := parseTCP(address, ForConnect)
	if err != nil {
		return nil, err
	}
	c, err := t.dial(ctx, a)
	if err != nil {
		return nil, &OpError{Op: "dial", Endpoint: "tcp://" + address, Err: err}
	}
	return c, nil
}

func (t *TCP) dial(ctx context.Context, a tcpAddress) (net.Conn, error) {
	if t.DialContext != nil {
		return t.DialContext(ctx, "tcp", net.JoinHostPort(a.host, strconv.Itoa(a.port)))
	}
	routes, err := t.routes(ctx, a)
	if err != nil {
		return nil, err
	}
	return dialEach(ctx, len(routes), func(ctx context.Context, i int) (net.Conn, error) {
		return t.dialRoute(ctx, routes[i])
	})
}

// A route is one way to reach a host.
type route struct {
	from *net.TCPAddr // nil is "let the kernel choose"
	to   netip.AddrPort
}

// routes returns the ways to reach an address, at least one, best first: of each of the host's addresses, and of the
// source's the one that goes with it.
func (t *TCP) routes(ctx context.Context, a tcpAddress) ([]route, error) {
	targets := make([]netip.Addr, 1)
	var err error
	if targets[0], err = netip.ParseAddr(a.host); err != nil {
		if targets, err = t.lookup(ctx, a.host); err != nil {
			return nil, err
		}
		targets = alternate(targets)
	}
	var sources []netip.Addr
	var ifi string
	if a.source != nil {
		if sources, ifi, err = t.addresses(ctx, a.source.host); err != nil {
			return nil, fmt.Errorf("source address: %w", err)
		}
	}
	routes := make([]route, 0, len(targets))
	for _, to := range targets {
		r := route{to: netip.AddrPortFrom(to, uint16(a.port))}
		if a.source != nil {
			from, ok := sourceFor(to, sources)
			if !ok {
				continue
			}
			if to.Is6() && to.IsLinkLocalUnicast() && to.Zone() == "" {
				r.to = netip.AddrPortFrom(to.WithZone(orElse(ifi, from.Zone())), uint16(a.port))
			}
			r.from = &net.TCPAddr{IP: from.AsSlice(), Port: a.source.port, Zone: from.Zone()}
		}
		routes = append(routes, r)
	}
	if len(routes) == 0 {
		return nil, fmt.Errorf("source address: %q (%v) and %q (%v) have no address family in common",
			a.source.host, sources, a.host, targets)
	}
	return routes, nil
}

// sourceFor chooses the source address for a target: the first one of its family, before that one that is link-local
// as the target is, or is not. The result is the zero Addr if any will do.
func sourceFor(to netip.Addr, sources []netip.Addr) (from netip.Addr, ok bool) {
	for _, s := range sources {
		switch {
		case s.IsUnspecified():
			return netip.Addr{}, true
		case s.Unmap().Is4() != to.Unmap().Is4():
		case s.IsLinkLocalUnicast() == to.IsLinkLocalUnicast():
			return s, true
		case !ok:
			from, ok = s, true
		}
	}
	return from, ok
}

// alternate puts IPv6 and IPv4 addresses by turns, beginning with the family of the first (RFC 8305, section 4), so
// that a host whose one family does not work is not reached last.
func alternate(ips []netip.Addr) []netip.Addr {
	var first, other []netip.Addr
	for _, ip := range ips {
		if ip.Is4() == ips[0].Is4() {
			first = append(first, ip)
		} else {
			other = append(other, ip)
		}
	}
	mixed := make([]netip.Addr, 0, len(ips))
	for i := range max(len(first), len(other)) {
		if i < len(first) {
			mixed = append(mixed, first[i])
		}
		if i < len(other) {
			mixed = append(mixed, other[i])
		}
	}
	return mixed
}

func (t *TCP) dialRoute(ctx context.Context, r route) (net.Conn, error) {
	var d net.Dialer
	d.KeepAlive, d.KeepAliveConfig = t.keepAlive()
	if r.from != nil {
		d.LocalAddr, d.Control = r.from, reuseAddress
	}
	c, err := d.DialContext(ctx, "tcp", r.to.String())
	if err != nil {
		return nil, err
	}
	conn, err := t.newConn(c.(*net.TCPConn))
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	// With nobody listening, a dial to a port in the ephemeral range can meet
	// itself (simultaneous open) and would then keep the port from its owner.
	if conn.LocalAddr().String() == conn.RemoteAddr().String() {
		return nil, errors.Join(fmt.Errorf("%w, since nobody listens there; try again later", ErrSelfConnect), conn.Close())
	}
	return conn, nil
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
