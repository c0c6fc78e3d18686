package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestTCPBindForms(t *testing.T) {
	for _, tc := range []struct {
		name, bind string
		bound      string   // host that the kernel has
		address    string   // host that Address gives
		refused    []string // hosts that must not connect
		accepted   []string
		v6         bool
	}{
		{name: "IPv4", bind: "127.0.0.1:0", bound: "127.0.0.1", address: "127.0.0.1", accepted: []string{"127.0.0.1"}},
		{
			name: "IPv6", bind: "[::1]:0", bound: "::1", address: "::1", accepted: []string{"::1"},
			refused: []string{"127.0.0.1"}, v6: true,
		},
		{name: "star", bind: "*:0", bound: "::", address: "127.0.0.1", accepted: []string{"127.0.0.1", "::1"}, v6: true},
		{name: "no host", bind: ":0", bound: "::", address: "127.0.0.1", accepted: []string{"127.0.0.1", "::1"}, v6: true},
		{
			name: "IPv6 wildcard", bind: "[::]:0", bound: "::", address: "127.0.0.1", accepted: []string{"127.0.0.1", "::1"},
			v6: true,
		},
		{
			name: "IPv4 wildcard", bind: "0.0.0.0:0", bound: "0.0.0.0", address: "127.0.0.1", accepted: []string{"127.0.0.1"},
			refused: []string{"::1"}, v6: true,
		},
		{name: "host name", bind: "localhost:0", bound: "127.0.0.1", address: "127.0.0.1", accepted: []string{"127.0.0.1"}},
		{name: "port star", bind: "127.0.0.1:*", bound: "127.0.0.1", address: "127.0.0.1", accepted: []string{"127.0.0.1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.v6 {
				needIPv6(t)
			}
			tr := NewTCP()
			l := listen(t, tr, tc.bind)
			host, port, err := net.SplitHostPort(l.Address())
			if err != nil || host != tc.address || port == "0" {
				t.Fatalf("address %q, %v; want host %s", l.Address(), err, tc.address)
			}
			if err := tr.Validate(l.Address(), ForConnect); err != nil {
				t.Errorf("the bound address cannot be dialled: %v", err)
			}
			if got := l.(interface{ Addr() net.Addr }).Addr().(*net.TCPAddr).IP.String(); got != tc.bound {
				t.Errorf("bound to %s, want %s", got, tc.bound)
			}
			for _, host := range tc.accepted {
				dial(t, tr, net.JoinHostPort(host, port))
				accept(t, l)
			}
			for _, host := range tc.refused {
				if c, err := tr.Dial(t.Context(), net.JoinHostPort(host, port)); err == nil {
					_ = c.Close()
					t.Errorf("%s was let in", host)
				}
			}
		})
	}
}

// loopback is the name of the loopback interface: lo, lo0, …
func loopback(t *testing.T) string {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Skip("no list of interfaces:", err)
	}
	for _, ifi := range all {
		if ifi.Flags&net.FlagLoopback != 0 && ifi.Flags&net.FlagUp != 0 && !strings.Contains(ifi.Name, " ") {
			return ifi.Name
		}
	}
	t.Skip("no loopback interface")
	return ""
}

func TestTCPInterface(t *testing.T) {
	name := loopback(t)
	tr := NewTCP()
	l := listen(t, tr, name+":0")
	if !strings.HasPrefix(l.Address(), "127.0.0.1:") {
		t.Errorf("%s is bound at %s", name, l.Address())
	}
	dial(t, tr, name+":0;"+l.Address())
	if got := accept(t, l).RemoteAddr().(*net.TCPAddr).IP.String(); got != "127.0.0.1" {
		t.Errorf("dialled from %s", got)
	}

	t.Run("neither interface nor host", func(t *testing.T) {
		_, err := tr.Listen(t.Context(), "no-such-0.invalid:0")
		if err == nil || !strings.Contains(err.Error(), `and no host has the name "no-such-0.invalid": `) ||
			!strings.Contains(err.Error(), name) {
			t.Errorf("got %v", err)
		}
	})
}

