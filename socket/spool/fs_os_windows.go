package spool

import (
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// otherNoSpace are the errors about room beside ENOSPC.
var otherNoSpace = [...]error{
	windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL, windows.ERROR_DISK_QUOTA_EXCEEDED,
}

// openFile opens a file that can be removed and renamed while it is open, which package os does not.
func openFile(path string, flag int) (*os.File, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	access, create := uint32(windows.GENERIC_READ), uint32(windows.OPEN_EXISTING)
	if flag&os.O_RDWR != 0 {
		access |= windows.GENERIC_WRITE
	}
	switch {
	case flag&os.O_EXCL != 0:
		create = windows.CREATE_NEW
	case flag&os.O_CREATE != 0:
		create = windows.OPEN_ALWAYS
	}
	share := uint32(windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE)
	h, err := windows.CreateFile(name, access, share, nil, create, windows.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

func (f *osFile) writeAt(b [][]byte, off int64) (int, error) { return f.WriteAt(b[0], off) }

// sync is FlushFileBuffers, which package os takes here.
func (f *osFile) sync() error { return f.File.Sync() }

// allocate sets the size: NTFS takes the room for it at once.
func (f *osFile) allocate(n int64) error {
	size, err := f.Size()
	if err != nil || n <= size {
		return err
	}
	return f.File.Truncate(n)
}

// networkKind names the network file system that a directory is on, or returns "".
func networkKind(path string) string {
	root := filepath.VolumeName(path) + `\`
	name, err := windows.UTF16PtrFromString(root)
	if err != nil || windows.GetDriveType(name) != windows.DRIVE_REMOTE {
		return ""
	}
	return "the network drive " + root
}
