//go:build windows

package transport

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
)

// Windows has no lock on a directory. A file that is opened for one process
// alone and vanishes when closed does the same, also if the process dies.
const (
	fileFlagDeleteOnClose = 0x04000000
	errorSharingViolation = syscall.Errno(32)
)

func tryLockDirectory(path string) (release func(), err error) {
	name, err := syscall.UTF16PtrFromString(filepath.Join(filepath.Dir(path), ".yodel-ipc.lock"))
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", errNoLock, err)
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS, fileFlagDeleteOnClose, 0)
	switch {
	case err == nil:
		return func() { _ = syscall.CloseHandle(h) }, nil
	case errors.Is(err, errorSharingViolation):
		return nil, errLockBusy
	}
	return nil, fmt.Errorf("%w (%w)", errNoLock, err)
}
