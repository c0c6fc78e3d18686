package mdns

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/yodel-mq/yodel/discovery"
)

// What a packet may have in it.
const (
	maxPacket     = 9000 // RFC 6762 section 17
	minPacket     = 12   // the header
	maxRecords    = 64   // in one packet, all sections together, questions too
	maxTXTStrings = 32
	maxTXTBytes   = 1300
)

// A sink takes what the receiver has read.
type sink interface {
	// onLink reports whether packets from that address may come in on the interface with that index, and the name of
	// it.
	onLink(index int, from netip.Addr) (zone string, ok bool)
	// heard takes a node's record. label is its name, usually its ID.
	heard(label string, r discovery.Record, ttl time.Duration)
	// left takes a goodbye.
	left(label string, from netip.Addr)
	// asked takes the questions about this service in one packet, on the interface with that index. known are the nodes
	// that the sender knows already; daemon says that the sender is an mDNS daemon, on port 5353, and no simple client.
	asked(index int, questions []dns.Question, known []string, daemon bool)
}

// A receiver judges packets. It knows no sockets, and is safe for concurrent use.
type receiver struct {
	sink    sink
	sources *sources
	counters
}

// handle takes a packet that came from that address on the interface with that index, and returns why it was not
// used. ttl is its IP TTL or hop limit, 0 if not known; it is not judged, since the answers of hashicorp/mdns have
// the system's default.
func (r *receiver) handle(packet []byte, from netip.AddrPort, index, ttl int) drop {
	r.received.Add(1)
	d := r.judge(packet, from, index, ttl)
	if d != kept {
		r.drops[d].Add(1)
	}
	return d
}

func (r *receiver) judge(packet []byte, from netip.AddrPort, index, _ int) drop {
	if len(packet) < minPacket || len(packet) > maxPacket {
		return dropSize
	}
	if !mentions(packet) { // before all that takes memory: most packets are about something else
		return dropForeign
	}
	addr := from.Addr().Unmap()
	zone, ok := r.sink.onLink(index, addr)
	if !ok {
		return dropSource
	}
	if addr.IsLinkLocalUnicast() && addr.Is6() {
		addr = addr.WithZone(zone)
	}
	if !r.sources.take(addr, time.Now()) {
		return dropRate
	}
	flags := binary.BigEndian.Uint16(packet[2:])
	const opcode, rcode, isResponse = 0x7800, 0x000f, 0x8000
	if flags&(opcode|rcode) != 0 {
		return dropHeader
	}
	if flags&isResponse != 0 && from.Port() != port { // RFC 6762 section 6
		return dropSource
	}
	total := 0
	for at := 4; at < minPacket; at += 2 {
		total += int(binary.BigEndian.Uint16(packet[at:]))
	}
	if total > maxRecords {
		return dropContent
	}
	var m dns.Msg
	if m.Unpack(packet) != nil {
		return dropContent
	}
	if flags&isResponse == 0 {
		return r.question(&m, index, from.Port() == port)
	}
	return r.response(&m, addr)
}

// mentions reports whether the packet can be about our service: its name must be spelled out at least once, only later
// mentions can be pointers to it.
func mentions(packet []byte) bool {
	const label = "\x06_yodel"
	for rest := packet; ; {
		at := bytes.IndexByte(rest, label[0])
		if at < 0 || len(rest)-at < len(label) {
			return false
		}
		if bytes.EqualFold(rest[at:at+len(label)], []byte(label)) {
			return true
		}
		rest = rest[at+1:]
	}
}

// question tells of questions about us.
func (r *receiver) question(m *dns.Msg, index int, daemon bool) drop {
	var ours []dns.Question
	for _, q := range m.Question {
		if _, one := labelOf(q.Name); one || isType(q.Name) {
			ours = append(ours, q)
		}
	}
	if ours == nil {
		return dropForeign
	}
	var known []string
	for _, rr := range m.Answer {
		if ptr, ok := rr.(*dns.PTR); ok && isType(ptr.Hdr.Name) {
			if label, ok := labelOf(ptr.Ptr); ok {
				known = append(known, label)
			}
		}
	}
	r.questions.Add(1)
	r.sink.asked(index, ours, known, daemon)
	return kept
}

// response takes records and goodbyes out of a message. The answers in a question are not taken: they are what its
// sender claims to know of others.
func (r *receiver) response(m *dns.Msg, from netip.Addr) drop {
	result := dropForeign
	var seen []string // a message has one record for each node
	for _, rr := range slices.Concat(m.Answer, m.Extra) {
		h := rr.Header()
		if h.Class&^cacheFlush != dns.ClassINET {
			continue
		}
		switch rr := rr.(type) {
		case *dns.TXT:
			label, ok := labelOf(h.Name)
			if !ok || h.Ttl == 0 || slices.Contains(seen, label) {
				continue
			}
			seen = append(seen, label)
			record, ok := parse(rr.Txt)
			if !ok || another(label, record.ID) {
				result = dropRecord
				continue
			}
			record.From = []netip.Addr{from}
			r.records.Add(1)
			r.sink.heard(label, record, lifetime(h.Ttl, len(m.Question) > 0))
		case *dns.PTR:
			if h.Ttl != 0 || !isType(h.Name) {
				continue
			}
			label, ok := labelOf(rr.Ptr)
			if !ok || slices.Contains(seen, label) {
				continue
			}
			r.goodbyes.Add(1)
			r.sink.left(label, from)
		default:
			continue
		}
		if result == dropForeign {
			result = kept
		}
	}
	return result
}

// another reports whether a label is the ID of another node than id; only that node may use it.
func another(label string, id discovery.ID) bool {
	other, err := discovery.ParseID(label)
	return err == nil && other != id
}

func parse(txt []string) (discovery.Record, bool) {
	if len(txt) > maxTXTStrings {
		return discovery.Record{}, false
	}
	raw := make([]string, 0, len(txt))
	size := 0
	for _, s := range txt {
		s = unescape(s)
		size += 1 + len(s)
		raw = append(raw, s)
	}
	if size > maxTXTBytes {
		return discovery.Record{}, false
	}
	r, err := discovery.ParseTXT(raw)
	return r, err == nil
}

// legacyTTL is the cap of TTLs in answers to simple clients (RFC 6762 section 6.7). This backend asks as a simple
// client, yet remembers the answer: of one with this TTL the true lifetime is not known, and usually over an hour.
const legacyTTL = 10

// lifetime is how long to believe a record; the table bounds it.
func lifetime(ttl uint32, legacy bool) time.Duration {
	if legacy && ttl <= legacyTTL {
		return longest
	}
	return time.Duration(ttl) * time.Second
}

const longest = 3 * maxRefresh
