//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package transport

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// tryLockDirectory takes an advisory lock on the directory of path. It works
// between goroutines too, since each call opens the directory anew.
func tryLockDirectory(path string) (release func(), err error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", errNoLock, err)
	}
	for {
		err = syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err == nil {
		return func() { _ = dir.Close() }, nil // closing gives the lock up
	}
	_ = dir.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errLockBusy
	}
	return nil, fmt.Errorf("%w (%w)", errNoLock, err)
}
