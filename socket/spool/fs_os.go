package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// lockName is the file whose lock makes a process the owner of a directory.
const lockName = "LOCK"

// A directory is the FS of the operating system. What differs between systems stands in fs_os_*.go and lock_*.go.
type directory struct {
	path string // absolute: it stays the same when the process changes its own directory
	open int    // flags for files that exist
}

// openDirectory returns the directory as an FS, and makes it if there is none. Nobody else may look into it: one that
// is empty is closed to others, one that is not and that others can read is refused. So is one that is on another
// machine, unless network is true: what a sync and a lock are worth is the server's affair there.
func openDirectory(dir string, network bool) (*directory, error) {
	return openOn(dir, network, networkKind)
}

func openOn(dir string, network bool, networkKind func(path string) string) (*directory, error) {
	d, err := locate(dir, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	if err := makeDirectory(d.path); err != nil {
		return nil, err
	}
	if !network {
		if kind := networkKind(d.path); kind != "" {
			return nil, fmt.Errorf("%s is on %s, where a sync and a lock may be worth nothing: it must be asked for: %w",
				d.path, kind, errors.ErrUnsupported)
		}
	}
	fresh, err := d.look()
	if err != nil {
		return nil, err
	}
	return d, d.checkPrivate(fresh)
}

// look reports whether there is nothing yet in the directory. ErrNotSpool if there is something, and none of it is a
// spool's: nothing is done to such a directory.
func (d *directory) look() (fresh bool, err error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return false, err
	}
	other := ""
	for _, e := range entries {
		_, _, segment := parseSegmentName(e.Name())
		switch {
		case segment || e.Name() == spareName || e.Name() == lockName:
			return false, nil
		case e.Name() != "lost+found": // which each ext4 has at its root
			other = e.Name()
		}
	}
	if other != "" {
		return false, fmt.Errorf("%w: %s is in the directory", ErrNotSpool, other)
	}
	return true, nil
}

// readDirectory returns the directory as an FS from which files can only be read.
func readDirectory(dir string) (FS, error) {
	d, err := locate(dir, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	switch info, err := os.Stat(d.path); {
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, &fs.PathError{Op: "open", Path: d.path, Err: syscall.ENOTDIR}
	}
	return readOnly{d}, nil
}

func locate(dir string, open int) (*directory, error) {
	path, err := filepath.Abs(dir)
	return &directory{path, open}, err
}

// makeDirectory makes a directory and those above it, and syncs the names of those it made. The name of one that was
// there may be an earlier process's that had no time to sync it.
func makeDirectory(path string) error {
	above := filepath.Dir(path)
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.IsDir():
		return &fs.PathError{Op: "open", Path: path, Err: syscall.ENOTDIR}
	case err == nil:
		if err := syncDirectory(above); !errors.Is(err, fs.ErrPermission) {
			return err
		}
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if above != path {
		if err := makeDirectory(above); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDirectory(above)
}

func (d *directory) file(name string) string { return filepath.Join(d.path, name) }

// Create is that of FS.
func (d *directory) Create(name string) (File, error) {
	f, err := openFile(d.file(name), os.O_RDWR|os.O_CREATE|os.O_EXCL)
	return newFile(f, err)
}

// Open is that of FS.
func (d *directory) Open(name string) (File, error) {
	f, err := openFile(d.file(name), d.open)
	return newFile(f, err)
}

// Remove is that of FS.
func (d *directory) Remove(name string) error { return os.Remove(d.file(name)) }

// Rename is that of FS.
func (d *directory) Rename(from, to string) error {
	return noSpace(os.Rename(d.file(from), d.file(to)))
}

// List is that of FS: the lock's file, and what is not a file, are none of a spool's.
func (d *directory) List() ([]string, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && e.Name() != lockName {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// SyncDir is that of FS.
func (d *directory) SyncDir() error { return noSpace(syncDirectory(d.path)) }

// Lock is that of FS.
func (d *directory) Lock() (io.Closer, error) { return lockDirectory(d.file(lockName), lockPatience) }

// Owner is the process that has the directory locked, if one has.
func (d *directory) Owner() (pid int, host string, ok bool) { return lockOwner(d.file(lockName)) }

// noSpace makes an error about a full disk or a used-up quota match syscall.ENOSPC.
func noSpace(err error) error {
	for _, other := range otherNoSpace {
		if errors.Is(err, other) {
			return &noSpaceError{err}
		}
	}
	return err
}

// A noSpaceError is an error about room that the system has another number for.
type noSpaceError struct{ err error }

func (e *noSpaceError) Error() string        { return e.err.Error() }
func (e *noSpaceError) Unwrap() error        { return e.err }
func (e *noSpaceError) Is(target error) bool { return target == syscall.ENOSPC }

// An osFile is the File of the operating system.
type osFile struct{ *os.File }

func newFile(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, noSpace(err)
	}
	return &osFile{f}, nil
}

// WriteVec is that of File.
func (f *osFile) WriteVec(b [][]byte, off int64) error {
	if err := writeAll(b, off, f.writeAt); err != nil {
		return noSpace(f.failed("write", err))
	}
	return nil
}

// Sync is that of File.
func (f *osFile) Sync() error { return noSpace(f.failed("sync", f.sync())) }

// Allocate is that of File.
func (f *osFile) Allocate(n int64) error {
	err := f.allocate(n)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil // the file grows as it is written
	}
	return noSpace(f.failed("allocate", err))
}

// Truncate is that of File.
func (f *osFile) Truncate(n int64) error { return noSpace(f.File.Truncate(n)) }

// Size is that of File.
func (f *osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// failed wraps what a system call returned as package os does.
func (f *osFile) failed(op string, err error) error {
	if _, wrapped := errors.AsType[*fs.PathError](err); err == nil || wrapped {
		return err
	}
	return &fs.PathError{Op: op, Path: f.Name(), Err: err}
}

// maxVec is how many buffers a system takes at a time.
const maxVec = 1024

// writeAll has write take all of b, however little it takes at a time. It gives it no empty buffers: for them alone
// pwritev returns 0 for ever. It leaves b and what it is made of as they are.
func writeAll(b [][]byte, off int64, write func(b [][]byte, off int64) (int, error)) error {
	left := make([][]byte, 0, len(b))
	for _, p := range b {
		if len(p) > 0 {
			left = append(left, p)
		}
	}
	for len(left) > 0 {
		n, err := write(left[:min(len(left), maxVec)], off)
		if err != nil {
			return err
		}
		if n <= 0 {
			return io.ErrShortWrite
		}
		off += int64(n)
		for n > 0 && n >= len(left[0]) {
			n -= len(left[0])
			left = left[1:]
		}
		if n > 0 {
			left[0] = left[0][n:]
		}
	}
	return nil
}
