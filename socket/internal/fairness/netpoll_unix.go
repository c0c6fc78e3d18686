//go:build unix

package fairness

import (
	"errors"
	"os"
	"syscall"
)

// A netpollWaker makes the runtime look which connections have become readable. No function does that, but when a
// goroutine waits for a file and there is nothing else to run, the runtime looks: the waker waits for a byte that it
// has sent to itself.
type netpollWaker struct {
	r, w *os.File
	raw  syscall.RawConn // of r
	step func(fd uintptr) bool
	sent bool
	b    [1]byte
}

func newNetpollWaker() (*netpollWaker, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	n := &netpollWaker{r: r, w: w}
	if n.raw, err = r.SyscallConn(); err != nil {
		return nil, errors.Join(err, r.Close(), w.Close())
	}
	n.step = n.advance
	return n, nil
}

func (n *netpollWaker) run() {
	n.sent = false
	_ = n.raw.Read(n.step) // of a closed file, at worst
}

// advance sends the byte and then, when the file is said to be readable, takes it. False means to wait for the file.
func (n *netpollWaker) advance(fd uintptr) bool {
	if !n.sent {
		n.sent = true
		_, err := n.w.Write(n.b[:])
		return err != nil
	}
	_, err := syscall.Read(int(fd), n.b[:])
	return err != syscall.EAGAIN
}

func (n *netpollWaker) close() {
	_ = n.r.Close() // nothing is lost with them
	_ = n.w.Close()
}
