package mdns

import (
	"encoding/binary"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/yodel-mq/yodel/discovery"
)

// A recorder is a sink that remembers. Index 2 is a network with 10.0.0.0/16 on it.
type recorder struct {
	mu    sync.Mutex
	nodes []discovery.Record
	label []string
	ttl   []time.Duration
	byes  []string
	asks  []dns.Question
	known []string

	daemon bool
}

func (s *recorder) onLink(index int, from netip.Addr) (string, bool) {
	return "eth0", index == 2 &&
		(from.Is6() && from.IsLinkLocalUnicast() || netip.MustParsePrefix("10.0.0.0/16").Contains(from))
}

func (s *recorder) heard(label string, r discovery.Record, ttl time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes, s.label, s.ttl = append(s.nodes, r), append(s.label, label), append(s.ttl, ttl)
}

func (s *recorder) left(label string, from netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byes = append(s.byes, label+" "+from.String())
}

func (s *recorder) asked(_ int, questions []dns.Question, known []string, daemon bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asks, s.known, s.daemon = append(s.asks, questions...), append(s.known, known...), daemon
}

func receiving() (*receiver, *recorder) {
	s := &recorder{}
	return &receiver{sink: s, sources: newSources()}, s
}

var (
	neighbour = netip.MustParseAddrPort("10.0.7.7:5353")
	someID    = discovery.ID{1, 2, 3}
	somebody  = discovery.Record{
		ID: someID, Incarnation: 7, Revision: 1, Group: discovery.DefaultGroup, Name: `a "quoted" \ näme`,
		Addrs:    []netip.Addr{netip.MustParseAddr("10.0.7.7")},
		Services: []discovery.Service{{Name: "orders", Type: "PUB", Endpoints: []string{"tcp://*:5555"}}},
	}
)

// records is what somebody announces.
func records(t testing.TB, r discovery.Record) []dns.RR {
	t.Helper()
	p, err := publish(r, discovery.Open(), 15*time.Second, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return p.records(serviceType, r.Addrs, cacheFlush)
}

func pack(t testing.TB, m dns.Msg) []byte {
	t.Helper()
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// announced is the packet of an announcement, changed.
func announced(t testing.TB, change func(m *dns.Msg)) []byte {
	t.Helper()
	m := dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Authoritative: true}, Compress: true, Answer: records(t, somebody)}
	if change != nil {
		change(&m)
	}
	return pack(t, m)
}

func ttls(m *dns.Msg, ttl uint32) {
	for _, rr := range m.Answer {
		rr.Header().Ttl = ttl
	}
}

func txtOf(m *dns.Msg) *dns.TXT {
	for _, rr := range m.Answer {
		if t, ok := rr.(*dns.TXT); ok {
			return t
		}
	}
	return nil
}

