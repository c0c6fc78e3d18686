package spool

import (
	"io"
	"path/filepath"
	"time"
)

// What tests outside the package need of the operating system's side.

func OpenDirectory(dir string) (FS, error) { return openDirectory(dir, false) }

func ReadDirectory(dir string) (FS, error) { return readDirectory(dir) }

// OpenOn opens a directory of which networkKind says where it is.
func OpenOn(dir string, network bool, networkKind func(string) string) (FS, error) {
	return openOn(dir, network, networkKind)
}

// LockDirectory is FS.Lock with a patience of the test's own.
func LockDirectory(dir string, patience time.Duration) (io.Closer, error) {
	return lockDirectory(filepath.Join(dir, lockName), patience)
}

// Owner is what an FS says of the process that has it.
func Owner(f FS) (pid int, host string, ok bool) {
	if r, wrapped := f.(readOnly); wrapped {
		f = r.FS
	}
	return f.(*directory).Owner()
}

var (
	ReadOnly = func(f FS) FS { return readOnly{f} }
	WriteAll = writeAll
	NoSpace  = noSpace
)
