package memfs

import (
	"errors"
	"io/fs"
	"syscall"
)

// ErrStopped is what every operation of a process that is dead returns: see [FS.StopAt].
var ErrStopped = errors.New("memfs: the process has been stopped")

// A Fault makes an operation fail. A failed write has written a random part of its bytes, from the front; a failed sync
// has moved a random set of sectors and marked all clean; a failed SyncDir has moved a random number of changes, and
// for half of such failures the others never reach the medium; any other change has been made or not, at random.
type Fault struct {
	On    Kind  // the operations that are counted for this fault, and that it hits
	Nth   int   // the n-th of these fails, from 1, counted from when the fault was set
	Times int   // this many from there on fail; 0 is one, below 0 all
	Err   error // what they return; nil is EIO
}

type fault struct {
	Fault
	seen int
}

// hits counts an operation and reports whether it fails.
func (f *fault) hits(k Kind) bool {
	if f.On&k == 0 {
		return false
	}
	f.seen++
	return f.seen == f.Nth || f.seen > f.Nth && (f.Times < 0 || f.seen < f.Nth+f.Times)
}

// Fail adds faults to those that are set.
func (m *FS) Fail(faults ...Fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range faults {
		if f.Err == nil {
			f.Err = syscall.EIO
		}
		m.faults = append(m.faults, &fault{Fault: f})
	}
}

// FailRate makes each operation in on fail with EIO at the given rate, 0 to 1. It replaces the rate that was set
// before.
func (m *FS) FailRate(on Kind, rate float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rateOn, m.rate = on, rate
}

// Heal takes back all faults and the rate.
func (m *FS) Heal() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults, m.rate = nil, 0
}

// StopAt has the process die in the n-th change from now, 1 being the next one, as by kill -9 or with the machine: of a
// write a random part is made, from the front; any other change is made or not, at random, but for a sync, which is
// not. That operation and all after it, whatever they are, return [ErrStopped]. Cut then says what is left.
func (m *FS) StopAt(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopAt = m.changes + n
}

// Stop has the process die now, between two operations.
func (m *FS) Stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopped = true
}

// Stopped reports whether the process has died.
func (m *FS) Stopped() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stopped
}

// decide returns the error that an operation fails with, or nil.
func (m *FS) decide(op *Op) error {
	if m.stopped {
		return m.failed(op, ErrStopped)
	}
	var err error
	for _, f := range m.faults {
		if f.hits(op.Kind) && err == nil {
			err = f.Err
		}
	}
	if err == nil && m.rate > 0 && m.rateOn&op.Kind != 0 && m.chance.Float64() < m.rate {
		err = syscall.EIO
	}
	if op.N > 0 && op.N == m.stopAt {
		m.stopped, m.dying = true, true
		err = ErrStopped
	}
	return m.failed(op, err)
}

// failed wraps an error as the operating system's come.
func (m *FS) failed(op *Op, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op.Kind.String(), Path: op.Name, Err: err}
}

// anyway reports whether a change that fails is made nevertheless: never if the process was dead before.
func (m *FS) anyway() bool {
	return (!m.stopped || m.dying) && m.chance.IntN(2) == 0
}

// part is how much of n bytes a write makes that fails.
func (m *FS) part(n int64) int64 {
	if m.stopped && !m.dying {
		return 0
	}
	return m.chance.Int64N(n + 1)
}
