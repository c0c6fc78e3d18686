package pipeline

import (
	"errors"
	"fmt"

	"github.com/yodel-mq/yodel/patterns/internal/line"
	"github.com/yodel-mq/yodel/socket"
)

// How a job can end other than well; a [JobError] tells of which job, and why. Then what a Pusher or a Job refuses.
var (
	// ErrRejected: a worker said that the job is never to come again.
	ErrRejected = errors.New("rejected")
	// ErrTooOften: there were as many attempts as there may be ([WithMaxAttempts]).
	ErrTooOften = errors.New("failed too often")
	// ErrExpired: its time was up before a worker had it ([TTL]).
	ErrExpired = errors.New("its time was up")
	// ErrCanceled: by Cancel.
	ErrCanceled = errors.New("canceled")
	// ErrDuplicate: a job with this [Unique] key is pending.
	ErrDuplicate = errors.New("a job with this unique key is pending")
	// ErrTaken: a worker has the job, so that it cannot be canceled.
	ErrTaken = errors.New("a worker has the job")
	// ErrSettled: the job is settled, or the lease went to another worker.
	ErrSettled = errors.New("the job is settled, or went to another worker")
	// ErrMismatch: who was met is of another pattern, and was disconnected; see [WithRefused].
	ErrMismatch = line.ErrPattern
	// ErrSpool: the spool is in use for something else than a pusher's jobs.
	ErrSpool = errors.New("the spool is not a pusher's")
	// ErrNotDone: there is no result yet.
	ErrNotDone = errors.New("the job is not done")
)

// A JobError says which job came to nothing. Err is one of ErrRejected, ErrTooOften, ErrExpired, ErrCanceled and
// socket.ErrClosed, which it unwraps to.
type JobError struct {
	ID       ID
	Attempts int    // that came to nothing
	Reason   string // the worker's, or what went wrong last, for people; empty if nothing is known
	Err      error
}

// Error names the job and what became of it.
func (e *JobError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("pipeline: job %v: %v", e.ID, e.Err)
	}
	return fmt.Sprintf("pipeline: job %v: %v: %s", e.ID, e.Err, e.Reason)
}

// Unwrap returns Err.
func (e *JobError) Unwrap() error { return e.Err }

// rejection is what Reject makes of an error.
type rejection struct{ err error }

func (r *rejection) Error() string { return "rejected: " + r.err.Error() }

func (r *rejection) Unwrap() []error { return []error{ErrRejected, r.err} }

// Reject returns an error by which a handler of [Worker.Run] says that its job is never to come again: it becomes a
// dead letter, for the reason that err gives. Of nil it is nil.
func Reject(err error) error {
	if err == nil {
		return nil
	}
	return &rejection{err}
}

// mismatch is what is told of a peer that was refused; nil of anything else.
func mismatch(endpoint string, err error) error {
	if !errors.Is(err, ErrMismatch) {
		return nil
	}
	return opError("meet", &socket.PeerError{Op: "meet", Endpoint: endpoint, Err: err})
}

func opError(op string, err error) error { return fmt.Errorf("pipeline: %s: %w", op, err) }
