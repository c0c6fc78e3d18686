//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package transport

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// tryLock makes the file at path, if there is none, and takes an advisory lock on it. It works between goroutines
// too, since each call opens the file anew. The file goes with the lock; the lock of a process that dies is free, and
// its file is used again. Nothing that somebody else puts in the place of the file can make it wait.
func tryLock(path string) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		// By the open above, and not by this one without O_EXCL: Linux forbids that, in a directory such as /tmp, for a
		// file of another user.
		f, err = os.OpenFile(path, os.O_RDONLY|os.O_CREATE|os.O_EXCL|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0o666)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil, errLockBusy // somebody was faster
	case err != nil:
		return nil, fmt.Errorf("%w (%w)", errNoLock, err)
	}
	fail := func(err error) (func(), error) {
		_ = f.Close()
		return nil, err
	}
	ours, err := f.Stat()
	if err != nil {
		return fail(fmt.Errorf("%w (%w)", errNoLock, err))
	}
	if !ours.Mode().IsRegular() {
		return fail(fmt.Errorf("%w: %s is not a file to lock (%s)", errNoLock, path, ours.Mode()))
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return fail(fmt.Errorf("%w, or keeps %s locked", errLockBusy, path))
	case err != nil:
		return fail(fmt.Errorf("%w (%w)", errNoLock, err))
	}
	if now, err := os.Lstat(path); err != nil || !os.SameFile(now, ours) {
		return fail(errLockBusy) // who held the lock has removed the file since we opened it
	}
	return func() {
		_ = os.Remove(path)
		_ = f.Close() // gives the lock up
	}, nil
}
