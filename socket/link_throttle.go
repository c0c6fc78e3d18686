package socket

import (
	"sync"
	"time"
)

// What a peer sends costs work even where it is of no use to the application, and most of it, a PING above all, costs
// the peer less than this side. A peer that sends more of it than any honest one is read more slowly, which it feels
// as backpressure: so much goes free, and what goes beyond it all such peers of a socket share.

const (
	freeRate   = 1_000   // a second, read at full speed, of each peer
	sharedRate = 100_000 // a second, for all beyond that
	sizeOfOne  = 256     // bytes in a useless frame that make it count as one more
)

func useless(frames uint64, bytes int) uint64 { return frames + uint64(bytes)/sizeOfOne }

// flood is what the peers of a socket share that send too much.
type flood struct {
	mu   sync.Mutex
	next time.Duration // when more of it may be read
}

// throttled notes what the last read has brought and reports whether the next one must wait.
func (l *link) throttled() bool {
	r := &l.reading
	n := r.useless
	r.useless = 0
	if l.useless.Load() > 0 {
		n += l.useless.Swap(0)
	}
	if n == 0 {
		return r.throttle > 0
	}
	now := l.core.now()
	r.allowed = max(r.allowed, now-time.Second) + time.Duration(n)*(time.Second/freeRate)
	excess := r.allowed - now
	if excess <= 0 {
		return r.throttle > 0
	}
	r.allowed = now
	if !r.named {
		r.named = true
		l.core.events.add(Event{Kind: Throttled, Endpoint: l.ep.name, Peer: l.peer})
	}
	f := &l.core.flood
	f.mu.Lock()
	f.next = max(f.next, now) + excess*freeRate/sharedRate
	r.throttle = f.next
	f.mu.Unlock()
	return true
}

// sitOut waits until the link may read again. It is not dead meanwhile, neither side.
func (l *link) sitOut() error {
	r := &l.reading
	if r.throttle == 0 {
		return nil
	}
	left := r.throttle - l.core.now()
	r.throttle = 0
	if left <= 0 {
		return nil
	}
	over := time.NewTimer(left)
	defer over.Stop()
	return l.stopReading(nil, over.C)
}
