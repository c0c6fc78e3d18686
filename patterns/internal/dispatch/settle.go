package dispatch

import "time"

// Ack says that a worker has done a job. The error matches ErrSettled if the job is over, or another worker has it.
// What has run out and was not given to anybody yet can be ended still.
func (m *Machine[V]) Ack(now time.Time, w Worker, seq uint64) ([]Action[V], error) {
	return m.end(now, w, seq, Done)
}

// Reject says that the job is never to come again. The error is that of Ack.
func (m *Machine[V]) Reject(now time.Time, w Worker, seq uint64) ([]Action[V], error) {
	return m.end(now, w, seq, Rejected)
}

func (m *Machine[V]) end(now time.Time, w Worker, seq uint64, how Outcome) ([]Action[V], error) {
	m.begin(now)
	v, j := m.word(w, seq)
	if j == nil {
		return m.freed(v), ErrSettled
	}
	m.over(j, how, w)
	m.freed(v)
	return m.actions, nil
}

// Nack says that a worker gives a job back, to come again after the delay. begun says whether it may have done some
// of it, so that the attempt counts. The error is that of Ack.
func (m *Machine[V]) Nack(now time.Time, w Worker, seq uint64, delay time.Duration, begun bool) ([]Action[V], error) {
	m.begin(now)
	v, j := m.word(w, seq)
	if j == nil {
		return m.freed(v), ErrSettled
	}
	lapsed := j.state != Held
	m.detach(j)
	j.worker = 0
	m.again(j, max(delay, 0), begun && !lapsed) // what has run out was counted then
	m.freed(v)
	return m.actions, nil
}

// Renew says that a worker is at work on a job: the lease begins again. The error is that of Ack.
func (m *Machine[V]) Renew(now time.Time, w Worker, seq uint64) ([]Action[V], error) {
	m.begin(now)
	v, j := m.word(w, seq)
	if v == nil {
		return nil, ErrSettled
	}
	var err error
	switch {
	case j == nil:
		if len(v.lapsed) < v.window { // it goes on, so it has no room
			v.lapse(seq)
		}
		err = ErrSettled
	case j.state == Held:
		j.until = now.Add(m.cfg.Lease)
		m.leases.remove(j)
		m.leases.add(j)
	default:
		m.detach(j)
		m.give(v, j)
	}
	m.serve(v) // it may have been stuck
	return m.actions, err
}

// word finds the worker that says something of a job, and the job if it is this worker's. What it had beyond its lease
// uses up no credit any more.
func (m *Machine[V]) word(w Worker, seq uint64) (*worker[V], *Job[V]) {
	v := m.workers[w]
	if v == nil {
		return nil, nil
	}
	delete(v.lapsed, seq)
	v.stuck = false
	j := m.jobs[seq]
	if j == nil || j.worker != w && m.holds(holderSettles) || j.state == Blocked {
		return v, nil
	}
	return v, j
}

// freed gives a worker that has said something of a job others.
func (m *Machine[V]) freed(v *worker[V]) []Action[V] {
	if v != nil {
		m.refile(v)
	}
	m.fill()
	if v != nil {
		m.serve(v)
	}
	return m.actions
}

// lapse notes that a worker has a job that is not its own any more.
func (v *worker[V]) lapse(seq uint64) {
	if v.lapsed == nil {
		v.lapsed = make(map[uint64]struct{})
	}
	v.lapsed[seq] = struct{}{}
}

// Cancel ends a job that no worker has. The error matches ErrTaken if one has it, and ErrSettled if it is over.
func (m *Machine[V]) Cancel(now time.Time, seq uint64) ([]Action[V], error) {
	m.begin(now)
	j := m.jobs[seq]
	switch {
	case j == nil:
		return nil, ErrSettled
	case j.state == Held && m.holds(takenIsNotCancelled):
		return nil, ErrTaken
	}
	m.over(j, Canceled, 0)
	m.fill()
	return m.actions, nil
}

// Tick does what time has brought: leases that have run out, delays that are over, jobs whose time is up, workers that
// did not come back.
func (m *Machine[V]) Tick(now time.Time) []Action[V] {
	m.begin(now)
	for m.expiring.len() > 0 && !m.expiring.items[0].Expires.After(now) {
		j := m.expiring.items[0]
		m.expiring.remove(j)
		if j.state != Held { // one that is held may be done still
			m.expired(j)
		}
	}
	for m.gone.len() > 0 && !m.gone.items[0].until.After(now) {
		v := m.gone.items[0]
		m.gone.remove(v)
		m.lose(v)
	}
	for j := m.leases.first; j != nil && m.leased() && !j.until.After(now); j = m.leases.first {
		v := m.take(j)
		if v.atGone == 0 {
			v.lapse(j.Seq)
			v.stuck = true
			m.act(Action[V]{Kind: Revoke, Job: j, Worker: v.id})
		}
		m.refile(v)
		m.again(j, 0, true)
	}
	for m.delayed.len() > 0 && !m.delayed.items[0].until.After(now) {
		j := m.delayed.items[0]
		m.delayed.remove(j)
		m.release(j, time.Time{})
	}
	m.fill()
	return m.actions
}

func (m *Machine[V]) leased() bool { return m.cfg.Lease > 0 && m.holds(leaseRunsOut) }

// Next is when Tick has something to do; false if never.
func (m *Machine[V]) Next() (at time.Time, ok bool) {
	sooner := func(t time.Time) {
		if !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	if m.expiring.len() > 0 {
		sooner(m.expiring.items[0].Expires)
	}
	if m.gone.len() > 0 {
		sooner(m.gone.items[0].until)
	}
	if j := m.leases.first; j != nil && m.leased() {
		sooner(j.until)
	}
	if m.delayed.len() > 0 {
		sooner(m.delayed.items[0].until)
	}
	return at, ok
}
