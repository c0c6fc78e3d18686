package socket

import (
	"runtime"
	"sync"
	"time"
)

// A reader that always finds something never gives the runtime a reason to ask the kernel which other connections
// have become readable: while all processors are busy that is left to the runtime's monitor, which looks every ten
// milliseconds. And the kernel, in turn, lets a thread that does not wait run for some milliseconds before another
// gets its processor. So that one busy peer does not starve a quiet one, such a reader lets others go first from time
// to time: more often, and threads of the kernel's too, if its socket has other peers. That costs it up to a tenth of
// its time, a sweep every millisecond nothing that could be measured.
//
// Measured with 100 messages a second beside a saturating stream (examples/bench, two processors), at the 99th
// percentile: without any of this 4.9 to 7 ms, with a sweep every 500 µs 2.6, every 200 µs 2.8, with the kernel's
// yield, too, 1.2 to 2.3. Raw sockets take 1.2 to 2.8 ms, libzmq 5.7 to 6.6.
const (
	yieldEvery = 200 * time.Microsecond // beside other peers
	sweepEvery = time.Millisecond       // with no other peer
)

// A yielder lets others run in place of a socket's readers.
type yielder struct {
	mu      sync.Mutex
	sweeper *sweeper // nil until it is needed, and where there is none
	sweeps  int
	busy    bool // somebody sweeps, without mu
	closed  bool
}

// yield is called by whoever has the turn, after each read.
func (l *link) yield() {
	t := &l.in.turn
	now := time.Duration(l.life.read.Load())
	if !t.stream && !t.reader.Flooding() { // it is going to wait
		t.yields = now
		return
	}
	every, beside := sweepEvery, l.core.in.members.Load() > 1
	if beside {
		every = yieldEvery
	}
	if now-t.yields < every {
		return
	}
	t.yields = now
	if beside {
		yieldProcessor()
	}
	l.core.yielder.sweep()
}

// sweep returns when every goroutine that has become ready meanwhile had its chance to run.
func (y *yielder) sweep() {
	if s := y.begin(); s != nil {
		s.run()
		y.mu.Lock()
		y.busy = false
		y.mu.Unlock()
	}
	runtime.Gosched() // those that the sweep has found come first
}

// begin returns the sweeper, for one at a time.
func (y *yielder) begin() *sweeper {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.busy || y.closed {
		return nil
	}
	if y.sweeps++; y.sweeps == 1 {
		y.sweeper, _ = newSweeper() // without file descriptors to spare the scheduler's yield has to do
	}
	y.busy = y.sweeper != nil
	return y.sweeper
}

// close frees who sweeps, too.
func (y *yielder) close() {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.closed = true
	if y.sweeper != nil {
		y.sweeper.close()
		y.sweeper = nil
	}
}
