package socket

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// What all peers together make a socket hold: the messages that nobody has received and those that have come in part,
// of which the reader asks for room before they take more than 64 KiB. Once that comes to Limits.MaxBuffered, links are
// not read until an eighth of it is free or nothing is unread any more. Messages under way get three quarters of it at
// most, so that small ones get through whatever large ones do. The one that has been under way for longest gets what it
// needs in any case: so they arrive one after the other, and no two wait for each other.
//
// A message under way that holds room without making progress would keep out all others, so it has to come at
// Limits.MinRate. While others wait for nothing but that room, it has to come at starvedRate, or its connection ends.

// An underway is the part of a message that has come so far, guarded by the inbox's mu.
type underway struct {
	bytes uint64        // that it takes; 0 while there is no such message, or one of less than 64 KiB
	since time.Duration // when it began
	want  uint64        // the bytes that its reader asked for in vain
	seen  uint64        // how many had come when the inbox was sampled last
}

const (
	rateSpan     = 30 * time.Second // over which MinRate is looked at
	starvedAfter = 5 * time.Second  // how long a message waits for room until another may have to give way
	starvedRate  = 64 << 10         // in bytes a second
	partsShare   = 4                // one of so many parts of the budget is for whole messages alone
)

// budget is MaxBuffered in bytes, 0 for none.
func (l *Limits) budget() uint64 {
	switch {
	case l.MaxBuffered > 0:
		return uint64(l.MaxBuffered)
	case l.MaxBuffered < 0:
		return 0
	}
	return budgetMessages * uint64(l.MaxMessage)
}

const budgetMessages = 16

// holds is what counts towards the budget.
func (q *inbox) holds() uint64 {
	return weigh(q.counts.unread, q.counts.further, queuedFrame).Bytes + q.parts
}

// chargeBudget holds a link back if the budget is used up with what it has brought.
func (q *inbox) chargeBudget(l *link) {
	if q.budget == 0 || q.latest || l.in.starved || l.in.isOrphan || q.holds() < q.budget {
		return
	}
	l.in.full.Store(true) // first, as in limit
	if q.recv.TryLock() {
		q.enterTaken()
		q.recv.Unlock()
		if q.holds() < q.budget {
			l.in.full.Store(l.in.held() || l.in.limit.reached(l.in.load()))
			return
		}
	}
	q.starve(l)
}

func (q *inbox) starve(l *link) {
	if !l.in.starved {
		l.in.starved = true
		q.starving = append(q.starving, l)
	}
}

// hasBudget reports whether the message under way on a link may take so many bytes altogether.
func (q *inbox) hasBudget(l *link, total uint64) bool {
	more := total - l.in.underway.bytes
	holds := q.holds()
	return q.budget == 0 || holds == l.in.underway.bytes || len(q.underway) > 0 && q.underway[0] == l ||
		holds+more <= q.budget && q.parts+more <= q.budget-q.budget/partsShare
}

// room reports whether the message under way on a link may take so many bytes, for the link's Reader (zmtp.Limits). If
// not, the link is held until it may.
func (q *inbox) room(l *link, total int64) bool {
	w := &l.in.underway
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case total == 0:
		q.endUnderway(l)
		return true
	case !q.hasBudget(l, uint64(total)):
		if len(q.starving) == 0 {
			q.sample(q.env.now())
		}
		w.want = uint64(total)
		q.starve(l)
		q.env.schedule(l, starvedAfter)
		return false
	}
	if w.bytes == 0 {
		w.since, w.seen = q.env.now(), 0
		q.underway = append(q.underway, l)
		l.reading.counting = true
		l.life.underwayBytes.Store(0)
		l.life.underwaySince.Store(int64(w.since) + 1)
		if q.minRate > 0 {
			q.env.schedule(l, rateSpan)
		}
	}
	q.parts += uint64(total) - w.bytes
	w.bytes = uint64(total)
	return true
}

