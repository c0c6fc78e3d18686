// Package balance decides which replica of a service a call goes to, and whether a call that came to nothing may be
// tried again. It has no goroutine, no lock, no clock and no chance of its own.
package balance

import "time"

const (
	scanned      = 16 // among more replicas than that two are drawn
	badAfter     = 3  // losses in a row
	firstPenalty = time.Second
	mostPenalty  = 30 * time.Second
)

// An Outcome is what a call says of the replica that it went to.
type Outcome uint8

// The outcomes.
const (
	Answered Outcome = iota // there was a reply, be it an error
	TimedOut                // there was none in time
	Nothing                 // it was cancelled, or ended with its connection, of which Down tells
)

// A Why is why there is no replica for a call.
type Why uint8

// The reasons.
const (
	Found      Why = iota // there is one
	NoReplica             // none is up, or those that are shut down
	Overloaded            // all have refused calls a moment ago
	Tried                 // all others have had this call before
)

// A Set is the replicas R of a service. It is not safe for concurrent use. Times given to it must not go back.
type Set[R comparable] struct {
	replicas []*replica[R]
	byName   map[R]*replica[R]
	next     int           // where to begin, so that equals take turns
	random   func(int) int // below n
}

type replica[R comparable] struct {
	name        R
	up          bool
	draining    bool
	outstanding int
	busyUntil   time.Time // it said so
	losses      int       // in a row
	penalty     time.Duration
	badUntil    time.Time
	trial       bool // a call is out to see whether it is good again
}

// New returns a Set without replicas. random returns a number from 0 to below n.
func New[R comparable](random func(n int) int) *Set[R] {
	return &Set[R]{byName: make(map[R]*replica[R]), random: random}
}

// Up says that a replica is connected. It gets calls at once, unless it was lost several times in a row.
func (s *Set[R]) Up(name R) {
	r := s.byName[name]
	if r == nil {
		r = &replica[R]{name: name}
		s.byName[name] = r
		s.replicas = append(s.replicas, r)
	}
	r.up, r.draining, r.busyUntil, r.outstanding, r.trial = true, false, time.Time{}, 0, false
}

// Down says that the connection is gone, and all calls with it; for them Done is not called any more. If there were
// any it is a loss, however many there were.
func (s *Set[R]) Down(now time.Time, name R) {
	r := s.byName[name]
	if r == nil || !r.up {
		return
	}
	r.up = false
	if r.outstanding > 0 {
		r.lost(now)
	}
	r.outstanding, r.trial = 0, false
}

// Remove forgets a replica.
func (s *Set[R]) Remove(name R) {
	r := s.byName[name]
	if r == nil {
		return
	}
	delete(s.byName, name)
	for i := range s.replicas {
		if s.replicas[i] == r {
			s.replicas = append(s.replicas[:i], s.replicas[i+1:]...)
			break
		}
	}
}

// Drain says that a replica shuts down and takes no new calls. Those that are out it still answers.
func (s *Set[R]) Drain(name R) {
	if r := s.byName[name]; r != nil {
		r.draining = true
	}
}

// Busy says that a replica has refused a call and wants none until then.
func (s *Set[R]) Busy(name R, until time.Time) {
	if r := s.byName[name]; r != nil && until.After(r.busyUntil) {
		r.busyUntil = until
	}
}

// Pick chooses the replica for a call, that has fewest calls out, and counts the call; Done must follow, or Down.
// tried tells which have had the call before, and may be nil. Replicas that lost calls are passed over for a time,
// unless there are no others. If all are busy, until is when the first is no longer.
func (s *Set[R]) Pick(now time.Time, tried func(R) bool) (name R, why Why, until time.Time) {
	best, why, until := s.choose(now, tried)
	if best == nil {
		return name, why, until
	}
	best.outstanding++
	if best.losses >= badAfter && !now.Before(best.badUntil) {
		best.trial = true
	}
	return best.name, Found, time.Time{}
}

