package transport

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// IPC is the transport for ipc://path: unix stream sockets, between processes
// on one host. The zero value is ready to use, and it may be shared by any
// number of sockets.
//
//	ipc:///run/app/queue   a path in the file system; who may connect is up to its permissions
//	ipc://@name            a name in the abstract space (Linux only), open to every local user
//	ipc://*                to bind: a fresh path in a private directory under os.TempDir
//
// Listen takes over a socket file that a dead process has left behind, but
// only when nobody listens on it; a file that is not a socket is never
// touched, nor one of which it cannot be told whether somebody listens, as one of
// another user may be. Of any number of processes that take over the same file at once exactly one wins: they
// hold a lock meanwhile, on a file beside it with ".yodel-lock" added to its name. To bind a free path takes no lock.
// Close removes the file if it is still the listener's own.
//
// A socket file that somebody removes under a living listener, as cleaners of temporary directories do, is made
// again within two seconds while Accept is being called, if its path is still free; existing connections are not
// affected. Accept reports this once as an error, or that the path belongs to somebody else now, and can be called
// again.
//
// The path that Listen gives back, and the one that [IPC.Canonical] does, is absolute: a peer, or this process
// later, may have another working directory. A path too long for that stays relative.
type IPC struct {
	// Mode is the permissions that a socket file is given, such as 0o660, whatever the umask: whoever may write to the
	// file may connect. They are set before the socket listens, so that no connection is accepted under other ones. 0
	// leaves them to the umask, which usually lets only this user connect. Bits beyond 0o777 are ignored. The
	// directory made for ipc://* is opened to the same users. Mode does nothing on Windows, where the directory decides
	// who may connect, and for abstract names.
	Mode fs.FileMode

	// SendBuffer is how many bytes the kernel holds for each connection in each
	// direction (ZMQ_SNDBUF; a receiver has no buffer of its own here). 0 means
	// 512 KiB, or as much of it as the system allows (net.core.wmem_max on
	// Linux); a negative value leaves it to the operating system. Unlike TCP's,
	// these buffers do not adapt to the traffic, and Linux's own of 208 KiB
	// holds three messages of 64 KiB, each of which is then waited for.
	SendBuffer int
}

// defaultSendBuffer was found by measuring PUSH to PULL with 64 KiB messages,
// µs a message: with Linux's default 27, 512 KiB 19.5, 1 MiB 18.5.
const defaultSendBuffer = 512 << 10

// NewIPC returns an IPC transport with default settings, the same as &IPC{}.
func NewIPC() *IPC { return &IPC{} }

var _ Transport = (*IPC)(nil)

// Scheme returns "ipc".
func (*IPC) Scheme() string { return "ipc" }

// Validate implements [Transport]; its errors are [AddressError] values.
func (*IPC) Validate(address string, use Use) error {
	return checkIPC(address, use, runtime.GOOS)
}

// Canonical implements [Canonicalizer]: a path is made absolute. Symbolic links are not followed.
func (*IPC) Canonical(address string, _ Use) string {
	if address == "*" || strings.HasPrefix(address, "@") {
		return address
	}
	return reachable(address, absolute(address))
}

// Dial implements [Transport].
func (t *IPC) Dial(ctx context.Context, address string) (net.Conn, error) {
	if err := t.Validate(address, ForConnect); err != nil {
		return nil, err
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", address)
	if err == nil {
		var conn *ipcConn
		if conn, err = t.newConn(c.(*net.UnixConn), address); err == nil {
			return conn, nil
		}
		err = errors.Join(err, c.Close())
	}
	return nil, &OpError{Op: "dial", Endpoint: "ipc://" + address, Err: err}
}

// Listen implements [Transport]. A path that somebody listens on gives
// [ErrAddressInUse].
func (t *IPC) Listen(ctx context.Context, address string) (Listener, error) {
	if err := t.Validate(address, ForBind); err != nil {
		return nil, err
	}
	var l *ipcListener
	err := ctx.Err()
	switch {
	case err != nil:
	case address == "*":
		l, err = listenFresh(t.Mode.Perm())
	case strings.HasPrefix(address, "@"):
		l, err = listenAbstract(ctx, address)
	default:
		l, err = listenPath(ctx, address, t.Mode.Perm())
	}
	if err != nil {
		return nil, &OpError{Op: "listen", Endpoint: "ipc://" + address, Err: err}
	}
	l.ipc = t
	return l, nil
}

// checkIPC is Validate for an operating system.
func checkIPC(address string, use Use, goos string) error {
	bad := func(problem, fix string) error {
		return &AddressError{Endpoint: "ipc://" + address, Problem: problem, Fix: fix}
	}
	abstract := strings.HasPrefix(address, "@")
	room := maxIPC(goos)
	if abstract {
		room++ // needs no zero byte at the end
	}
	switch {
	case address == "":
		return bad("no path", "write it as ipc:///path")
	case strings.IndexByte(address, 0) >= 0:
		return bad("a zero byte in the path", "remove it")
	case address == "*" && use == ForConnect:
		return bad("a wildcard can be bound, not connected to", "write the path that the peer has bound")
	case abstract && goos != "linux" && goos != "android":
		return bad("abstract names (@name) exist only on Linux", "write a path, as in ipc:///path")
	case address == "@":
		return bad("no name after '@'", "write it as ipc://@name")
	case len(address) > room:
		return bad(fmt.Sprintf("the path has %d bytes and a socket's path at most %d here", len(address), room),
			"use a shorter one, or one relative to the working directory")
	}
	return nil
}

// maxIPC is the longest path that fits in sun_path with its final zero byte.
func maxIPC(goos string) int {
	switch goos {
	case "linux", "android", "windows", "solaris", "illumos":
		return 108 - 1
	}
	return 104 - 1 // darwin and the other descendants of BSD
}

// ipcConn embeds the connection itself, not an interface, so that net.Buffers
// still finds writev on it.
type ipcConn struct {
	*net.UnixConn
	stream
	bound net.Addr
}

func (t *IPC) newConn(c *net.UnixConn, bound string) (*ipcConn, error) {
	conn := &ipcConn{UnixConn: c, bound: &net.UnixAddr{Name: bound, Net: "unix"}}
	if err := conn.prepare(c); err != nil {
		return nil, err
	}
	switch {
	case t.SendBuffer > 0:
		if err := c.SetWriteBuffer(t.SendBuffer); err != nil {
			return nil, err
		}
	case t.SendBuffer == 0:
		_ = c.SetWriteBuffer(defaultSendBuffer) // what the system does not allow is not missed
	}
	return conn, nil
}

// LocalAddr is the bound path at both ends: the end that connected has no
// address of its own, and an empty one helps nobody who reads an event.
func (c *ipcConn) LocalAddr() net.Addr { return c.bound }

// RemoteAddr is the bound path; see LocalAddr.
func (c *ipcConn) RemoteAddr() net.Addr { return c.bound }

// reachable is the absolute form of path if it fits in a socket's address, or
// else path itself: a peer may have another working directory.
func reachable(path, absolute string) string {
	if len(absolute) > maxIPC(runtime.GOOS) {
		return path
	}
	return absolute
}

// absolute is path seen from the root. It keeps a ".." as it is, since that may follow a symbolic link.
func absolute(path string) string {
	if !strings.Contains(path, "..") {
		if abs, err := filepath.Abs(path); err == nil {
			return abs
		}
		return path
	}
	if wd, err := os.Getwd(); err == nil && !filepath.IsAbs(path) {
		return wd + string(filepath.Separator) + path
	}
	return path
}
