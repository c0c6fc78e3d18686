package dispatch

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	lease    = 30 * time.Second
	grace    = time.Second
	attempts = 6
)

// A world is a Machine with a pusher and workers that do anything, and what must hold of them, kept in the simplest way
// that there is: it goes through all jobs for each question.
type world struct {
	m      *Machine[int]
	choose func(n int) int // one of 0 to below n
	now    time.Time
	total  int // jobs to push

	jobs    []*shadow // by seq - 1
	workers []*hand
	calm    bool
	faults  []string
}

// A shadow is what is known of a job from outside.
type shadow struct {
	key, to, unique    string
	notBefore, expires time.Time
	worker             *hand // that has it, or whose lease has run out without another having it since
	held               bool
	until              time.Time // the end of the lease
	settled            int
	attempts           int
	maybeBegun         bool
}

// A hand is a worker on one connection.
type hand struct {
	id       Worker
	name     string
	up       bool
	draining bool
	window   int
	open     map[uint64]bool // assigned, not answered for
	lapsed   map[uint64]bool
	stuck    bool // a lease has run out, and it has said nothing since
	mayCome  bool // down, within the grace
	resumed  bool // by another connection
	downAt   time.Time
}

func newWorld(choose func(int) int, total int, broken rule) *world {
	w := &world{choose: choose, total: total, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	w.m = New[int](Config{Lease: lease, MaxAttempts: attempts, MaxJobs: total})
	w.m.broken = broken
	return w
}

func (w *world) fault(kind, format string, args ...any) {
	w.faults = append(w.faults, kind+": "+fmt.Sprintf(format, args...))
}

func (w *world) some(n int) bool { return w.choose(n) == 0 }

// pass lets time go by, and has the Machine do what is due, when it is due.
func (w *world) pass(d time.Duration) {
	end := w.now.Add(d)
	for n := 0; ; n++ {
		at, ok := w.m.Next()
		if !ok || at.After(end) {
			break
		}
		if n > 1000 {
			w.fault("endless", "Tick comes to no end")
			return
		}
		if at.After(w.now) {
			w.now = at
		}
		w.returnLost()
		w.apply(w.m.Tick(w.now))
	}
	w.now = end
}

// returnLost notes for whom it is too late to come back.
func (w *world) returnLost() {
	for _, h := range w.workers {
		if h.mayCome && !w.now.Before(h.downAt.Add(grace)) {
			h.mayCome = false
			w.lose(h)
		}
	}
}

// lose notes that what a worker had comes again.
func (w *world) lose(h *hand) {
	for seq := range h.open {
		if s := w.jobs[seq-1]; s.worker == h && s.held {
			s.held = false
			s.attempts++
		}
	}
}

// eligible reports whether a job could be given to a worker now.
func (w *world) eligible(seq uint64, h *hand) bool {
	s := w.jobs[seq-1]
	if s.settled > 0 || s.held || s.to != "" && s.to != h.name || s.notBefore.After(w.now) {
		return false
	}
	return !w.blocked(seq)
}

// blocked reports whether an earlier job of the same key is not over.
func (w *world) blocked(seq uint64) bool {
	s := w.jobs[seq-1]
	for _, b := range w.jobs[:seq-1] {
		if s.key != "" && b.key == s.key && b.settled == 0 {
			return true
		}
	}
	return false
}

func (h *hand) hasRoom() bool {
	return h.up && !h.draining && !h.stuck && len(h.open)+len(h.lapsed) < h.window
}

// apply takes what the Machine wants done, and holds it against the shadows.
func (w *world) apply(actions []Action[int]) {
	for _, a := range actions {
		seq := a.Job.Seq
		s := w.jobs[seq-1]
		switch a.Kind {
		case Assign:
			w.assigned(a, s)
		case Settle:
			s.settled++
			if s.settled > 1 {
				w.fault("settled twice", "job %d", seq)
			}
			if s.held && a.Outcome != Done && a.Outcome != Rejected {
				w.fault("taken", "job %d is over (%d) while a worker has it", seq, a.Outcome)
			}
			if a.Outcome == Expired && (s.expires.IsZero() || s.expires.After(w.now)) {
				w.fault("early", "job %d has expired before its time", seq)
			}
			if a.Outcome == TooOften && s.attempts < attempts {
				w.fault("early", "job %d ended after %d attempts", seq, s.attempts)
			}
		case Revoke:
			if h := w.hand(a.Worker); s.worker != h || !s.held {
				w.fault("revoked", "job %d from worker %d, which does not have it", seq, h.id)
			} else {
				s.held = false
				s.attempts++
				delete(h.open, seq)
				h.lapsed[seq] = true
				h.stuck = true
			}
		case Again:
			if s.held && !s.worker.up && !s.until.After(w.now) { // the lease of one that may come back
				s.held = false
				s.attempts++
			}
			if a.Job.Attempts != s.attempts {
				w.fault("unflagged", "job %d counts %d attempts; there were %d", seq, a.Job.Attempts, s.attempts)
			}
		}
	}
}

func (w *world) assigned(a Action[int], s *shadow) {
	seq, h := a.Job.Seq, w.hand(a.Worker)
	switch {
	case s.settled > 0:
		w.fault("doubled", "job %d is given out though it is over", seq)
	case s.held:
		w.fault("doubled", "job %d is given out while worker %d has it", seq, s.worker.id)
	case w.blocked(seq):
		w.fault("key order", "job %d is given out before an earlier one of its key is over", seq)
	case s.to != "" && s.to != h.name:
		w.fault("astray", "job %d for %q goes to %q", seq, s.to, h.name)
	case s.notBefore.After(w.now):
		w.fault("early", "job %d is given out %v before its time", seq, s.notBefore.Sub(w.now))
	case !s.expires.IsZero() && !s.expires.After(w.now):
		w.fault("late", "job %d is given out though its time is up", seq)
	case !h.up || h.draining:
		w.fault("astray", "job %d goes to worker %d, which wants none", seq, h.id)
	case h.stuck:
		w.fault("stuck", "job %d goes to worker %d, which says nothing", seq, h.id)
	case !h.hasRoom():
		w.fault("credit", "job %d goes to worker %d, with %d and %d of %d", seq, h.id, len(h.open), len(h.lapsed), h.window)
	case s.attempts >= attempts:
		w.fault("too often", "job %d is given out after %d attempts", seq, s.attempts)
	}
	for i := range seq - 1 {
		if w.eligible(i+1, h) {
			w.fault("not the oldest", "job %d is given out while %d waits", seq, i+1)
			break
		}
	}
	if s.maybeBegun && a.Job.Attempts == 0 {
		w.fault("unflagged", "job %d comes again as if for the first time", seq)
	}
	s.maybeBegun = true
	w.gets(h, seq)
}

// gets notes that a worker holds a job, from now on.
func (w *world) gets(h *hand, seq uint64) {
	s := w.jobs[seq-1]
	s.worker, s.held, s.until = h, true, w.now.Add(lease)
	h.open[seq] = true
	delete(h.lapsed, seq)
}

func (w *world) hand(id Worker) *hand { return w.workers[id-1] }

// idle finds a worker that could have a job and a job that it could have: there must be none between steps.
func (w *world) idle() {
	for _, h := range w.workers {
		if !h.hasRoom() {
			continue
		}
		for i := range w.jobs {
			if w.eligible(uint64(i+1), h) {
				w.fault("idle", "worker %d has room and job %d waits", h.id, i+1)
				return
			}
		}
	}
}

// answered notes that a worker has said something final of a job, and reports whether it was its to say. The caller
// has yet to do the rest.
func (w *world) answered(h *hand, seq uint64) bool {
	mine := w.jobs[seq-1].settled == 0 && w.jobs[seq-1].worker == h
	delete(h.open, seq)
	delete(h.lapsed, seq)
	h.stuck = false
	return mine
}

func (w *world) judge(verb string, h *hand, seq uint64, mine bool, err error) {
	switch {
	case mine && err != nil:
		w.fault("refused", "%s of job %d by worker %d, which has it: %v", verb, seq, h.id, err)
	case !mine && !errors.Is(err, ErrSettled):
		w.fault("by a stranger", "%s of job %d by worker %d, which does not have it: %v", verb, seq, h.id, err)
	}
}

// verdict brings everything to an end, and returns what is wrong.
func (w *world) verdict() []string {
	w.calm = true
	if len(w.faults) > 0 {
		return w.faults
	}
	for _, h := range w.workers {
		w.drain(h)
	}
	for _, name := range names {
		h := w.arrive(name)
		w.credit(h, 10)
	}
	for range 40 * (len(w.jobs) + 1) {
		for _, h := range w.workers[len(w.workers)-len(names):] {
			for _, seq := range slices.Concat(slices.Sorted(maps.Keys(h.open)), slices.Sorted(maps.Keys(h.lapsed))) {
				w.ack(h, seq)
			}
		}
		w.pass(time.Minute)
		if len(w.faults) > 0 {
			return w.faults
		}
	}
	for i, s := range w.jobs {
		if s.settled == 0 {
			w.fault("lost", "job %d", i+1)
		}
	}
	if len(w.faults) == 0 {
		w.empty()
	}
	return w.faults
}

// empty holds that nothing is kept of jobs that are over.
func (w *world) empty() {
	for _, h := range w.workers {
		if h.up {
			w.down(h, 0)
		}
	}
	w.pass(time.Hour)
	m := w.m
	left := len(m.jobs) + len(m.keys) + len(m.unique) + len(m.classes) + len(m.workers) + m.delayed.len() +
		m.expiring.len() + m.gone.len() + m.anyone.ready.len() + m.anyone.free.len()
	if m.all.first != nil || m.leases.first != nil || m.bytes != 0 || m.Stats() != (Stats{}) || left > 0 {
		w.fault("kept", "%d things when all is over, %d bytes, %+v", left, m.bytes, m.Stats())
	}
}
