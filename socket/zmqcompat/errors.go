package zmqcompat

import (
	"errors"
	"fmt"
	"net"

	"github.com/go-zeromq/zmq4"

	"github.com/yodel-mq/yodel/socket"
)

// The original's errors, for errors.Is.
var (
	// ErrClosedConn: the socket was closed or its context has ended. Such an error also matches net.ErrClosed and the
	// error of the context (context.Canceled after Close), which is what the original returns.
	ErrClosedConn = zmq4.ErrClosedConn
	// ErrBadProperty: SetOption or GetOption does not know the option for this type, or not with this value.
	ErrBadProperty = zmq4.ErrBadProperty
	// ErrBadCmd and ErrBadFrame are for code that mentions them. What they stand for, bad bytes from a peer, ends the
	// one connection here and is an event, not an error of a call.
	ErrBadCmd   = zmq4.ErrBadCmd
	ErrBadFrame = zmq4.ErrBadFrame
)

// closedError says that the socket is closed, and why: by Close or by the end of its context.
type closedError struct{ why error }

func (e closedError) Error() string { return fmt.Sprintf("the socket is closed (%v)", e.why) }
func (e closedError) Unwrap() error { return e.why }
func (e closedError) Is(target error) bool {
	return target == ErrClosedConn || target == socket.ErrClosed || target == net.ErrClosed
}

// failed is the error of an operation of ours that the engine failed.
func (s *sock) failed(op string, err error) error {
	if why := s.ctx.Err(); why != nil {
		return fmt.Errorf("zmqcompat: %s: %w", op, closedError{why})
	}
	return fmt.Errorf("zmqcompat: %s: %w", op, err)
}

// cannot is the error of Send or Recv on a type that does not.
func cannot(typ SocketType, verb string) error {
	return fmt.Errorf("zmqcompat: %s: a %s socket does not do that: %w", verb, typ, errors.ErrUnsupported)
}

// badOption is ErrBadProperty with what would be right.
func badOption(op, name, right string) error {
	return fmt.Errorf("zmqcompat: %s %q: %w: %s", op, name, ErrBadProperty, right)
}
