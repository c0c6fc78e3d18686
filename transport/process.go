package transport

import (
	"net"
	"os"
)

// A Process is what the operating system says of the process at the far end of a connection within this host. It is no
// claim of that process.
type Process struct {
	// PID is the number that the process has here; zero if it cannot be seen from here, as from within a container. The
	// process may have ended since, and another one have the number.
	PID int
	// UID and GID are the user and the group that it acted for.
	UID, GID uint32
}

// ProcessInspector is what a connection may be able to do beyond [net.Conn], found by type assertion: to tell which
// process is at its far end. Those of ipc can on Linux, and those of inproc, where it is this one.
type ProcessInspector interface {
	// PeerProcess reports the process that connected or, at the end that connected, the one that began to listen, each
	// as it was at that moment. ok is false where the operating system does not tell. It may be called at any time, also
	// after Close, when it cannot tell any more, and waits for nothing.
	PeerProcess() (p Process, ok bool)
}

var (
	_ ProcessInspector = (*ipcConn)(nil)
	_ ProcessInspector = (*inprocConn)(nil)
	_ ProcessInspector = (*inprocStream)(nil)
)

// PeerProcess is [ProcessInspector] for any connection, those of package net included, for one may come from a listener
// that no transport has made: ok is false for a connection that cannot tell.
func PeerProcess(conn net.Conn) (p Process, ok bool) {
	switch c := conn.(type) {
	case ProcessInspector:
		return c.PeerProcess()
	case *net.UnixConn:
		return unixProcess(c)
	}
	return Process{}, false
}

// PeerProcess implements [ProcessInspector].
func (c *ipcConn) PeerProcess() (p Process, ok bool) { return unixProcess(c.UnixConn) }

// PeerProcess implements [ProcessInspector].
func (*inprocConn) PeerProcess() (p Process, ok bool) { return ownProcess() }

// PeerProcess implements [ProcessInspector].
func (*inprocStream) PeerProcess() (p Process, ok bool) { return ownProcess() }

// ownProcess is this process. Some systems have no users of this kind.
func ownProcess() (p Process, ok bool) {
	uid, gid := os.Geteuid(), os.Getegid()
	if uid < 0 || gid < 0 {
		return Process{}, false
	}
	return Process{PID: os.Getpid(), UID: uint32(uid), GID: uint32(gid)}, true
}
