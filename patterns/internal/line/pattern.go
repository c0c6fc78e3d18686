package line

import (
	"errors"
	"fmt"
	"strings"

	"github.com/yodel-mq/yodel/socket"
)

// Property is the property of READY that says which pattern a peer is.
const Property = "X-Yodel-Pattern"

// By the property of READY that is ProxyProperty the sockets of a proxy say with the value ProxyAffinity that all
// messages of an envelope go to one peer behind it, and that those there are Yodel's.
const (
	ProxyProperty = "X-Yodel-Proxy"
	ProxyAffinity = "affinity"
)

// A Pattern is one side of a pattern, with the version of what it speaks.
type Pattern string

// The patterns there are.
const (
	Service    Pattern = "rpc/1"  // fits Call
	Call       Pattern = "call/1" // fits Service
	Publisher  Pattern = "pub/1"  // fits Subscriber
	Subscriber Pattern = "sub/1"  // fits Publisher
	Pusher     Pattern = "push/1" // fits Worker
	Worker     Pattern = "work/1" // fits Pusher
	Member     Pattern = "grp/1"  // fits itself
)

// ErrPattern: the peer is of another pattern. It was disconnected.
var ErrPattern = errors.New("the two do not fit")

// Option is the option by which a socket says that it is p.
func (p Pattern) Option() socket.Option { return socket.WithMetadata(Property, string(p)) }

// Meet returns nil if p can work with a peer, and an error that names both if not. A peer that says nothing is
// foreign, and fits all.
func (p Pattern) Meet(peer *socket.Peer) error {
	other := Pattern(peer.Metadata[Property])
	if other == "" || other.name() == p.counterpart() {
		return nil
	}
	return fmt.Errorf("%w: this is %s, and %s is %.32q", ErrPattern, p, peer, string(other))
}

// name is p without its version: of a later one each message says what it is.
func (p Pattern) name() Pattern {
	name, _, _ := strings.Cut(string(p), "/")
	return Pattern(name)
}

func (p Pattern) counterpart() Pattern {
	switch p {
	case Service:
		return Call.name()
	case Call:
		return Service.name()
	case Publisher:
		return Subscriber.name()
	case Subscriber:
		return Publisher.name()
	case Pusher:
		return Worker.name()
	case Worker:
		return Pusher.name()
	default:
		return p.name()
	}
}
