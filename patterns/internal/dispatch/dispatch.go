// Package dispatch decides which worker gets which job and when: credit, leases, redelivery, attempts, order by key,
// jobs for one worker, unique and delayed jobs, and those whose time is up. It is a state machine: events go in, with
// the time at which they happen, and actions come out. It has no goroutine, no lock, no clock and no chance of its own,
// and keeps nothing on disk; whoever uses it sends, stores and waits.
//
// # States of a job
//
//	Push ──► Blocked ──► Delayed ──► Waiting ──► Held ──► over: Done, Rejected, TooOften, Expired, Canceled
//	            behind its key ▲         ▲          │
//	                           └─────────┴──────────┘ given back, lease run out, worker lost
//
// A step takes time that grows with the logarithm of the number of jobs and workers, times the actions that it returns.
//
// # What holds
//
//   - A job is over once, and says how. Until then it is in one state, and held by one worker at most.
//   - Of the jobs of one key only the first can be given out, and the next when that is over.
//   - A worker is given the oldest job that it may have, and has never more open than it has given credit for. A job
//     whose lease has run out uses up credit until the worker says something of it. One that says nothing at all after
//     that gets none, whatever its credit: what it had would come back to it again and again.
//   - A job that a worker may have begun says so the next time, by Attempts.
//
// Start reading at Machine, then assign.go. model_test.go holds all of this against random schedules.
package dispatch

import (
	"errors"
	"time"
)

// Errors of a Machine.
var (
	ErrFull      = errors.New("as many jobs are pending as may be")
	ErrDuplicate = errors.New("a job with this unique key is pending")
	ErrTaken     = errors.New("a worker has the job")
	ErrSettled   = errors.New("the job is settled, or went to another worker")
	ErrCredit    = errors.New("more credit than can be used")
)

// MostCredit is how many jobs a worker may have open: what it asks for beyond is a fault, or an attempt to overflow.
const MostCredit = 1 << 16

// Config says how a Machine behaves. The zero value has no bounds: no lease, no attempt is the last, nothing is full.
type Config struct {
	// Lease is for how long a worker has a job without a word; 0 is for ever.
	Lease time.Duration
	// MaxAttempts is after how many attempts that came to nothing a job is over; 0 is never.
	MaxAttempts int
	// MaxJobs and MaxBytes bound what is pending. One job may exceed MaxBytes if it is the only one.
	MaxJobs  int
	MaxBytes int64
}

// A Machine is the jobs and workers of one pusher. V is what a user keeps with each job. It is not safe for concurrent
// use. Times given to it must not go back. The slice of actions that a method returns is valid until the next call.
type Machine[V any] struct {
	cfg    Config
	jobs   map[uint64]*Job[V]
	all    list[V] // by Seq
	bytes  int64
	count  [states]int
	keys   map[string]*list[V] // of each key the jobs in order
	unique map[string]*Job[V]

	anyone  *class[V]            // the jobs for any worker, and all workers
	classes map[string]*class[V] // those for workers of one name
	touched []*class[V]          // in which jobs have become ready during this step

	workers  map[Worker]*worker[V]
	turn     uint64           // counts assignments
	leases   list[V]          // by the end of the lease
	delayed  heap[*Job[V]]    // by the end of the delay
	expiring heap[*Job[V]]    // by Expires
	gone     heap[*worker[V]] // that may come back, by when it is too late for that
	now      time.Time
	actions  []Action[V]

	broken rule // in tests
}

// A class is the jobs that wait for the workers of one name, and those workers that could take one. One of the two is
// empty between steps.
type class[V any] struct {
	name    string
	ready   heap[*Job[V]]    // by Seq
	free    heap[*worker[V]] // by credit left
	workers int
	touched bool
}

// New returns a Machine without jobs and workers.
func New[V any](cfg Config) *Machine[V] {
	m := &Machine[V]{
		cfg:     cfg,
		jobs:    make(map[uint64]*Job[V]),
		keys:    make(map[string]*list[V]),
		unique:  make(map[string]*Job[V]),
		classes: make(map[string]*class[V]),
		workers: make(map[Worker]*worker[V]),
		all:     list[V]{which: inAll},
		leases:  list[V]{which: inLeases},
		delayed: heap[*Job[V]]{
			less: func(a, b *Job[V]) bool { return earlier(a.until, b.until, a.Seq, b.Seq) },
			at:   func(j *Job[V]) *int { return &j.at },
		},
		expiring: heap[*Job[V]]{
			less: func(a, b *Job[V]) bool { return earlier(a.Expires, b.Expires, a.Seq, b.Seq) },
			at:   func(j *Job[V]) *int { return &j.atExpiry },
		},
		gone: heap[*worker[V]]{
			less: func(a, b *worker[V]) bool { return earlier(a.until, b.until, uint64(a.id), uint64(b.id)) },
			at:   func(w *worker[V]) *int { return &w.atGone },
		},
	}
	m.anyone = m.newClass("")
	return m
}

