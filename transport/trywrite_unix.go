//go:build unix

package transport

import (
	"net"
	"os"
	"syscall"
)

var (
	_ TryWriter = (*tcpConn)(nil)
	_ TryWriter = (*ipcConn)(nil)
)

// maxTryWrite bounds one attempt; some kernels refuse writes of 2 GiB.
const maxTryWrite = 1 << 30

// rawWriter adds TryWrite to a connection that has a file descriptor. It is
// made once per connection so that an attempt allocates nothing.
type rawWriter struct {
	conn    net.Conn // for the addresses in errors
	raw     syscall.RawConn
	attempt func(fd uintptr) bool

	// Arguments and results of the attempt in progress. Passing them through
	// the closure's own variables would make it a new closure each time.
	b   []byte
	n   int
	err error
}

// initWriter prepares w in place; it must not be copied afterwards.
func (w *rawWriter) initWriter(c syscallConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	w.conn, w.raw, w.attempt = c, raw, w.write
	return nil
}

// TryWrite implements [TryWriter]. The raw connection holds the descriptor
// while it runs, so that a Close at the same time cannot have it reused.
func (w *rawWriter) TryWrite(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	w.b, w.n, w.err = b[:min(len(b), maxTryWrite)], 0, nil
	err := w.raw.Write(w.attempt)
	w.b = nil // the caller's bytes must not live on through us
	if err != nil {
		return 0, err // closed, or past the write deadline
	}
	if w.err != nil {
		return 0, &net.OpError{
			Op: "write", Net: w.conn.LocalAddr().Network(), Source: w.conn.LocalAddr(), Addr: w.conn.RemoteAddr(),
			Err: os.NewSyscallError("write", w.err),
		}
	}
	return w.n, nil
}

// write is one write(2). It always returns true, since false would mean
// "wait until writable and call again".
func (w *rawWriter) write(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), w.b)
		switch err {
		case nil:
			w.n = n
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
		default:
			w.err = err
		}
		return true
	}
}
