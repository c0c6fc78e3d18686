//go:build !(linux || darwin || windows)

package spool

import (
	"errors"
	"os"
)

// otherNoSpace are the errors about room beside ENOSPC.
var otherNoSpace = [...]error{}

func openFile(path string, flag int) (*os.File, error) { return os.OpenFile(path, flag, 0o600) }

func (f *osFile) writeAt(b [][]byte, off int64) (int, error) { return f.WriteAt(b[0], off) }

func (f *osFile) sync() error { return f.File.Sync() }

func (f *osFile) allocate(int64) error { return errors.ErrUnsupported }

func networkKind(string) string { return "" } // nobody says
