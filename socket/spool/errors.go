package spool

import (
	"errors"
	"fmt"
	"syscall"
)

// Errors that callers decide on. They come wrapped with what was done and where; match them with [errors.Is].
var (
	// ErrInUse: another process, or another Spool of this one, has the directory. The error names its process id and
	// host.
	ErrInUse = errors.New("in use")
	// ErrFull: there is no room: the caps in Options are reached, or the disk is full. Nothing was appended.
	ErrFull = errors.New("the spool is full")
	// ErrUncertain: a write or a sync failed, and so did the attempt to go on in another file. What was to be appended
	// may be on disk and be found by the next Open, or not. The cause is wrapped too.
	ErrUncertain = errors.New("of unknown outcome: it may be on disk or not")
	// ErrTooLarge: the message, or all that a Tx holds, is more than this spool takes.
	ErrTooLarge = errors.New("too large")
	// ErrClosed: the spool was closed.
	ErrClosed = errors.New("the spool is closed")
	// ErrFormat: the directory holds segments of a version that is not known here, or of two spools. Nothing in it was
	// changed.
	ErrFormat = errors.New("unknown format")
	// ErrNotSpool: the directory holds other files and no spool. Nothing in it was changed.
	ErrNotSpool = errors.New("not a spool")
	// ErrNoCursor: there is no cursor of this name, or it was dropped or has expired.
	ErrNoCursor = errors.New("no such cursor")
	// ErrNoMessage: there is no such message, or no such dead letter: it was never there, or is gone already.
	ErrNoMessage = errors.New("no such message")
	// ErrSettled: it was settled already.
	ErrSettled = errors.New("settled already")
)

// errNoRoom is why a segment cannot be made: the cap is reached. A full disk has the system's error instead.
var errNoRoom = errors.New("MaxBytes is reached")

// isFull reports whether an error is about room and nothing else.
func isFull(err error) bool { return errors.Is(err, errNoRoom) || errors.Is(err, syscall.ENOSPC) }

// fullError is ErrFull with its cause.
func fullError(cause error) error { return fmt.Errorf("%w: %w", ErrFull, cause) }

// wrap adds the directory and what was done.
func (s *Spool) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("spool: %s %s: %w", op, s.dir, err)
}
