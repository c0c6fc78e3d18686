package group

import (
	"fmt"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
)

// A Peer is another member, from when it has entered until it has exited. A member that comes back is another Peer with
// the same ID. A Peer does not change.
type Peer struct {
	// Name is what the peer calls itself. Several may have the same.
	Name string
	// ID tells members apart, also those of one process. It is a claim, not a proof.
	ID ID
	// Socket is the connection by which it has entered.
	Socket *socket.Peer
}

// String is the name of the peer.
func (p *Peer) String() string {
	if p == nil {
		return "nobody"
	}
	return p.Name
}

// Kind is what an [Event] tells.
type Kind int

// The kinds of events, in the order in which those of a peer come: it has entered before all else, joins before it
// leaves, and has left all groups before it has exited.
const (
	// Entered: the peer is there.
	Entered Kind = iota + 1
	// Joined: it is in the group.
	Joined
	// Shout: it has said Value to all in the group.
	Shout
	// Whisper: it has said Value to this member alone.
	Whisper
	// Left: it is not in the group any more.
	Left
	// Exited: it is gone. Cause says why the connection ended: io.EOF if the peer has closed it.
	Exited
)

// String is the kind in a word.
func (k Kind) String() string {
	switch k {
	case Entered:
		return "entered"
	case Joined:
		return "joined"
	case Shout:
		return "shout"
	case Whisper:
		return "whisper"
	case Left:
		return "left"
	case Exited:
		return "exited"
	}
	return fmt.Sprintf("kind %d", int(k))
}

// An Event is something that a peer has done or said. Fields that say nothing about its kind are zero.
type Event[T any] struct {
	Kind    Kind
	Peer    *Peer
	Group   string           // of Joined, Shout and Left
	Value   T                // of Shout and Whisper
	Headers patterns.Headers // of Shout and Whisper: those of the sender's context
	Cause   error            // of Exited
}
