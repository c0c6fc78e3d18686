package patterns

import (
	"context"
	"fmt"
	"time"
)

// Code says what kind of error the other side has returned. Codes travel as these words; one that is not among them is
// kept as it is.
type Code string

// The codes, those of gRPC and Connect as far as they make sense here, and one for overload.
const (
	// CodeCanceled: the caller gave up. Matches [context.Canceled].
	CodeCanceled Code = "canceled"
	// CodeUnknown: an error without a code.
	CodeUnknown Code = "unknown"
	// CodeInvalidArgument: the request is wrong, or cannot be decoded, whatever the state of things.
	CodeInvalidArgument Code = "invalid_argument"
	// CodeDeadlineExceeded: the time was up. Matches [context.DeadlineExceeded].
	CodeDeadlineExceeded Code = "deadline_exceeded"
	// CodeNotFound: what was asked for is not there.
	CodeNotFound Code = "not_found"
	// CodeAlreadyExists: what was to be made is there already.
	CodeAlreadyExists Code = "already_exists"
	// CodePermissionDenied: this caller may not do that.
	CodePermissionDenied Code = "permission_denied"
	// CodeResourceExhausted: a quota or a disk is used up. Not that the service is busy: see CodeOverloaded.
	CodeResourceExhausted Code = "resource_exhausted"
	// CodeFailedPrecondition: the state of things must be changed before this can be done.
	CodeFailedPrecondition Code = "failed_precondition"
	// CodeAborted: somebody else did something at the same time; try all of it again.
	CodeAborted Code = "aborted"
	// CodeUnimplemented: there is no such method, or not of this shape.
	CodeUnimplemented Code = "unimplemented"
	// CodeInternal: something is broken.
	CodeInternal Code = "internal"
	// CodeUnavailable: not now; try again, with a pause, or elsewhere.
	CodeUnavailable Code = "unavailable"
	// CodeUnauthenticated: it is not known who the caller is.
	CodeUnauthenticated Code = "unauthenticated"
	// CodeOverloaded: there is more to do than can be done; see [Error.RetryAfter].
	CodeOverloaded Code = "overloaded"
)

// Error is an error that crosses to the other side: a handler that returns one is answered for by its Code, Text,
// RetryAfter and Detail, and the caller gets an equal one.
type Error struct {
	// Code is the kind of error. An empty one travels as CodeUnknown.
	Code Code
	// Text is for people. It travels, so it should tell no secrets.
	Text string
	// RetryAfter is the time after which another attempt makes sense; 0 if nothing is said.
	RetryAfter time.Duration
	// Detail is anything else, encoded; see [Decode].
	Detail Raw

	cause error
}

// Errorf returns an error with a code, and a text as [fmt.Errorf] makes it. What is wrapped by %w can be found by
// [errors.Is] and [errors.As] on this side only: of it nothing but the text crosses.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	e := &Error{Code: code, Text: err.Error()}
	switch wraps := err.(type) { //nolint:errorlint // whether this very error wraps others is the question
	case interface{ Unwrap() error }:
		e.cause = wraps.Unwrap()
	case interface{ Unwrap() []error }:
		e.cause = err
	}
	return e
}

// Error returns "code: text".
func (e *Error) Error() string {
	code := e.Code
	if code == "" {
		code = CodeUnknown
	}
	if e.Text == "" {
		return string(code)
	}
	return string(code) + ": " + e.Text
}

// Unwrap returns what was wrapped by [Errorf] on this side.
func (e *Error) Unwrap() error { return e.cause }

// Is makes errors match by their code: [context.Canceled], [context.DeadlineExceeded], and every *Error that has a code
// and nothing else, such as &Error{Code: CodeNotFound}.
func (e *Error) Is(target error) bool {
	switch target {
	case context.Canceled:
		return e.Code == CodeCanceled
	case context.DeadlineExceeded:
		return e.Code == CodeDeadlineExceeded
	}
	t, ok := target.(*Error)
	return ok && t != nil && t.Code != "" && t.Code == e.Code && t.Text == "" && t.RetryAfter == 0 &&
		t.Detail.Type == "" && t.Detail.Data == nil && t.cause == nil
}
