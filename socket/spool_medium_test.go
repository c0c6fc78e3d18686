package socket_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// A medium is a directory in memory for a spool, which can be full, or fail. Nothing in it is ever lost: that a spool
// survives that, its own tests show.
type medium struct {
	mu     sync.Mutex
	files  map[string]*mediumFile
	locked bool
	left   int64 // bytes that may still be allocated
	broken bool  // writes and syncs fail
}

func newMedium() *medium { return &medium{files: make(map[string]*mediumFile), left: 1 << 40} }

var errBroken = errors.New("the disk is broken")

type mediumFile struct {
	m *medium
	b []byte
}

// set changes how the medium is.
func (m *medium) set(change func(m *medium)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

// copied is another medium with the same in it: a copy of the directory, or what the next process finds if this one is
// killed now, which goes on with the first.
func (m *medium) copied() *medium {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := newMedium()
	for name, f := range m.files {
		c.files[name] = &mediumFile{c, slices.Clone(f.b)}
	}
	return c
}

func (m *medium) Create(name string) (spool.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[name] != nil {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrExist)
	}
	m.files[name] = &mediumFile{m: m}
	return m.files[name], nil
}

func (m *medium) Open(name string) (spool.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.files[name]; f != nil {
		return f, nil
	}
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

func (m *medium) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.files[name]
	if f == nil {
		return fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	m.left += int64(len(f.b))
	delete(m.files, name)
	return nil
}

func (m *medium) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[from] == nil {
		return fmt.Errorf("%s: %w", from, fs.ErrNotExist)
	}
	m.files[to] = m.files[from]
	delete(m.files, from)
	return nil
}

func (m *medium) List() ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.files)), nil
}

func (m *medium) SyncDir() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fails()
}

func (m *medium) fails() error {
	if m.broken {
		return errBroken
	}
	return nil
}

func (m *medium) Lock() (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locked {
		return nil, spool.ErrInUse
	}
	m.locked = true
	return unlocking{m}, nil
}

type unlocking struct{ m *medium }

func (u unlocking) Close() error {
	u.m.set(func(m *medium) { m.locked = false })
	return nil
}

// grow has a file be so long. m.mu is held.
func (f *mediumFile) grow(n int64) error {
	more := n - int64(len(f.b))
	if more <= 0 {
		return nil
	}
	if more > f.m.left {
		return syscall.ENOSPC
	}
	f.m.left -= more
	f.b = append(f.b, make([]byte, more)...)
	return nil
}

func (f *mediumFile) ReadAt(b []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if off >= int64(len(f.b)) {
		return 0, io.EOF
	}
	n := copy(b, f.b[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *mediumFile) WriteVec(bs [][]byte, off int64) error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.fails(); err != nil {
		return err
	}
	for _, b := range bs {
		if err := f.grow(off + int64(len(b))); err != nil {
			return err
		}
		off += int64(copy(f.b[off:], b))
	}
	return nil
}

func (f *mediumFile) Sync() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	return f.m.fails()
}

func (f *mediumFile) Allocate(n int64) error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	return f.grow(n)
}

func (f *mediumFile) Truncate(n int64) error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if n < int64(len(f.b)) {
		f.m.left += int64(len(f.b)) - n
		f.b = f.b[:n]
	}
	return f.grow(n)
}

func (f *mediumFile) Size() (int64, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	return int64(len(f.b)), nil
}

func (f *mediumFile) Close() error { return nil }

// onMedium opens a spool on a medium.
func onMedium(t testing.TB, m *medium, opts spool.Options) *spool.Spool {
	t.Helper()
	opts.FS = m
	if opts.SegmentBytes == 0 {
		opts.SegmentBytes = 64 << 10
	}
	return openSpool(t, "memory", opts)
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
