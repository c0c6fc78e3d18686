package mdns

import (
	"net/netip"
	"sync"
	"time"
)

// How much is taken from one address: a host may run many nodes that start at once.
const (
	packetsPerSecond = 200
	packetBurst      = 400
	maxSources       = 8192
)

// A bucket is a token bucket: it allows a steady rate, and a burst after a pause. The zero bucket is full.
type bucket struct {
	taken float64
	last  time.Time
}

func (b *bucket) take(now time.Time, rate, burst float64) bool {
	b.taken = max(0, b.taken-now.Sub(b.last).Seconds()*rate)
	b.last = now
	if b.taken+1 > burst {
		return false
	}
	b.taken++
	return true
}

// idle reports whether the bucket has filled up again, so that forgetting it changes nothing.
func (b *bucket) idle(now time.Time, rate float64) bool {
	return b.taken-now.Sub(b.last).Seconds()*rate <= 0
}

// sources bounds the packets taken from each address.
type sources struct {
	mu    sync.Mutex
	by    map[netip.Addr]*bucket
	rest  bucket    // shared by all addresses that find the map full: somebody makes addresses up
	swept time.Time // last
}

func newSources() *sources { return &sources{by: make(map[netip.Addr]*bucket)} }

func (s *sources) take(from netip.Addr, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.by[from]
	if b == nil {
		if len(s.by) >= maxSources {
			s.sweep(now)
		}
		if len(s.by) >= maxSources {
			b = &s.rest
		} else {
			b = &bucket{}
			s.by[from] = b
		}
	}
	return b.take(now, packetsPerSecond, packetBurst)
}

// sweep forgets idle buckets, at most once a second because it looks at all of them.
func (s *sources) sweep(now time.Time) {
	if now.Sub(s.swept) < time.Second {
		return
	}
	s.swept = now
	for a, b := range s.by {
		if b.idle(now, packetsPerSecond) {
			delete(s.by, a)
		}
	}
}

// A meter is a bucket for concurrent use.
type meter struct {
	rate, burst float64

	mu sync.Mutex
	b  bucket
}

func (m *meter) take() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.b.take(time.Now(), m.rate, m.burst)
}
