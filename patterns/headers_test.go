package patterns

import (
	"maps"
	"slices"
	"testing"
)

// carrier is what OpenTelemetry's propagators read and write: propagation.TextMapCarrier.
type carrier interface {
	Get(key string) string
	Set(key string, value string)
	Keys() []string
}

var _ carrier = Headers{}

func TestHeaders(t *testing.T) {
	h := Headers{}
	h.Set("b", "1")
	h.Set("a", "2")
	h.Set("b", "3")
	if h.Get("b") != "3" || h.Get("B") != "" || !slices.Equal(h.Keys(), []string{"a", "b"}) {
		t.Errorf("%v, keys %v", h, h.Keys())
	}
	var none Headers
	if none.Get("a") != "" || len(none.Keys()) != 0 {
		t.Error("nil headers have something")
	}
}

func TestHeadersInContext(t *testing.T) {
	ctx := t.Context()
	want := func(got, want Headers) {
		t.Helper()
		if got == nil || !maps.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	none := HeadersFrom(ctx)
	want(none, Headers{})
	none.Set("not", "there")
	want(HeadersFrom(ctx), Headers{})

	mine := Headers{"a": "1", "b": "2"}
	outer := WithHeaders(ctx, mine)
	mine.Set("a", "changed")
	want(HeadersFrom(outer), Headers{"a": "1", "b": "2"})
	inner := WithHeaders(outer, Headers{"b": "3", "c": "4"})
	want(HeadersFrom(inner), Headers{"a": "1", "b": "3", "c": "4"})
	want(HeadersFrom(outer), Headers{"a": "1", "b": "2"})
	HeadersFrom(inner).Set("a", "changed")
	want(HeadersFrom(inner), Headers{"a": "1", "b": "3", "c": "4"})
	want(HeadersFrom(WithHeaders(outer, nil)), Headers{"a": "1", "b": "2"})
}
