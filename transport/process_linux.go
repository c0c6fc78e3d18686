package transport

import (
	"net"

	"golang.org/x/sys/unix"
)

// unixProcess asks for SO_PEERCRED, which the kernel noted when the connection was made.
func unixProcess(c *net.UnixConn) (p Process, ok bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Process{}, false
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err != nil || failed != nil {
		return Process{}, false
	}
	return Process{PID: int(cred.Pid), UID: cred.Uid, GID: cred.Gid}, true
}
