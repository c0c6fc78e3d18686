package discovery

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	neighbour := func(endpoints ...string) Record { return offer(1, endpoints...) } // from 10.0.0.101
	local := func(endpoints ...string) Record {
		r := offer(1, endpoints...)
		r.Host, r.From = here, addrs("127.0.0.1", "10.0.0.5")
		return r
	}
	with := func(r Record, change func(*Record)) Record { change(&r); return r }
	from := func(r Record, a ...string) Record {
		return with(r, func(r *Record) { r.From = addrs(a...) })
	}
	configured := func(endpoints ...string) Record {
		return Record{ID: nth(1), Configured: true, Services: []Service{{Name: "orders", Endpoints: endpoints}}}
	}
	offLink := Policy{OffLink: true}
	for _, tc := range []struct {
		name string
		p    Policy
		r    Record
		want []string
		why  string // part of the error if there is none
	}{
		// The wildcard.
		{"wildcard, a neighbour", Policy{}, with(neighbour("tcp://*:5001"), func(r *Record) {
			r.Addrs = addrs("fd00::9", "10.0.0.9", "10.0.0.101", "192.0.2.9")
		}), []string{"tcp://10.0.0.101:5001", "tcp://[fd00::9]:5001", "tcp://10.0.0.9:5001"}, ""},
		{"wildcard, all", offLink, with(neighbour("tcp://*:5001"), func(r *Record) {
			r.Addrs = addrs("192.0.2.9", "10.0.0.9")
		}), []string{"tcp://10.0.0.101:5001", "tcp://10.0.0.9:5001", "tcp://192.0.2.9:5001"}, ""},
		{
			"wildcard, link-local source",
			Policy{},
			from(neighbour("tcp://*:5001"), "fe80::9%eth0", "10.0.0.9"),
			[]string{"tcp://[fe80::9%eth0]:5001", "tcp://10.0.0.9:5001"},
			"",
		},
		{
			"wildcard, link-local source without zone",
			Policy{},
			from(neighbour("tcp://*:5001"), "fe80::9"), nil,
			"not known on which interface",
		},
		{"wildcard, same host", Policy{}, local("tcp://*:5001"), []string{"tcp://127.0.0.1:5001", "tcp://10.0.0.5:5001"}, ""},
		{
			"wildcard, same host, no network",
			Policy{},
			from(local("tcp://*:5001"), "127.0.0.1"),
			[]string{"tcp://127.0.0.1:5001"},
			"",
		},
		{"wildcard, no address", Policy{}, from(neighbour("tcp://*:5001")), nil, "no address is known"},
		{
			"wildcard as the system writes it",
			Policy{},
			neighbour("tcp://0.0.0.0:1", "tcp://[::]:2", "tcp://:3"),
			[]string{"tcp://10.0.0.101:1", "tcp://10.0.0.101:2", "tcp://10.0.0.101:3"},
			"",
		},
		{
			"wildcard, an off-link source",
			Policy{},
			from(neighbour("tcp://*:5001"), "192.0.2.9"),
			[]string{"tcp://192.0.2.9:5001"},
			"",
		},
		{
			"wildcard, mapped source",
			Policy{},
			from(neighbour("tcp://*:5001"), "::ffff:10.0.0.9"),
			[]string{"tcp://10.0.0.9:5001"},
			"",
		},

		// One address.
		{"the source", Policy{}, neighbour("tcp://10.0.0.101:5001"), []string{"tcp://10.0.0.101:5001"}, ""},
		{"on-link", Policy{}, neighbour("tcp://10.0.0.9:5001"), []string{"tcp://10.0.0.9:5001"}, ""},
		{"v6 on-link", Policy{}, neighbour("tcp://[fd00::9]:5001"), []string{"tcp://[fd00::9]:5001"}, ""},
		{"mapped", Policy{}, neighbour("tcp://[::ffff:10.0.0.9]:5001"), []string{"tcp://10.0.0.9:5001"}, ""},
		{"off-link", Policy{}, neighbour("tcp://192.0.2.9:5001"), nil, "none of this host's networks"},
		{"off-link, allowed", offLink, neighbour("tcp://192.0.2.9:5001"), []string{"tcp://192.0.2.9:5001"}, ""},
		{"off-link, v6", Policy{}, neighbour("tcp://[2001:db8::1]:5001"), nil, "none of this host's networks"},
		{
			"link-local, zone of the source",
			Policy{},
			from(neighbour("tcp://[fe80::9%wlan7]:5001"), "fe80::9%eth0"),
			[]string{"tcp://[fe80::9%eth0]:5001"},
			"",
		},
		{
			"link-local of another",
			Policy{},
			from(neighbour("tcp://[fe80::8]:5001"), "fe80::9%eth0"), nil,
			"not known on which interface",
		},
		{
			"link-local with a zone of its own", offLink, neighbour("tcp://[fe80::9%eth0]:5001"), nil,
			"not known on which interface",
		},
		{
			"order", offLink,
			local("tcp://192.0.2.9:1", "tcp://10.0.0.9:2", "tcp://10.0.0.5:3", "tcp://127.0.0.1:4", "ipc:///run/x", "ipc://@x"),
			[]string{
				"ipc:///run/x", "ipc://@x", "tcp://127.0.0.1:4", "tcp://10.0.0.5:3", "tcp://10.0.0.9:2", "tcp://192.0.2.9:1",
			},
			"",
		},
		{
			"twice the same",
			Policy{},
			with(neighbour("tcp://*:1", "tcp://10.0.0.101:1"), func(r *Record) { r.Addrs = r.From }),
			[]string{"tcp://10.0.0.101:1"},
			"",
		},

		// Loopback.
		{
			"loopback, same host",
			Policy{},
			local("tcp://127.0.0.1:5001", "tcp://[::1]:5001"),
			[]string{"tcp://127.0.0.1:5001", "tcp://[::1]:5001"},
			"",
		},
		{"loopback, another host", Policy{}, neighbour("tcp://127.0.0.1:5001"), nil, "on another host"},
		{
			"loopback, another host, allowed off-link", offLink,
			neighbour("tcp://127.0.0.1:5001", "tcp://127.1.2.3:1", "tcp://[::1]:1", "tcp://[::ffff:127.0.0.1]:1"), nil,
			"on another host",
		},
		{
			"loopback as an address", offLink,
			with(neighbour("tcp://*:5001"), func(r *Record) { r.Addrs = addrs("127.0.0.1", "::1") }),
			[]string{"tcp://10.0.0.101:5001"},
			"",
		},
		{
			"our token from another host",
			Policy{},
			with(neighbour("tcp://127.0.0.1:631", "ipc:///run/docker.sock"), func(r *Record) { r.Host = here }), nil,
			"on another host",
		},
		{
			"our token from two hosts",
			Policy{},
			from(local("tcp://127.0.0.1:631"), "127.0.0.1", "10.0.0.66"), nil,
			"on another host",
		},
		{"no token", Policy{}, with(local("tcp://127.0.0.1:5001"), func(r *Record) { r.Host = "" }), nil, "on another host"},
		{"another token over lo", Policy{}, from(neighbour("tcp://*:5001"), "127.0.0.1"), nil, "on another host"},
		{
			"our own address from another host",
			Policy{},
			neighbour("tcp://10.0.0.5:22", "tcp://[fd00::5]:22"), nil,
			"address of this host",
		},
		{
			"our own address from here, without a token",
			Policy{},
			from(with(neighbour("tcp://*:5001"), func(r *Record) { r.Host = "" }), "10.0.0.5"),
			[]string{"tcp://10.0.0.5:5001"},
			"",
		},

		// No address of anybody.
		{
			"multicast", offLink, neighbour("tcp://224.0.0.251:1", "tcp://239.1.2.3:1", "tcp://[ff02::fb]:1"), nil,
			"no address of a host",
		},
		{"broadcast", offLink, neighbour("tcp://255.255.255.255:1"), nil, "no address of a host"},
		{
			"broadcast of our network", offLink, neighbour("tcp://10.0.0.255:1", "tcp://10.0.0.0:1"), nil,
			"no address of a host",
		},
		{"reserved", offLink, neighbour("tcp://0.1.2.3:1", "tcp://240.0.0.1:1"), nil, "no address of a host"},
		{
			"from nowhere", offLink, from(neighbour("tcp://*:5001"), "0.0.0.0", "::", "224.0.0.1", "10.0.0.255"), nil,
			"no address of a host",
		},
		{
			"bad addresses", offLink,
			with(from(neighbour("tcp://*:5001")), func(r *Record) { r.Addrs = []netip.Addr{{}, netip.IPv6Unspecified()} }), nil,
			"no address of a host",
		},

		// Ports and syntax.
		{
			"ports", offLink,
			neighbour("tcp://10.0.0.9:0", "tcp://10.0.0.9:65536", "tcp://10.0.0.9:-1", "tcp://10.0.0.9:+1", "tcp://10.0.0.9:01",
				"tcp://10.0.0.9:", "tcp://10.0.0.9:*", "tcp://10.0.0.9:http"),
			nil, "the port is not 1 to 65535",
		},
		{"no port", offLink, neighbour("tcp://10.0.0.9"), nil, "no port"},
		{"not an endpoint", offLink, neighbour("", "tcp", "tcp://", "://", "10.0.0.9:1"), nil, "not scheme://address"},
		{
			"another scheme", offLink, neighbour("inproc://x", "file:///etc/passwd", "TCP://10.0.0.9:1"), nil,
			"neither tcp nor ipc",
		},
		{"a source to connect from", offLink, neighbour("tcp://eth0:0;10.0.0.9:1"), nil, "neither a name nor an address"},
		{
			"bad hosts", offLink,
			neighbour("tcp://10.0.0:1", "tcp://10.0.0.300:1", "tcp://a b:1", "tcp://a/b:1",
				"tcp://"+strings.Repeat("x", 254)+":1", "tcp://2130706433:1", "tcp://0x7f\x00:1"),
			nil, "neither a name nor an address",
		},

		// Names.
		{"name", Policy{}, neighbour("tcp://db1.example:5001"), nil, "a host name may lead anywhere"},
		{"name, allowed", offLink, neighbour("tcp://db1.example:5001"), []string{"tcp://db1.example:5001"}, ""},
		{
			"names of loopback", offLink, neighbour("tcp://localhost:1", "tcp://LOCALHOST.:1", "tcp://a.localhost:1"), nil,
			"on another host",
		},
		{"name of loopback, same host", Policy{}, local("tcp://localhost:1"), []string{"tcp://localhost:1"}, ""},

		// ipc.
		{"ipc, another host", offLink, neighbour("ipc:///run/x", "ipc://@x"), nil, "on another host"},
		{
			"ipc, no such file",
			Policy{},
			local("ipc:///gone", "tcp://*:1"),
			[]string{"tcp://127.0.0.1:1", "tcp://10.0.0.5:1"},
			"",
		},
		{"ipc, strange", Policy{}, local("ipc://x", "ipc://./x", "ipc://~/x"), nil, "relative"},
		{
			"ipc, no path",
			Policy{},
			local("ipc://*", "ipc://@", "ipc:///a\x00b", "ipc:///"+strings.Repeat("x", 107)), nil,
			"no path",
		},
		{
			"ipc without a host token",
			Policy{},
			with(local("ipc:///run/x"), func(r *Record) { r.Host = "" }), nil,
			"on another host",
		},

		// The user's own.
		{
			"configured",
			Policy{},
			configured("tcp://db1.example:1", "tcp://192.0.2.9:2", "tcp://127.0.0.1:3", "tcp://10.0.0.5:4",
				"tcp://[fe80::9%eth0]:5", "ipc://rel", "tls://x:1"),
			[]string{
				"ipc://rel", "tcp://127.0.0.1:3", "tcp://10.0.0.5:4", "tcp://db1.example:1", "tcp://192.0.2.9:2",
				"tcp://[fe80::9%eth0]:5", "tls://x:1",
			},
			"",
		},
		{
			"configured, and nonsense",
			Policy{},
			configured("tcp://db1.example:0", "tcp://224.0.0.1:2", "tcp://0.0.0.0:3", "tcp://[fe80::9]:5", "ipc://*", "x"), nil,
			"the port is not",
		},

		// Allow.
		{
			"Allow",
			Policy{Allow: func(e string, r *Record) bool { return r.ID == nth(1) && strings.HasSuffix(e, "1") }},
			neighbour("tcp://10.0.0.9:1", "tcp://10.0.0.9:2"),
			[]string{"tcp://10.0.0.9:1"},
			"",
		},
		{
			"Allow allows nothing",
			Policy{Allow: func(string, *Record) bool { return false }},
			neighbour("tcp://10.0.0.9:1"),
			nil, "Policy.Allow",
		},
		{
			"Allow is not asked about what is not allowed",
			Policy{Allow: func(string, *Record) bool { return true }},
			neighbour("tcp://192.0.2.9:1"), nil, "none of this host's",
		},
		{"nothing", Policy{}, neighbour(), nil, "it announces none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at := locality{here, home, func(path string) bool { return path == "/run/x" || path == "/run/docker.sock" }}
			got, err := tc.p.choose(&tc.r, "orders", nil, at)
			if !slices.Equal(got, tc.want) {
				t.Errorf("%q, want %q (%v)", got, tc.want, err)
			}
			if tc.why != "" && (!errors.Is(err, ErrNoEndpoint) || !strings.Contains(err.Error(), tc.why)) ||
				tc.why == "" && err != nil {
				t.Errorf("%v, want ErrNoEndpoint with %q", err, tc.why)
			}
		})
	}
}