// endUnderway gives back what a message under way took: it is there whole, or its link has ended.
func (q *inbox) endUnderway(l *link) {
	l.reading.counting = false
	l.life.underwaySince.Store(0)
	q.parts -= l.in.underway.bytes
	l.in.underway = underway{}
	if i := slices.Index(q.underway, l); i >= 0 {
		q.underway = slices.Delete(q.underway, i, i+1)
	}
	q.resumeStarved()
}

// resumeStarved has those links go on for which there is room again.
func (q *inbox) resumeStarved() {
	if len(q.starving) == 0 {
		return
	}
	low := q.holds() <= q.budget-q.budget/8 || q.counts.unread.Messages == 0
	q.starving = slices.DeleteFunc(q.starving, func(l *link) bool {
		if w := &l.in.underway; w.want > 0 && !q.hasBudget(l, w.want) || w.want == 0 && !low {
			return false
		}
		l.in.starved, l.in.underway.want = false, 0
		q.unhold(l)
		return true
	})
}

// awaitBudget waits until there may be room for the message under way.
func (l *link) awaitBudget() error {
	for {
		if err := l.pause(); err != nil {
			return err
		}
		q := &l.core.in
		q.mu.Lock()
		starved := l.in.starved
		q.mu.Unlock()
		if !starved {
			return nil
		}
	}
}

// checkRate looks whether the message under way on a link comes fast enough, and returns when to look again.
// late is how long ago it should have been called.
func (q *inbox) checkRate(l *link, late time.Duration) (next time.Duration) {
	begun := l.life.underwaySince.Load()
	if begun == 0 || q.minRate <= 0 {
		return never
	}
	now, come, r := q.env.now(), l.life.underwayBytes.Load(), &l.life.rate
	if l.life.underwaySince.Load() != begun {
		return rateSpan // another one has begun just now
	}
	if r.of != begun {
		*r = rate{of: begun, since: time.Duration(begun)}
	}
	if l.life.paused.Load() || late > rateSpan/8 {
		r.since, r.had = now, come // it was this side that did not read
	}
	if left := r.since + rateSpan - now; left > 0 {
		return left
	}
	if got := come - r.had; got < uint64(q.minRate)*uint64(rateSpan/time.Second) {
		q.env.fail(l, fmt.Errorf("%w: of a message under way %d bytes came in %v, the least is %d a second",
			ErrLimit, got, rateSpan, q.minRate))
		return never
	}
	r.since, r.had = now, come
	return rateSpan
}

// A rate is how fast a message under way comes, by the looks of the heartbeat timer.
type rate struct {
	of    int64         // which message: the link's life.underwaySince
	since time.Duration // when the span began that is looked at
	had   uint64        // how many bytes had come by then
}

// sample notes what has come of the messages under way.
func (q *inbox) sample(now time.Duration) {
	q.sampled = now
	for _, l := range q.underway {
		l.in.underway.seen = l.life.underwayBytes.Load()
	}
}

// checkStarved has messages under way that hardly come give way to one that waits for their room. It returns when to
// look again.
func (q *inbox) checkStarved(l *link) (next time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !l.in.starved || l.in.underway.want == 0 {
		return never
	}
	now := q.env.now()
	if left := q.sampled + starvedAfter - now; left > 0 {
		return left
	}
	const least = starvedRate * uint64(starvedAfter/time.Second)
	for _, other := range q.underway {
		w := &other.in.underway
		if q.counts.unread.Messages > 0 || w.want > 0 || w.since > q.sampled ||
			other.life.underwayBytes.Load()-w.seen >= least {
			continue // it makes progress, or cannot for reasons of ours
		}
		q.env.fail(other, fmt.Errorf("%w: a message under way that hardly comes gives way, for the %d bytes there are for"+
			" all are used up", ErrLimit, q.budget))
	}
	q.sample(now)
	return starvedAfter
}

// noRoom reports whether a Reader can go on once there is room.
func noRoom(err error) bool { return errors.Is(err, zmtp.ErrNoRoom) }
