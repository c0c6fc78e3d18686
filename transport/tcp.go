package transport

import (
	"context"
	"net"
	"time"
)

// TCP is the transport for tcp://host:port. The zero value is ready to use;
// set fields before first use. It may be shared by any number of sockets.
//
// To bind:
//
//	tcp://*:5557, tcp://:5557, tcp://[::]:5557   every address, IPv4 and IPv6
//	tcp://0.0.0.0:5557                           every IPv4 address
//	tcp://192.0.2.7:5557, tcp://[2001:db8::7]:5557
//	tcp://eth0:5557      the interface's first address, IPv4 preferred
//	tcp://host:5557      the host name's first address, IPv4 preferred
//	tcp://*:5000-5100    the first free port of a range, here of every address
//
// Port 0 or * binds any free port; [Listener.Address] tells which. An
// interface name goes before a host name. On a host without IPv6 every address is every IPv4 address. As with
// libzmq, brackets may be around any host, not an IPv6 address alone.
//
// To connect, host is an IP address (IPv6 in brackets) or a host name. A name is resolved anew at each Dial, and its
// addresses are tried in the order of RFC 6724, IPv6 and IPv4 by turns: another one when an attempt fails or 250 ms
// have passed, the earlier ones going on meanwhile (RFC 8305). If the context has a deadline the pause is as short as
// it takes to begin with the last address before half of the time is over, so that dead ones never keep the others
// from their turn. At most 32 attempts run at once.
//
// As with libzmq, "source:port;host:port" also says where to
// connect from; the source has one of the forms for binding, but for the range. Of several addresses that the source
// stands for, as those of an interface, each address of the target gets the first one of its own family, a link-local
// one if it is link-local itself; the zone of a link-local target without one is the source's.
//
// Nagle's algorithm is always off (TCP_NODELAY): batching is done above, where
// it needs no delay.
//
// Listeners made here also have a method Addr() net.Addr, which returns the bound address as the kernel has it,
// wildcards included. [Listener.Address] has in place of a wildcard an address at which this host reaches the
// listener: 127.0.0.1 or, where that does not exist, [::1] or an address of an interface that is up.
type TCP struct {
	// KeepAliveIdle is how long a connection is silent before the kernel
	// probes whether the peer's host is still there (ZMQ_TCP_KEEPALIVE,
	// ZMQ_TCP_KEEPALIVE_IDLE), rounded up to whole seconds. 0 means 15 seconds; a
	// negative value turns keep-alive off altogether.
	KeepAliveIdle time.Duration

	// KeepAliveInterval is the time between probes (ZMQ_TCP_KEEPALIVE_INTVL),
	// rounded up to whole seconds. 0 means 15 seconds; a negative value leaves it
	// to the operating system.
	KeepAliveInterval time.Duration

	// KeepAliveCount is how many probes may go unanswered before the
	// connection fails (ZMQ_TCP_KEEPALIVE_CNT). 0 means 9; a negative value
	// leaves it to the operating system.
	KeepAliveCount int

	// SendBuffer and RecvBuffer are the sizes of the kernel's buffers in bytes
	// (ZMQ_SNDBUF, ZMQ_RCVBUF). 0 or less leaves them to the operating system,
	// which adapts them to the traffic.
	SendBuffer, RecvBuffer int

	// Resolver looks up host names. nil means [net.DefaultResolver].
	Resolver *net.Resolver

	// DialContext, if not nil, opens the connections instead of a [net.Dialer]:
	// through a SOCKS proxy (ZMQ_SOCKS_PROXY), say, with golang.org/x/net/proxy.
	// Source addresses, Resolver and the other fields then do nothing for Dial.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
}

// NewTCP returns a TCP transport with default settings, the same as &TCP{}.
func NewTCP() *TCP { return &TCP{} }

var _ Transport = (*TCP)(nil)

// Scheme returns "tcp".
func (*TCP) Scheme() string { return "tcp" }

// Validate implements [Transport]; its errors are [AddressError] values.
func (*TCP) Validate(address string, use Use) error {
	_, err := parseTCP(address, use)
	return err
}

// Canonical implements [Canonicalizer]: IP addresses and ports are written in one way, wildcards as *, and the name
// of a host to connect to in lower case. Names are not resolved.
func (*TCP) Canonical(address string, use Use) string {
	a, err := parseTCP(address, use)
	if err != nil {
		return address
	}
	return a.String()
}

// keepAlive translates the fields for net.Dialer and net.ListenConfig, whose
// zero values and ours mean the same.
func (t *TCP) keepAlive() (time.Duration, net.KeepAliveConfig) {
	if t.KeepAliveIdle < 0 {
		return -1, net.KeepAliveConfig{}
	}
	return 0, net.KeepAliveConfig{
		Enable: true, Idle: t.KeepAliveIdle, Interval: t.KeepAliveInterval, Count: t.KeepAliveCount,
	}
}

// tcpConn embeds the connection itself, not an interface, so that net.Buffers
// still finds writev on it.
type tcpConn struct {
	*net.TCPConn
	stream
	inspected
	farEnd
}

func (t *TCP) newConn(c *net.TCPConn) (*tcpConn, error) {
	conn := &tcpConn{TCPConn: c}
	if err := conn.prepare(c); err != nil {
		return nil, err
	}
	conn.firstLook()
	if t.SendBuffer > 0 {
		if err := c.SetWriteBuffer(t.SendBuffer); err != nil {
			return nil, err
		}
	}
	if t.RecvBuffer > 0 {
		if err := c.SetReadBuffer(t.RecvBuffer); err != nil {
			return nil, err
		}
	}
	return conn, nil
}
