package transport

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func parseAddrs(s string) (ips []netip.Addr) {
	for f := range strings.FieldsSeq(s) {
		ips = append(ips, netip.MustParseAddr(f))
	}
	return ips
}

func TestTCPAlternate(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"one family", "10.0.0.1 10.0.0.2", "10.0.0.1 10.0.0.2"},
		{"IPv6 first", "fd00::1 fd00::2 fd00::3 10.0.0.1", "fd00::1 10.0.0.1 fd00::2 fd00::3"},
		{"IPv4 first", "10.0.0.1 fd00::1 fd00::2 10.0.0.2 fd00::3", "10.0.0.1 fd00::1 10.0.0.2 fd00::2 fd00::3"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := alternate(parseAddrs(tc.in)); !slices.Equal(got, parseAddrs(tc.want)) {
				t.Errorf("got %v, want %s", got, tc.want)
			}
		})
	}
}

func TestTCPSourceFor(t *testing.T) {
	const eth0 = "10.0.0.1 10.0.0.2 fd00::1 fd00::2 fe80::1%eth0"
	for _, tc := range []struct{ name, to, sources, want string }{
		{"IPv4", "10.9.9.9", eth0, "10.0.0.1"},
		{"IPv6", "fd99::9", eth0, "fd00::1"},
		{"link-local", "fe80::9", eth0, "fe80::1%eth0"},
		{"link-local from what there is", "fe80::9%eth0", "10.0.0.1 fd00::1", "fd00::1"},
		{"IPv6 from a link-local address alone", "fd99::9", "10.0.0.1 fe80::1%eth0", "fe80::1%eth0"},
		{"mapped", "::ffff:10.9.9.9", eth0, "10.0.0.1"},
		{"no IPv6", "fd99::9", "10.0.0.1", ""},
		{"no IPv4", "10.9.9.9", "fd00::1 fe80::1%eth0", ""},
		{"any", "fd99::9", "0.0.0.0", "invalid IP"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := sourceFor(netip.MustParseAddr(tc.to), parseAddrs(tc.sources))
			if ok != (tc.want != "") || ok && got.String() != tc.want {
				t.Errorf("got %v, %t; want %s", got, ok, tc.want)
			}
		})
	}
}

// The loopback interface has addresses of both families, so its name does as a source for either.
func TestTCPSourceIsOfTheTargetsFamily(t *testing.T) {
	needIPv6(t)
	var dns fakeDNS
	t.Cleanup(dns.wg.Wait)
	tr := &TCP{Resolver: dns.resolver()}
	lo := loopback(t)
	l := listen(t, tr, "*:0")
	_, port, _ := net.SplitHostPort(l.Address())
	for _, tc := range []struct {
		name, target string
		has          string // what the name stands for
		want         string
	}{
		{"IPv4", "127.0.0.1", "", "127.0.0.1"},
		{"IPv6", "[::1]", "", "::1"},
		{"name with IPv6 alone", "six.yodel.test.", "::1", "::1"},
		{"name with IPv4 alone", "four.yodel.test.", "127.0.0.1", "127.0.0.1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.has != "" {
				dns.answer.Store(addrs(parseAddrs(tc.has)))
			}
			dial(t, tr, lo+":0;"+tc.target+":"+port)
			if got := accept(t, l).RemoteAddr().(*net.TCPAddr).IP.String(); got != tc.want {
				t.Errorf("dialled from %s, want %s", got, tc.want)
			}
		})
	}
	t.Run("a source of one family chooses among a name's addresses", func(t *testing.T) {
		dns.answer.Store(addrs(parseAddrs("::1 127.0.0.1")))
		for source, want := range map[string]string{"127.0.0.1": "127.0.0.1", "[::1]": "::1"} {
			dial(t, tr, source+":0;both.yodel.test.:"+port)
			if got := accept(t, l).RemoteAddr().(*net.TCPAddr).IP.String(); got != want {
				t.Errorf("dialled from %s, want %s", got, want)
			}
		}
	})
	t.Run("nothing in common", func(t *testing.T) {
		_, err := tr.Dial(t.Context(), "127.0.0.1:0;[::1]:"+port)
		want := `source address: "127.0.0.1" ([127.0.0.1]) and "::1" ([::1]) have no address family in common`
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got  %v\nwant …%s", err, want)
		}
	})
}

func TestTCPLinkLocalTargetGetsTheZoneOfItsSource(t *testing.T) {
	tr := NewTCP()
	for _, tc := range []struct{ name, address, want string }{
		{"source with a zone", "[fe80::1%eth7]:0;[fe80::9]:5", "[fe80::9%eth7]:5"},
		{"target with a zone", "[fe80::1%eth7]:0;[fe80::9%eth8]:5", "[fe80::9%eth8]:5"},
		{"source without", "[fd00::1]:0;[fe80::9]:5", "[fe80::9]:5"},
		{"not link-local", "[fe80::1%eth7]:0;[fd00::9]:5", "[fd00::9]:5"},
		{"interface", loopback(t) + ":0;[fe80::9]:5", "[fe80::9%" + loopback(t) + "]:5"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, err := parseTCP(tc.address, ForConnect)
			if err != nil {
				t.Fatal(err)
			}
			routes, err := tr.routes(t.Context(), a)
			if err != nil || len(routes) != 1 || routes[0].to.String() != tc.want {
				t.Errorf("got %v, %v; want %s", routes, err, tc.want)
			}
		})
	}
}

// A name's addresses come in the order of the resolver, and one that refuses does not keep the next from its turn.
func TestTCPDialsEveryAddressOfAName(t *testing.T) {
	var dns fakeDNS
	t.Cleanup(dns.wg.Wait)
	tr := &TCP{Resolver: dns.resolver()}
	l := listen(t, tr, "127.0.0.3:0")
	_, port, _ := net.SplitHostPort(l.Address())
	dns.answer.Store(addrs(parseAddrs("127.0.0.1 127.0.0.2 127.0.0.3")))
	c := dial(t, tr, "three.yodel.test.:"+port)
	accept(t, l)
	if got := c.RemoteAddr().String(); got != l.Address() {
		t.Errorf("dialled %s", got)
	}
	dns.answer.Store(addrs(parseAddrs("127.0.0.1 127.0.0.2")))
	_, err := tr.Dial(t.Context(), "three.yodel.test.:"+port)
	if !isRefused(err) || !strings.Contains(err.Error(), "127.0.0.1:"+port+": ") ||
		!strings.Contains(err.Error(), "127.0.0.2:"+port+": ") {
		t.Errorf("got %v, want both addresses", err)
	}
}
