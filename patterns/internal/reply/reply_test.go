package reply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/patterns"
)

// Each error goes over as bytes, and what comes out is looked at.
func TestErrorsCross(t *testing.T) {
	detail := patterns.Raw{Type: "json", Data: []byte(`{"field":"id"}`)}
	for _, tt := range []struct {
		name   string
		err    error
		show   bool
		want   patterns.Error
		hidden bool
		is     error // what it matches on the other side
	}{
		{
			"with a code", patterns.Errorf(patterns.CodeNotFound, "no order %d", 5), false,
			patterns.Error{Code: patterns.CodeNotFound, Text: "no order 5"},
			false,
			&patterns.Error{Code: patterns.CodeNotFound},
		},
		{
			"with all there is", &patterns.Error{Code: "own", Text: "t", RetryAfter: time.Second, Detail: detail}, false,
			patterns.Error{Code: "own", Text: "t", RetryAfter: time.Second, Detail: detail},
			false, nil,
		},
		{
			"wrapped", fmt.Errorf("secret: %w", patterns.Errorf(patterns.CodeAborted, "again")), false,
			patterns.Error{Code: patterns.CodeAborted, Text: "again"},
			false, nil,
		},
		{
			"without a code", &patterns.Error{Text: "t"}, false,
			patterns.Error{Code: patterns.CodeUnknown, Text: "t"},
			false, nil,
		},
		{
			"of another kind", fmt.Errorf("secret: %w", io.EOF), false,
			patterns.Error{Code: patterns.CodeUnknown, Text: "handler failed"},
			true, nil,
		},
		{
			"of another kind, shown", fmt.Errorf("no secret: %w", io.EOF), true,
			patterns.Error{Code: patterns.CodeUnknown, Text: "no secret: EOF"},
			false, nil,
		},
		{
			"canceled", fmt.Errorf("secret: %w", context.Canceled), true,
			patterns.Error{Code: patterns.CodeCanceled, Text: "context canceled"},
			false, context.Canceled,
		},
		{
			"too late", context.DeadlineExceeded, false,
			patterns.Error{Code: patterns.CodeDeadlineExceeded, Text: "context deadline exceeded"},
			false,
			context.DeadlineExceeded,
		},
		{
			"to be tried again before now", &patterns.Error{Code: patterns.CodeOverloaded, RetryAfter: -1}, false,
			patterns.Error{Code: patterns.CodeOverloaded},
			false, &patterns.Error{Code: patterns.CodeOverloaded},
		},
		{
			"with a nil one in it", opaque{}, false, patterns.Error{Code: patterns.CodeUnknown, Text: Failed}, true, nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, body, hidden := FromError(tt.err, tt.show)
			if err := h.Validate(); err != nil {
				t.Fatal(err)
			}
			back, err := patterns.ParseHead(h.AppendTo(nil))
			if err != nil {
				t.Fatal(err)
			}
			got := ToError(&back, body)
			if !reflect.DeepEqual(*got, tt.want) || hidden != tt.hidden {
				t.Errorf("%+v, hidden %t; want %+v, %t", *got, hidden, tt.want, tt.hidden)
			}
			if tt.is != nil && !errors.Is(got, tt.is) {
				t.Errorf("it is not %v", tt.is)
			}
		})
	}
}

// opaque has a nil *patterns.Error in it, as a careless function returns.
type opaque struct{}

func (opaque) Error() string { return "opaque" }

func (opaque) As(target any) bool {
	e, ok := target.(**patterns.Error)
	if ok {
		*e = nil
	}
	return ok
}

func TestNoError(t *testing.T) {
	if e := ToError(&patterns.Head{Text: "t", Retry: 1}, []byte("body")); e != nil {
		t.Errorf("%v", e)
	}
}

// A text that is far too long does not make the head one that the other side refuses.
func TestLongText(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("t", 1<<20), strings.Repeat("ü", 1<<20), strings.Repeat("a\xff", 1<<20),
	} {
		h, _, _ := FromError(errors.New(text), true)
		back, err := patterns.ParseHead(h.AppendTo(nil))
		if err != nil || len(back.Text) < 4<<10 || len(back.Text) > 9<<10 {
			t.Errorf("%d bytes, %v", len(back.Text), err)
		}
	}
}
