// Package gate decides which calls a service runs, which wait and which it refuses, so that under any load it does as
// much as it can, of work that somebody still waits for.
//
// Three things work together. How many calls run at once is limited, by a limit that finds itself from how long they
// take. Calls begin no faster than there are processors for them. And calls wait for a short time only: once there has
// been a queue for 100 ms without a break, a call that has waited for 5 ms is refused, as those behind it would only
// wait longer. A queue that is first in, first out and merely bounded would make every call wait until its caller has
// given up, and so do nothing of use just when there is most to do.
//
// A Gate is a state machine: it has no goroutine, no lock and no clock.
package gate

import (
	"container/list"
	"runtime"
	"time"
)

// Config says how a Gate works. What is 0 or less has its default.
type Config struct {
	Limit int           // calls that run at once; by default it adapts itself, up to 1,000
	Queue int           // calls that wait: 1,000
	Wait  time.Duration // how long a call may wait when there is a queue all the time: 5 ms

	Processors int // that handlers share: as many as Go uses; of no matter with a Limit
}

const (
	defaultQueue = 1000
	defaultWait  = 5 * time.Millisecond
	// patience is how long there may be a queue before Wait counts, and how long a call may wait until then.
	patience = 100 * time.Millisecond
)

// Bounds of RetryAfter.
const (
	shortestRetry = 5 * time.Millisecond
	longestRetry  = time.Second
)

// A Verdict is what is to be done with a call.
type Verdict uint8

// The verdicts.
const (
	Nothing Verdict = iota // there is nothing to be done now
	Run                    // run it, and tell the Gate when it has ended
	Wait                   // it waits, until Next has another verdict on it
	Refuse                 // tell the caller to come back later
	Expire                 // its deadline has passed while it waited
)

// An Outcome is how a call that ran has ended.
type Outcome uint8

// The outcomes.
const (
	Finished  Outcome = iota // by itself: how long it took counts
	Lost                     // by its deadline
	Abandoned                // because nobody wants it any more, or before it began: it tells nothing
)

// A Gate decides about calls C of peers P. It is not safe for concurrent use. Times given to it must not go back.
type Gate[P comparable, C any] struct {
	queue int
	wait  time.Duration
	limit limit
	pace  pace

	running   int
	arrived   list.List // of *waiting[P, C], in the order in which they came
	turns     list.List // of *line[P, C], those that have calls that wait; the first is next
	lines     map[P]*line[P, C]
	lastEmpty time.Time // when nobody waited
}

// A line is the calls of one peer that wait.
type line[P comparable, C any] struct {
	peer  P
	calls []*waiting[P, C]
	turn  *list.Element
}

type waiting[P comparable, C any] struct {
	call     C
	line     *line[P, C]
	since    time.Time
	deadline time.Time // zero if there is none
	place    *list.Element
}

// New returns a Gate that has seen nothing yet.
func New[P comparable, C any](c Config) *Gate[P, C] {
	g := &Gate[P, C]{queue: defaultQueue, wait: defaultWait, limit: newLimit(c.Limit), lines: make(map[P]*line[P, C])}
	if c.Queue > 0 {
		g.queue = c.Queue
	}
	if c.Wait > 0 {
		g.wait = c.Wait
	}
	if g.pace = unpaced(); c.Limit <= 0 {
		if c.Processors <= 0 {
			c.Processors = runtime.GOMAXPROCS(0)
		}
		g.pace = newPace(c.Processors)
	}
	return g
}

// Offer brings a call: it is to Run, Wait or Refuse. When the queue is full a call of the peer with most calls in it
// gives way: if that is another peer's, refused is true and out is the one to be refused beside.
func (g *Gate[P, C]) Offer(now time.Time, peer P, call C, deadline time.Time) (v Verdict, out C, refused bool) {
	if g.arrived.Len() == 0 {
		g.lastEmpty = now
		if g.mayRun() {
			g.running++
			return Run, out, false
		}
	}
	if g.arrived.Len() >= g.queue {
		longest := g.longest()
		if own := g.lines[peer]; own != nil && len(own.calls) >= len(longest.calls) || len(longest.calls) < 2 {
			return Refuse, out, false
		}
		last := longest.calls[len(longest.calls)-1]
		g.remove(now, last)
		out, refused = last.call, true
	}
	l := g.lines[peer]
	if l == nil {
		l = &line[P, C]{peer: peer}
		l.turn = g.turns.PushBack(l)
		g.lines[peer] = l
	}
	w := &waiting[P, C]{call: call, line: l, since: now, deadline: deadline}
	w.place = g.arrived.PushBack(w)
	l.calls = append(l.calls, w)
	return Wait, out, refused
}

// Next returns a call that has waited and what is to be done with it, until the verdict is Nothing. Ask after Done, and
// at the time that Due tells.
func (g *Gate[P, C]) Next(now time.Time) (call C, v Verdict) {
	if w := g.overdue(now); w != nil {
		g.remove(now, w)
		return w.call, w.verdict(now, Refuse)
	}
	if g.arrived.Len() == 0 || !g.mayRun() {
		return call, Nothing
	}
	l := g.turns.Front().Value.(*line[P, C])
	w := l.calls[0]
	g.remove(now, w)
	if g.lines[l.peer] != nil {
		g.turns.MoveToBack(l.turn)
	}
	if v = w.verdict(now, Run); v == Run {
		g.running++
	}
	return w.call, v
}

