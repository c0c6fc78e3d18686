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
	if host == "" {
		return "tcp", netip.Addr{}, nil
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip == netip.IPv4Unspecified() {
			return "tcp4", ip, nil
		}
		return "tcp", ip, nil
	}
	if ifi, err := net.InterfaceByName(host); err == nil {
		ip, err := interfaceAddr(ifi)
		return "tcp", ip, err
	}
	ips, err := t.resolver().LookupNetIP(ctx, "ip", host)
	if err != nil {
		return "", netip.Addr{}, fmt.Errorf("no interface (there are %s) and no host has the name %q: %w", interfaceNames(), host, err)
	}
	return "tcp", preferIPv4(ips), nil
}

func (t *TCP) resolver() *net.Resolver {
	if t.Resolver != nil {
		return t.Resolver
	}
	return net.DefaultResolver
}

// interfaceAddr returns the first usable address of an interface: IPv4, else
// IPv6, else link-local IPv6, which needs its zone to be of any use.
func interfaceAddr(ifi *net.Interface) (netip.Addr, error) {
	if ifi.Flags&net.FlagUp == 0 {
		return netip.Addr{}, fmt.Errorf("interface %s is down; bring it up or bind another", ifi.Name)
	}
	addrs, err := ifi.Addrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("addresses of interface %s: %w", ifi.Name, err)
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
	if ip := preferIPv4(append(ips, linkLocal...)); ip.IsValid() {
		return ip, nil
	}
	return netip.Addr{}, fmt.Errorf("interface %s has no address; give it one or bind another", ifi.Name)
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

// dialable is the address at which a peer on this host reaches a listener
// bound to a: a wildcard becomes the loopback address.
func dialable(a *net.TCPAddr) string {
	ip := a.IP
	switch {
	case !ip.IsUnspecified():
	case ip.To4() != nil || hasIPv4Loopback():
		ip = net.IPv4(127, 0, 0, 1) // a wildcard that is not IPv4 is dual stack
	default:
		ip = net.IPv6loopback
	}
	return (&net.TCPAddr{IP: ip, Port: a.Port, Zone: a.Zone}).String()
}

// hasIPv4Loopback reports whether 127.0.0.1 can be dialled here; on a host
// with IPv6 alone it cannot.
func hasIPv4Loopback() bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsLoopback() && n.IP.To4() != nil {
			return true
		}
	}
	return false
}
