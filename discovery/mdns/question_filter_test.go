package mdns

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

func TestQuestionFilter(t *testing.T) {
	q := dns.Question{Name: serviceType, Qtype: dns.TypePTR, Qclass: dns.ClassINET}
	other := dns.Question{Name: "x." + serviceType, Qtype: dns.TypeANY, Qclass: dns.ClassINET}
	upper := q
	upper.Name = "_YODEL._tcp.local."
	type server struct {
		index int
		seen  map[questionKey]uint64
	}
	for _, tc := range []struct {
		name     string
		received func(f *questionFilter)
		want     int // of five calls on interface 2, how many are admitted
		wait     time.Duration
	}{
		{"nothing", func(*questionFilter) {}, 0, 2*filterTimeout + 3*filterShortTimeout},
		{"once", func(f *questionFilter) { f.received(2, []dns.Question{q}) }, 1, 2*filterTimeout + 2*filterShortTimeout},
		{
			"twice", func(f *questionFilter) { f.received(2, []dns.Question{q}); f.received(2, []dns.Question{upper}) }, 2,
			2*filterTimeout + filterShortTimeout,
		},
		{
			"repeated in one packet", func(f *questionFilter) { f.received(2, []dns.Question{q, other, q, upper}) }, 1,
			2*filterTimeout + 2*filterShortTimeout,
		},
		{
			"something else", func(f *questionFilter) { f.received(2, []dns.Question{other}) }, 0,
			2*filterTimeout + 3*filterShortTimeout,
		},
		{"on another interface", func(f *questionFilter) { f.received(3, []dns.Question{q}) }, 0, 0},
		{"on both", func(f *questionFilter) { f.received(3, []dns.Question{q}); f.received(2, []dns.Question{q}) }, 1, 0},
		{
			"a while ago", func(f *questionFilter) { f.received(2, []dns.Question{q}); time.Sleep(filterWindow + 1) }, 0,
			2*filterTimeout + 3*filterShortTimeout,
		},
		{"more than it remembers", func(f *questionFilter) {
			for range 3 * filterSize {
				f.received(2, []dns.Question{q})
			}
		}, 5, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newQuestionFilter()
				s := server{2, make(map[questionKey]uint64)}
				tc.received(f)
				began := time.Now()
				admitted := 0
				for range 5 {
					if f.admit(s.index, q, s.seen, nil) {
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
func TestQuestionFilterWaits(t *testing.T) {
	q := dns.Question{Name: serviceType, Qtype: dns.TypePTR, Qclass: dns.ClassINET}
	synctest.Test(t, func(t *testing.T) {
		f := newQuestionFilter()
		time.AfterFunc(10*time.Millisecond, func() { f.received(2, []dns.Question{q}) })
		began := time.Now()
		if !f.admit(2, q, make(map[questionKey]uint64), nil) || time.Since(began) != 10*time.Millisecond {
			t.Errorf("not admitted, or not when it was received: %v", time.Since(began))
		}
		done := make(chan struct{})
		close(done)
		began = time.Now()
		if f.admit(2, q, map[questionKey]uint64{keyOf(q): 1}, done) || time.Since(began) != 0 {
			t.Errorf("waits after the end, %v", time.Since(began))
		}
	})
}
