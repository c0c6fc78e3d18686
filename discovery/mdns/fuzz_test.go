package mdns

import (
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/yodel-mq/yodel/discovery"
)

// A checker is a sink that fails the test when it is handed what should have been dropped.
type checker struct{ t *testing.T }

func (c checker) onLink(int, netip.Addr) (string, bool) { return "eth0", true }

func (c checker) heard(label string, r discovery.Record, ttl time.Duration) {
	if label == "" || ttl <= 0 || len(r.From) != 1 || r.ID == (discovery.ID{}) {
		c.t.Errorf("label %q, TTL %v, record %+v", label, ttl, r)
	}
	if _, err := r.TXT(); err != nil {
		c.t.Errorf("a record that cannot be written again: %v", err)
	}
}

func (c checker) left(label string, _ netip.Addr) {
	if label == "" {
		c.t.Error("a goodbye of nobody")
	}
}

func (c checker) asked(_ int, questions []dns.Question, known []string, _ bool) {
	if len(questions) == 0 || len(questions)+len(known) > maxRecords {
		c.t.Errorf("%d questions, %d known", len(questions), len(known))
	}
	for _, q := range questions {
		if _, one := labelOf(q.Name); !one && !isType(q.Name) {
			c.t.Errorf("asked for %q", q.Name)
		}
	}
}

func FuzzHandle(f *testing.F) {
	f.Add(announced(f, nil))
	f.Add(announced(f, func(m *dns.Msg) { ttls(m, 0) }))
	f.Add(announced(f, func(m *dns.Msg) { m.Response = false }))
	f.Add(announced(f, func(m *dns.Msg) { m.Compress = false }))
	f.Add(announced(f, func(m *dns.Msg) { txtOf(m).Txt = append(txtOf(m).Txt, `x=\255\\`) }))
	f.Add(announced(f, nil)[:90])
	f.Add(counting(announced(f, nil), 64))
	f.Add(looping())
	f.Add(must(goodbye(someID.String())))
	f.Add(must(question()))
	f.Add(must(questionFor(someID.String())))
	f.Fuzz(func(t *testing.T, packet []byte) {
		r := &receiver{sink: checker{t}, sources: newSources()}
		r.handle(packet, neighbour, 2, 255)
	})
}
