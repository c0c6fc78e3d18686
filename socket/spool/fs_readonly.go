package spool

import (
	"fmt"
	"io"
	"io/fs"
)

// errReadOnly is what a change of something returns that was opened for reading.
var errReadOnly = fmt.Errorf("opened for reading only: %w", fs.ErrPermission)

// A readOnly FS refuses every change: whoever looks into a spool beside its owner never writes, whatever goes wrong.
type readOnly struct{ FS }

// Create is that of FS.
func (readOnly) Create(string) (File, error) { return nil, errReadOnly }

// Open is that of FS.
func (r readOnly) Open(name string) (File, error) {
	f, err := r.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return readOnlyFile{f}, nil
}

// Remove is that of FS.
func (readOnly) Remove(string) error { return errReadOnly }

// Rename is that of FS.
func (readOnly) Rename(string, string) error { return errReadOnly }

// SyncDir is that of FS.
func (readOnly) SyncDir() error { return errReadOnly }

// Lock is that of FS.
func (readOnly) Lock() (io.Closer, error) { return nil, errReadOnly }

// A readOnlyFile is a File of it.
type readOnlyFile struct{ File }

// WriteVec is that of File.
func (readOnlyFile) WriteVec([][]byte, int64) error { return errReadOnly }

// Sync is that of File.
func (readOnlyFile) Sync() error { return errReadOnly }

// Allocate is that of File.
func (readOnlyFile) Allocate(int64) error { return errReadOnly }

// Truncate is that of File.
func (readOnlyFile) Truncate(int64) error { return errReadOnly }
