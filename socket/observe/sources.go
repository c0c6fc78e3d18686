package observe

import (
	"context"
	"iter"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// A Source is what is asked of a socket; each [socket.Socket] is one. Its methods are called by any goroutine that
// reads a snapshot, and only then.
type Source interface {
	// Type is the socket's type as ZMTP names it.
	Type() string
	// Stats is the socket's state now.
	Stats() socket.Stats
	// Events yields the events that are remembered and then new ones until ctx ends.
	Events(ctx context.Context) iter.Seq[socket.Event]
}

// An Inspector is what is asked of a node of discovery, which knows nothing of this package. Inspect may return a
// [NodeState], or any value of which [encoding/json] makes one.
type Inspector interface{ Inspect() any }

// A Spool is what is asked of a spool; [spool.Spool] is one.
type Spool interface{ Stats() spool.Stats }
