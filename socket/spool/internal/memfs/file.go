package memfs

import (
	"io"
	"io/fs"
	"slices"
	"syscall"

	"github.com/yodel-mq/yodel/socket/spool"
)

// A file is one open handle.
type file struct {
	m    *FS
	in   *inode
	name string
}

var _ spool.File = (*file)(nil)

func (m *FS) handle(in *inode, name string) *file {
	f := &file{m, in, name}
	in.handles++
	m.handles[f] = true
	return f
}

// begin is FS.begin for an operation of a handle, which fails if the handle is closed.
func (f *file) begin(op *Op) {
	op.Name = f.name
	f.m.begin(op)
	if !f.m.handles[f] {
		op.Err = f.m.failed(op, fs.ErrClosed)
	}
}

// Close is that of spool.File.
func (f *file) Close() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if !f.m.handles[f] {
		return &fs.PathError{Op: "Close", Path: f.name, Err: fs.ErrClosed}
	}
	delete(f.m.handles, f)
	f.in.handles--
	f.m.release(f.in)
	return nil
}

// ReadAt is that of spool.File.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	op := &Op{Kind: ReadAt, Off: off, Len: int64(len(p))}
	f.begin(op)
	defer f.m.end(op)
	if op.Err == nil && off < 0 {
		op.Err = f.m.failed(op, syscall.EINVAL)
	}
	if op.Err != nil {
		return 0, op.Err
	}
	n := f.in.read(p, off)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteVec is that of spool.File.
func (f *file) WriteVec(b [][]byte, off int64) error {
	var n int64
	for _, p := range b {
		n += int64(len(p))
	}
	op := &Op{Kind: Write, Off: off, Len: n}
	f.begin(op)
	defer f.m.end(op)
	if op.Err == nil && off < 0 {
		op.Err = f.m.failed(op, syscall.EINVAL)
	}
	switch {
	case !f.m.handles[f] || off < 0:
		return op.Err
	case op.Err != nil:
		n = f.m.part(n)
	}
	if room := f.room(off, n); room < n {
		n = room
		if op.Err == nil {
			op.Err = f.m.failed(op, syscall.ENOSPC)
		}
	}
	f.in.write(slices.Concat(b...)[:n], off) // in one piece: a sector has one version of it
	return op.Err
}

// Sync is that of spool.File.
func (f *file) Sync() error {
	op := &Op{Kind: Sync}
	f.begin(op)
	defer f.m.end(op)
	switch {
	case op.Err == nil:
		f.in.sync()
	case f.m.stopped, !f.m.handles[f]: // a cut says how far it came
	default:
		f.in.syncPart(f.m.chance)
	}
	return op.Err
}

// Allocate is that of spool.File.
func (f *file) Allocate(n int64) error {
	op := &Op{Kind: Allocate, Len: n}
	f.begin(op)
	defer f.m.end(op)
	switch {
	case f.m.config.Grow || !f.m.handles[f]:
		return op.Err
	case op.Err != nil:
		n = f.m.part(n)
	}
	if room := f.room(0, n); room < n {
		op.Err = f.m.failed(op, syscall.ENOSPC)
		n = room
	}
	if n > f.in.size {
		f.in.resize(n)
	}
	return op.Err
}

// room takes the sectors of off to off+n from the medium where the file does not have them yet. It returns how many of
// the n bytes there is room for: all, or those up to the first sector that cannot be had.
func (f *file) room(off, n int64) int64 {
	m := f.m
	for free := m.free(); n > 0 && f.in.lacks(off, n) > free; {
		n = max((off+n-1)/sector*sector-off, 0)
	}
	m.used += f.in.take(off, n)
	return n
}

// free is the number of sectors that nobody has.
func (m *FS) free() int64 {
	if m.config.Capacity <= 0 {
		return 1 << 62
	}
	return max(m.config.Capacity/sector-m.used, 0)
}

// Truncate is that of spool.File.
func (f *file) Truncate(n int64) error {
	op := &Op{Kind: Truncate, Len: n}
	f.begin(op)
	defer f.m.end(op)
	if !f.m.handles[f] || op.Err != nil && !f.m.anyway() {
		return op.Err
	}
	f.m.used -= f.in.truncate(n)
	return op.Err
}

// Size is that of spool.File.
func (f *file) Size() (int64, error) {
	op := &Op{Kind: Size}
	f.begin(op)
	defer f.m.end(op)
	if op.Err != nil {
		return 0, op.Err
	}
	return f.in.size, nil
}
