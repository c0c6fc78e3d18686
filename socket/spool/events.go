package spool

import (
	"fmt"
	"sync"
	"time"
)

// An Event is something that happened to a spool.
type Event struct {
	Kind  EventKind
	Time  time.Time
	Seqs  Range  // what it is about, where that is one range
	Count Count  // how much that is
	Path  string // of the file
	Err   error
}

// EventKind is what happened.
type EventKind int

// The kinds.
const (
	Opened        EventKind = iota // Count: what waits
	Torn                           // the last commit did not come to its end; Count.Bytes of it were found
	Damaged                        // what was stored cannot be read; Seqs are lost, none if only the log's own data is hit
	Failing                        // a write or a sync has failed; what fails until Healthy is not an event
	Healthy                        // and a commit has succeeded again
	High                           // the files have passed 50, 80 or 100 % of MaxBytes; Count.Bytes is how much they take
	Full                           // there is no room
	Room                           // there is room again
	Dropped                        // by DropOldest, or by a cap
	Expired                        // by their time
	Buried                         // a message became a dead letter
	Compacted                      // what was alive of a segment stands in another one now
	CursorExpired                  // Path is the cursor's name
	Purged                         // by Purge
)

var kindNames = [...]string{
	"opened", "torn", "damaged", "failing", "healthy", "high", "full", "room", "dropped", "expired", "buried", "compacted",
	"cursor expired", "purged",
}

// String is the kind in words.
func (k EventKind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("EventKind(%d)", int(k))
	}
	return kindNames[k]
}

// String is the event as one line.
func (e Event) String() string {
	line := e.Kind.String()
	if e.Seqs.Len() > 0 {
		line += fmt.Sprintf(" %d-%d", e.Seqs.From, e.Seqs.To-1)
	}
	if e.Count != (Count{}) {
		line += fmt.Sprintf(" (%d messages, %d bytes)", e.Count.Messages, e.Count.Bytes)
	}
	if e.Path != "" {
		line += " " + e.Path
	}
	if e.Err != nil {
		line += ": " + e.Err.Error()
	}
	return line
}

// An eventQueue tells events one by one, in a goroutine of its own that is there only while there are some. What a
// cursor loses is told by it too.
type eventQueue struct {
	tell    func(Event)
	mu      sync.Mutex
	waiting []func()
	running bool
	idle    *sync.Cond
}

func (q *eventQueue) init(tell func(Event)) {
	q.tell = tell
	q.idle = sync.NewCond(&q.mu)
}

func (q *eventQueue) add(e Event) {
	if q.tell != nil {
		q.call(func() { q.tell(e) })
	}
}

// call has the queue's goroutine call f, behind all that was added before.
func (q *eventQueue) call(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, f)
	if !q.running {
		q.running = true
		go q.run()
	}
}

func (q *eventQueue) run() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) > 0 {
		f := q.waiting[0]
		q.waiting = q.waiting[1:]
		q.mu.Unlock()
		f()
		q.mu.Lock()
	}
	q.running = false
	q.idle.Broadcast()
}

// close returns when all has been told.
func (q *eventQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.running {
		q.idle.Wait()
	}
}

// emit tells an event.
func (s *Spool) emit(e Event) {
	e.Time = s.env.now()
	s.events.add(e)
}