func earlier(a, b time.Time, seqA, seqB uint64) bool {
	if c := a.Compare(b); c != 0 {
		return c < 0
	}
	return seqA < seqB
}

func (m *Machine[V]) newClass(name string) *class[V] {
	which := 0
	if name != "" {
		which = 1
	}
	return &class[V]{
		name: name,
		ready: heap[*Job[V]]{
			less: func(a, b *Job[V]) bool { return a.Seq < b.Seq },
			at:   func(j *Job[V]) *int { return &j.at },
		},
		free: heap[*worker[V]]{
			less: (*worker[V]).before,
			at:   func(w *worker[V]) *int { return &w.at[which] },
		},
	}
}

// class returns that of a name, which is made if need be.
func (m *Machine[V]) class(name string) *class[V] {
	if name == "" {
		return m.anyone
	}
	c := m.classes[name]
	if c == nil {
		c = m.newClass(name)
		m.classes[name] = c
	}
	return c
}

// forget drops a class that nothing is in.
func (m *Machine[V]) forget(c *class[V]) {
	if c != m.anyone && c.workers == 0 && c.ready.len() == 0 {
		delete(m.classes, c.name)
	}
}

// begin begins a step.
func (m *Machine[V]) begin(now time.Time) {
	m.now = now
	clear(m.actions) // so that it keeps no job from the garbage collector
	m.actions = m.actions[:0]
}

// act adds an action.
func (m *Machine[V]) act(a Action[V]) { m.actions = append(m.actions, a) }

// A Kind is what is to be done.
type Kind uint8

// The kinds of actions.
const (
	// Assign: send the job to the worker. Its Attempts are those before.
	Assign Kind = iota + 1
	// Settle: the job is over, as Outcome says. Worker is whose word it was, 0 if nobody's.
	Settle
	// Revoke: the worker, which is still there, has the job no more: its lease has run out.
	Revoke
	// Again: the job comes again after an attempt, which counts: what is stored of it needs its Attempts.
	Again
)

// An Action is what a user of a Machine has to do.
type Action[V any] struct {
	Kind    Kind
	Outcome Outcome
	Job     *Job[V]
	Worker  Worker
}

// An Outcome is how a job has ended.
type Outcome uint8

// The outcomes. All but Done and Canceled make a dead letter of it.
const (
	Done     Outcome = iota + 1 // a worker has done it
	Rejected                    // a worker said that it is never to come again
	TooOften                    // there were as many attempts as there may be
	Expired                     // its time was up
	Canceled                    // by Cancel
)

var outcomes = [...]string{
	Done: "done", Rejected: "rejected", TooOften: "too often", Expired: "expired", Canceled: "canceled",
}

// String returns the outcome as a word.
func (o Outcome) String() string {
	if int(o) < len(outcomes) {
		return outcomes[o]
	}
	return "unknown"
}

// Stats count what is pending.
type Stats struct {
	Waiting int // for a worker, or behind another of their key
	Held    int
	Delayed int
	Bytes   int64
	Workers int // connected
}

// Stats returns what is pending.
func (m *Machine[V]) Stats() Stats {
	return Stats{
		Waiting: m.count[Waiting] + m.count[Blocked], Held: m.count[Held], Delayed: m.count[Delayed], Bytes: m.bytes,
		Workers: len(m.workers) - m.gone.len(),
	}
}

// rule is a bit for each rule that the model check breaks, to see that it would notice.
type rule uint32

const (
	keyOneAtATime       rule = 1 << iota // of a key one job is out
	keyGoesOn                            // when the first of a key is over the next one's turn comes
	holderSettles                        // only who holds a job can end it
	lostComesAgain                       // what a lost worker had comes again
	leaseRunsOut                         // so does what a worker that is stuck has
	attemptsCount                        // what may have been begun says so
	attemptsEnd                          // and there is a last attempt
	oldestFirst                          // what comes again has its old place
	withinCredit                         // a worker has not more open than it said
	lapsedUsesCredit                     // nor does one that has what is not its own any more
	stuckGetsNone                        // and one that says nothing gets nothing
	drainedGetsNone                      // a worker that leaves gets nothing
	onlyTo                               // a job for one worker goes to no other
	delayHolds                           // a delayed job does not come before its time
	timeIsUp                             // nor does one whose time is up
	uniqueUntilOver                      // a unique key is free when its job is over
	creditIsUsed                         // who gives credit gets what waits
	resumeKeeps                          // what a worker that came back holds does not go to another
	resumeReturns                        // and what it does not hold comes again
	takenIsNotCancelled                  // a job that is held cannot be cancelled
)

func (m *Machine[V]) holds(r rule) bool { return m.broken&r == 0 }
