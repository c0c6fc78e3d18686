package spool

import (
	"errors"
	"math"
	"os"

	"golang.org/x/sys/windows"
)

// A lock of bytes keeps others from reading them: it is on one that the file will never have.
const lockedByte = math.MaxUint32

// tryLock takes the lock of f for this open file, without waiting: other open files in this process are kept out too.
func tryLock(f *os.File) error { return lockFile(f, windows.LOCKFILE_EXCLUSIVE_LOCK) }

// isLocked reports whether somebody has the lock; it tries to share it, and a lock that it gets goes with f.
func isLocked(f *os.File) bool { return errors.Is(lockFile(f, 0), errLocked) }

func lockFile(f *os.File, how uint32) error {
	at := &windows.Overlapped{Offset: lockedByte}
	err := windows.LockFileEx(windows.Handle(f.Fd()), how|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return os.NewSyscallError("LockFileEx", err)
}
