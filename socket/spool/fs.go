package spool

import "io"

// FS is the directory that a spool lives in: a flat set of files. It is injected, as Options.FS, so that tests can put
// a spool on a medium that loses what was not synced, fails and runs full; the default is a directory of the operating
// system. A name has no separators in it.
//
// What a change of names is worth: the process sees it at once. Until SyncDir returns nil, a machine that loses power
// may come back without it; such changes are lost from the last one backwards, so that none is there without those
// before it. That a file was synced does not make its name durable.
//
// All methods may be called by any number of goroutines. After an error the change may have been made or not. An error
// about a file that is not there matches [fs.ErrNotExist]; one about a full disk, or a quota that is used up, matches
// [syscall.ENOSPC] on every system.
type FS interface {
	// Create makes an empty file and opens it for reading and writing. A name that is taken is an error that matches
	// [fs.ErrExist].
	Create(name string) (File, error)
	// Open opens a file for reading and writing.
	Open(name string) (File, error)
	// Remove takes a name away. A file that is open can still be read, and holds its space until it is closed. Until
	// SyncDir, the file may come back, with what was durable in it.
	Remove(name string) error
	// Rename gives a file another name in one step; a file that has that name already is removed by the same step.
	Rename(from, to string) error
	// List returns the names of all files, sorted, but not that of the file that Lock may need.
	List() ([]string, error)
	// SyncDir makes all changes of names so far durable. After an error each of them may or may not be durable, for
	// good: a later SyncDir tells nothing about them, only about the changes that came after the error.
	SyncDir() error
	// Lock makes this process the owner of the directory until the Closer is closed or the process ends, however it
	// ends. If there is an owner already, the error matches ErrInUse and comes within a second.
	Lock() (io.Closer, error)
}

// File is an open file of an [FS].
//
// What a write is worth: every reader sees it at once, and so does the next process if this one is killed. Until Sync
// returns nil, a machine that loses power may come back with any part of it, in any order with other writes: of each
// 512 bytes that start at a multiple of 512 (a sector) all or nothing, and where the file held nothing before, with
// bytes that nobody wrote. A sector that held something durable is afterwards as it was, or as one of the writes since
// made it.
//
// All methods may be called by any number of goroutines. Reads and writes at once of the same bytes see each other in
// part.
type File interface {
	// ReadAt follows [io.ReaderAt]. Room that was allocated and never written reads as zeros.
	io.ReaderAt
	// Close gives the handle back. It makes nothing durable.
	io.Closer
	// WriteVec writes the buffers one behind the other, the first at off; empty ones are allowed. It neither changes
	// the buffers nor keeps them. After an error any part may have been written.
	WriteVec(b [][]byte, off int64) error
	// Sync makes all that was written so far durable, and the size. After an error, what was written since the last
	// Sync that returned nil may or may not be durable for good: no later Sync tells, even if it returns nil, and a
	// read may show what was written or what the medium has.
	Sync() error
	// Allocate reserves room, so that the file is at least n bytes long and no write below n runs out of space. It
	// never makes a file shorter. Where the file system cannot reserve room it does nothing and returns nil: the file
	// then grows as it is written, and such a write may fail for lack of space. After an error the file may have grown
	// by a part.
	Allocate(n int64) error
	// Truncate sets the size. What is cut off is gone; what is added reads as zeros and is not reserved.
	Truncate(n int64) error
	// Size returns the size as the process sees it.
	Size() (int64, error)
}