// verdict is otherwise, unless the deadline has passed.
func (w *waiting[P, C]) verdict(now time.Time, otherwise Verdict) Verdict {
	if !w.deadline.IsZero() && !now.Before(w.deadline) {
		return Expire
	}
	return otherwise
}

// overdue returns a call that has waited for too long, the first of its line.
func (g *Gate[P, C]) overdue(now time.Time) *waiting[P, C] {
	for e := g.arrived.Front(); e != nil; e = e.Next() {
		w := entry[P, C](e)
		switch waited := now.Sub(w.since); {
		case waited > max(patience, g.wait):
			return w
		case now.Sub(g.lastEmpty) <= patience:
			return nil // so long all may wait, and the others have waited for less
		case g.spared(w):
		case waited > g.wait:
			return w
		default:
			return nil
		}
	}
	return nil
}

// spared tells whether a call may wait as if there had been no queue: its peer has so few that, as peers take turns,
// all of them begin as soon as those that run now have ended. The queue is made of other peers' calls.
func (g *Gate[P, C]) spared(w *waiting[P, C]) bool {
	before := 0
	for e := g.turns.Front(); e != nil; e = e.Next() {
		before += min(len(e.Value.(*line[P, C]).calls), len(w.line.calls))
		if before > g.most() {
			return false
		}
	}
	return true
}

// Due returns when Next has a call that has waited for too long, or Look is to be asked again, even if none of those
// that run ends until then.
func (g *Gate[P, C]) Due(now time.Time) (at time.Time, ok bool) {
	for e := g.arrived.Front(); e != nil; e = e.Next() {
		w := entry[P, C](e)
		if e == g.arrived.Front() {
			at, ok = w.since.Add(max(patience, g.wait)+1), true
		}
		if g.spared(w) {
			continue
		}
		late := w.since.Add(g.wait + 1)
		if turning := g.lastEmpty.Add(patience + 1); late.Before(turning) {
			late = turning
		}
		if late.Before(at) {
			at = late
		}
		break
	}
	if g.heldByPace() && !g.pace.looking && g.pace.next.Before(at) {
		at = g.pace.next
	}
	if ok && at.Before(now) {
		at = now
	}
	return at, ok
}

// Look reports whether it is to be found out how long a goroutine waits for a processor now, for Looked to be told. Ask
// after Next, and at the time that Due tells.
func (g *Gate[P, C]) Look(now time.Time) bool { return g.heldByPace() && g.pace.look(now) }

// Looked says how long a goroutine has waited for a processor, behind all that waited before it.
func (g *Gate[P, C]) Looked(now time.Time, waited time.Duration) { g.pace.looked(now, waited) }

// heldByPace tells whether a call waits for nothing but the pace.
func (g *Gate[P, C]) heldByPace() bool {
	return g.arrived.Len() > 0 && g.running >= g.pace.value && g.running < g.Limit()
}

// Done says that a call has ended that was to Run, and how long it ran.
func (g *Gate[P, C]) Done(ran time.Duration, o Outcome) {
	switch o {
	case Finished:
		g.limit.done(ran, g.running)
	case Lost:
		g.limit.lost(ran)
	default: // says nothing
	}
	g.pace.done(g.running)
	g.running--
}

// Leave takes back all calls of a peer that wait, for it is gone.
func (g *Gate[P, C]) Leave(now time.Time, peer P) []C {
	l := g.lines[peer]
	if l == nil {
		return nil
	}
	var calls []C
	for len(l.calls) > 0 {
		calls = append(calls, l.calls[0].call)
		g.remove(now, l.calls[0])
	}
	return calls
}

// RetryAfter is what to tell a caller that is refused: twice as long as calls wait now, within bounds.
func (g *Gate[P, C]) RetryAfter(now time.Time) time.Duration {
	var wait time.Duration
	if first := g.arrived.Front(); first != nil {
		wait = now.Sub(entry[P, C](first).since)
	}
	return min(max(2*wait, shortestRetry), longestRetry)
}

// Limit returns how many calls may run at once.
func (g *Gate[P, C]) Limit() int { return int(g.limit.value) }

// mayRun tells whether one more call may run.
func (g *Gate[P, C]) mayRun() bool { return g.running < g.most() }

// most is how many calls may run by both the limit and the pace.
func (g *Gate[P, C]) most() int { return min(g.Limit(), g.pace.value) }

// Running returns how many calls run.
func (g *Gate[P, C]) Running() int { return g.running }

// Queued returns how many calls wait.
func (g *Gate[P, C]) Queued() int { return g.arrived.Len() }

// remove takes a call out that is the first or the last of its line.
func (g *Gate[P, C]) remove(now time.Time, w *waiting[P, C]) {
	l := w.line
	g.arrived.Remove(w.place)
	if g.arrived.Len() == 0 {
		g.lastEmpty = now
	}
	if l.calls[0] == w {
		l.calls[0] = nil
		l.calls = l.calls[1:]
	} else {
		l.calls[len(l.calls)-1] = nil
		l.calls = l.calls[:len(l.calls)-1]
	}
	if len(l.calls) == 0 {
		g.turns.Remove(l.turn)
		delete(g.lines, l.peer)
	}
}

// longest returns the line with most calls; of several the one whose turn is last.
func (g *Gate[P, C]) longest() *line[P, C] {
	var most *line[P, C]
	for e := g.turns.Back(); e != nil; e = e.Prev() {
		if l := e.Value.(*line[P, C]); most == nil || len(l.calls) > len(most.calls) {
			most = l
		}
	}
	return most
}

func entry[P comparable, C any](e *list.Element) *waiting[P, C] { return e.Value.(*waiting[P, C]) }
