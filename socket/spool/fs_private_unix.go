//go:build unix

package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

const others = 0o077 // what group and others may do

// checkPrivate sees to it that only the user who runs this can read the directory: messages may be secret. One that is
// fresh is closed to others.
func (d *directory) checkPrivate(fresh bool) error {
	info, err := os.Stat(d.path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&others != 0 && (!fresh || os.Chmod(d.path, 0o700) != nil) {
		return exposed(d.path, d.path, info, "700")
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist): // gone meanwhile
		case err != nil:
			return err
		case info.Mode().IsRegular() && info.Mode().Perm()&others != 0:
			return exposed(d.path, d.file(e.Name()), info, "600")
		}
	}
	return nil
}

// exposed says what others can read, and how to mend it.
func exposed(dir, path string, info fs.FileInfo, mode string) error {
	if path != dir {
		path = dir + "/*"
	}
	return fmt.Errorf("other users have access to %s (mode %#o), which may hold secrets; to mend it: chmod %s %s: %w",
		info.Name(), info.Mode().Perm(), mode, path, fs.ErrPermission)
}

// syncDirectory makes the names in a directory durable. Some file systems cannot do that, and need not.
func syncDirectory(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = f.Sync()
	if closed := f.Close(); err == nil {
		err = closed
	}
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}
