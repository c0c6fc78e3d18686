package socket

import (
	"errors"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/lockorder"
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

// A congestion is since when a peer has always had messages waiting. It is guarded by core.in.mu.
type congestion struct {
	since    time.Duration
	arrivals uint64 // core.in.arrivals at that time, with the peer's own
	named    bool   // there was an event
}

func (g *congestion) begin(now time.Duration, arrivals uint64) { g.since, g.arrivals = now, arrivals }

// congestionTime is how long a peer may have messages waiting without a break before it is named.
const congestionTime = 5 * time.Second

// nameCongestion tells, once, of a peer that has kept the application busy for long and made others wait: its queue is
// full and has not been empty for a congestionTime, in which others came that had nothing waiting. A stream that waits
// for an application that is behind is nothing to tell of, so this is only for sockets whose peers wait for answers.
func (l *link) nameCongestion() {
	q := &l.core.in
	if !q.answers {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	g := &l.in.congestion
	if g.named || q.arrivals == g.arrivals || !l.in.full.Load() || l.core.now()-g.since < congestionTime {
		return
	}
	g.named = true
	l.core.events.add(Event{Kind: Throttled, Endpoint: l.ep.name, Peer: l.peer, Err: errCongestion})
}

var errCongestion = errors.New("its queue is full and has not been empty for 5 s, while others wait")

// flood is what the peers of a socket share that send too much.
type flood struct {
	mu   lockorder.Mutex[lockorder.Flood]
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
