package discovery

import "context"

// A Backend carries records between nodes. It is safe for concurrent use, and needs no closing: what it holds (sockets,
// goroutines) it opens with the first Announce or Watch, and has given up when the last Announcement is closed and the
// channels of all watches are.
type Backend interface {
	// Name stands in events and messages, for example "mdns".
	Name() string
	// Announce tells others about self until the Announcement is closed; ctx bounds only the call. A backend that
	// cannot announce returns ErrReadOnly.
	Announce(ctx context.Context, self Record) (Announcement, error)
	Watcher
}

// A Watcher tells who is there.
type Watcher interface {
	// Watch tells first all that is known, then Synced, then each change, until ctx ends; it then closes the channel. A
	// reader that falls behind is told the latest state of each node, not every step to it, and delays nobody.
	Watch(ctx context.Context, q Query) (<-chan Event, error)
}

// An Announcement is a record that is being announced.
type Announcement interface {
	// Update replaces the record.
	Update(Record) error
	// Close says goodbye, and returns once that has been sent or ctx has ended. To close again does nothing.
	Close(ctx context.Context) error
}

// A Confirmer is a backend that can check whether a node is still there, to be asked when a connection to it fails
// (RFC 6762 section 10.4). If there is no answer, the node expires early.
type Confirmer interface {
	Confirm(id ID)
}