func TestChooseServices(t *testing.T) {
	r := offer(1)
	r.Services = []Service{
		{Name: "orders", Type: "PUB", Endpoints: []string{"tcp://*:1"}},
		{Name: "orders", Type: "REP", Endpoints: []string{"tcp://*:2"}},
		{Name: "other", Type: "PUB", Endpoints: []string{"tcp://*:3"}},
		{Name: "orders", Endpoints: []string{"tcp://*:4"}},
	}
	for _, tc := range []struct {
		name, service string
		types         []string
		ports         string
	}{
		{"one type", "orders", []string{"PUB"}, "14"},
		{"types", "orders", []string{"PUB", "REP"}, "124"},
		{"any type", "orders", nil, "124"},
		{"any service", "", []string{"PUB"}, "134"},
		{"all", "", nil, "1234"},
		{"none", "nothing", nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, _ := (&Policy{}).choose(&r, tc.service, tc.types, locality{here, home, nil})
			ports := ""
			for _, e := range got {
				ports += e[len(e)-1:]
			}
			if ports != tc.ports {
				t.Errorf("%v, want the ports %s", got, tc.ports)
			}
			if offers(&r, tc.service, tc.types) != (tc.ports != "") {
				t.Error("offers says otherwise")
			}
		})
	}
}

