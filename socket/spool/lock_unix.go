//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package spool

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes the lock of f for this open file, without waiting: other open files in this process are kept out too.
func tryLock(f *os.File) error { return flock(f, syscall.LOCK_EX|syscall.LOCK_NB) }

// isLocked reports whether somebody has the lock; it tries to share it, and a lock that it gets goes with f.
func isLocked(f *os.File) bool {
	return errors.Is(flock(f, syscall.LOCK_SH|syscall.LOCK_NB), errLocked)
}

func flock(f *os.File, how int) error {
	for {
		switch err := syscall.Flock(int(f.Fd()), how); {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return errLocked
		default:
			return os.NewSyscallError("flock", err)
		}
	}
}
