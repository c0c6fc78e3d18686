package gate

import "time"

// Bounds of an adaptive limit.
const (
	firstLimit = 256
	leastLimit = 1
	mostLimit  = 1000
)

// The long average is over so many calls; the first few are averaged as they are.
const (
	window = 600
	warmUp = 10
)

// A limit is how many calls may run at once, found from how long they take: when calls take longer than they did, there
// are too many. It compares averages, never minima, which one lucky call would spoil for good.
type limit struct {
	fixed   bool
	value   float64
	long    float64 // average running time of a call, in ns
	samples int
}

func newLimit(fixed int) limit {
	if fixed > 0 {
		return limit{fixed: true, value: float64(fixed)}
	}
	return limit{value: firstLimit}
}

// done takes the running time of a call that has ended by itself, while running calls were under way, it among them.
func (l *limit) done(ran time.Duration, running int) {
	if l.fixed {
		return
	}
	now := max(float64(ran), 1)
	l.samples++
	if l.samples <= warmUp {
		l.long += (now - l.long) / float64(l.samples)
	} else {
		l.long += (now - l.long) * 2 / (window + 1)
	}
	if l.long > 2*now { // it was slow, and no longer is
		l.long *= 0.95
	}
	// A limit that is not in use must not grow: nothing is known of what would happen if it were.
	if float64(running) >= l.value/2 {
		l.set(l.value*l.gradient(now) + 4)
	}
}

// lost takes the time after which a call was given up. It might have run for as long again, so it may lower the limit,
// but tells nothing of how fast calls are.
func (l *limit) lost(ran time.Duration) {
	if l.fixed || l.samples == 0 {
		return
	}
	if g := l.gradient(max(float64(ran), 1)); g < 1 {
		l.set(l.value * g)
	}
}

// gradient is 1 as long as calls take no more than half as long again as on average.
func (l *limit) gradient(now float64) float64 { return min(max(1.5*l.long/now, 0.5), 1) }

// set moves the limit a fifth of the way.
func (l *limit) set(to float64) {
	l.value = min(max(0.8*l.value+0.2*to, leastLimit), mostLimit)
}