// A record may be as large as it likes.
func TestChooseHuge(t *testing.T) {
	r := offer(1)
	s := &r.Services[0]
	for i := range 10000 {
		s.Endpoints = append(s.Endpoints, fmt.Sprintf("tcp://*:%d", 1+i))
		r.From = append(r.From, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
		r.Addrs = append(r.Addrs, netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}))
	}
	for range 100 {
		r.Services = append(r.Services, *s)
	}
	asked := 0
	p := Policy{OffLink: true, Allow: func(string, *Record) bool { asked++; return false }}
	at := locality{here, home, nil}
	if got, err := p.choose(&r, "orders", nil, at); err == nil {
		t.Errorf("%v", got)
	}
	if most := maxEndpoints * (2*maxAddrs + 1); asked > most {
		t.Errorf("looked at %d endpoints, want %d at most", asked, most)
	}
	p.Allow = nil
	if got, err := p.choose(&r, "orders", nil, at); len(got) != maxCandidates || err != nil {
		t.Errorf("%d endpoints, %v, want %d", len(got), err, maxCandidates)
	}
}

func TestIsSocket(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if !isSocket(path) {
		t.Error("a socket is none")
	}
	if isSocket(dir) || isSocket(filepath.Join(dir, "none")) {
		t.Error("what is none is a socket")
	}
}

