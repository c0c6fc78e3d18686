package dispatch

import (
	"iter"
	"time"
)

// A State is where a job is.
type State uint8

// The states.
const (
	Waiting State = iota // for a worker
	Blocked              // until an earlier job of its key is over
	Delayed              // until a time
	Held                 // by a worker
	Over
	states
)

// A Job is what a worker has to do. The exported fields are the user's to set before Push; then they are only read, and
// Attempts is the Machine's.
type Job[V any] struct {
	// Seq names the job, and is its place: lower ones go first. It is above 0, and no other job's, ever.
	Seq uint64
	// Key is shared by jobs that are done one after the other; "" by none.
	Key string
	// To is the name of the worker that it is for; "" is for any.
	To string
	// Unique is a key that no other pending job has; "" is none.
	Unique string
	// Size is what it counts against the bounds in bytes.
	Size int
	// NotBefore is when it may be given out; the zero time is at once.
	NotBefore time.Time
	// Expires is when it is over unless a worker has it; the zero time is never.
	Expires time.Time
	// Attempts is how many there were that came to nothing.
	Attempts int
	// Value is the user's.
	Value V

	state    State
	worker   Worker    // that has it, or had it last and has not given it back
	until    time.Time // the end of the lease or of the delay
	at       int       // in delayed or in the ready of its class
	atExpiry int
	links    [inLists]struct{ prev, next *Job[V] }
}

// State is where the job is.
func (j *Job[V]) State() State { return j.state }

// Until is the end of the lease of a job that is held, and of the delay of one that is delayed.
func (j *Job[V]) Until() time.Time { return j.until }

// Push adds a job. A job whose time is up is over at once.
func (m *Machine[V]) Push(now time.Time, j *Job[V]) ([]Action[V], error) {
	m.begin(now)
	switch {
	case !m.Room(1, int64(j.Size)):
		return nil, ErrFull
	case j.Unique != "" && m.unique[j.Unique] != nil:
		return nil, ErrDuplicate
	}
	m.insert(j)
	return m.actions, nil
}

// Restore is Push whatever room there is, of a job whose Unique key, if it has one, is free.
func (m *Machine[V]) Restore(now time.Time, j *Job[V]) []Action[V] {
	m.begin(now)
	m.insert(j)
	return m.actions
}

func (m *Machine[V]) insert(j *Job[V]) {
	m.jobs[j.Seq] = j
	m.bytes += int64(j.Size)
	m.all.insert(j)
	j.state = Blocked
	m.count[Blocked]++
	if j.Unique != "" {
		m.unique[j.Unique] = j
	}
	if !j.Expires.IsZero() {
		m.expiring.push(j)
	}
	if !m.join(j) || m.expired(j) {
		return
	}
	m.release(j, j.NotBefore)
	m.fill()
}

// Room reports whether Push would take so many jobs, of so many bytes in all.
func (m *Machine[V]) Room(jobs int, bytes int64) bool {
	return (m.cfg.MaxJobs <= 0 || len(m.jobs)+jobs <= m.cfg.MaxJobs) &&
		(m.cfg.MaxBytes <= 0 || len(m.jobs) == 0 || m.bytes+bytes <= m.cfg.MaxBytes)
}

// Pending returns the job of a unique key, nil if there is none.
func (m *Machine[V]) Pending(unique string) *Job[V] { return m.unique[unique] }

// Job returns a job that is not over, or nil.
func (m *Machine[V]) Job(seq uint64) *Job[V] { return m.jobs[seq] }

// All yields all jobs that are not over, by Seq. Nothing else of m may be called meanwhile.
func (m *Machine[V]) All() iter.Seq[*Job[V]] {
	return func(yield func(*Job[V]) bool) {
		for j := m.all.first; j != nil; j = j.links[inAll].next {
			if !yield(j) {
				return
			}
		}
	}
}

// Oldest returns the job with the lowest Seq, or nil.
func (m *Machine[V]) Oldest() *Job[V] { return m.all.first }

// join adds a job to those of its key, and reports whether it is the first. What has a lower Seq than the first comes
// behind it all the same, for a worker may have that.
func (m *Machine[V]) join(j *Job[V]) (first bool) {
	if j.Key == "" {
		return true
	}
	l := m.keys[j.Key]
	if l == nil {
		l = &list[V]{which: inKey}
		m.keys[j.Key] = l
	}
	l.insertBehindFirst(j)
	return l.first == j || !m.holds(keyOneAtATime)
}

// leave takes a job from those of its key; the next one's turn may come.
func (m *Machine[V]) leave(j *Job[V]) {
	if j.Key == "" {
		return
	}
	l := m.keys[j.Key]
	first := l.first == j
	l.remove(j)
	switch {
	case l.first == nil:
		delete(m.keys, j.Key)
	case first && l.first.state == Blocked && m.holds(keyGoesOn):
		if next := l.first; !m.expired(next) {
			m.release(next, next.NotBefore)
		}
	}
}

// release lets a job that is nowhere be given out, at a time.
func (m *Machine[V]) release(j *Job[V], notBefore time.Time) {
	if notBefore.After(m.now) && m.holds(delayHolds) {
		m.set(j, Delayed)
		j.until = notBefore
		m.delayed.push(j)
		return
	}
	m.set(j, Waiting)
	c := m.class(j.To)
	if !m.holds(onlyTo) {
		c = m.anyone
	}
	c.ready.push(j)
	if !c.touched {
		c.touched = true
		m.touched = append(m.touched, c)
	}
}

// expired ends a job whose time is up.
func (m *Machine[V]) expired(j *Job[V]) bool {
	if j.Expires.IsZero() || j.Expires.After(m.now) || !m.holds(timeIsUp) {
		return false
	}
	m.over(j, Expired, 0)
	return true
}

func (m *Machine[V]) set(j *Job[V], s State) {
	m.count[j.state]--
	j.state = s
	m.count[s]++
}

// over ends a job.
func (m *Machine[V]) over(j *Job[V], how Outcome, by Worker) {
	m.detach(j)
	m.set(j, Over)
	m.count[Over] = 0
	m.act(Action[V]{Kind: Settle, Outcome: how, Job: j, Worker: by})
	delete(m.jobs, j.Seq)
	m.bytes -= int64(j.Size)
	m.all.remove(j)
	m.expiring.remove(j)
	if j.Unique != "" && m.holds(uniqueUntilOver) {
		delete(m.unique, j.Unique)
	}
	m.leave(j)
}

// detach takes a job from where its state has it.
func (m *Machine[V]) detach(j *Job[V]) {
	switch j.state {
	case Held:
		m.take(j)
	case Delayed:
		m.delayed.remove(j)
	case Waiting:
		c := m.class(j.To)
		if !m.holds(onlyTo) {
			c = m.anyone
		}
		c.ready.remove(j)
		m.forget(c)
	case Blocked, Over, states:
	}
}
