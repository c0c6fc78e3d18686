package balance

import "time"

// A Budget bounds what retries and hedged calls add to the load, so that a service in trouble does not get more calls
// than one that is well: each call earns a part of a retry, and there are a few a second for those that call rarely.
type Budget struct {
	ratio  float64
	tokens float64
	last   time.Time
}

const (
	eachSecond = 10
	mostTokens = 10 * eachSecond
)

// NewBudget returns a Budget in which each call earns ratio retries. With a ratio of 0 or less there are no retries.
func NewBudget(ratio float64) *Budget { return &Budget{ratio: ratio, tokens: eachSecond} }

// Earn counts a call, which is no retry.
func (b *Budget) Earn() { b.tokens = min(b.tokens+max(b.ratio, 0), mostTokens) }

// Take tells whether there may be a retry now, and counts it.
func (b *Budget) Take(now time.Time) bool {
	if b.ratio <= 0 {
		return false
	}
	if !b.last.IsZero() {
		b.tokens = min(b.tokens+max(now.Sub(b.last).Seconds(), 0)*eachSecond, mostTokens)
	}
	b.last = now
	if b.tokens < 1-1e-6 { // five times a fifth is one
		return false
	}
	b.tokens--
	return true
}

const (
	firstPause = 10 * time.Millisecond
	mostPause  = time.Second
)

// Pause is how long to wait before retry n, of which the first is 0: 10 ms, doubled each time up to a second, and half
// as much less or more. random is from 0 to below 1. No pause is longer than a second.
func Pause(n int, random float64) time.Duration {
	p := mostPause
	if n < 7 { // 2⁷ times 10 ms is more than a second
		p = firstPause << max(n, 0)
	}
	return min(time.Duration((0.5+random)*float64(p)), mostPause)
}