func TestPreferIPv4(t *testing.T) {
	a := netip.MustParseAddr
	for _, tc := range []struct {
		name string
		in   []netip.Addr
		want netip.Addr
	}{
		{"none", nil, netip.Addr{}},
		{"IPv4 after IPv6", []netip.Addr{a("fd00::1"), a("192.0.2.1"), a("192.0.2.2")}, a("192.0.2.1")},
		{"mapped", []netip.Addr{a("::ffff:192.0.2.1")}, a("192.0.2.1")},
		{"IPv6 alone", []netip.Addr{a("fd00::1"), a("fe80::1%eth0")}, a("fd00::1")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := preferIPv4(tc.in); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestDialable(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"IPv4", "192.0.2.1:5", "192.0.2.1:5"},
		{"IPv6", "[2001:db8::1]:5", "[2001:db8::1]:5"},
		{"zone", "[fe80::1%eth0]:5", "[fe80::1%eth0]:5"},
		{"wildcard", "0.0.0.0:5", "127.0.0.1:5"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := dialable(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(tc.in))); got != tc.want {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestTCPSource(t *testing.T) {
	tr := NewTCP()
	l := listen(t, tr, "127.0.0.1:0")
	other := listen(t, tr, "127.0.0.1:0")

	// A source port that is free, and then one that a connection to another
	// peer has left in TIME_WAIT: the side that closes first keeps it.
	free := listen(t, tr, "127.0.0.1:0")
	source := free.Address()
	_ = free.Close()
	for _, l := range []Listener{l, other} {
		client := dial(t, tr, source+";"+l.Address())
		server := accept(t, l)
		if got := server.RemoteAddr().String(); got != source {
			t.Fatalf("dialled from %s, want %s", got, source)
		}
		_ = client.Close()
		if _, err := server.Read(make([]byte, 1)); err != io.EOF {
			t.Fatal(err)
		}
		_ = server.Close()
	}

	t.Run("source cannot be had", func(t *testing.T) {
		_, err := tr.Dial(t.Context(), "192.0.2.77:0;"+l.Address())
		if err == nil || !strings.HasPrefix(err.Error(), "transport: dial tcp://192.0.2.77:0;"+l.Address()+": ") {
			t.Errorf("got %v", err)
		}
	})
}

func TestTCPSelfConnect(t *testing.T) {
	tr := NewTCP()
	l := listen(t, tr, "127.0.0.1:0")
	_ = l.Close()
	_, err := tr.Dial(t.Context(), l.Address()+";"+l.Address())
	if errors.Is(err, syscall.ECONNREFUSED) {
		t.Skip("this kernel does not connect a port to itself")
	}
	if !errors.Is(err, ErrSelfConnect) {
		t.Fatalf("got %v", err)
	}
	if want := "connected to itself, since nobody listens there; try again later"; !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got  %v\nwant …%s", err, want)
	}
	// The port must be free again for its owner.
	listen(t, tr, l.Address())
}

func TestTCPAddressInUse(t *testing.T) {
	tr := NewTCP()
	l := listen(t, tr, "127.0.0.1:0")
	_, err := tr.Listen(t.Context(), l.Address())
	want := "transport: listen tcp://" + l.Address() +
		": address already in use: stop the other program or bind another port (0 is any free one)"
	if !errors.Is(err, ErrAddressInUse) || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if !isInUse(err) {
		t.Error("the system's error is lost")
	}
	_ = l.Close()
	listen(t, tr, l.Address()) // free again at once
}

func TestTCPInterfaceWithoutAddress(t *testing.T) {
	_, err := interfaceAddr(&net.Interface{Name: "x0"})
	if want := "interface x0 is down; bring it up or bind another"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestTCPKeepAliveFields(t *testing.T) {
	for _, tc := range []struct {
		name   string
		tr     TCP
		period time.Duration
		want   net.KeepAliveConfig
	}{
		{"default", TCP{}, 0, net.KeepAliveConfig{Enable: true}},
		{"off", TCP{KeepAliveIdle: -1, KeepAliveCount: 3}, -1, net.KeepAliveConfig{}},
		{
			"set",
			TCP{KeepAliveIdle: time.Minute, KeepAliveInterval: time.Second, KeepAliveCount: 3},
			0,
			net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: time.Second, Count: 3},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if period, got := tc.tr.keepAlive(); period != tc.period || got != tc.want {
				t.Errorf("got %v, %+v", period, got)
			}
		})
	}
}

func TestTCPKernelBuffers(t *testing.T) {
	tcp := &TCP{SendBuffer: 64 << 10, RecvBuffer: 32 << 10}
	ln, err := tcp.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dialed, err := tcp.Dial(t.Context(), ln.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer dialed.Close()
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	// With nobody reading, what fits is bounded by the two buffers; the kernel may take a few times what was asked.
	total := 0
	for chunk, n := make([]byte, 16<<10), 16<<10; n == len(chunk); total += n {
		if n, err = dialed.(TryWriter).TryWrite(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if most := 1 << 20; total > most {
		t.Errorf("the kernel took %d bytes, want at most %d with small buffers", total, most)
	}
}

func TestTCPDialContext(t *testing.T) {
	ln, err := NewTCP().Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var asked string
	tcp := &TCP{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		asked = network + " " + address
		var d net.Dialer
		return d.DialContext(ctx, network, ln.Address())
	}}
	c, err := tcp.Dial(t.Context(), "behind-the-proxy.example:5555")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if asked != "tcp behind-the-proxy.example:5555" {
		t.Errorf("asked for %q", asked)
	}
	tcp.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no proxy") }
	if _, err := tcp.Dial(t.Context(), "x:1"); err == nil || !strings.Contains(err.Error(), "tcp://x:1") {
		t.Errorf("Dial: %v, want an error that names the endpoint", err)
	}
}
