package spool

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// otherNoSpace are the errors about room beside ENOSPC.
var otherNoSpace = [...]error{syscall.EDQUOT}

func openFile(path string, flag int) (*os.File, error) { return os.OpenFile(path, flag, 0o600) }

func (f *osFile) writeAt(b [][]byte, off int64) (n int, err error) {
	err = f.control(func(fd uintptr) (err error) {
		n, err = unix.Pwritev(int(fd), b, off)
		return err
	})
	return n, err
}

// sync is fdatasync: the data, and of the rest what is needed to read it, such as the size.
func (f *osFile) sync() error {
	return f.control(func(fd uintptr) error { return unix.Fdatasync(int(fd)) })
}

func (f *osFile) allocate(n int64) error {
	if n <= 0 {
		return nil
	}
	return f.control(func(fd uintptr) error { return unix.Fallocate(int(fd), 0, 0, n) })
}

// networkKind names the network file system that a directory is on, or returns "".
func networkKind(path string) string {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return ""
	}
	return kindOf(uint32(st.Type))
}

func kindOf(magic uint32) string {
	switch magic {
	case unix.NFS_SUPER_MAGIC:
		return "NFS"
	case unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC:
		return "SMB"
	case unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC:
		return "AFS"
	case unix.CODA_SUPER_MAGIC:
		return "Coda"
	case unix.NCP_SUPER_MAGIC:
		return "NCP"
	}
	return ""
}
