package patterns

import (
	"context"
	"maps"
	"slices"
)

// Headers travel in the head of a message, for middleware: at most 64, of 8 KiB with their names. Names are compared
// byte by byte, so write them in lower case. Headers is a TextMapCarrier of OpenTelemetry's propagators:
//
//	h := patterns.HeadersFrom(ctx)
//	otel.GetTextMapPropagator().Inject(ctx, h)
//	ctx = patterns.WithHeaders(ctx, h)
type Headers map[string]string

// Get returns the value of a header, "" if there is none.
func (h Headers) Get(name string) string { return h[name] }

// Set gives a header a value. h must not be nil.
func (h Headers) Set(name, value string) { h[name] = value }

// Keys returns the names, sorted.
func (h Headers) Keys() []string { return slices.Sorted(maps.Keys(h)) }

type headersKey struct{}

// HeadersFrom returns the headers that a call, an event or a job made with ctx takes along. The map is the caller's,
// and never nil. What a handler received is not among them, so that nothing is passed on unasked.
func HeadersFrom(ctx context.Context) Headers {
	h, _ := ctx.Value(headersKey{}).(Headers)
	if h = maps.Clone(h); h == nil {
		h = Headers{}
	}
	return h
}

// WithHeaders returns a context whose calls, events and jobs take h along, in addition to the headers that ctx has; of
// two with the same name the one in h. It copies h.
func WithHeaders(ctx context.Context, h Headers) context.Context {
	all := HeadersFrom(ctx)
	maps.Copy(all, h)
	return context.WithValue(ctx, headersKey{}, all)
}
