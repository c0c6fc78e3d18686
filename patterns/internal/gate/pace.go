package gate

import (
	"math"
	"time"
)

const (
	// crowdedAfter is how long a goroutine has to wait for a processor for there to be a crowd.
	crowdedAfter = time.Millisecond
	// While there is a crowd, the next look is after crowdedPause, or after twice what the last one took.
	crowdedPause = 10 * time.Millisecond
)

// A pace is how many calls may run at once as far as processors are concerned, of which the limit knows too late: 256
// handlers that compute and begin together keep everybody else from the processors, those who read what peers send
// among them, and have all ended before it falls.
//
// Where more calls are to run than there are processors, a goroutine looks first how long it has to wait for one
// (Look). If it has not to wait, for the handlers that run mostly wait themselves, the pace grows by a quarter; looks
// follow each other within microseconds then. If there is a crowd of goroutines that compute, be it the handlers or
// others, the pace is found by trial; and it doubles if no call has ended since the last look, for those that run may
// wait for those that do not.
type pace struct {
	value int // calls that may run
	least int

	looking bool
	next    time.Time // when it may be looked again
	ended   int       // calls, ever
	seen    int       // of them, at the last look
	trial   *trial    // nil while there is no crowd
}

func newPace(processors int) pace { return pace{value: processors, least: processors} }

// unpaced is the pace of a service whose limit the application has set.
func unpaced() pace { return pace{value: math.MaxInt, least: math.MaxInt} }

// look begins a look, unless one is under way or it is too soon for the next.
func (p *pace) look(now time.Time) bool {
	if p.looking || now.Before(p.next) {
		return false
	}
	p.looking = true
	return true
}

// looked ends a look, which took so long.
func (p *pace) looked(now time.Time, took time.Duration) {
	p.looking = false
	if took < crowdedAfter {
		p.next, p.trial = now, nil
		p.value += max(p.least, p.value/4)
		return
	}
	p.next = now.Add(max(crowdedPause, 2*took))
	switch {
	case p.trial == nil:
		p.trial = newTrial(p.value, p.least, p.ended)
	case p.ended == p.seen:
		p.value = min(2*p.value, mostLimit)
		p.trial = newTrial(p.value, p.least, p.ended)
	default:
		p.value = p.trial.at(now, p.ended)
	}
	p.seen = p.ended
}

// done says that one of so many calls has ended. A pace that is not in use is given up little by little.
func (p *pace) done(running int) {
	p.ended++
	if p.trial == nil && running < p.value/2 {
		p.value = max(p.value-1, p.least)
	}
}
