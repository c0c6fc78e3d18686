package ifaces

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func made(index int, name string, prefixes ...string) Interface {
	i := Interface{Name: name, Index: index, Multicast: true, Loopback: name == "lo"}
	for _, p := range prefixes {
		i.Addrs = append(i.Addrs, netip.MustParsePrefix(p))
	}
	return i
}

var lo = made(1, "lo", "127.0.0.1/8", "::1/128")

func TestSystem(t *testing.T) {
	s, err := System()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(s.Multicast(), func(i Interface) bool { return i.Loopback }) {
		t.Errorf("no loopback interface among those that multicast: %+v", s)
	}
	if a := netip.MustParseAddr("127.0.0.1"); !s.OnLink(a) || !s.Local(a) {
		t.Errorf("%v is neither local nor on-link in %+v", a, s)
	}
	for _, i := range s {
		n, err := net.InterfaceByIndex(i.Index)
		if err != nil || n.Name != i.Name || i.Running != (n.Flags&net.FlagRunning != 0) {
			t.Errorf("index %d, name %s: the system has %v, %v", i.Index, i.Name, n, err)
		}
		if !slices.IsSortedFunc(i.Addrs, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) }) {
			t.Errorf("not sorted: %v", i.Addrs)
		}
	}
}

func TestPrefix(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   net.Addr
		want string
	}{
		{"v4", &net.IPNet{IP: net.IPv4(10, 1, 2, 3).To4(), Mask: net.CIDRMask(24, 32)}, "10.1.2.3/24"},
		{"v4 in 16 bytes", &net.IPNet{IP: net.IPv4(10, 1, 2, 3), Mask: net.CIDRMask(24, 32)}, "10.1.2.3/24"},
		{"v4 mapped", &net.IPNet{IP: net.IPv4(10, 1, 2, 3), Mask: net.CIDRMask(120, 128)}, "10.1.2.3/24"},
		{"v6", &net.IPNet{IP: net.ParseIP("fd00::7"), Mask: net.CIDRMask(64, 128)}, "fd00::7/64"},
		{"hole in the mask", &net.IPNet{IP: net.IPv4(10, 1, 2, 3), Mask: net.IPMask{255, 0, 255, 0}}, ""},
		{"no mask", &net.IPNet{IP: net.IPv4(10, 1, 2, 3)}, ""},
		{"not a network", &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3)}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := prefix(tc.in)
			if ok != (tc.want != "") || ok && got.String() != tc.want {
				t.Errorf("%v, %v, want %q", got, ok, tc.want)
			}
		})
	}
}

func TestWhere(t *testing.T) {
	s := Snapshot{
		lo, made(2, "eth0", "10.0.0.5/24", "fe80::5/64", "fd00::5/64"), made(3, "ppp0", "192.0.2.8/31", "198.51.100.7/32"),
	}
	for _, tc := range []struct {
		name, addr               string
		local, onLink, broadcast bool
	}{
		{"loopback", "127.0.0.1", true, true, false},
		{"another loopback", "127.9.9.9", true, true, false},
		{"v6 loopback", "::1", true, true, false},
		{"our own", "10.0.0.5", true, true, false},
		{"our own, mapped", "::ffff:10.0.0.5", true, true, false},
		{"our own link-local", "fe80::5%eth0", true, true, false},
		{"a neighbour", "10.0.0.6", false, true, false},
		{"a v6 neighbour", "fd00::6", false, true, false},
		{"a link-local neighbour", "fe80::6%eth0", false, true, false},
		{"broadcast", "10.0.0.255", false, true, true},
		{"broadcast, mapped", "::ffff:10.0.0.255", false, true, true},
		{"the network", "10.0.0.0", false, true, true},
		{"elsewhere", "10.0.1.6", false, false, false},
		{"elsewhere's broadcast", "10.0.1.255", false, false, false},
		{"v6 elsewhere", "2001:db8::1", false, false, false},
		{"end of a /31", "192.0.2.9", false, true, false},
		{"start of a /31", "192.0.2.8", true, true, false},
		{"a /32", "198.51.100.7", true, true, false},
		{"v6 all ones", "fd00::ffff:ffff:ffff:ffff", false, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := netip.MustParseAddr(tc.addr)
			if got := s.Local(a); got != tc.local {
				t.Errorf("Local %v", got)
			}
			if got := s.OnLink(a); got != tc.onLink {
				t.Errorf("OnLink %v", got)
			}
			if got := s.Broadcast(a); got != tc.broadcast {
				t.Errorf("Broadcast %v", got)
			}
		})
	}
}

