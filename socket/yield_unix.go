//go:build unix

package socket

import (
	"errors"
	"os"
	"syscall"
)

// A sweeper makes the runtime look which connections have become readable. No function does that, but a goroutine
// that waits for a file has it done if there is nothing else to run: the sweeper waits for a byte that it has sent to
// itself.
type sweeper struct {
	r, w *os.File
	raw  syscall.RawConn // of r
	step func(fd uintptr) bool
	sent bool
	b    [1]byte
}

func newSweeper() (*sweeper, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s := &sweeper{r: r, w: w}
	if s.raw, err = r.SyscallConn(); err != nil {
		return nil, errors.Join(err, r.Close(), w.Close())
	}
	s.step = s.advance
	return s, nil
}

func (s *sweeper) run() {
	s.sent = false
	_ = s.raw.Read(s.step) // of a closed file, at worst
}

// advance sends the byte and then, when it is said to be there, takes it. False means to wait for the file.
func (s *sweeper) advance(fd uintptr) bool {
	if !s.sent {
		s.sent = true
		_, err := s.w.Write(s.b[:])
		return err != nil
	}
	_, err := syscall.Read(int(fd), s.b[:])
	return err != syscall.EAGAIN
}

func (s *sweeper) close() {
	_ = s.r.Close() // nothing is lost with them
	_ = s.w.Close()
}
