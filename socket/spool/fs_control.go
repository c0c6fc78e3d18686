//go:build linux || darwin

package spool

import (
	"errors"
	"io/fs"
	"syscall"
)

// control makes a system call with the file's descriptor, which stays open meanwhile, and again if a signal interrupted
// it.
func (f *osFile) control(call func(fd uintptr) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	closed := raw.Control(func(fd uintptr) {
		for {
			if err = call(fd); !errors.Is(err, syscall.EINTR) {
				return
			}
		}
	})
	if closed != nil {
		return fs.ErrClosed
	}
	return err
}
