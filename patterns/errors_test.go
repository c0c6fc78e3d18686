package patterns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

func TestErrorf(t *testing.T) {
	for _, tt := range []struct {
		name  string
		err   *Error
		text  string
		wraps []error
	}{
		{"plain", Errorf(CodeNotFound, "no order %d", 5), "not_found: no order 5", nil},
		{
			"wrapped", Errorf(CodeInternal, "read: %w", io.ErrUnexpectedEOF), "internal: read: unexpected EOF",
			[]error{io.ErrUnexpectedEOF},
		},
		{
			"two wrapped", Errorf(CodeInternal, "%w, %w", io.EOF, io.ErrNoProgress),
			"internal: EOF, multiple Read calls return no data or error",
			[]error{io.EOF, io.ErrNoProgress},
		},
		{"no text", &Error{Code: CodeAborted}, "aborted", nil},
		{"no code", &Error{Text: "text"}, "unknown: text", nil},
		{"nothing", &Error{}, "unknown", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.err.Error() != tt.text {
				t.Errorf("%q, want %q", tt.err.Error(), tt.text)
			}
			for _, err := range tt.wraps {
				if !errors.Is(tt.err, err) {
					t.Errorf("it is not %v", err)
				}
			}
			if len(tt.wraps) == 0 && errors.Unwrap(tt.err) != nil {
				t.Errorf("it wraps %v", errors.Unwrap(tt.err))
			}
		})
	}
}

func TestErrorIs(t *testing.T) {
	busy := &Error{Code: CodeOverloaded} // as rpc has it for a sentinel
	for _, tt := range []struct {
		err, target error
		want        bool
	}{
		{Errorf(CodeCanceled, "x"), context.Canceled, true},
		{Errorf(CodeCanceled, "x"), context.DeadlineExceeded, false},
		{Errorf(CodeDeadlineExceeded, "x"), context.DeadlineExceeded, true},
		{Errorf(CodeUnknown, "x"), context.Canceled, false},
		{&Error{Code: CodeOverloaded, Text: "x", RetryAfter: time.Second}, busy, true},
		{Errorf(CodeResourceExhausted, "x"), busy, false},
		{busy, Errorf(CodeOverloaded, "x"), false},
		{busy, &Error{Code: CodeOverloaded, RetryAfter: 1}, false},
		{busy, &Error{Code: CodeOverloaded, Detail: Raw{Data: []byte{}}}, false},
		{&Error{}, &Error{}, false},
		{busy, (*Error)(nil), false},
		{Errorf(CodeUnknown, "x"), io.EOF, false},
	} {
		if got := errors.Is(fmt.Errorf("wrapped: %w", tt.err), tt.target); got != tt.want {
			t.Errorf("%v is %v: %t", tt.err, tt.target, got)
		}
	}
}
