package dispatch

import "time"

const (
	firstBackoff = time.Second
	mostBackoff  = 5 * time.Minute
)

// Backoff is after how much time a job that has failed comes again: 1 s, twice as much with each attempt there was
// before, 5 minutes at most, and 10 % more or less, by random, which is from 0 to below 1.
func Backoff(attempts int, random float64) time.Duration {
	d := mostBackoff
	if attempts < 9 {
		d = min(firstBackoff<<max(attempts, 0), mostBackoff)
	}
	return time.Duration(float64(d) * (0.9 + 0.2*random))
}
