//go:build unix

package interop

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// stallLimit is how long a process may stand still before heartbeats of 100 ms are no longer to be expected of it.
const stallLimit = 40 * time.Millisecond

// An unexcused error is none that a busy machine explains.
type unexcused struct{ error }

// A meter watches whether this process gets to run.
type meter struct {
	mu     sync.Mutex
	stalls []stall
	stop   chan struct{}
	done   chan struct{}
}

type stall struct {
	at     time.Time
	length time.Duration
}

// TestMain keeps one going for all tests.
var thisProcess = meter{stop: make(chan struct{}), done: make(chan struct{})}

func (m *meter) run() {
	defer close(m.done)
	const step = 5 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-tick.C:
		case <-m.stop:
			return
		}
		now := time.Now()
		if late := now.Sub(last) - step; late > stallLimit {
			m.mu.Lock()
			m.stalls = append(m.stalls, stall{now, late})
			m.mu.Unlock()
		}
		last = now
	}
}

// since returns the longest stall since a time.
func (m *meter) since(t time.Time) (worst time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.stalls {
		if s.at.After(t) {
			worst = max(worst, s.length)
		}
	}
	return worst
}

// onTime runs a test whose peers must react within a hundred milliseconds. An attempt that fails while this process or
// the peer's stood still for too long says nothing about either, and is made again, unless the error is unexcused.
func onTime(t *testing.T, z *peer, attempt func(t *testing.T) error) {
	t.Helper()
	onTimeWithin(t, z, stallLimit, attempt)
}

// onTimeWithin is onTime for peers that bear with each other when one stands still for less than limit.
func onTimeWithin(t *testing.T, z *peer, limit time.Duration, attempt func(t *testing.T) error) {
	t.Helper()
	for i := range 6 {
		begin := time.Now()
		var err error
		through := t.Run(fmt.Sprint("attempt-", i+1), func(t *testing.T) { err = attempt(t) }) // cleans up after itself
		if err == nil || !through {
			return
		}
		if _, never := errors.AsType[unexcused](err); never {
			t.Fatal(err)
		}
		here := thisProcess.since(begin)
		there := time.Duration(
			pending{z.Send("stalls", 0, map[string]any{"ms": time.Since(begin).Milliseconds()})}.wait(
				t).Count) * time.Millisecond
		if here < limit && there < limit {
			t.Fatal(err)
		}
		t.Logf("this attempt is void, the machine stood still for %v here and %v there: %v", here, there, err)
	}
	t.Fatal("the machine is too busy for heartbeats of 100 ms")
}
