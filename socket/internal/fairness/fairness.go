// Package fairness keeps a goroutine that always finds something to read from starving those that read quiet
// connections.
//
// A reader that never waits gives the runtime no reason to ask the kernel which other connections have become
// readable: while all processors are busy that is left to the runtime's monitor, which looks every ten milliseconds.
// And the kernel, in turn, lets a thread that does not wait run for some milliseconds before another thread gets its
// processor. So a busy reader lets others go first from time to time: every [YieldInterval], and threads of the
// kernel's too, if it has peers beside it, every [NetpollInterval] otherwise. The former costs the reader up to a tenth
// of its time, the latter nothing that could be measured.
//
// Measured with 100 messages a second beside a saturating stream (examples/bench, two processors), at the 99th
// percentile: without any of this 4.9 to 7 ms, with ForceNetpoll every 500 µs 2.6, every 200 µs 2.8, with
// YieldProcessor, too, 1.2 to 2.3. Raw sockets take 1.2 to 2.8 ms, libzmq 5.7 to 6.6.
package fairness

import (
	"runtime"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/lockorder"
)

// How often a reader that always finds something lets others go first.
const (
	YieldInterval   = 200 * time.Microsecond // beside other peers
	NetpollInterval = time.Millisecond       // with no other peer
)

// Beside goroutines that compute, a reader that lets others go first is gone for longer than beside readers, which do
// the same: it has to wait until each of them has had its turn of up to ten milliseconds. It may then read on for as
// long.
const (
	longYield  = 5 * time.Millisecond
	mostCredit = 5 * time.Millisecond
)

// Resume returns the time from which the next interval of a reader counts that has let others go first, as one ended
// and until now: now, or later if that took so long that the others cannot all be readers.
func Resume(yielded, now time.Duration) time.Duration {
	if took := now - yielded; took > longYield {
		return now + min(took, mostCredit)
	}
	return now
}

// A Yielder lets other goroutines run in place of the readers of one socket. The zero value is ready. Its methods may
// be called by any number of goroutines.
type Yielder struct {
	mu     lockorder.Mutex[lockorder.Yielder]
	waker  *netpollWaker // nil until it is needed, and where there is none
	calls  int
	busy   bool // a goroutine runs the waker, without mu
	closed bool
}

// ForceNetpoll returns when every goroutine whose connection has become readable meanwhile had its chance to run.
// While another goroutine does the same, after Close, and where the system cannot, it is runtime.Gosched.
func (y *Yielder) ForceNetpoll() {
	if w := y.begin(); w != nil {
		w.run()
		y.mu.Lock()
		y.busy = false
		y.mu.Unlock()
	}
	runtime.Gosched() // those that the waker has found come first
}

// begin returns the waker, to one goroutine at a time.
func (y *Yielder) begin() *netpollWaker {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.busy || y.closed {
		return nil
	}
	if y.calls++; y.calls == 1 {
		y.waker, _ = newNetpollWaker() // without file descriptors to spare the scheduler's yield has to do
	}
	y.busy = y.waker != nil
	return y.waker
}

// Calls is how often ForceNetpoll has looked, for tests.
func (y *Yielder) Calls() int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.calls
}

// Close releases what the Yielder holds of the system, and a goroutine that is in ForceNetpoll.
func (y *Yielder) Close() {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.closed = true
	if y.waker != nil {
		y.waker.close()
		y.waker = nil
	}
}
