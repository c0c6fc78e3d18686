package observe

import (
	"errors"
	"net"
)

// Errors that callers decide on; match them with [errors.Is].
var (
	// ErrSnapshot: what was read is not a snapshot, or one of a version that this package does not know; the text says
	// which.
	ErrSnapshot = errors.New("not a snapshot")
	// ErrExposed: the directory of control sockets is not this user's alone, so that others might have put sockets there,
	// or could use ours.
	ErrExposed = errors.New("others have access to the directory of control sockets")
	// ErrClosed: the registry was closed. It also matches [net.ErrClosed].
	ErrClosed error = closedError{}
)

type closedError struct{}

func (closedError) Error() string        { return "the registry is closed" }
func (closedError) Is(target error) bool { return target == net.ErrClosed }