func TestHandle(t *testing.T) {
	label := someID.String()
	for _, tc := range []struct {
		name   string
		packet []byte
		from   string // neighbour if empty
		index  int    // 2 if 0
		want   drop
		nodes  int
		byes   int
		asks   int
	}{
		{name: "announcement", packet: announced(t, nil), nodes: 1},
		{name: "over IPv6", packet: announced(t, nil), from: "[fe80::7%2]:5353", nodes: 1},
		{name: "IPv4 mapped into IPv6", packet: announced(t, nil), from: "[::ffff:10.0.7.7]:5353", nodes: 1},
		{name: "upper case", packet: announced(t, func(m *dns.Msg) {
			for _, rr := range m.Answer {
				rr.Header().Name = strings.ToUpper(rr.Header().Name)
			}
		}), nodes: 1},
		{
			name:   "in the additional section",
			packet: announced(t, func(m *dns.Msg) { m.Extra, m.Answer = m.Answer[1:], m.Answer[:1] }), nodes: 1,
		},
		{
			name: "in the authority section", packet: announced(t, func(m *dns.Msg) { m.Ns, m.Answer = m.Answer, nil }),
			want: dropForeign,
		},
		{
			name:   "of another class",
			packet: announced(t, func(m *dns.Msg) { txtOf(m).Hdr.Class = dns.ClassCHAOS; m.Answer = m.Answer[1:] }),
			want:   dropForeign,
		},
		{name: "two nodes in one packet", packet: announced(t, func(m *dns.Msg) {
			other := somebody
			other.ID = discovery.ID{9}
			m.Answer = append(m.Answer, records(t, other)...)
		}), nodes: 2},
		{
			name: "one node twice", packet: announced(t, func(m *dns.Msg) { m.Answer = append(m.Answer, m.Answer...) }),
			nodes: 1,
		},
		{name: "goodbye", packet: must(goodbye(label)), byes: 1},
		{name: "goodbye with everything", packet: announced(t, func(m *dns.Msg) { ttls(m, 0) }), byes: 1},
		{name: "goodbye in a subtype", packet: announced(t, func(m *dns.Msg) {
			m.Answer = m.Answer[:1]
			ttls(m, 0)
			m.Answer[0].Header().Name = groupSubtype("default")
		}), byes: 1},
		{name: "goodbye of a host of another service", packet: announced(t, func(m *dns.Msg) {
			m.Answer = []dns.RR{
				&dns.PTR{
					Hdr: dns.RR_Header{Name: serviceType, Rrtype: dns.TypePTR, Class: dns.ClassINET}, Ptr: "x._ipp._tcp.local.",
				},
			}
		}), want: dropForeign},

		{name: "from another port", packet: announced(t, nil), from: "10.0.7.7:5354", want: dropSource},
		{name: "from off the link", packet: announced(t, nil), from: "192.0.2.1:5353", want: dropSource},
		{name: "on another interface", packet: announced(t, nil), index: 3, want: dropSource},
		{name: "empty", packet: nil, want: dropSize},
		{name: "eleven bytes", packet: make([]byte, 11), want: dropSize},
		{name: "jumbo", packet: append(announced(t, nil), make([]byte, maxPacket)...), want: dropSize},
		{name: "zeros", packet: make([]byte, 100), want: dropForeign},
		{name: "another service", packet: announced(t, func(m *dns.Msg) {
			m.Answer = []dns.RR{
				&dns.PTR{
					Hdr: dns.RR_Header{Name: "_ipp._tcp.local.", Rrtype: dns.TypePTR, Class: dns.ClassINET, Ttl: 9},
					Ptr: "x._ipp._tcp.local.",
				},
			}
		}), want: dropForeign},
		{name: "opcode", packet: announced(t, func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }), want: dropHeader},
		{name: "rcode", packet: announced(t, func(m *dns.Msg) { m.Rcode = dns.RcodeNameError }), want: dropHeader},
		{
			name: "as a query's known answers", packet: announced(t, func(m *dns.Msg) { m.Response = false }), want: dropForeign,
		},
		{name: "cut off", packet: announced(t, nil)[:60], want: dropContent},
		{name: "too many records", packet: announced(t, func(m *dns.Msg) {
			for range maxRecords {
				m.Answer = append(m.Answer, m.Answer[0])
			}
		}), want: dropContent},
		{name: "more records promised than allowed", packet: counting(announced(t, nil), 65535), want: dropContent},
		{name: "more records promised than there", packet: counting(announced(t, nil), 60), nodes: 1},
		{name: "pointer to itself", packet: looping(), want: dropContent},
		{name: "no id", packet: announced(t, func(m *dns.Msg) { txtOf(m).Txt = []string{"txtvers=1"} }), want: dropRecord},
		{name: "too many strings", packet: announced(t, func(m *dns.Msg) {
			for range maxTXTStrings {
				txtOf(m).Txt = append(txtOf(m).Txt, "a=b")
			}
		}), want: dropRecord},
		{name: "too much text", packet: announced(t, func(m *dns.Msg) {
			for range 6 {
				txtOf(m).Txt = append(txtOf(m).Txt, "a="+strings.Repeat("b", 250))
			}
		}), want: dropRecord},
		{name: "under the id of another node", packet: announced(t, func(m *dns.Msg) {
			txtOf(m).Hdr.Name = instanceName(discovery.ID{9}.String())
		}), want: dropRecord},
		{name: "next version", packet: announced(t, func(m *dns.Msg) { txtOf(m).Txt[0] = "txtvers=2" }), want: dropRecord},

		{name: "question", packet: must(question()), asks: 1},
		{name: "question for one", packet: must(questionFor(label)), asks: 1},
		{
			name: "question about something else", packet: must(packQuestion("x._ipp._tcp.local.", dns.TypePTR)),
			want: dropForeign,
		},
		{name: "question next to ours", packet: must(packQuestion("_yodel._udp.local.", dns.TypePTR)), want: dropForeign},
		{name: "question from a simple client", packet: must(question()), from: "10.0.7.7:40000", asks: 1},
		{name: "question from off the link", packet: must(question()), from: "192.0.2.1:40000", want: dropSource},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, s := receiving()
			from := neighbour
			if tc.from != "" {
				from = netip.MustParseAddrPort(tc.from)
			}
			index := tc.index
			if index == 0 {
				index = 2
			}
			if got := r.handle(tc.packet, from, index, 255); got != tc.want {
				t.Errorf("drop %d, want %d", got, tc.want)
			}
			if len(s.nodes) != tc.nodes || len(s.byes) != tc.byes || len(s.asks) != tc.asks {
				t.Errorf("nodes %v, goodbyes %v, questions %v", s.nodes, s.byes, s.asks)
			}
			if tc.nodes > 0 {
				want := somebody
				want.From = []netip.Addr{from.Addr().Unmap()}
				if want.From[0].Is6() {
					want.From[0] = want.From[0].WithZone("eth0")
				}
				if !reflect.DeepEqual(s.nodes[0], want) {
					t.Errorf("read\n%+v, want\n%+v", s.nodes[0], want)
				}
				if s.label[0] != label || s.ttl[0] != 15*time.Second {
					t.Errorf("label %s, TTL %v", s.label[0], s.ttl[0])
				}
			}
			if tc.asks > 0 && s.daemon != (from.Port() == port) {
				t.Errorf("takes %v for a daemon: %v", from, s.daemon)
			}
			if tc.byes > 0 && s.byes[0] != label+" 10.0.7.7" {
				t.Errorf("goodbyes %v", s.byes)
			}
			var dropped uint64
			for _, n := range reflect.ValueOf(r.stats().Dropped).Fields() {
				dropped += n.Uint()
			}
			if (dropped == 1) != (tc.want != kept) {
				t.Errorf("counted %+v", r.stats())
			}
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// counting changes the number of answers in the header.
func counting(packet []byte, answers uint16) []byte {
	binary.BigEndian.PutUint16(packet[6:], answers)
	return packet
}

// looping is a packet whose first name is a pointer to itself.
func looping() []byte {
	b := []byte{0, 0, 0x84, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 15, 0, 2, 0xc0, 12}
	return append(b, "\x06_yodel\x04_tcp\x05local\x00\x00\x10\x00\x01\x00\x00\x00\x0f\x00\x01\x00"...)
}

// The bytes of a packet as they are on the wire, made by another implementation's rules: no compression, TXT before
// PTR.
func TestHandleBytes(t *testing.T) {
	id := someID.String()
	name := "\x1a" + id + "\x06_Yodel\x04_TCP\x05Local\x00"
	txt := "\x09txtvers=1" + "\x1did=" + id + "\x03i=7" + "\x03r=1"
	packet := "\x00\x00\x84\x00\x00\x00\x00\x02\x00\x00\x00\x00" +
		name + "\x00\x10\x80\x01\x00\x00\x00\x0f\x00" + string(rune(len(txt))) + txt +
		"\x06_yodel\x04_tcp\x05local\x00" + "\x00\x0c\x00\x01\x00\x00\x00\x0f\x00" + string(rune(len(name))) + name
	r, s := receiving()
	if d := r.handle([]byte(packet), neighbour, 2, 0); d != kept {
		t.Fatalf("drop %d", d)
	}
	if len(s.nodes) != 1 || s.nodes[0].ID != someID || s.nodes[0].Incarnation != 7 || s.label[0] != id {
		t.Errorf("read %v %+v", s.label, s.nodes)
	}
}

func TestKnownAnswers(t *testing.T) {
	q := dns.Msg{
		Question: []dns.Question{{Name: serviceType, Qtype: dns.TypePTR, Qclass: dns.ClassINET}},
		Answer:   records(t, somebody),
	}
	r, s := receiving()
	if d := r.handle(pack(t, q), neighbour, 2, 255); d != kept {
		t.Fatalf("drop %d", d)
	}
	if len(s.nodes) != 0 || !reflect.DeepEqual(s.known, []string{someID.String()}) {
		t.Errorf("known %v, nodes %v", s.known, s.nodes)
	}
}

func TestLifetime(t *testing.T) {
	for _, tc := range []struct {
		name   string
		ttl    uint32
		legacy bool
		want   time.Duration
	}{
		{"ours", 15, false, 15 * time.Second},
		{"short", 10, false, 10 * time.Second},
		{"a daemon's answer to a simple client", 10, true, longest},
		{"ours, with the question", 15, true, 15 * time.Second},
		{"absurd", 1<<32 - 1, false, (1<<32 - 1) * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := lifetime(tc.ttl, tc.legacy); got != tc.want {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := receiving()
		packet := announced(t, nil)
		flood := func(from string, n int) {
			for range n {
				r.handle(packet, netip.MustParseAddrPort(from), 2, 255)
			}
		}
		flood("10.0.0.1:5353", 1000)
		if len(s.nodes) != packetBurst {
			t.Errorf("took %d of a burst, want %d", len(s.nodes), packetBurst)
		}
		flood("10.0.0.2:5353", 1)
		if len(s.nodes) != packetBurst+1 {
			t.Error("one flood shuts others out")
		}
		time.Sleep(time.Second)
		flood("10.0.0.1:5353", 1000)
		if got := len(s.nodes) - packetBurst - 1; got != packetsPerSecond {
			t.Errorf("took %d a second later, want %d", got, packetsPerSecond)
		}
		if got := r.stats().Dropped.Rate; got != 2000-packetBurst-packetsPerSecond {
			t.Errorf("counted %d", got)
		}
	})
}

func TestSourcesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSources()
		taken := 0
		a := netip.MustParseAddr("10.0.0.0")
		for range maxSources + 1000 {
			a = a.Next()
			if s.take(a, time.Now()) {
				taken++
			}
		}
		if len(s.by) != maxSources || taken != maxSources+packetBurst {
			t.Errorf("%d addresses, %d packets", len(s.by), taken)
		}
		time.Sleep(2 * time.Second)
		if !s.take(a.Next(), time.Now()) || len(s.by) != 1 {
			t.Errorf("%d addresses after a pause", len(s.by))
		}
	})
}

func TestOnLink(t *testing.T) {
	e := &engine{}
	e.links.Store(&map[int]*link{2: {iface: iface{
		Interface: net.Interface{Index: 2, Name: "eth0"},
		prefixes:  []netip.Prefix{netip.MustParsePrefix("10.0.0.5/24"), netip.MustParsePrefix("fd00::5/64")},
	}}})
	e.own.Store(&map[netip.Addr]struct{}{netip.MustParseAddr("192.0.2.1"): {}})
	for _, tc := range []struct {
		addr  string
		index int
		zone  string
		want  bool
	}{
		{"10.0.0.9", 2, "eth0", true},
		{"fd00::9", 2, "eth0", true},
		{"fe80::9%eth0", 2, "eth0", true},
		{"10.0.1.9", 2, "", false},
		{"10.0.0.9", 3, "", false},
		{"192.0.2.1", 1, "", true}, // from ourselves
	} {
		t.Run(tc.addr, func(t *testing.T) {
			if zone, ok := e.onLink(tc.index, netip.MustParseAddr(tc.addr)); ok != tc.want || zone != tc.zone {
				t.Errorf("%q, %v", zone, ok)
			}
		})
	}
}
