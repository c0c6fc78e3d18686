//go:build windows

package transport

import (
	"errors"
	"fmt"
	"syscall"
)

const (
	fileFlagDeleteOnClose = 0x04000000
	errorSharingViolation = syscall.Errno(32)
)

// tryLock makes a file that is opened for one process
// alone and vanishes when closed, also if the process dies.
func tryLock(path string) (release func(), err error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", errNoLock, err)
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS, fileFlagDeleteOnClose, 0)
	switch {
	case err == nil:
		return func() { _ = syscall.CloseHandle(h) }, nil
	case errors.Is(err, errorSharingViolation):
		return nil, fmt.Errorf("%w, or keeps %s open", errLockBusy, path)
	}
	return nil, fmt.Errorf("%w (%w)", errNoLock, err)
}
