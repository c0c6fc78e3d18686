package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
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
//
// Port 0 or * binds any free port; [Listener.Address] tells which. An
// interface name goes before a host name.
//
// To connect, host is an IP address (IPv6 in brackets) or a host name. A name is
// resolved anew at each Dial, and its IPv6 and IPv4 addresses are tried side by
// side (RFC 6555). As with libzmq, "source:port;host:port" also says where to
// connect from; the source has one of the forms for binding.
//
// Nagle's algorithm is always off (TCP_NODELAY): batching is done above, where
// it needs no delay.
//
// Listeners made here also have a method Addr() net.Addr, which returns the
// bound address as the kernel has it, wildcards included.
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

// Dial implements [Transport]. A connection to itself is refused with
// [ErrSelfConnect].
func (t *TCP) Dial(ctx context.Context, address string) (net.Conn, error) {
	a, err := parseTCP(address, ForConnect)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (net.Conn, error) {
		return nil, &OpError{Op: "dial", Endpoint: "tcp://" + address, Err: err}
	}
	target := net.JoinHostPort(a.host, strconv.Itoa(a.port))
	if t.DialContext != nil {
		c, err := t.DialContext(ctx, "tcp", target)
		if err != nil {
			return fail(err)
		}
		return c, nil
	}
	d := net.Dialer{Resolver: t.Resolver}
	d.KeepAlive, d.KeepAliveConfig = t.keepAlive()
	if a.source != nil {
		_, ip, err := t.local(ctx, a.source.host)
		if err != nil {
			return fail(fmt.Errorf("source address: %w", err))
		}
		d.LocalAddr = &net.TCPAddr{IP: ip.AsSlice(), Port: a.source.port, Zone: ip.Zone()}
		d.Control = reuseAddress
	}
	c, err := d.DialContext(ctx, "tcp", target)
	if err != nil {
		return fail(err)
	}
	conn, err := t.newConn(c.(*net.TCPConn))
	if err != nil {
		return fail(errors.Join(err, c.Close()))
	}
	// With nobody listening, a dial to a port in the ephemeral range can meet
	// itself (simultaneous open) and would then keep the port from its owner.
	if conn.LocalAddr().String() == conn.RemoteAddr().String() {
		return fail(errors.Join(fmt.Errorf("%w, since nobody listens there; try again later", ErrSelfConnect), conn.Close()))
	}
	return conn, nil
}

// Listen implements [Transport]. An address that is taken gives
// [ErrAddressInUse].
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
	var lc net.ListenConfig
	lc.KeepAlive, lc.KeepAliveConfig = t.keepAlive()
	lc.SetMultipathTCP(false) // Go's default is true on Linux; no peer of ours dials with it
	ln, err := lc.Listen(ctx, network, tcpString(ip, a.port))
	switch {
	case isInUse(err):
		return fail(&inUseError{advice: "stop the other program or bind another port (0 is any free one)", cause: err})
	case err != nil:
		return fail(err)
	}
	return &tcpListener{TCPListener: ln.(*net.TCPListener), tcp: t, endpoint: "tcp://" + address, address: dialable(ln.Addr().(*net.TCPAddr))}, nil
}

// tcpString is ip:port for package net, where no host is the wildcard.
func tcpString(ip netip.Addr, port int) string {
	if !ip.IsValid() {
		return net.JoinHostPort("", strconv.Itoa(port))
	}
	return netip.AddrPortFrom(ip, uint16(port)).String()
}

// keepAlive translates the fields for net.Dialer and net.ListenConfig, whose
// zero values and ours mean the same.
func (t *TCP) keepAlive() (time.Duration, net.KeepAliveConfig) {
	if t.KeepAliveIdle < 0 {
		return -1, net.KeepAliveConfig{}
	}
	return 0, net.KeepAliveConfig{Enable: true, Idle: t.KeepAliveIdle, Interval: t.KeepAliveInterval, Count: t.KeepAliveCount}
}

// tcpConn embeds the connection itself, not an interface, so that net.Buffers
// still finds writev on it.
type tcpConn struct {
	*net.TCPConn
	stream
}

func (t *TCP) newConn(c *net.TCPConn) (*tcpConn, error) {
	conn := &tcpConn{TCPConn: c}
	if err := conn.prepare(c); err != nil {
		return nil, err
	}
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

// tcpListener inherits Addr, the bound address as the kernel has it.
type tcpListener struct {
	*net.TCPListener
	tcp      *TCP
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

func (l *tcpListener) Close() error {
	if err := l.TCPListener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return &OpError{Op: "close", Endpoint: l.endpoint, Err: err}
	}
	return nil
}
