package socket

import (
	"net"
	"net/netip"
	"time"
)

// Connections that come in are counted by the address they come from, so that one host cannot take the places of all
// (Limits.MaxPerAddress), nor make the socket begin handshakes as fast as it can ask for them
// (Limits.MaxHandshakeRate), of which each costs up to four key exchanges with CURVE. What is over either limit is
// closed as it is accepted: nothing is read of it, nothing waits for it, and it takes no place among the handshakes.

// addresses has what is known of each address. It is guarded by core.mu.
type addresses struct {
	by   map[string]*fromAddress
	most int // with so many those that tell nothing any more are looked for
}

// A fromAddress is what is known of one address that connections come from, or one network of IPv6.
type fromAddress struct {
	name string
	open int // connections that have not ended, those whose handshake is under way included
	// due is when the handshakes so far would have begun at a rate of MaxHandshakeRate, in the time of core.now. It is
	// ahead of the present by handshakeBurst at most: that much may be done at once.
	due time.Duration
}

const (
	handshakeBurst = 10 * time.Second
	fewAddresses   = 1024 // which are too few to look for those that could be forgotten
)

// enter counts a connection from an address at a time, and returns by what leave is to be called when it is over, or
// the limit that it is over.
func (a *addresses) enter(name string, now time.Duration, limits *Limits) (*fromAddress, error) {
	o := a.by[name]
	if o == nil {
		o = &fromAddress{name: name}
		a.tidy(now)
		a.by[name] = o
	}
	if most := limits.MaxPerAddress; most > 0 && o.open >= most {
		return nil, ErrTooManyFromAddress
	}
	if rate := limits.MaxHandshakeRate; rate > 0 {
		due := max(o.due, now) + time.Second/time.Duration(rate)
		if due > now+handshakeBurst {
			return nil, ErrTooFast
		}
		o.due = due
	}
	o.open++
	return o, nil
}

// leave takes note that a connection is over.
func (a *addresses) leave(o *fromAddress, now time.Duration) {
	if o.open--; o.idle(now) {
		delete(a.by, o.name)
	}
}

// idle reports whether an address is as good as one that has never been heard of.
func (o *fromAddress) idle(now time.Duration) bool { return o.open == 0 && o.due <= now }

// tidy makes room for one more address. An address without connections is forgotten after handshakeBurst at the latest,
// so that there are no more of them than connections were accepted in that time; looking for them when there are twice
// as many as were left the last time costs each connection a few steps.
func (a *addresses) tidy(now time.Duration) {
	if a.by == nil {
		a.by, a.most = make(map[string]*fromAddress), fewAddresses
	}
	if len(a.by) < a.most {
		return
	}
	for name, o := range a.by {
		if o.idle(now) {
			delete(a.by, name)
		}
	}
	a.most = max(fewAddresses, 2*len(a.by))
}

// enter counts a connection that came in. It returns nil for one that is not counted by its address: one from this
// host, if those are not, and one of a transport whose addresses tell peers apart no more than ipc and inproc do. c.mu
// is held.
func (c *core) enter(conn net.Conn) (*fromAddress, error) {
	limits := &c.cfg.limits
	if limits.MaxPerAddress <= 0 && limits.MaxHandshakeRate <= 0 {
		return nil, nil
	}
	host, local := remoteHost(conn)
	if host == "" || local && !limits.CountLocal {
		return nil, nil
	}
	return c.addresses.enter(host, c.now(), limits)
}

// exit is called when a connection that enter has counted is over.
func (c *core) exit(o *fromAddress) {
	if o != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.addresses.leave(o, c.now())
	}
}

// remoteHost is where a connection comes from, and whether that is this host: its loopback addresses, or the very
// address that was connected to. Of IPv6 it is the first 64 bits, of which one host has all addresses behind them, but
// for link-local addresses, which have the same for all hosts. It is empty if it says nothing.
func remoteHost(conn net.Conn) (host string, local bool) {
	if conn.RemoteAddr() == nil || conn.LocalAddr() == nil {
		return "", false
	}
	switch conn.RemoteAddr().Network() {
	case "unix", "inproc":
		return "", true
	}
	host = hostOf(conn.RemoteAddr())
	local = host != "" && host == hostOf(conn.LocalAddr())
	ip, err := netip.ParseAddr(host)
	if err != nil { // a name, as simulated networks have it
		return host, local
	}
	ip = ip.Unmap()
	local = local || ip.IsLoopback()
	if ip.Is6() && !ip.IsLinkLocalUnicast() {
		network, _ := ip.WithZone("").Prefix(64) // cannot fail
		return network.String(), local
	}
	return ip.String(), local
}

// hostOf is an address without its port; empty if it has none.
func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return ""
	}
	return host
}
