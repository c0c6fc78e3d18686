//go:build unix

package transport

import "syscall"

// reuseAddress lets a fixed source port be bound again while an earlier
// connection from it is still in TIME_WAIT; without it no dial from that port
// would succeed for a minute or more. Linux still refuses the same pair of
// ports for about a second.
func reuseAddress(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	})
	if err != nil {
		return err
	}
	return failed
}
