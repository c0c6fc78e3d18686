package transport

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// local finds the address to bind for host: the wildcard, an IP address, the
// name of an interface, or a host name, in this order. network is what package net
// must be told: 0.0.0.0 means IPv4 only, whereas the other wildcards are dual stack.
func (t *TCP) local(ctx context.Context, host string) (network string, addr netip.Addr, err error) {
	ips, _, err := t.addresses(ctx, host)
	if err != nil {
		return "", netip.Addr{}, err
	}
	if addr = ips[0]; len(ips) > 1 {
		addr = preferIPv4(ips)
	}
	if addr == netip.IPv4Unspecified() {
		return "tcp4", addr, nil
	}
	return "tcp", addr, nil
}

// addresses returns what host stands for on this host, at least one address. If it is the name of an interface, ifi
// is that.
func (t *TCP) addresses(ctx context.Context, host string) (ips []netip.Addr, ifi string, err error) {
	ips, ifi, err = here(host)
	if err != nil || len(ips) > 0 {
		return ips, ifi, err
	}
	if ips, err = t.lookup(ctx, host); err != nil {
		return nil, "", fmt.Errorf("no interface (there are %s) and no host has the name %q: %w", interfaceNames(), host, err)
	}
	return ips, "", nil
}

// here returns the addresses of host if it can be told without asking others: of the wildcard, an IP address or an
// interface.
func here(host string) (ips []netip.Addr, ifi string, err error) {
	if host == "" {
		return []netip.Addr{netip.IPv6Unspecified()}, "", nil
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, "", nil
	}
	if ifi, err := net.InterfaceByName(host); err == nil {
		ips, err := interfaceAddr(ifi)
		return ips, ifi.Name, err
	}
	return nil, "", nil
}

// lookup returns the addresses of a host name, at least one, in the order of preference of RFC 6724.
func (t *TCP) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	found, err := t.resolver().LookupIPAddr(ctx, host) // LookupNetIP loses the zones
	if err != nil {
		return nil, err
	}
	ips := make([]netip.Addr, 0, len(found))
	for _, f := range found {
		if ip, ok := netip.AddrFromSlice(f.IP); ok {
			ips = append(ips, ip.Unmap().WithZone(f.Zone))
		}
	}
	if len(ips) == 0 {
		return nil, &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	return ips, nil
}

func (t *TCP) resolver() *net.Resolver {
	if t.Resolver != nil {
		return t.Resolver
	}
	return net.DefaultResolver
}

// interfaceAddr returns the usable addresses of an interface, at least one, link-local IPv6 last, which needs its
// zone to be of any use.
func interfaceAddr(ifi *net.Interface) ([]netip.Addr, error) {
	if ifi.Flags&net.FlagUp == 0 {
		return nil, fmt.Errorf("interface %s is down; bring it up or bind another", ifi.Name)
	}
	addrs, err := ifi.Addrs()
	if err != nil {
		return nil, fmt.Errorf("addresses of interface %s: %w", ifi.Name, err)
	}
	var ips, linkLocal []netip.Addr
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		ip, ok := netip.AddrFromSlice(n.IP)
		if ip = ip.Unmap(); !ok {
			continue
		}
		if ip.Is6() && ip.IsLinkLocalUnicast() {
			linkLocal = append(linkLocal, ip.WithZone(ifi.Name))
			continue
		}
		ips = append(ips, ip)
	}
	if ips = append(ips, linkLocal...); len(ips) > 0 {
		return ips, nil
	}
	return nil, fmt.Errorf("interface %s has no address; give it one or bind another", ifi.Name)
}

// preferIPv4 returns the first IPv4 address, or else the first address.
func preferIPv4(ips []netip.Addr) netip.Addr {
	var first netip.Addr
	for _, ip := range ips {
		if ip = ip.Unmap(); ip.Is4() {
			return ip
		}
		if !first.IsValid() {
			first = ip
		}
	}
	return first
}

// interfaceNames lists the interfaces for an error message.
func interfaceNames() string {
	all, err := net.Interfaces()
	if err != nil || len(all) == 0 {
		return "none"
	}
	names := make([]string, len(all))
	for i, ifi := range all {
		names[i] = ifi.Name
	}
	return strings.Join(names, ", ")
}
