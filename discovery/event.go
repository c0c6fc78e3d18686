package discovery

// A EventKind says what an [Event] tells.
type EventKind string

// The kinds of events.
const (
	Added        EventKind = "added"        // a node that was not known
	Updated      EventKind = "updated"      // its record has changed
	Left         EventKind = "left"         // it said goodbye
	Expired      EventKind = "expired"      // it was not heard of for the lifetime of its record
	Incompatible EventKind = "incompatible" // a node that speaks another protocol, or another major version
	Synced       EventKind = "synced"       // all that was present when the watch began has been told
	Trouble      EventKind = "trouble"      // the backend cannot do all it should; Err says what, and what it does instead
)

// An Event tells a change. Record is what is known of the node after it; with Left and Expired what was known before.
// Record.From begins with the address that said so last, with Left too.
type Event struct {
	Kind   EventKind
	Record Record
	Source string // the name of the backend
	Err    error  // of Trouble
}

// A Query says what to watch for. The zero Query matches every node of [DefaultGroup].
type Query struct {
	Group   string // "" for DefaultGroup
	Service string // nodes that offer this service; "" for all
}
