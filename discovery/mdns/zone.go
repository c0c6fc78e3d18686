package mdns

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/yodel-mq/yodel/discovery"
)

// A published is a record in the form in which it is on the wire now.
type published struct {
	label    string
	record   discovery.Record // sealed
	txt      []string         // escaped
	port     uint16
	ttl      uint32    // seconds
	made     time.Time // when it was sealed
	subtypes []string  // lower case
}

// publish seals a copy of r and makes the rest of it.
func publish(r discovery.Record, trust discovery.Trust, lifetime time.Duration, now time.Time) (*published, error) {
	r = r.Clone()
	p := &published{label: r.ID.String(), ttl: uint32(lifetime / time.Second), made: now, port: firstPort(&r)}
	if trust.Mode() != discovery.Open().Mode() {
		r.Lifetime = lifetime
	}
	if err := trust.Seal(&r); err != nil {
		return nil, err
	}
	txt, err := r.TXT()
	if err != nil {
		return nil, err
	}
	for _, s := range txt {
		p.txt = append(p.txt, escape(s))
	}
	group := r.Group // what the seal made of it
	if group == "" {
		group = discovery.DefaultGroup
	}
	p.subtypes = []string{groupSubtype(group)}
	for _, s := range r.Services {
		p.subtypes = append(p.subtypes, serviceSubtype(s.Name))
	}
	p.record = r
	return p, nil
}

// firstPort is the port of the first tcp endpoint, for those who only read the SRV record; 0 if there is none.
func firstPort(r *discovery.Record) uint16 {
	for _, s := range r.Services {
		for _, e := range s.Endpoints {
			if rest, ok := strings.CutPrefix(e, "tcp://"); ok {
				if n, err := strconv.ParseUint(rest[strings.LastIndexByte(rest, ':')+1:], 10, 16); err == nil {
					return uint16(n)
				}
			}
		}
	}
	return 0
}

// records is the whole of the node: the pointer under the name it was asked for, then the rest. See instance for flush.
func (p *published) records(pointer string, addrs []netip.Addr, flush uint16) []dns.RR {
	return append([]dns.RR{p.ptr(pointer)}, p.instance(addrs, flush)...)
}

func (p *published) ptr(name string) dns.RR {
	return &dns.PTR{Hdr: p.header(name, dns.TypePTR, 0), Ptr: instanceName(p.label)}
}

// instance is what is known under the node's own name. In announcements what belongs to one node alone has the
// cache-flush bit, without which others would add a changed record to what they know; answers to one client have it
// not (RFC 6762 sections 10.2 and 6.7).
func (p *published) instance(addrs []netip.Addr, flush uint16) []dns.RR {
	name := instanceName(p.label)
	rrs := []dns.RR{
		&dns.SRV{Hdr: p.header(name, dns.TypeSRV, flush), Port: p.port, Target: hostName(p.label)},
		&dns.TXT{Hdr: p.header(name, dns.TypeTXT, flush), Txt: p.txt},
	}
	return append(rrs, p.host(addrs, dns.TypeANY, flush)...)
}

func (p *published) host(addrs []netip.Addr, qtype, flush uint16) (rrs []dns.RR) {
	for _, a := range addrs {
		switch {
		case a.Is4() && (qtype == dns.TypeA || qtype == dns.TypeANY):
			rrs = append(rrs, &dns.A{Hdr: p.header(hostName(p.label), dns.TypeA, flush), A: net.IP(a.AsSlice())})
		case a.Is6() && (qtype == dns.TypeAAAA || qtype == dns.TypeANY):
			rrs = append(rrs, &dns.AAAA{Hdr: p.header(hostName(p.label), dns.TypeAAAA, flush), AAAA: net.IP(a.AsSlice())})
		}
	}
	return rrs
}

func (p *published) header(name string, rrtype, flags uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: rrtype, Class: dns.ClassINET | flags, Ttl: p.ttl}
}

// answer returns the records that answer a question; nil if it is not about this node.
func (p *published) answer(q dns.Question, addrs []netip.Addr) []dns.RR {
	if class := q.Qclass &^ cacheFlush; class != dns.ClassINET && class != dns.ClassANY {
		return nil
	}
	name := strings.ToLower(q.Name)
	switch {
	case name == enumeration:
		if q.Qtype == dns.TypePTR || q.Qtype == dns.TypeANY {
			return []dns.RR{&dns.PTR{Hdr: p.header(enumeration, dns.TypePTR, 0), Ptr: serviceType}}
		}
	case name == serviceType || slices.Contains(p.subtypes, name):
		if q.Qtype == dns.TypePTR || q.Qtype == dns.TypeANY {
			return fit(p.records(name, addrs, 0))
		}
	case name == instanceName(p.label):
		switch q.Qtype {
		case dns.TypeANY, dns.TypeSRV, dns.TypeTXT:
			return fit(p.instance(addrs, 0))
		}
	case name == hostName(p.label):
		return p.host(addrs, q.Qtype, 0)
	}
	return nil
}

// fit drops addresses, which are in TXT too, until the message is small enough.
func fit(rrs []dns.RR) []dns.RR {
	for len(rrs) > 0 && length(rrs) > maxMessage {
		switch rrs[len(rrs)-1].(type) {
		case *dns.A, *dns.AAAA:
			rrs = rrs[:len(rrs)-1]
		default:
			return rrs
		}
	}
	return rrs
}

func length(rrs []dns.RR) int {
	m := dns.Msg{Compress: true, Answer: rrs}
	return m.Len()
}

// addresses picks those under which the node can be reached over an interface: of the interface's own what the record
// has too, or all of them if it has none.
func addresses(i *iface, r *discovery.Record) (some []netip.Addr) {
	var all []netip.Addr
	for _, p := range i.prefixes {
		a := p.Addr()
		all = append(all, a)
		if slices.Contains(r.Addrs, a) {
			some = append(some, a)
		}
	}
	if some == nil {
		return all
	}
	return some
}

// A zone is what hashicorp's server for one interface asks for answers.
type zone struct {
	a     *announcement
	iface iface
	seen  map[questionKey]uint64 // see questionFilter
}

// Records implements the Zone of hashicorp/mdns. The server waits for it, so that a delay here delays the answer.
func (z *zone) Records(q dns.Question) []dns.RR {
	p := z.a.current(resealAfter)
	rrs := p.answer(q, addresses(&z.iface, &p.record))
	if rrs == nil {
		return nil
	}
	if _, one := labelOf(q.Name); one || isType(q.Name) {
		if !z.a.engine.filter.admit(z.iface.Index, q, z.seen, z.a.stop) {
			return nil
		}
	} else if z.iface.loopback() && len(*z.a.engine.links.Load()) > 1 {
		return nil // a question about the host, which may have come in on another interface: that one will answer
	}
	if !z.a.answers.take() {
		return nil
	}
	z.a.delayAnswer()
	return rrs
}
