package gate

import "time"

const (
	// enough is how many calls have to end at least for their rate to be known.
	enough = 16
	// rest is how many times the rate is taken between a trial that came to nothing and the next.
	rest = 10
)

// A trial finds how many calls are to run at once while there is a crowd: it doubles or halves them and looks whether
// calls end faster, or more slowly. Of handlers that compute, as many end with twice as many at once; of those that
// wait, while others compute, twice as many.
//
// Each step first waits until as many calls have ended as may run, for what they began with to be over, and then takes
// the rate over as many again.
type trial struct {
	value, least int
	before       float64 // the rate with the value from which this step came; 0 if it comes from none
	from         int     // that value
	down         bool    // the next step is to fewer
	resting      int

	begin   int // calls that had ended as the step began
	counted int // and when counting began, at the time since; 0 until then
	since   time.Time
}

func newTrial(value, least, ended int) *trial {
	return &trial{value: value, least: least, begin: ended, down: true}
}

// at returns how many calls are to run from now on, when so many have ended.
func (t *trial) at(now time.Time, ended int) int {
	switch {
	case ended-t.begin < t.value:
		return t.value
	case t.counted == 0:
		t.counted, t.since = ended, now
		return t.value
	}
	n, during := ended-t.counted, now.Sub(t.since)
	if n < max(enough, t.value) || during <= 0 {
		return t.value
	}
	t.step(float64(n) / during.Seconds())
	t.begin, t.counted = ended, 0
	return t.value
}

// step takes the rate at the value that there is, and goes to the next.
func (t *trial) step(rate float64) {
	if t.before > 0 && t.from != t.value {
		// The middle between a rate that stays and one that follows the number of calls.
		middle := t.before * (1 + float64(t.value)/float64(t.from)) / 2
		if rate < middle { // more are of no use, or fewer do harm
			t.down, t.resting = t.value > t.from, rest
			t.value = t.from
			return
		}
	}
	if t.resting > 0 {
		t.resting--
		return
	}
	t.before, t.from = rate, t.value
	if t.down && t.value <= t.least {
		t.down = false
	}
	if t.down {
		t.value = max(t.value/2, t.least)
	} else {
		t.value = min(2*t.value, mostLimit)
	}
}
