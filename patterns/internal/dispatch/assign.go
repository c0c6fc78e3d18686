package dispatch

import "time"

// fill gives out the jobs that have become ready during a step, as far as there are workers for them.
func (m *Machine[V]) fill() {
	for i := 0; i < len(m.touched); i++ { // none is added meanwhile
		c := m.touched[i]
		c.touched = false
		for c.ready.len() > 0 && c.free.len() > 0 {
			m.next(c.free.items[0])
		}
	}
	m.touched = m.touched[:0]
}

// serve gives a worker as many jobs as it may have.
func (m *Machine[V]) serve(v *worker[V]) {
	m.refile(v)
	if !m.holds(creditIsUsed) {
		return
	}
	for v.at[0] > 0 && m.next(v) {
		continue
	}
}

// next gives a worker the oldest job that it may have, and reports whether there was one.
func (m *Machine[V]) next(v *worker[V]) bool {
	c := m.anyone
	if k := v.class; k != nil && k.ready.len() > 0 &&
		(c.ready.len() == 0 || k.ready.items[0].Seq < c.ready.items[0].Seq) {
		c = k
	}
	if c.ready.len() == 0 {
		return false
	}
	j := c.ready.items[0]
	if !m.holds(oldestFirst) {
		j = c.ready.items[len(c.ready.items)-1]
	}
	c.ready.remove(j)
	m.give(v, j)
	m.refile(v)
	m.act(Action[V]{Kind: Assign, Job: j, Worker: v.id})
	return true
}

// give makes a worker hold a job that is nowhere. The caller refiles the worker.
func (m *Machine[V]) give(v *worker[V], j *Job[V]) {
	m.set(j, Held)
	j.worker = v.id
	j.until = m.now.Add(m.cfg.Lease)
	m.leases.add(j)
	v.held.add(j)
	delete(v.lapsed, j.Seq) // it may have had it before
	v.open++
	v.size += int64(j.Size)
	m.turn++
	v.used = m.turn
}

// take makes nobody hold a job. The caller refiles the worker.
func (m *Machine[V]) take(j *Job[V]) *worker[V] {
	v := m.workers[j.worker]
	m.leases.remove(j)
	v.held.remove(j)
	v.open--
	v.size -= int64(j.Size)
	return v
}

// again has a job come again that nobody holds any more, or makes an end of it. counted says that the attempt counts.
func (m *Machine[V]) again(j *Job[V], delay time.Duration, counted bool) {
	m.set(j, Blocked) // nowhere
	if counted && m.holds(attemptsCount) {
		j.Attempts++
		m.act(Action[V]{Kind: Again, Job: j})
	}
	switch {
	case m.expired(j):
	case counted && m.cfg.MaxAttempts > 0 && j.Attempts >= m.cfg.MaxAttempts && m.holds(attemptsEnd):
		m.over(j, TooOften, 0)
	default:
		m.release(j, m.now.Add(delay))
	}
}
