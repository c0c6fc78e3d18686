package socket

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"
)

// A placed connection has addresses and nothing else.
type placed struct {
	net.Conn
	local, remote net.Addr
}

func (p placed) LocalAddr() net.Addr  { return p.local }
func (p placed) RemoteAddr() net.Addr { return p.remote }

func tcpAt(t *testing.T, at string) net.Addr {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", at)
	must(t, err)
	return a
}

func TestRemoteHost(t *testing.T) {
	for _, tt := range []struct {
		name, local, remote string
		host                string
		isLocal             bool
	}{
		{"IPv4", "10.0.0.1:5555", "10.0.0.7:40000", "10.0.0.7", false},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:5555", "[::ffff:10.0.0.7]:40000", "10.0.0.7", false},
		{"the same address", "10.0.0.1:5555", "10.0.0.1:40000", "10.0.0.1", true},
		{"loopback", "127.0.0.1:5555", "127.0.0.1:40000", "127.0.0.1", true},
		{"another loopback", "127.0.0.1:5555", "127.8.8.8:40000", "127.8.8.8", true},
		{"IPv6 is its network", "[2001:db8::1]:5555", "[2001:db8:1:2:3:4:5:6]:40000", "2001:db8:1:2::/64", false},
		{"IPv6 of the same network", "[2001:db8::1]:5555", "[2001:db8::2]:40000", "2001:db8::/64", false},
		{"IPv6, the same address", "[2001:db8::1]:5555", "[2001:db8::1]:40000", "2001:db8::/64", true},
		{"IPv6 loopback", "[::1]:5555", "[::1]:40000", "::/64", true},
		{"link-local", "[fe80::1%eth0]:5555", "[fe80::2%eth0]:40000", "fe80::2%eth0", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			host, local := remoteHost(placed{nil, tcpAt(t, tt.local), tcpAt(t, tt.remote)})
			if host != tt.host || local != tt.isLocal {
				t.Errorf("it is %q, local %t, want %q, %t", host, local, tt.host, tt.isLocal)
			}
		})
	}
	for name, conn := range map[string]net.Conn{
		"a unix socket": placed{nil, &net.UnixAddr{Name: "/a:1", Net: "unix"}, &net.UnixAddr{Name: "/a:1", Net: "unix"}},
		"no address":    placed{nil, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if host, _ := remoteHost(conn); host != "" {
				t.Errorf("it is %q, want nothing", host)
			}
		})
	}
}

// TestAddressesRate: ten seconds' worth may come at once, and then as many as the rate allows, however they come.
func TestAddressesRate(t *testing.T) {
	for _, rate := range []int{1, 3, 1000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			var a addresses
			limits := &Limits{MaxHandshakeRate: rate}
			let := func(now time.Duration, tries int) (in int) {
				for range tries {
					o, err := a.enter("x", now, limits)
					switch {
					case err == nil:
						a.leave(o, now)
						in++
					case !errors.Is(err, ErrTooFast):
						t.Fatal(err)
					}
				}
				return in
			}
			start := time.Hour
			if n := let(start, 11*rate); n != 10*rate {
				t.Errorf("%d at once, want %d", n, 10*rate)
			}
			if n := let(start+time.Second+time.Microsecond, 10*rate); n != rate {
				t.Errorf("%d a second later, want %d", n, rate)
			}
			if n := let(start+time.Minute, 11*rate); n != 10*rate {
				t.Errorf("%d a minute later, want %d", n, 10*rate)
			}
		})
	}
}

// TestAddressesAreForgotten: of addresses that tell nothing any more next to none are kept, and none of the others is
// forgotten.
func TestAddressesAreForgotten(t *testing.T) {
	var a addresses
	limits := &Limits{MaxHandshakeRate: 100, MaxPerAddress: 1}
	now := time.Duration(0)
	stays, err := a.enter("stays", now, limits)
	must(t, err)
	most := 0
	for i := range 100_000 {
		now += time.Millisecond
		o, err := a.enter(fmt.Sprint(i), now, limits)
		must(t, err)
		a.leave(o, now)
		most = max(most, len(a.by))
	}
	if most > 2*fewAddresses {
		t.Errorf("%d addresses were kept, want at most %d", most, 2*fewAddresses)
	}
	if _, err := a.enter("stays", now, limits); !errors.Is(err, ErrTooManyFromAddress) {
		t.Errorf("a second connection of one that stays: %v", err)
	}
	a.leave(stays, now)
	if a.by["stays"] != nil {
		t.Error("an address without connections is not forgotten")
	}
}