func FuzzChoose(f *testing.F) {
	for _, e := range []string{
		"tcp://*:1", "tcp://[fe80::1%eth0]:5", "ipc:///x", "ipc://@x", "tcp://127.0.0.1:1", "tcp://localhost:1",
		"tcp://[::ffff:127.0.0.1]:80",
	} {
		f.Add(e, false)
		f.Add(e, true)
	}
	f.Fuzz(func(t *testing.T, endpoint string, offLink bool) {
		r := offer(1, endpoint)
		got, err := (&Policy{OffLink: offLink}).choose(&r, "orders", nil, locality{here, home, func(string) bool {
			return true
		}})
		if (err == nil) == (len(got) == 0) {
			t.Fatalf("%v, %v", got, err)
		}
		for _, e := range got {
			rest, ok := strings.CutPrefix(e, "tcp://")
			if !ok {
				t.Fatalf("%q of a record from another host", e)
			}
			a, err := netip.ParseAddrPort(rest)
			switch {
			case err != nil && offLink: // a name
			case err != nil:
				t.Fatalf("%q: %v", e, err)
			case a.Port() == 0, a.Addr().IsLoopback(), a.Addr().IsMulticast(), a.Addr().IsUnspecified(), home.Local(a.Addr()),
				a.Addr().Is4In6(), !offLink && !home.OnLink(a.Addr()):
				t.Fatalf("%q", e)
			}
		}
	})
}
