package main

import (
	"errors"
	"fmt"
	"io"
	"syscall"
)

// Exit statuses.
const (
	statusDone    = 0
	statusFailed  = 1
	statusUsage   = 2
	statusTimeout = 3
)

// A statusError ends the program with a status of its own.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &statusError{statusUsage, fmt.Errorf(format, args...)}
}

func failf(format string, args ...any) error {
	return &statusError{statusFailed, fmt.Errorf(format, args...)}
}

// nothingf is the end of a --timeout that passed with nothing to show.
func nothingf(format string, args ...any) error {
	return &statusError{statusTimeout, fmt.Errorf(format, args...)}
}

// Causes of contexts that end.
var (
	errIdle        = errors.New("--timeout passed")
	errLinger      = errors.New("--linger passed")
	errInterrupted = errors.New("interrupted")
	errEnough      = errors.New("--count reached")
)

// errOutput wraps what writing to standard output returned.
type errOutput struct{ err error }

func (e *errOutput) Error() string { return "standard output: " + e.err.Error() }
func (e *errOutput) Unwrap() error { return e.err }

// isBrokenPipe reports whether the reader of our output has gone. That is no news to whoever stopped it: no message.
func isBrokenPipe(err error) bool {
	_, output := errors.AsType[*errOutput](err)
	return output && (errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe))
}
