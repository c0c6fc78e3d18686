package pubsub

import (
	"errors"
	"fmt"

	meet "github.com/yodel-mq/yodel/patterns/internal/line"
	"github.com/yodel-mq/yodel/patterns/internal/subject"
	"github.com/yodel-mq/yodel/socket"
)

// Errors that callers decide on. They come wrapped with what was to be done. Those of the sockets below, such as
// socket.ErrClosed, match as well.
var (
	// ErrSubject: nothing can be published under this subject; see the package comment.
	ErrSubject = subject.ErrSubject
	// ErrPattern: nobody can subscribe to this pattern.
	ErrPattern = subject.ErrPattern
	// ErrBusy: another loop over Events is under way on the same subscriber.
	ErrBusy = errors.New("events are being read already")
	// ErrNotSubscribed: there is no such subscription to end.
	ErrNotSubscribed = errors.New("not subscribed")
	// ErrRefused: a publisher does not give what a subscription asks for. It comes from Events, for each connection, and
	// ends nothing.
	ErrRefused = errors.New("the publisher refuses the subscription")
	// ErrMismatch: who was met says that it is of another pattern, and was disconnected; see [WithRefused] and Events.
	ErrMismatch = meet.ErrPattern
	// ErrSpool: the spool is in use for something else than durable subscriptions of this package.
	ErrSpool = errors.New("the spool is not a publisher's")
)

// mismatch is what is told of a peer that was refused.
func mismatch(peer *socket.Peer, err error) error {
	return failed("meet", &socket.PeerError{Op: "meet", Endpoint: peer.Endpoint, Err: err})
}

func failed(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("pubsub: %s: %w", op, err)
}
