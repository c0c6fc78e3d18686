package dns

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A zone is a name server whose records change.
type zone struct {
	t    *testing.T
	addr string

	mu      sync.Mutex
	records []dns.RR
	rcode   int // when not 0, of all answers

	asked chan struct{} // a question, unless nobody is waiting for one
}

func newZone(t *testing.T, records ...string) *zone {
	t.Helper()
	return newZoneAt(t, "127.0.0.1", records...)
}

// newZoneAt is for an address of the namespace that the caller's thread is in.
func newZoneAt(t *testing.T, addr string, records ...string) *zone {
	t.Helper()
	z := &zone{t: t, asked: make(chan struct{})}
	z.set(records...)
	l, err := net.Listen("tcp", net.JoinHostPort(addr, "0"))
	if err != nil {
		t.Fatal(err)
	}
	z.addr = l.Addr().String()
	p, err := net.ListenPacket("udp", z.addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*dns.Server{{Listener: l, Handler: z}, {PacketConn: p, Handler: z}} {
		up := make(chan struct{})
		s.NotifyStartedFunc = func() { close(up) }
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = s.ActivateAndServe()
		}()
		<-up
		t.Cleanup(func() {
			_ = s.Shutdown()
			<-done
		})
	}
	return z
}

// set makes these the records of the zone, in the form of a zone file.
func (z *zone) set(records ...string) {
	var rrs []dns.RR
	for _, s := range records {
		rr, err := dns.NewRR(s)
		if err != nil {
			z.t.Fatal(err)
		}
		rrs = append(rrs, rr)
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.records, z.rcode = rrs, 0
}

// fail has the server answer with that code only.
func (z *zone) fail(rcode int) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.rcode = rcode
}

// questions waits for n more.
func (z *zone) questions(n int) {
	z.t.Helper()
	patience := time.NewTimer(20 * time.Second)
	defer patience.Stop()
	for i := range n {
		select {
		case <-z.asked:
		case <-patience.C:
			z.t.Fatalf("%d questions in 20 s, want %d", i, n)
		}
	}
}

// ServeDNS answers as an authoritative server, and truncates what does not fit into a packet.
func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	select {
	case z.asked <- struct{}{}:
	default:
	}
	m := new(dns.Msg).SetReply(q)
	m.Authoritative = true
	ask := q.Question[0]
	name, there := ask.Name, false
	for range 8 { // aliases
		alias := ""
		for _, rr := range z.records {
			if !strings.EqualFold(rr.Header().Name, name) {
				continue
			}
			there = true
			c, isAlias := rr.(*dns.CNAME)
			if isAlias {
				alias = c.Target
			}
			if isAlias || rr.Header().Rrtype == ask.Qtype {
				m.Answer = append(m.Answer, rr)
			}
		}
		if name = alias; name == "" {
			break
		}
	}
	switch {
	case z.rcode != 0:
		m.Rcode, m.Answer = z.rcode, nil
	case !there:
		m.Rcode = dns.RcodeNameError
	}
	if w.RemoteAddr().Network() == "udp" {
		size := dns.MinMsgSize
		if o := q.IsEdns0(); o != nil {
			size = int(o.UDPSize())
		}
		m.Truncate(size)
	}
	_ = w.WriteMsg(m)
}

// resolver asks this zone alone.
func (z *zone) resolver() *net.Resolver {
	return &net.Resolver{
		PreferGo: true, StrictErrors: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, z.addr)
		},
	}
}