// PickBusy chooses among replicas that are busy, when all are, and counts the call as Pick does. A service knows best
// whether it is still busy: when all callers kept away from the only one for as long as it has said, they would all
// come back at once, and leave it idle between. Goodput at ten times the load was half of what it is.
func (s *Set[R]) PickBusy() (name R, ok bool) {
	var best *replica[R]
	for _, r := range s.replicas {
		if r.up && !r.draining && (best == nil || r.busyUntil.Before(best.busyUntil)) {
			best = r
		}
	}
	if best == nil {
		return name, false
	}
	best.outstanding++
	return best.name, true
}

// Take counts a call for one replica, as Pick does, whatever it has lost or refused, and tells whether it is up.
func (s *Set[R]) Take(name R) bool {
	r := s.byName[name]
	if r == nil || !r.up || r.draining {
		return false
	}
	r.outstanding++
	return true
}

func (s *Set[R]) choose(now time.Time, tried func(R) bool) (best *replica[R], why Why, until time.Time) {
	if n := len(s.replicas); n > scanned {
		i, j := s.random(n), s.random(n-1)
		if j >= i {
			j++
		}
		for _, r := range []*replica[R]{s.replicas[i], s.replicas[j]} {
			usable := r.open(now) && !r.bad(now) && (tried == nil || !tried(r.name))
			if usable && (best == nil || r.outstanding < best.outstanding) {
				best = r
			}
		}
		if best != nil {
			return best, Found, until
		}
	}
	why = NoReplica
	var bad *replica[R]
	for i := range s.replicas {
		r := s.replicas[(s.next+i)%len(s.replicas)]
		switch {
		case !r.up || r.draining:
		case tried != nil && tried(r.name):
			if why == NoReplica {
				why = Tried
			}
		case !r.open(now):
			if why = Overloaded; until.IsZero() || r.busyUntil.Before(until) {
				until = r.busyUntil
			}
		case r.bad(now):
			if bad == nil || r.outstanding < bad.outstanding {
				bad = r
			}
		case best == nil || r.outstanding < best.outstanding:
			best = r
		}
	}
	if best == nil {
		best = bad
	}
	if best == nil {
		return nil, why, until
	}
	for i, r := range s.replicas {
		if r == best {
			s.next = i + 1
		}
	}
	return best, Found, time.Time{}
}

// open tells whether a replica takes calls.
func (r *replica[R]) open(now time.Time) bool { return r.up && !r.draining && !now.Before(r.busyUntil) }

// bad tells whether a replica is to be passed over because it lost calls, or is being tried.
func (r *replica[R]) bad(now time.Time) bool {
	return r.losses >= badAfter && (r.trial || now.Before(r.badUntil))
}

// lost counts a loss, and from the third in a row on passes the replica over, each time for longer.
func (r *replica[R]) lost(now time.Time) {
	r.losses++
	if r.losses < badAfter || now.Before(r.badUntil) { // calls that were out before say nothing new
		return
	}
	r.penalty = min(max(2*r.penalty, firstPenalty), mostPenalty)
	r.badUntil = now.Add(r.penalty)
}

// Done says what has become of a call that Pick has counted.
func (s *Set[R]) Done(now time.Time, name R, o Outcome) {
	r := s.byName[name]
	if r == nil || r.outstanding == 0 {
		return
	}
	r.outstanding--
	switch o {
	case Answered:
		r.losses, r.penalty, r.badUntil, r.trial = 0, 0, time.Time{}, false
	case TimedOut:
		r.lost(now)
		r.trial = false
	default: // whether a replica is good again, the next call has to tell
		r.trial = false
	}
}

// Usable returns how many replicas take calls, at once or when they are no longer busy.
func (s *Set[R]) Usable() (n int) {
	for _, r := range s.replicas {
		if r.up && !r.draining {
			n++
		}
	}
	return n
}

// Outstanding returns how many calls are out at a replica.
func (s *Set[R]) Outstanding(name R) int {
	if r := s.byName[name]; r != nil {
		return r.outstanding
	}
	return 0
}
