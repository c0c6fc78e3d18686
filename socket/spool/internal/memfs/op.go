package memfs

import (
	"fmt"
	"strings"
)

// A Kind is a kind of operation, or a set of several.
type Kind uint16

// The operations of spool.FS and spool.File, but for Close, which never fails.
const (
	Create Kind = 1 << iota
	Remove
	Rename
	SyncDir
	Write
	Sync
	Allocate
	Truncate

	Open
	List
	Lock
	ReadAt
	Size

	// Changes are the operations that can change what a cut leaves. They are numbered, from 1.
	Changes = Create | Remove | Rename | SyncDir | Write | Sync | Allocate | Truncate
	// Looks are the others.
	Looks = Open | List | Lock | ReadAt | Size
)

var kindNames = [...]string{
	"Create", "Remove", "Rename", "SyncDir", "Write", "Sync", "Allocate", "Truncate",
	"Open", "List", "Lock", "ReadAt", "Size",
}

// String returns the names of the operations in k, with "|" between them.
func (k Kind) String() string {
	var names []string
	for i, name := range kindNames {
		if k&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}

// An Op is one operation as it was asked for, and in a trace also how it ended.
type Op struct {
	N    int // the number of a change, 0 for one that only looks
	Kind Kind
	Name string // of the file; empty for List, SyncDir and Lock
	To   string // Rename: the new name
	Off  int64  // Write, ReadAt
	Len  int64  // Write, ReadAt: of all buffers; Allocate, Truncate: the size asked for
	Err  error  // what it returned
}

// String is the operation as a line of a trace.
func (o Op) String() string {
	var b strings.Builder
	if o.N > 0 {
		fmt.Fprintf(&b, "%4d ", o.N)
	} else {
		b.WriteString("   - ")
	}
	b.WriteString(o.Kind.String())
	switch o.Kind {
	case Rename:
		fmt.Fprintf(&b, " %s -> %s", o.Name, o.To)
	case Write, ReadAt:
		fmt.Fprintf(&b, " %s %d+%d", o.Name, o.Off, o.Len)
	case Allocate, Truncate:
		fmt.Fprintf(&b, " %s %d", o.Name, o.Len)
	default:
		if o.Name != "" {
			b.WriteString(" " + o.Name)
		}
	}
	if o.Err != nil {
		fmt.Fprintf(&b, ": %v", o.Err)
	}
	return b.String()
}

// OnChange has f called before each change is made, by the goroutine that makes it and while nothing is locked: f may
// take images of that moment. It replaces what was given before; nil ends it.
func (m *FS) OnChange(f func(Op)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.onChange = f
}

// Changed returns the number of changes so far, failed ones included.
func (m *FS) Changed() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changes
}

// Trace returns the operations so far, in the order in which they ended, if Config.Trace is on.
func (m *FS) Trace() []Op {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Op(nil), m.trace...)
}

// begin starts an operation: it counts it, calls the hook, and decides whether it fails, which is then in op.Err. The
// caller holds m.mu from here on, until end.
func (m *FS) begin(op *Op) {
	m.mu.Lock()
	if op.Kind&Changes != 0 && !m.stopped {
		m.changes++
		op.N = m.changes
		if f := m.onChange; f != nil {
			m.mu.Unlock()
			f(*op)
			m.mu.Lock()
		}
	}
	op.Err = m.decide(op)
}

func (m *FS) end(op *Op) {
	m.dying = false
	if m.config.Trace {
		m.trace = append(m.trace, *op)
	}
	m.mu.Unlock()
}
