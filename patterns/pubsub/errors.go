package pubsub

import (
	"errors"
	"fmt"

	"github.com/yodel-mq/yodel/patterns/internal/subject"
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
	// ErrSpool: the spool is in use for something else than durable subscriptions of this package.
	ErrSpool = errors.New("the spool is not a publisher's")
)

func failed(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("pubsub: %s: %w", op, err)
}
