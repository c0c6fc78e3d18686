package spool

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// otherNoSpace are the errors about room beside ENOSPC.
var otherNoSpace = [...]error{syscall.EDQUOT}

func openFile(path string, flag int) (*os.File, error) { return os.OpenFile(path, flag, 0o600) }

func (f *osFile) writeAt(b [][]byte, off int64) (int, error) { return f.WriteAt(b[0], off) }

// sync is F_FULLFSYNC, which package os takes here: fsync alone leaves the data in the disk's own cache.
func (f *osFile) sync() error { return f.File.Sync() }

func (f *osFile) allocate(n int64) error {
	size, err := f.Size()
	if err != nil || n <= size {
		return err
	}
	err = f.control(func(fd uintptr) error {
		return unix.FcntlFstore(fd, unix.F_PREALLOCATE, &unix.Fstore_t{
			Flags: unix.F_ALLOCATEALL, Posmode: unix.F_PEOFPOSMODE, Length: n - size,
		})
	})
	if err != nil {
		return err
	}
	return f.File.Truncate(n)
}

// networkKind names the network file system that a directory is on, or returns "".
func networkKind(path string) string {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil || st.Flags&unix.MNT_LOCAL != 0 {
		return ""
	}
	return unix.ByteSliceToString(st.Fstypename[:])
}