func TestLast(t *testing.T) {
	for in, want := range map[string]string{
		"10.1.2.3/8": "10.255.255.255", "10.1.2.3/24": "10.1.2.255", "10.1.2.3/30": "10.1.2.3", "10.1.2.9/29": "10.1.2.15",
		"10.1.2.3/12": "10.15.255.255", "0.0.0.0/0": "255.255.255.255", "10.1.2.3/32": "10.1.2.3",
	} {
		if got := last(netip.MustParsePrefix(in)).String(); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestMulticast(t *testing.T) {
	tun := made(3, "tun0", "10.8.0.2/24")
	tun.Multicast = false
	s := Snapshot{lo, tun, made(4, "eth0")}
	if got, want := s.Multicast(), (Snapshot{s[0], s[2]}); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if len(s) != 3 || s[1].Name != "tun0" {
		t.Errorf("the snapshot itself has changed: %+v", s)
	}
}

func TestDiff(t *testing.T) {
	eth := made(2, "eth0", "10.0.0.5/24")
	plugged := eth
	plugged.Running = true
	deaf := eth
	deaf.Multicast = false
	for _, tc := range []struct {
		name     string
		old, now Snapshot
		want     Change
	}{
		{"nothing", nil, nil, Change{}},
		{"the same", Snapshot{lo, eth}, Snapshot{lo, made(2, "eth0", "10.0.0.5/24")}, Change{}},
		{"one comes", Snapshot{lo}, Snapshot{lo, eth}, Change{Added: []Interface{eth}}},
		{"one goes", Snapshot{lo, eth}, Snapshot{lo}, Change{Removed: []Interface{eth}}},
		{
			"new address",
			Snapshot{eth},
			Snapshot{made(2, "eth0", "10.0.0.6/24")},
			Change{Changed: []Interface{made(2, "eth0", "10.0.0.6/24")}},
		},
		{
			"new prefix",
			Snapshot{eth},
			Snapshot{made(2, "eth0", "10.0.0.5/16")},
			Change{Changed: []Interface{made(2, "eth0", "10.0.0.5/16")}},
		},
		{
			"made anew",
			Snapshot{eth},
			Snapshot{made(9, "eth0", "10.0.0.5/24")},
			Change{Added: []Interface{made(9, "eth0", "10.0.0.5/24")}, Removed: []Interface{eth}},
		},
		{
			"renamed",
			Snapshot{eth},
			Snapshot{made(2, "lan0", "10.0.0.5/24")},
			Change{Added: []Interface{made(2, "lan0", "10.0.0.5/24")}, Removed: []Interface{eth}},
		},
		{"its cable is back", Snapshot{eth}, Snapshot{plugged}, Change{Changed: []Interface{plugged}}},
		{"no longer multicasts", Snapshot{eth}, Snapshot{deaf}, Change{Changed: []Interface{deaf}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := Diff(tc.old, tc.now)
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("%+v, want %+v", got, tc.want)
			}
			if got.None() != reflect.DeepEqual(tc.want, Change{}) {
				t.Errorf("None says %v", got.None())
			}
		})
	}
}

// A fake is a source that tests set.
type fake struct {
	mu    sync.Mutex
	now   Snapshot
	err   error
	asked int
}

func (f *fake) set(s Snapshot, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now, f.err = s, err
}

func (f *fake) take() (Snapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	return f.now, f.err
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		f := &fake{}
		eth, moved := made(2, "eth0", "10.0.0.5/24"), made(2, "eth0", "10.0.0.6/24")
		f.set(nil, errors.New("not yet"))
		c := Watch(ctx, 0, f.take)
		quiet := func(after time.Duration) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			select {
			case s := <-c:
				t.Errorf("told %+v", s)
			default:
			}
		}
		told := func(want Snapshot, within time.Duration) {
			t.Helper()
			start := time.Now()
			if s := <-c; !reflect.DeepEqual(s, want) {
				t.Errorf("%+v, want %+v", s, want)
			}
			if d := time.Since(start); d > within {
				t.Errorf("after %v, want %v at most", d, within)
			}
		}
		quiet(5 * time.Second)
		f.set(nil, nil)
		told(nil, Interval) // no interface at all is news, the first time
		f.set(Snapshot{lo}, nil)
		told(Snapshot{lo}, Interval)
		quiet(time.Minute)
		f.set(Snapshot{lo, eth}, nil)
		told(Snapshot{lo, eth}, Interval)
		f.set(nil, errors.New("broken"))
		quiet(time.Minute) // an error is no interface that goes
		f.set(Snapshot{lo}, nil)
		time.Sleep(2 * Interval)
		f.set(Snapshot{lo, moved}, nil)
		time.Sleep(2 * Interval)
		told(Snapshot{lo, moved}, 0) // what came between was not read in time
		quiet(time.Minute)
		cancel()
		if s, open := <-c; open {
			t.Errorf("%+v after the end", s)
		}
	})
}

func TestWatchPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := &fake{}
		c := Watch(ctx, 50*time.Millisecond, f.take)
		time.Sleep(time.Second + time.Millisecond)
		cancel()
		for range c { // until it is closed
		}
		if f.asked != 21 {
			t.Errorf("asked %d times in a second, want 21", f.asked)
		}
	})
}
