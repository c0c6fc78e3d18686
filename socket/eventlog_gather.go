package socket

import (
	"errors"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// What strangers do who come in, and come to nothing, is told as often as it helps: they can do it faster than anybody
// reads, and the log has 1,024 places for all that a socket has to tell. Such events are of a few classes. Of each some
// are told one by one, and beyond a rate one event stands for several: it is the last of them, and has their Count. It
// comes when the rate allows the next one, or before Closed.

// A gatherClass is what events are gathered by: one for each limit, and three for what is no limit.
type gatherClass int

const (
	gatherNone gatherClass = iota // told one by one, always
	gatherEvicted
	gatherTooManyPeers
	gatherTooManyFromAddress
	gatherTooFast
	gatherSilent // connections that ended without a byte, which are no failures
	gatherFailed // all other handshakes that failed
	gatherDuplicate
	gatherAccepted
	gatherClasses
)

// gatherEvery is how far apart events of a class are told where there are more.
const gatherEvery = time.Second

// burst is how many events of a class may be told at once. Over a limit it is one. Of the others so many are told as
// come about when a few hundred peers come back at once or somebody tries things out; all bursts together leave a
// quarter of the log to all else.
func (c gatherClass) burst() int {
	switch c {
	case gatherEvicted, gatherTooManyPeers, gatherTooManyFromAddress, gatherTooFast:
		return 1
	case gatherFailed, gatherAccepted:
		return maxEvents / 4
	default:
		return maxEvents / 8
	}
}

// classOf is the class of an event.
func classOf(ev Event) gatherClass {
	switch {
	case ev.Kind == Accepted:
		return gatherAccepted
	case !ev.inbound:
		return gatherNone
	case ev.Kind == DuplicateIdentity:
		return gatherDuplicate
	case ev.Kind != HandshakeFailed:
		return gatherNone
	}
	for _, limit := range []struct {
		err   error
		class gatherClass
	}{
		{ErrEvicted, gatherEvicted},
		{ErrTooManyPeers, gatherTooManyPeers},
		{ErrTooManyFromAddress, gatherTooManyFromAddress},
		{ErrTooFast, gatherTooFast},
		{zmtp.ErrSilent, gatherSilent},
	} {
		if errors.Is(ev.Err, limit.err) {
			return limit.class
		}
	}
	return gatherFailed
}

// A withheld is the events of one class that are held back.
type withheld struct {
	due   time.Time // when those told so far would have been told at one each gatherEvery
	seen  uint64    // since the start, those told one by one included
	held  uint64
	last  Event // of those held
	timer *time.Timer
}

// gather reports whether an event is held back. e.mu is held.
func (e *eventLog) gather(ev Event) bool {
	class := classOf(ev)
	if class == gatherNone {
		return false
	}
	g := &e.gathered[class]
	g.seen++
	if g.held == 0 {
		wait := g.due.Add(-time.Duration(class.burst()-1) * gatherEvery).Sub(ev.Time)
		if wait <= 0 {
			g.advance(ev.Time)
			return false
		}
		g.timer = time.AfterFunc(wait, func() { e.tellHeld(class) })
	}
	g.last = ev
	g.held++
	return true
}

// advance takes note that one is told.
func (g *withheld) advance(now time.Time) {
	if g.due.Before(now) {
		g.due = now
	}
	g.due = g.due.Add(gatherEvery)
}

// tellHeld tells of the events of a class that are held back.
func (e *eventLog) tellHeld(class gatherClass) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	now := time.Now()
	e.gathered[class].advance(now)
	e.putHeld(class, now)
}

// tellAllHeld does so for every class, before the last event. e.mu is held.
func (e *eventLog) tellAllHeld(now time.Time) {
	for class := range gatherClasses {
		if g := &e.gathered[class]; g.timer != nil {
			g.timer.Stop()
			e.putHeld(class, now)
		}
	}
}

// putHeld appends the event that stands for those held back, if there are any. e.mu is held.
func (e *eventLog) putHeld(class gatherClass, now time.Time) {
	g := &e.gathered[class]
	if g.held == 0 {
		return
	}
	ev := g.last
	ev.Time = now
	if g.held > 1 {
		ev.Count = g.held
	}
	g.held, g.last, g.timer = 0, Event{}, nil
	e.put(ev)
}

// Refusals is how many connections that came in were turned away for one of our [Limits] each.
type Refusals struct {
	// TooManyPeers were those over MaxPeers.
	TooManyPeers uint64
	// TooManyFromAddress were those over MaxPerAddress.
	TooManyFromAddress uint64
	// TooFast were those over MaxHandshakeRate.
	TooFast uint64
	// Evicted had begun a handshake and gave way to newer ones, over MaxHandshakes.
	Evicted uint64
}

// refusals is what was turned away since the start.
func (e *eventLog) refusals() Refusals {
	e.mu.Lock()
	defer e.mu.Unlock()
	return Refusals{
		TooManyPeers:       e.gathered[gatherTooManyPeers].seen,
		TooManyFromAddress: e.gathered[gatherTooManyFromAddress].seen,
		TooFast:            e.gathered[gatherTooFast].seen,
		Evicted:            e.gathered[gatherEvicted].seen,
	}
}
