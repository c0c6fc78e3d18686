package mdns

import (
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/yodel-mq/yodel/discovery"
)

// kindsOf lists the types of records.
func kindsOf(rrs []dns.RR) string {
	var kinds []string
	for _, rr := range rrs {
		kinds = append(kinds, dns.TypeToString[rr.Header().Rrtype])
	}
	return strings.Join(kinds, " ")
}

func TestAnswer(t *testing.T) {
	p, err := publish(somebody, discovery.Open(), 15*time.Second, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	addrs := []netip.Addr{netip.MustParseAddr("10.0.7.7"), netip.MustParseAddr("fd00::7")}
	instance, host := instanceName(p.label), hostName(p.label)
	const all = "SRV TXT A AAAA"
	for _, tc := range []struct {
		name  string
		qtype uint16
		class uint16
		want  string
	}{
		{name: serviceType, qtype: dns.TypePTR, want: "PTR " + all},
		{name: serviceType, qtype: dns.TypeANY, want: "PTR " + all},
		{name: serviceType, qtype: dns.TypePTR, class: dns.ClassINET | cacheFlush, want: "PTR " + all}, // wants unicast
		{name: serviceType, qtype: dns.TypePTR, class: dns.ClassANY, want: "PTR " + all},
		{name: serviceType, qtype: dns.TypePTR, class: dns.ClassCHAOS},
		{name: serviceType, qtype: dns.TypeTXT},
		{name: "_YODEL._TCP.Local.", qtype: dns.TypePTR, want: "PTR " + all},
		{name: "_g-default._sub._yodel._tcp.local.", qtype: dns.TypePTR, want: "PTR " + all},
		{name: "_s-orders._sub._yodel._tcp.local.", qtype: dns.TypePTR, want: "PTR " + all},
		{name: "_S-Orders._SUB._yodel._tcp.local.", qtype: dns.TypePTR, want: "PTR " + all},
		{name: "_s-other._sub._yodel._tcp.local.", qtype: dns.TypePTR},
		{name: instance, qtype: dns.TypeANY, want: all},
		{name: instance, qtype: dns.TypeSRV, want: all},
		{name: strings.ToUpper(instance), qtype: dns.TypeTXT, want: all},
		{name: instance, qtype: dns.TypePTR},
		{name: "x" + instance, qtype: dns.TypeANY},
		{name: host, qtype: dns.TypeA, want: "A"},
		{name: host, qtype: dns.TypeAAAA, want: "AAAA"},
		{name: host, qtype: dns.TypeANY, want: "A AAAA"},
		{name: host, qtype: dns.TypeTXT},
		{name: enumeration, qtype: dns.TypePTR, want: "PTR"},
		{name: enumeration, qtype: dns.TypeTXT},
		{name: "_ipp._tcp.local.", qtype: dns.TypePTR},
	} {
		t.Run(fmt.Sprintf("%s %s %d", tc.name, dns.TypeToString[tc.qtype], tc.class), func(t *testing.T) {
			if tc.class == 0 {
				tc.class = dns.ClassINET
			}
			got := p.answer(dns.Question{Name: tc.name, Qtype: tc.qtype, Qclass: tc.class}, addrs)
			if kindsOf(got) != tc.want {
				t.Errorf("%s, want %s", kindsOf(got), tc.want)
			}
			for _, rr := range got {
				if rr.Header().Class != dns.ClassINET {
					t.Errorf("class %x in an answer to one client", rr.Header().Class)
				}
				if rr.Header().Ttl != 15 {
					t.Errorf("TTL %d", rr.Header().Ttl)
				}
				if srv, ok := rr.(*dns.SRV); ok && (srv.Port != 5555 || srv.Target != host) {
					t.Errorf("%v", srv)
				}
			}
		})
	}
}

func TestAnswersFit(t *testing.T) {
	r := somebody.Clone()
	for i := range 15 {
		r.Services = append(r.Services,
			discovery.Service{
				Name: fmt.Sprintf("service-%02d-%s", i, strings.Repeat("x", 20)), Type: "PUB", Endpoints: []string{"tcp://*:5555"},
			})
	}
	p, err := publish(r, discovery.Open(), 15*time.Second, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var addrs []netip.Addr
	for a := netip.MustParseAddr("fd00::1"); len(addrs) < 40; a = a.Next() {
		addrs = append(addrs, a)
	}
	got := p.answer(dns.Question{Name: serviceType, Qtype: dns.TypePTR, Qclass: dns.ClassINET}, addrs)
	b, err := response(got)
	if err != nil || len(b) > maxMessage {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if !strings.HasPrefix(kindsOf(got), "PTR SRV TXT AAAA") {
		t.Errorf("left out too much: %s", kindsOf(got))
	}

	// What cannot fit is refused, and says why.
	for i := range r.Services {
		r.Services[i].Name = strings.Repeat("y", 55) + fmt.Sprint(i)
	}
	if _, err := New().Announce(t.Context(), r); err == nil || !strings.Contains(err.Error(), "discovery: bad record") {
		t.Errorf("announced a record too big for a packet: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	i := iface{Interface: net.Interface{Name: "eth0"}, prefixes: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.5/24"), netip.MustParsePrefix("10.0.0.6/24"), netip.MustParsePrefix("fe80::5/64"),
	}}
	for name, tc := range map[string]struct{ has, want string }{
		"one of them":       {"10.0.0.6 192.168.1.1", "10.0.0.6"},
		"none of them":      {"192.168.1.1", "10.0.0.5 10.0.0.6 fe80::5"},
		"nothing announced": {"", "10.0.0.5 10.0.0.6 fe80::5"},
	} {
		t.Run(name, func(t *testing.T) {
			parse := func(s string) (all []netip.Addr) {
				for f := range strings.FieldsSeq(s) {
					all = append(all, netip.MustParseAddr(f))
				}
				return all
			}
			if got := addresses(&i, &discovery.Record{Addrs: parse(tc.has)}); !slices.Equal(got, parse(tc.want)) {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}

func TestPrivate(t *testing.T) {
	for _, tc := range []struct {
		addrs string
		want  bool
	}{
		{"127.0.0.1/8 ::1/128", true},
		{"10.1.2.3/8", true},
		{"192.168.1.2/24 2001:db8::1/64", true},
		{"100.64.0.1/10", true},
		{"169.254.1.1/16", true},
		{"fe80::1/64", true},
		{"203.0.113.7/24 fe80::1/64", false},
		{"203.0.113.7/24 10.0.0.1/8", true},
	} {
		t.Run(tc.addrs, func(t *testing.T) {
			var i iface
			for f := range strings.FieldsSeq(tc.addrs) {
				i.prefixes = append(i.prefixes, netip.MustParsePrefix(f))
			}
			if i.private() != tc.want {
				t.Errorf("%v, want %v", i.private(), tc.want)
			}
		})
	}
}

func TestFirstPort(t *testing.T) {
	for endpoints, want := range map[string]uint16{
		"ipc:///tmp/x tcp://*:5555":       5555,
		"tcp://[fd00::1]:80 tcp://*:5555": 80,
		"tcp://*:99999":                   0,
		"tcp://":                          0,
		"":                                0,
	} {
		r := discovery.Record{Services: []discovery.Service{{Endpoints: strings.Fields(endpoints)}}}
		if got := firstPort(&r); got != want {
			t.Errorf("%q: %d, want %d", endpoints, got, want)
		}
	}
}

func TestPublishKeepsTheRecord(t *testing.T) {
	r := somebody.Clone()
	trust, err := discovery.GroupKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	p, err := publish(r, trust, 15*time.Second, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(r, somebody) {
		t.Errorf("changed to %+v", r)
	}
	if p.record.Lifetime != 15*time.Second || len(p.record.Proof) == 0 {
		t.Errorf("not sealed: %+v", p.record)
	}
	if slices.Contains(p.subtypes, groupSubtype("default")) {
		t.Errorf("tells the group's name: %v", p.subtypes)
	}
}
