// Package reply turns what a handler returns into the head and body that cross to the other side, and back.
package reply

import (
	"context"
	"errors"

	"github.com/yodel-mq/yodel/patterns"
)

// Failed is the text that crosses for an error that is not meant for the other side.
const Failed = "handler failed"

// FromError returns the head and body of an error. Of an error that has a [patterns.Error] in it that one crosses, and
// nothing that was wrapped around it; a context's error by its code; every other as unknown, with a text that tells
// nothing, or with its own if show is set. hidden tells whether the text did not cross, so that it should be logged.
func FromError(err error, show bool) (h patterns.Head, body []byte, hidden bool) {
	var e *patterns.Error
	switch {
	case errors.As(err, &e) && e != nil:
		h = patterns.Head{Code: e.Code, Text: e.Text, Retry: max(e.RetryAfter, 0)}
		if h.Code == "" {
			h.Code = patterns.CodeUnknown
		}
		if body = e.Detail.Data; len(body) > 0 {
			h.Type = e.Detail.Type
		}
	case errors.Is(err, context.Canceled):
		h = patterns.Head{Code: patterns.CodeCanceled, Text: context.Canceled.Error()}
	case errors.Is(err, context.DeadlineExceeded):
		h = patterns.Head{Code: patterns.CodeDeadlineExceeded, Text: context.DeadlineExceeded.Error()}
	case show:
		h = patterns.Head{Code: patterns.CodeUnknown, Text: err.Error()}
	default:
		h, hidden = patterns.Head{Code: patterns.CodeUnknown, Text: Failed}, true
	}
	h.Text = shorten(h.Text)
	return h, body, hidden
}

// mostText leaves room in a head for all else.
const mostText = 4 << 10

func shorten(s string) string {
	if len(s) <= mostText {
		return s
	}
	return s[:mostText] + "…" // half a character at the end is repaired when the head is written
}

// ToError returns the error that a head and body tell of, nil if the head is no error. It keeps body.
func ToError(h *patterns.Head, body []byte) *patterns.Error {
	if h.Code == "" {
		return nil
	}
	e := &patterns.Error{Code: h.Code, Text: h.Text, RetryAfter: h.Retry}
	if len(body) > 0 {
		e.Detail = patterns.Raw{Type: h.Type, Data: body}
	}
	return e
}
