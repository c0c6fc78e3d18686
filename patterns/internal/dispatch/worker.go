package dispatch

import "time"

// A Worker names a connection to a worker. The user chooses it, above 0, and never again for another connection.
type Worker uint64

type worker[V any] struct {
	id       Worker
	name     string
	class    *class[V] // nil without a name
	window   int       // how many jobs it may have open
	bytes    int64     // and how many bytes; 0 is without a bound
	open     int
	held     list[V]
	size     int64               // of what is held
	lapsed   map[uint64]struct{} // what it has, though it is another's by now or nobody's
	stuck    bool                // a lease of it has run out, and it has said nothing since
	draining bool
	used     uint64    // when it was given a job, in turns
	until    time.Time // of one that is gone
	at       [2]int    // in the free of anyone and of its class
	atGone   int
}

// before orders workers that are free: the most credit first, then the longest without a job.
func (w *worker[V]) before(v *worker[V]) bool {
	if a, b := w.credit(), v.credit(); a != b {
		return a > b
	}
	return w.used < v.used
}

func (w *worker[V]) credit() int { return w.window - w.open - len(w.lapsed) }

// Up says that a worker is connected. It has given no credit yet.
func (m *Machine[V]) Up(w Worker, name string) {
	v := &worker[V]{id: w, name: name, held: list[V]{which: inHeld}}
	m.workers[w] = v
	if name != "" {
		v.class = m.class(name)
		v.class.workers++
	}
}

// Credit lets a worker have jobs more open than before, and bytes in all if that is above 0: it is given one more as
// long as it has fewer. An error matches ErrCredit, and nothing has changed.
func (m *Machine[V]) Credit(now time.Time, w Worker, jobs uint64, bytes int64) ([]Action[V], error) {
	m.begin(now)
	v := m.workers[w]
	if v == nil {
		return nil, nil
	}
	if jobs > MostCredit || v.window+int(jobs) > MostCredit {
		return nil, ErrCredit
	}
	v.window, v.stuck = v.window+int(jobs), false
	if bytes > 0 {
		v.bytes = bytes
	}
	m.serve(v)
	return m.actions, nil
}

// Window is Credit that says how much it is in all, from now on, also for a worker that wanted nothing more.
func (m *Machine[V]) Window(now time.Time, w Worker, jobs uint64, bytes int64) ([]Action[V], error) {
	m.begin(now)
	v := m.workers[w]
	if v == nil || v.atGone > 0 {
		return nil, nil
	}
	if jobs > MostCredit {
		return nil, ErrCredit
	}
	v.window, v.bytes, v.draining, v.stuck = int(jobs), bytes, false, false
	m.serve(v)
	return m.actions, nil
}

// Drain says that a worker wants nothing more. It keeps what it has.
func (m *Machine[V]) Drain(w Worker) {
	if v := m.workers[w]; v != nil && m.holds(drainedGetsNone) {
		v.draining = true
		m.refile(v)
	}
}

// Down says that the connection to a worker is lost. What it had comes again, at once, or after so much time if it may
// come back till then.
func (m *Machine[V]) Down(now time.Time, w Worker, grace time.Duration) []Action[V] {
	m.begin(now)
	v := m.workers[w]
	if v == nil || v.atGone > 0 {
		return nil
	}
	v.draining = true
	m.refile(v)
	if grace > 0 && v.open > 0 {
		v.until = now.Add(grace)
		m.gone.push(v)
		return nil
	}
	m.lose(v)
	m.fill()
	return m.actions
}

// lose has come again what a worker had that is not there any more.
func (m *Machine[V]) lose(v *worker[V]) {
	if !m.holds(lostComesAgain) {
		return
	}
	m.gone.remove(v)
	for v.held.first != nil {
		j := v.held.first
		m.take(j)
		m.again(j, 0, true)
	}
	delete(m.workers, v.id)
	if v.class != nil {
		v.class.workers--
		m.forget(v.class)
	}
}

// Resume says that a worker that is connected is the one of an earlier connection, which is down, and has these
// jobs still, begun or not. It keeps those that nobody else has, and what is not among them comes again. What is lost
// to it is returned.
func (m *Machine[V]) Resume(now time.Time, w, before Worker, has []uint64) (actions []Action[V], lost []uint64) {
	m.begin(now)
	v, old := m.workers[w], m.workers[before]
	if v == nil || before == w || before == 0 {
		return nil, has
	}
	for _, seq := range has {
		if j := m.jobs[seq]; j == nil || j.worker != before || j.state == Blocked || !m.holds(resumeKeeps) {
			lost = append(lost, seq)
		} else {
			m.detach(j)
			m.give(v, j)
		}
	}
	if old != nil && m.holds(resumeReturns) {
		m.lose(old)
	}
	m.refile(v)
	m.fill()
	return m.actions, lost
}

// Adopt is Resume for a worker of an earlier life of the user, who has restored the jobs of that: it is given those of
// which it says that it has them, unless anybody had them since.
func (m *Machine[V]) Adopt(now time.Time, w, _ Worker, has []uint64) (actions []Action[V], lost []uint64) {
	m.begin(now)
	v := m.workers[w]
	if v == nil {
		return nil, has
	}
	for _, seq := range has {
		j := m.jobs[seq]
		if j == nil || j.worker != 0 || j.state != Waiting && j.state != Delayed || j.To != "" && j.To != v.name {
			lost = append(lost, seq)
			continue
		}
		m.detach(j)
		m.give(v, j)
	}
	m.refile(v)
	return m.actions, lost
}

// refile puts a worker among those that are free, or takes it from there.
func (m *Machine[V]) refile(v *worker[V]) {
	free := !v.draining && (v.bytes == 0 || v.size < v.bytes) && (!v.stuck || !m.holds(stuckGetsNone))
	switch {
	case !m.holds(withinCredit):
		free = free && v.window > 0
	case !m.holds(lapsedUsesCredit):
		free = free && v.open < v.window
	default:
		free = free && v.credit() > 0
	}
	m.anyone.free.file(v, free)
	if v.class != nil {
		v.class.free.file(v, free)
	}
}
