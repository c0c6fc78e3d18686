//go:build unix && !dragonfly && !openbsd

package transport

import "syscall"

// dualStack makes an IPv6 socket one for IPv4 too.
var dualStack = func(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 0)
	})
	if err != nil {
		return err
	}
	return failed
}
