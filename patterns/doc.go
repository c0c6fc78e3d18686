// Package patterns is what typed services, streams and pipelines have in common: how values become the bodies of
// messages, the head that goes before a body, headers and errors. WIRE.md has the bytes, for other languages, and
// vectors.json has examples of them for their tests.
//
// # Bodies
//
// A [Codec] turns values into bodies and back. [Msgpack] is the one that is used where no other is asked for; [JSON]
// and [Bytes] are the others. The head of a message names the codec of its body, so that peers with different ones can
// tell. [Raw] is a body that is still encoded, and [Decode] decodes it.
//
// Bodies come from anybody. No codec here panics, and none takes memory or stack for what a body merely claims: see
// [Limits].
//
// # Errors
//
// An [Error] has a [Code] and crosses to the other side, where it matches what it matched here by its code:
//
//	return patterns.Errorf(patterns.CodeNotFound, "no order %d", id)
//	…
//	if errors.Is(err, &patterns.Error{Code: patterns.CodeNotFound}) {
//
// # Headers
//
// [Headers] go along with a call, an event or a job: [WithHeaders] puts them into a context. They fit OpenTelemetry's
// propagators without this package knowing them.
//
// # Heads
//
// [Head], [ParseHead] and [Kind] are for tools and for bridges to other systems. Applications do without.
package patterns
