package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
)

// Listen implements [Transport]. An address that is taken gives
// [ErrAddressInUse], and so does a range of ports of which none is free.
func (t *TCP) Listen(ctx context.Context, address string) (Listener, error) {
	a, err := parseTCP(address, ForBind)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (Listener, error) {
		return nil, &OpError{Op: "listen", Endpoint: "tcp://" + address, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	network, ip, err := t.local(ctx, a.host)
	if err != nil {
		return fail(err)
	}
	ln, err := t.listenRange(ctx, network, ip, a)
	switch {
	case isInUse(err):
		advice := "stop the other program or bind another port (0 is any free one)"
		if a.last > a.port {
			advice = "no port of the range is free; " + advice
		}
		return fail(&inUseError{advice: advice, cause: err})
	case err != nil:
		return fail(err)
	}
	return &tcpListener{
		TCPListener: ln, tcp: t, asked: a, endpoint: "tcp://" + address, address: dialable(ln.Addr().(*net.TCPAddr)),
	}, nil
}

// listenRange binds the first port that can be had.
func (t *TCP) listenRange(ctx context.Context, network string, ip netip.Addr, a tcpAddress) (
	ln *net.TCPListener, err error,
) {
	for port := a.port; port <= a.last; port++ {
		if ln, err = t.listenPort(ctx, network, ip, port); err == nil || ctx.Err() != nil {
			return ln, err
		}
		if !portTaken(err) {
			return nil, err
		}
	}
	return nil, err
}

// listenPort binds one port. For all addresses it asks for one socket for both families by name: package net, left to
// choose, takes 0.0.0.0 alone where 127.0.0.1 does not exist.
func (t *TCP) listenPort(ctx context.Context, network string, ip netip.Addr, port int) (*net.TCPListener, error) {
	var lc net.ListenConfig
	lc.KeepAlive, lc.KeepAliveConfig = t.keepAlive()
	lc.SetMultipathTCP(false) // Go's default is true on Linux; no peer of ours dials with it
	at := netip.AddrPortFrom(ip, uint16(port)).String()
	if ip == netip.IPv6Unspecified() && dualStack != nil {
		both := lc
		both.Control = dualStack
		if ln, err := both.Listen(ctx, "tcp6", at); err == nil {
			return ln.(*net.TCPListener), nil
		} else if portTaken(err) {
			return nil, err
		} // else a host without IPv6
	}
	ln, err := lc.Listen(ctx, network, at)
	if err != nil {
		return nil, err
	}
	return ln.(*net.TCPListener), nil
}

// portTaken reports whether another port might do: this one is in use, privileged, or reserved by the system.
func portTaken(err error) bool { return isInUse(err) || errors.Is(err, syscall.EACCES) }

// tcpListener inherits Addr, the bound address as the kernel has it.
type tcpListener struct {
	*net.TCPListener
	tcp      *TCP
	asked    tcpAddress
	endpoint string
	address  string
}

func (l *tcpListener) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, &OpError{Op: "accept", Endpoint: l.endpoint, Err: err}
	}
	conn, err := l.tcp.newConn(c)
	if err != nil {
		return nil, &OpError{Op: "accept", Endpoint: l.endpoint, Err: errors.Join(err, c.Close())}
	}
	return conn, nil
}

func (l *tcpListener) Address() string { return l.address }

// Named implements [NamedListener]: the port is that of the listener, and the host one of its names or, of a
// wildcard, of the address that Address gives for it, found without asking others.
func (l *tcpListener) Named(address string) bool {
	a, err := parseTCP(address, ForBind)
	bound := l.Addr().(*net.TCPAddr).AddrPort()
	if err != nil || a.port != int(bound.Port()) || a.last != a.port {
		return false
	}
	if strings.EqualFold(a.host, l.asked.host) {
		return true
	}
	told, _ := netip.ParseAddrPort(l.address)
	ours := []netip.Addr{bound.Addr().Unmap(), told.Addr()}
	if strings.EqualFold(a.host, "localhost") {
		return slices.ContainsFunc(ours, netip.Addr.IsLoopback)
	}
	ips, _, err := here(a.host)
	return err == nil && slices.ContainsFunc(ips, func(ip netip.Addr) bool {
		return slices.Contains(ours, ip.Unmap()) || ip.IsUnspecified() && ours[0].IsUnspecified()
	})
}

func (l *tcpListener) Close() error {
	if err := l.TCPListener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return &OpError{Op: "close", Endpoint: l.endpoint, Err: err}
	}
	return nil
}

// dialable is the address at which a peer on this host reaches a listener
// bound to a: a wildcard becomes the loopback address.
func dialable(a *net.TCPAddr) string {
	if !a.IP.IsUnspecified() {
		return a.String()
	}
	return netip.AddrPortFrom(thisHost(hostAddrs(), a.IP.To4() != nil), uint16(a.Port)).String()
}

// thisHost chooses, from the addresses of a host, the one at which the host itself reaches a listener of all of them,
// or of the IPv4 ones alone: a loopback address if it has one, which a host with IPv6 alone or a bare network
// namespace may not.
func thisHost(ips []netip.Addr, ipv4 bool) netip.Addr {
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	rank := func(ip netip.Addr) int {
		order := []bool{ip == loopback, ip.IsLoopback(), ip.Is4(), !ip.IsLinkLocalUnicast(), true}
		return slices.Index(order, true)
	}
	best := loopback
	for i, ip := range slices.DeleteFunc(slices.Clone(ips), func(ip netip.Addr) bool { return ipv4 && !ip.Is4() }) {
		if i == 0 || rank(ip) < rank(best) {
			best = ip
		}
	}
	return best
}

// hostAddrs returns the addresses of all interfaces that are up.
func hostAddrs() (ips []netip.Addr) {
	all, err := net.Interfaces()
	if err != nil {
		return nil
	}
	loopback := net.IPv4(127, 0, 0, 1)
	for _, ifi := range all {
		addrs, err := ifi.Addrs()
		if err != nil || ifi.Flags&net.FlagUp == 0 {
			continue
		}
		for _, a := range addrs {
			n, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			if ifi.Flags&net.FlagLoopback != 0 && n.Contains(loopback) {
				n.IP = loopback // the whole network is this host
			}
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				if ip = ip.Unmap(); ip.Is6() && ip.IsLinkLocalUnicast() {
					ip = ip.WithZone(ifi.Name)
				}
				ips = append(ips, ip)
			}
		}
	}
	return ips
}
