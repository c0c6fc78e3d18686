package transport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
)

func TestTCPThisHost(t *testing.T) {
	for _, tc := range []struct{ name, has, dual, ipv4 string }{
		{"usual", "127.0.0.1 ::1 10.0.0.7 fd00::7", "127.0.0.1", "127.0.0.1"},
		{"no IPv4 loopback", "::1 10.0.0.7 fd00::7", "::1", "10.0.0.7"},
		{"another IPv4 loopback", "127.0.0.9 ::1", "127.0.0.9", "127.0.0.9"},
		{"IPv6 alone", "::1 fd00::7 fe80::7%eth0", "::1", "127.0.0.1"},
		{"no loopback", "fe80::7%eth0 fd00::7 10.0.0.7", "10.0.0.7", "10.0.0.7"},
		{"no loopback, IPv6 alone", "fe80::7%eth0 fd00::7", "fd00::7", "127.0.0.1"},
		{"link-local alone", "fe80::7%eth0", "fe80::7%eth0", "127.0.0.1"},
		{"nothing", "", "127.0.0.1", "127.0.0.1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := thisHost(parseAddrs(tc.has), false).String(); got != tc.dual {
				t.Errorf("dual stack: got %s, want %s", got, tc.dual)
			}
			if got := thisHost(parseAddrs(tc.has), true).String(); got != tc.ipv4 {
				t.Errorf("IPv4: got %s, want %s", got, tc.ipv4)
			}
		})
	}
}

// freePorts returns the first of n ports in a row that nobody has, below those that systems give out by themselves.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	for range 1000 {
		first := 20_000 + rand.N(12_000)
		var got []net.Listener
		for port := first; port < first+n; port++ {
			l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
			if err != nil {
				break
			}
			got = append(got, l)
		}
		for _, l := range got {
			_ = l.Close()
		}
		if len(got) == n {
			return first
		}
	}
	t.Fatal("no free ports")
	return 0
}

func TestTCPRange(t *testing.T) {
	tr := NewTCP()
	for _, host := range []string{"127.0.0.1", "[127.0.0.1]", "localhost", loopback(t)} {
		t.Run(host, func(t *testing.T) {
			first := freePorts(t, 3)
			address := fmt.Sprintf("%s:%d-%d", host, first, first+2)
			for i := range 3 {
				l := listen(t, tr, address)
				if got, want := l.Address(), fmt.Sprintf("127.0.0.1:%d", first+i); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
			_, err := tr.Listen(t.Context(), address)
			want := "address already in use: no port of the range is free; " +
				"stop the other program or bind another port (0 is any free one)"
			if !errors.Is(err, ErrAddressInUse) || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("got  %v\nwant …%s", err, want)
			}
		})
	}
	t.Run("every address", func(t *testing.T) {
		first := freePorts(t, 2)
		taken := listen(t, tr, fmt.Sprintf("*:%d", first))
		l := listen(t, tr, fmt.Sprintf("*:%d-%d", first, first+1))
		if want := fmt.Sprintf("127.0.0.1:%d", first+1); l.Address() != want || taken.Address() == l.Address() {
			t.Errorf("got %s, want %s", l.Address(), want)
		}
	})
	t.Run("an address that is not ours ends the search", func(t *testing.T) {
		if _, err := tr.Listen(t.Context(), "192.0.2.77:1024-65535"); err == nil || errors.Is(err, ErrAddressInUse) {
			t.Errorf("got %v", err)
		}
	})
}

func TestTCPNamed(t *testing.T) {
	needIPv6(t)
	tr, lo := NewTCP(), loopback(t)
	for _, tc := range []struct {
		bind    string // the port is :*
		names   []string
		strange []string
	}{
		{
			"localhost",
			[]string{"localhost", "LOCALHOST", "127.0.0.1", "[127.0.0.1]", lo},
			[]string{"*", "127.0.0.2", "[::1]", "host"},
		},
		{lo, []string{lo, "localhost", "127.0.0.1"}, []string{"*", "0.0.0.0", "[::1]"}},
		{"*", []string{"*", "", "[*]", "[::]", "0.0.0.0", "127.0.0.1", "localhost", lo}, []string{"127.0.0.2", "host"}},
		{"0.0.0.0", []string{"*", "0.0.0.0", "[0.0.0.0]", "localhost"}, []string{"127.0.0.2"}},
		{"[::1]", []string{"[::1]", "[0::1]", lo, "localhost"}, []string{"127.0.0.1", "*"}},
	} {
		t.Run(tc.bind, func(t *testing.T) {
			l := listen(t, tr, tc.bind+":*")
			_, port, _ := net.SplitHostPort(l.Address())
			named := func(host, port string) bool { return l.(NamedListener).Named(host + ":" + port) }
			for _, host := range tc.names {
				if !named(host, port) {
					t.Errorf("not named %s", host)
				}
				if named(host, "1") || named(host, "*") || named(host, "1-"+port) {
					t.Errorf("named %s with another port", host)
				}
			}
			for _, host := range tc.strange {
				if named(host, port) {
					t.Errorf("named %s", host)
				}
			}
		})
	}
}
