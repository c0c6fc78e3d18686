package mdns

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

func TestGate(t *testing.T) {
	q := dns.Question{Name: serviceType, Qtype: dns.TypePTR, Qclass: dns.ClassINET}
	other := dns.Question{Name: "x." + serviceType, Qtype: dns.TypeANY, Qclass: dns.ClassINET}
	upper := q
	upper.Name = "_YODEL._tcp.local."
	type server struct {
		index int
		seen  map[asking]uint64
	}
	for _, tc := range []struct {
		name  string
		heard func(g *gate)
		want  int // of five calls on interface 2, how many are admitted
		wait  time.Duration
	}{
		{"nothing", func(*gate) {}, 0, 2*gatePatience + 3*gateHurry},
		{"once", func(g *gate) { g.heard(2, []dns.Question{q}) }, 1, 2*gatePatience + 2*gateHurry},
		{
			"twice", func(g *gate) { g.heard(2, []dns.Question{q}); g.heard(2, []dns.Question{upper}) }, 2,
			2*gatePatience + gateHurry,
		},
		{
			"repeated in one packet", func(g *gate) { g.heard(2, []dns.Question{q, other, q, upper}) }, 1,
			2*gatePatience + 2*gateHurry,
		},
		{"something else", func(g *gate) { g.heard(2, []dns.Question{other}) }, 0, 2*gatePatience + 3*gateHurry},
		{"on another interface", func(g *gate) { g.heard(3, []dns.Question{q}) }, 0, 0},
		{"on both", func(g *gate) { g.heard(3, []dns.Question{q}); g.heard(2, []dns.Question{q}) }, 1, 0},
		{
			"a while ago", func(g *gate) { g.heard(2, []dns.Question{q}); time.Sleep(gateMemory + 1) }, 0,
			2*gatePatience + 3*gateHurry,
		},
		{"more than it remembers", func(g *gate) {
			for range 3 * gateSize {
				g.heard(2, []dns.Question{q})
			}
		}, 5, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGate()
				s := server{2, make(map[asking]uint64)}
				tc.heard(g)
				began := time.Now()
				admitted := 0
				for range 5 {
					if g.admit(s.index, q, s.seen, nil) {
						admitted++
					}
				}
				if admitted != tc.want || time.Since(began) != tc.wait {
					t.Errorf("admitted %d in %v, want %d in %v", admitted, time.Since(began), tc.want, tc.wait)
				}
			})
		})
	}
}

// The server is scheduled before our listener.
func TestGateWaits(t *testing.T) {
	q := dns.Question{Name: serviceType, Qtype: dns.TypePTR, Qclass: dns.ClassINET}
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		time.AfterFunc(10*time.Millisecond, func() { g.heard(2, []dns.Question{q}) })
		began := time.Now()
		if !g.admit(2, q, make(map[asking]uint64), nil) || time.Since(began) != 10*time.Millisecond {
			t.Errorf("not admitted, or not when it was heard: %v", time.Since(began))
		}
		done := make(chan struct{})
		close(done)
		began = time.Now()
		if g.admit(2, q, map[asking]uint64{askingOf(q): 1}, done) || time.Since(began) != 0 {
			t.Errorf("waits after the end, %v", time.Since(began))
		}
	})
}
