package socket

import (
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name         string
		first, limit time.Duration
		want         []time.Duration // before the jitter
	}{
		{
			"doubles up to the limit", 100 * ms, time.Second,
			[]time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, time.Second, time.Second},
		},
		{"the limit is a power of two", 100 * ms, 400 * ms, []time.Duration{100 * ms, 200 * ms, 400 * ms, 400 * ms}},
		{"constant", 50 * ms, 50 * ms, []time.Duration{50 * ms, 50 * ms, 50 * ms}},
		{"the shortest there is", 1, 8, []time.Duration{1, 2, 4, 8, 8}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 100 {
				b := backoff{first: c.first, limit: c.limit}
				for range 2 {
					for i, full := range c.want {
						if got := b.next(); got < full/2 || got > full {
							t.Fatalf("pause %d is %v, want it within [%v, %v]", i, got, full/2, full)
						}
					}
					b.reset() // starts over
				}
			}
		})
	}
}

// The pauses of many peers spread over the whole range.
func TestBackoffIsJittered(t *testing.T) {
	const full = 100 * time.Millisecond
	var low, high int
	for range 1000 {
		b := backoff{first: full, limit: full}
		switch d := b.next(); {
		case d < full*6/10:
			low++
		case d > full*9/10:
			high++
		}
	}
	if low < 100 || high < 100 { // 200 each expected
		t.Errorf("of 1,000 pauses %d are in the lowest fifth and %d in the highest", low, high)
	}
}
