package socket

import (
	"context"
	"iter"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/lockorder"
	"github.com/yodel-mq/yodel/socket/internal/waitlist"
)

// An eventLog keeps the last events of a socket and lets any number of readers follow it at their own speed.
type eventLog struct {
	mu     lockorder.Mutex[lockorder.Events]
	ring   []Event
	first  uint64 // number of the oldest event in ring
	next   uint64 // number of the next one
	closed bool
	more   waitlist.List
	counts [len(eventNames)]uint64 // by kind, since the start; those that are held back included

	gathered [gatherClasses]withheld
}

// maxEvents is how many events a socket remembers.
const maxEvents = 1024

// add appends an event and gives it its time.
func (e *eventLog) add(ev Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.append(ev)
}

// append is add with e.mu held.
func (e *eventLog) append(ev Event) {
	if e.closed {
		return
	}
	ev.Time = time.Now()
	e.counts[ev.Kind]++
	if e.gather(ev) {
		return
	}
	if ev.Kind == Closed {
		e.tellAllHeld(ev.Time)
	}
	e.put(ev)
}

// put is append for an event that is told now.
func (e *eventLog) put(ev Event) {
	if len(e.ring) < maxEvents {
		e.ring = append(e.ring, ev)
	} else {
		e.ring[e.next%maxEvents] = ev
		e.first++
	}
	e.next++
	e.closed = ev.Kind == Closed
	e.more.WakeAll()
}

// read returns the event with number at, waiting for it if need be. ok is false when there will be no more.
func (e *eventLog) read(ctx context.Context, at uint64) (ev Event, next uint64, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		switch {
		case at < e.first:
			return Event{Kind: Missed, Time: e.ring[e.first%maxEvents].Time, Count: e.first - at}, e.first, true
		case at < e.next:
			return e.ring[at%maxEvents], at + 1, true
		case e.closed:
			return Event{}, at, false
		}
		w := e.more.Join()
		e.mu.Unlock()
		err := w.Wait(ctx)
		e.mu.Lock()
		e.more.Leave(w, err)
		if err != nil {
			return Event{}, at, false
		}
	}
}

// all follows the log from the oldest event it still has.
func (e *eventLog) all(ctx context.Context) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		e.mu.Lock()
		at := e.first
		e.mu.Unlock()
		for {
			ev, next, ok := e.read(ctx, at)
			if !ok || !yield(ev) {
				return
			}
			at = next
		}
	}
}

// counted is how many events of each kind there were since the start, those that are forgotten included.
func (e *eventLog) counted() map[EventKind]uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	counts := make(map[EventKind]uint64)
	for kind, n := range e.counts {
		if n > 0 {
			counts[EventKind(kind)] = n
		}
	}
	return counts
}
