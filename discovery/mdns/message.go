package mdns

import (
	"github.com/miekg/dns"
)

const (
	maxMessage = 1200    // bytes that we send: fits every link, and leaves an attacker little to gain from our answers
	cacheFlush = 1 << 15 // RFC 6762 section 10.2: this replaces what you know under that name and type
)

// response packs what we announce.
func response(records []dns.RR) ([]byte, error) {
	m := dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Authoritative: true}, Compress: true, Answer: records}
	return m.Pack()
}

// goodbye packs the end of a node: its PTR alone, with no time to live. With more records in it, simple clients would
// report the node as found.
func goodbye(label string) ([]byte, error) {
	return response([]dns.RR{&dns.PTR{
		Hdr: dns.RR_Header{Name: serviceType, Rrtype: dns.TypePTR, Class: dns.ClassINET}, Ptr: instanceName(label),
	}})
}

// question packs a question for all nodes.
func question() ([]byte, error) { return packQuestion(serviceType, dns.TypePTR) }

// questionFor packs a question for one node.
func questionFor(label string) ([]byte, error) { return packQuestion(instanceName(label), dns.TypeANY) }

func packQuestion(name string, qtype uint16) ([]byte, error) {
	m := dns.Msg{Question: []dns.Question{{Name: name, Qtype: qtype, Qclass: dns.ClassINET}}}
	return m.Pack()
}
