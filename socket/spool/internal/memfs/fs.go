package memfs

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/yodel-mq/yodel/socket/spool"
)

// Config is what a medium is like. The zero value is an empty one without a limit.
type Config struct {
	Seed     uint64 // of what faults leave to chance
	Capacity int64  // in bytes, of what is allocated or written, in whole sectors; 0 is no limit
	Grow     bool   // the file system cannot reserve room: Allocate does nothing
	Trace    bool   // operations are kept for Trace
}

// An FS is a directory on a medium, as one process sees it. All methods may be called by any number of goroutines.
type FS struct {
	mu     sync.Mutex
	config Config
	chance *rand.Rand

	names   map[string]*inode // what the process sees
	medium  map[string]*inode // what the medium has
	journal []change          // what lies between, in order
	removed []remains         // the blocks of files that are gone, the newest last
	used    int64             // sectors
	locked  *lock
	handles map[*file]bool

	changes  int
	onChange func(Op)
	trace    []Op
	faults   []*fault
	rateOn   Kind
	rate     float64
	stopAt   int
	stopped  bool
	dying    bool // the operation under way is the one in which the process dies
}

var _ spool.FS = (*FS)(nil)

// New makes an empty medium.
func New(c Config) *FS {
	return &FS{
		config: c, chance: generator(c.Seed, 0),
		names: make(map[string]*inode), medium: make(map[string]*inode), handles: make(map[*file]bool),
	}
}

func generator(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// A change is one of names: a file that was made under to, one that is no more under from, or both.
type change struct {
	file     *inode
	from, to string
}

func (c change) apply(names map[string]*inode) {
	if c.from != "" && names[c.from] == c.file {
		delete(names, c.from)
	}
	if c.to != "" {
		names[c.to] = c.file
	}
}

// make makes a change as the process sees it.
func (m *FS) make(c change) {
	if old := m.names[c.to]; c.to != "" && old != nil {
		m.unlink(old)
	}
	c.apply(m.names)
	if c.to == "" {
		m.unlink(c.file)
	}
	m.journal = append(m.journal, c)
}

// unlink notes that a file has no name any more; its space is free once nobody has it open.
func (m *FS) unlink(in *inode) {
	in.unlinked = true
	m.bury(in)
	m.release(in)
}

// release gives back the space of a file that has neither a name nor a handle.
func (m *FS) release(in *inode) {
	if in.unlinked && in.handles == 0 {
		m.used -= in.taken()
		in.have = nil
	}
}

// Create is that of spool.FS.
func (m *FS) Create(name string) (spool.File, error) {
	op := &Op{Kind: Create, Name: name}
	m.begin(op)
	defer m.end(op)
	if op.Err != nil && !m.anyway() {
		return nil, op.Err
	}
	if m.names[name] != nil {
		if op.Err == nil {
			op.Err = m.failed(op, fs.ErrExist)
		}
		return nil, op.Err
	}
	in := &inode{dirty: make(map[int64][]*block)}
	m.make(change{file: in, to: name})
	if op.Err != nil {
		return nil, op.Err
	}
	return m.handle(in, name), nil
}

// Open is that of spool.FS.
func (m *FS) Open(name string) (spool.File, error) {
	op := &Op{Kind: Open, Name: name}
	m.begin(op)
	defer m.end(op)
	if op.Err != nil {
		return nil, op.Err
	}
	in := m.names[name]
	if in == nil {
		op.Err = m.failed(op, fs.ErrNotExist)
		return nil, op.Err
	}
	return m.handle(in, name), nil
}

// Remove is that of spool.FS.
func (m *FS) Remove(name string) error {
	op := &Op{Kind: Remove, Name: name}
	m.begin(op)
	defer m.end(op)
	if op.Err != nil && !m.anyway() {
		return op.Err
	}
	in := m.names[name]
	if in != nil {
		m.make(change{file: in, from: name})
	} else if op.Err == nil {
		op.Err = m.failed(op, fs.ErrNotExist)
	}
	return op.Err
}

// Rename is that of spool.FS.
func (m *FS) Rename(from, to string) error {
	op := &Op{Kind: Rename, Name: from, To: to}
	m.begin(op)
	defer m.end(op)
	if op.Err != nil && !m.anyway() {
		return op.Err
	}
	in := m.names[from]
	switch {
	case in == nil && op.Err == nil:
		op.Err = m.failed(op, fs.ErrNotExist)
	case in != nil && from != to:
		m.make(change{file: in, from: from, to: to})
	}
	return op.Err
}

// List is that of spool.FS.
func (m *FS) List() ([]string, error) {
	op := &Op{Kind: List}
	m.begin(op)
	defer m.end(op)
	if op.Err != nil {
		return nil, op.Err
	}
	return slices.Sorted(maps.Keys(m.names)), nil
}

// SyncDir is that of spool.FS.
func (m *FS) SyncDir() error {
	op := &Op{Kind: SyncDir}
	m.begin(op)
	defer m.end(op)
	switch {
	case op.Err == nil:
		m.settle(len(m.journal))
	case m.stopped: // a cut says how far it came
	default:
		m.settle(m.chance.IntN(len(m.journal) + 1))
		if m.chance.IntN(2) == 0 {
			m.journal = nil // marked clean: no later SyncDir moves the rest
		}
	}
	return op.Err
}

// settle moves the first n changes of names to the medium.
func (m *FS) settle(n int) {
	for _, c := range m.journal[:n] {
		c.apply(m.medium)
	}
	m.journal = slices.Clone(m.journal[n:])
}

// A lock is what Lock returns.
type lock struct{ m *FS }

// Lock is that of spool.FS.
func (m *FS) Lock() (io.Closer, error) {
	op := &Op{Kind: Lock}
	m.begin(op)
	defer m.end(op)
	switch {
	case op.Err != nil:
		return nil, op.Err
	case m.locked != nil:
		op.Err = fmt.Errorf("memfs: %w", spool.ErrInUse)
		return nil, op.Err
	}
	m.locked = &lock{m}
	return m.locked, nil
}

// Close gives the lock back, once.
func (l *lock) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.m.locked != l {
		return fs.ErrClosed
	}
	l.m.locked = nil
	return nil
}

// SetCapacity changes Config.Capacity. What is in use already stays.
func (m *FS) SetCapacity(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.config.Capacity = n
}

// Used returns the bytes in use, as Config.Capacity counts them.
func (m *FS) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used * sector
}

// Handles returns the names under which files were opened that are open still, sorted.
func (m *FS) Handles() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for f := range m.handles {
		names = append(names, f.name)
	}
	slices.Sort(names)
	return names
}
