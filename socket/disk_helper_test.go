package socket_test

import (
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// A memDisk is a directory in memory. What becomes of one whose machine loses power is tested in package spool; here
// processes die, which lose nothing that they have written.
type memDisk struct {
	mu     sync.Mutex
	files  map[string]*memFile
	locked bool
}

type memFile struct {
	disk *memDisk
	b    []byte
}

func newMemDisk() *memDisk { return &memDisk{files: make(map[string]*memFile)} }

// killed is what the next process finds if this one is killed now. The disk that this one goes on with is another one.
func (d *memDisk) killed() *memDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := newMemDisk()
	for name, f := range d.files {
		next.files[name] = &memFile{next, slices.Clone(f.b)}
	}
	return next
}

func (d *memDisk) Create(name string) (spool.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.files[name] != nil {
		return nil, fs.ErrExist
	}
	d.files[name] = &memFile{disk: d}
	return d.files[name], nil
}

func (d *memDisk) Open(name string) (spool.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.files[name]; f != nil {
		return f, nil
	}
	return nil, fs.ErrNotExist
}

func (d *memDisk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.files, name)
	return nil
}

func (d *memDisk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[to] = d.files[from]
	delete(d.files, from)
	return nil
}

func (d *memDisk) List() ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.files)), nil
}

func (d *memDisk) SyncDir() error { return nil }

func (d *memDisk) Lock() (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked {
		return nil, spool.ErrInUse
	}
	d.locked = true
	return unlocker{d}, nil
}

type unlocker struct{ d *memDisk }

func (u unlocker) Close() error {
	u.d.mu.Lock()
	defer u.d.mu.Unlock()
	u.d.locked = false
	return nil
}

func (f *memFile) ReadAt(b []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if off >= int64(len(f.b)) {
		return 0, io.EOF
	}
	n := copy(b, f.b[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) Close() error { return nil }

func (f *memFile) grow(n int64) {
	if more := n - int64(len(f.b)); more > 0 {
		f.b = append(f.b, make([]byte, more)...)
	}
}

func (f *memFile) WriteVec(b [][]byte, off int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	for _, b := range b {
		f.grow(off + int64(len(b)))
		off += int64(copy(f.b[off:], b))
	}
	return nil
}

func (f *memFile) Sync() error { return nil }

func (f *memFile) Allocate(n int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.grow(n)
	return nil
}

func (f *memFile) Truncate(n int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.grow(n)
	f.b = f.b[:n]
	return nil
}

func (f *memFile) Size() (int64, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return int64(len(f.b)), nil
}

// openOn opens the spool on a disk.
func openOn(t testing.TB, d *memDisk, opts spool.Options) *spool.Spool {
	t.Helper()
	opts.FS = d
	q, err := spool.Open("", opts)
	must(t, err)
	return q
}

// smallSpool makes few bytes of a spool.
func smallSpool(t testing.TB, d *memDisk) *spool.Spool {
	t.Helper()
	return openOn(t, d, spool.Options{SegmentBytes: 64 << 10})
}

// kept lists the messages that are in a spool, as what they are in their sender's stream; each is there once.
func kept(t testing.TB, q *spool.Spool) (ids []socket.MessageID) {
	t.Helper()
	seen := make(map[spool.Origin]bool)
	for e, err := range q.Browse(t.Context(), 0) {
		must(t, err)
		if e.Origin != (spool.Origin{}) && seen[e.Origin] {
			t.Errorf("%v is kept twice", e.Origin)
		}
		seen[e.Origin] = true
		ids = append(ids, socket.MessageID(e.Origin))
	}
	return ids
}
