package discovery

// A Kind says what an [Event] tells.
type Kind string

// The kinds of events.
const (
	Added        Kind = "added"        // a node that was not known
	Updated      Kind = "updated"      // its record has changed
	Left         Kind = "left"         // it said goodbye
	Expired      Kind = "expired"      // it was not heard of for the lifetime of its record
	Incompatible Kind = "incompatible" // a node that speaks another protocol, or another major version
	Synced       Kind = "synced"       // all that was present when the watch began has been told
	Trouble      Kind = "trouble"      // the backend cannot do all it should; Err says what, and what it does instead
)

// An Event tells a change. Record is what is known of the node after it; with Left and Expired what was known before.
// Record.From begins with the address that said so last, with Left too.
type Event struct {
	Kind   Kind
	Record Record
	Source string // the name of the backend
	Err    error  // of Trouble
}

// A Query says what to watch for. The zero Query matches every node of [DefaultGroup].
type Query struct {
	Group   string // "" for DefaultGroup
	Service string // nodes that offer this service; "" for all
}
