// Package flow is the credit of a stream: the receiver says how many bytes it has room for, and the sender sends no
// more, so that a stream that nobody reads holds up nothing but itself.
//
// An item costs its size and 64 bytes. It may be sent while there is any credit left, so that one that is larger than
// the window gets through as well, and a receiver holds the window and one item at most. There are no goroutines, locks
// or waits here.
package flow

import (
	"errors"
	"fmt"
)

const (
	// Overhead is what an item costs beside its bytes.
	Overhead = 64
	// MostCredit is what a sender may have: what a peer grants beyond that is a fault, or an attempt to overflow.
	MostCredit = 1 << 40

	leastWindow = 1 << 10
)

// Errors for what a peer does against the rules. The stream is to end.
var (
	ErrCredit  = errors.New("more credit than can be used")
	ErrOverrun = errors.New("an item beyond the credit")
)

// A Sender counts the credit that the other side has given. The zero value has none.
type Sender struct{ credit int64 }

// Grant adds credit.
func (s *Sender) Grant(n uint64) error {
	if n > MostCredit || s.credit+int64(n) > MostCredit {
		return fmt.Errorf("%w: %d bytes, to %d that are there", ErrCredit, n, s.credit)
	}
	s.credit += int64(n)
	return nil
}

// Ready tells whether an item may be sent, of any size.
func (s *Sender) Ready() bool { return s.credit > 0 }

// Sent takes the cost of an item, whose bytes were size.
func (s *Sender) Sent(size int) { s.credit -= int64(size) + Overhead }

// A Receiver counts what may come and what has been read.
type Receiver struct {
	window  int64
	credit  int64 // what the other side still has
	pending int64 // what was read and has not been given back
}

// NewReceiver returns a Receiver, and the credit to begin with, which is to be granted at once. A window of less than a
// KiB is a KiB, and one of more than MostCredit is that.
func NewReceiver(window int) (*Receiver, uint64) {
	w := min(max(int64(window), leastWindow), MostCredit)
	return &Receiver{window: w, credit: w}, uint64(w)
}

// Arrived takes the cost of an item that came.
func (r *Receiver) Arrived(size int) error {
	if r.credit <= 0 {
		return fmt.Errorf("%w: %d bytes", ErrOverrun, size)
	}
	r.credit -= int64(size) + Overhead
	return nil
}

// Read says that the application has taken an item, and returns the credit to grant now: 0 until half the window can be
// given back at once.
func (r *Receiver) Read(size int) uint64 {
	r.pending += int64(size) + Overhead
	if r.pending < r.window/2 {
		return 0
	}
	n := r.pending
	r.credit, r.pending = r.credit+n, 0
	return uint64(n)
}

// Held returns what items that have come and were not read cost.
func (r *Receiver) Held() int64 { return r.window - r.credit - r.pending }
