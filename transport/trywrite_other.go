//go:build !unix

package transport

import (
	"net"
	"syscall"
)

// rawWriter has no TryWrite here: on Windows the descriptor is in overlapped
// mode, where a plain write does not answer "would block". Callers find the
// method missing and write in the blocking way.
type rawWriter struct{}

func (*rawWriter) init(interface {
	net.Conn
	syscall.Conn
},
) error {
	return nil
}
