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
	t := &l.in.turn
	n := t.useless
	t.useless = 0
	if l.useless.Load() > 0 {
		n += l.useless.Swap(0)
	}
	if n == 0 {
		return t.throttle > 0
	}
	now := l.core.now()
	t.allowed = max(t.allowed, now-time.Second) + time.Duration(n)*(time.Second/freeRate)
	excess := t.allowed - now
	if excess <= 0 {
		return t.throttle > 0
	}
	t.allowed = now
	if !t.named {
		t.named = true
		l.core.events.add(Event{Kind: Throttled, Endpoint: l.ep.name, Peer: l.peer})
	}
	f := &l.core.flood
	f.mu.Lock()
	f.next = max(f.next, now) + excess*freeRate/sharedRate
	t.throttle = f.next
	f.mu.Unlock()
	return true
}

// sitOut waits until the link may read again. It is not dead meanwhile, neither side.
func (l *link) sitOut() error {
	t := &l.in.turn
	if t.throttle == 0 {
		return nil
	}
	left := t.throttle - l.core.now()
	t.throttle = 0
	if left <= 0 {
		return nil
	}
	over := time.NewTimer(left)
	defer over.Stop()
	return l.stopReading(nil, over.C)
}
