//go:build darwin || linux || openbsd

package transport

import (
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

var (
	_ TwoReader = (*tcpConn)(nil)
	_ TwoReader = (*ipcConn)(nil)
)

// rawReader adds ReadTwo to a connection that has a file descriptor.
type rawReader struct {
	conn    net.Conn // for the addresses in errors
	raw     syscall.RawConn
	attempt func(fd uintptr) bool

	// Arguments and results of the attempt in progress, as in rawWriter.
	into [2][]byte
	n    int
	err  error
}

// initReader prepares r in place; it must not be copied afterwards.
func (r *rawReader) initReader(c syscallConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	r.conn, r.raw, r.attempt = c, raw, r.readv
	return nil
}

// ReadTwo implements [TwoReader].
func (r *rawReader) ReadTwo(first, second []byte) (int, error) {
	r.into, r.n, r.err = [2][]byte{first, second}, 0, nil
	err := r.raw.Read(r.attempt)
	r.into = [2][]byte{}
	switch {
	case err != nil: // closed, or past the read deadline
		return 0, err
	case r.err != nil:
		return 0, &net.OpError{
			Op: "read", Net: r.conn.LocalAddr().Network(), Source: r.conn.LocalAddr(), Addr: r.conn.RemoteAddr(),
			Err: os.NewSyscallError("readv", r.err),
		}
	case r.n == 0:
		return 0, io.EOF
	}
	return r.n, nil
}

// readv is one readv(2). False means that there is nothing to read yet.
func (r *rawReader) readv(fd uintptr) bool {
	for {
		n, err := unix.Readv(int(fd), r.into[:])
		switch err {
		case nil:
			r.n = n
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return false
		default:
			r.err = err
		}
		return true
	}
}
