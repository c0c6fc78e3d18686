package memfs_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

// all does each operation once and returns the errors, by name.
func all(m *memfs.FS, f spool.File) map[memfs.Kind]error {
	errs := make(map[memfs.Kind]error)
	note := func(k memfs.Kind, err error) { errs[k] = err }
	n, err := m.Create("new")
	if err == nil {
		n.Close()
	}
	note(memfs.Create, err)
	note(memfs.Rename, m.Rename("other", "another"))
	note(memfs.Remove, m.Remove("third"))
	note(memfs.SyncDir, m.SyncDir())
	note(memfs.Write, f.WriteVec([][]byte{fill('w', 2)}, 0))
	note(memfs.Sync, f.Sync())
	note(memfs.Allocate, f.Allocate(8*sector))
	note(memfs.Truncate, f.Truncate(4*sector))
	o, err := m.Open("a")
	if err == nil {
		o.Close()
	}
	note(memfs.Open, err)
	_, err = m.List()
	note(memfs.List, err)
	l, err := m.Lock()
	if err == nil {
		l.Close()
	}
	note(memfs.Lock, err)
	_, err = f.ReadAt(make([]byte, 1), 0)
	note(memfs.ReadAt, err)
	_, err = f.Size()
	note(memfs.Size, err)
	return errs
}

func machine(t *testing.T, c memfs.Config) (*memfs.FS, spool.File) {
	t.Helper()
	m := memfs.New(c)
	f := synced(t, m, "a", fill('a', 4))
	synced(t, m, "other", nil).Close()
	synced(t, m, "third", nil).Close()
	return m, f
}

func TestEachOperationFailsOnce(t *testing.T) {
	for i := range 13 {
		k := memfs.Kind(1) << i
		t.Run(k.String(), func(t *testing.T) {
			m, f := machine(t, memfs.Config{Seed: uint64(i)})
			m.Fail(memfs.Fault{On: k, Nth: 1})
			for op, err := range all(m, f) {
				if got, want := errors.Is(err, syscall.EIO), op == k; got != want {
					t.Errorf("%v: %v", op, err)
				}
			}
			m.Heal()
			if k == memfs.Create || k == memfs.Rename || k == memfs.Remove {
				return // it may have been done nevertheless
			}
			m, f = machine(t, memfs.Config{})
			for op, err := range all(m, f) {
				if err != nil {
					t.Errorf("healed: %v: %v", op, err)
				}
			}
		})
	}
}

func TestFaultsByNumber(t *testing.T) {
	full := errors.New("something of its own")
	tests := []struct {
		name   string
		faults []memfs.Fault
		want   string // of ten writes, E for one that failed with EIO, F for one with full
	}{
		{"none", nil, ".........."},
		{"the third", []memfs.Fault{{On: memfs.Write, Nth: 3}}, "..E......."},
		{"a pair", []memfs.Fault{{On: memfs.Write, Nth: 2}, {On: memfs.Changes, Nth: 9, Err: full}}, ".E......F."},
		{"three in a row", []memfs.Fault{{On: memfs.Write, Nth: 4, Times: 3}}, "...EEE...."},
		{"for ever", []memfs.Fault{{On: memfs.Write, Nth: 8, Times: -1}}, ".......EEE"},
		{"another kind", []memfs.Fault{{On: memfs.Sync | memfs.Looks, Nth: 1}}, ".........."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := memfs.New(memfs.Config{})
			f := create(t, m, "a")
			m.Fail(test.faults...)
			got := ""
			for range 10 {
				switch err := f.WriteVec([][]byte{{1}}, 0); {
				case err == nil:
					got += "."
				case errors.Is(err, syscall.EIO):
					got += "E"
				case errors.Is(err, full):
					got += "F"
				}
			}
			if got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

func TestFailRate(t *testing.T) {
	m := memfs.New(memfs.Config{Seed: 3})
	f := create(t, m, "a")
	m.FailRate(memfs.Write, 0.2)
	failed := 0
	for range 1000 {
		if f.WriteVec([][]byte{{1}}, 0) != nil {
			failed++
		}
		must(t, f.Sync())
	}
	if failed < 150 || failed > 250 {
		t.Errorf("%d of 1000 failed at a rate of 0.2", failed)
	}
	m.Heal()
	must(t, f.WriteVec([][]byte{{1}}, 0))
}

// A write that fails has written some of its bytes, from the front.
func TestAFailedWriteIsAPartOfIt(t *testing.T) {
	lengths := make(map[int]bool)
	for seed := range uint64(50) {
		m := memfs.New(memfs.Config{Seed: seed})
		f := synced(t, m, "a", fill('a', 2))
		m.Fail(memfs.Fault{On: memfs.Write, Nth: 1})
		wantErr(t, f.WriteVec([][]byte{fill('b', 1), fill('b', 1)}, 0), syscall.EIO)
		p := content(t, m, "a")
		n := bytes.Count(p, []byte("b"))
		if !bytes.HasPrefix(p, bytes.Repeat([]byte("b"), n)) || len(p) != 2*sector {
			t.Fatalf("seed %d: not from the front", seed)
		}
		lengths[n] = true
		if got := letters(content(t, m.Cut(memfs.Synced, 1), "a")); got != "aa" {
			t.Fatalf("seed %d: the part is on the medium: %s", seed, got)
		}
	}
	if len(lengths) < 20 {
		t.Errorf("only %d different lengths", len(lengths))
	}
}

func TestFailedChangesOfNamesMayBeMade(t *testing.T) {
	seen := make(map[string]bool)
	for seed := range uint64(30) {
		for _, k := range []memfs.Kind{memfs.Create, memfs.Rename, memfs.Remove} {
			m, f := machine(t, memfs.Config{Seed: seed})
			m.Fail(memfs.Fault{On: k, Nth: 1})
			all(m, f)
			seen[k.String()+" "+strings.Join(names(t, m), " ")] = true
		}
	}
	for _, want := range []string{
		"Create a another", "Create a another new", "Rename a new other", "Rename a another new",
		"Remove a another new third", "Remove a another new",
	} {
		if !seen[want] {
			t.Errorf("never: %s", want)
		}
		delete(seen, want)
	}
	if len(seen) != 0 {
		t.Errorf("what cannot be: %v", seen)
	}
}

// After a SyncDir that failed the names it was for may be lost for good, and those that come later are not.
func TestAFailedSyncDir(t *testing.T) {
	seen := make(map[string]bool)
	for seed := range uint64(60) {
		m := memfs.New(memfs.Config{Seed: seed})
		for _, name := range []string{"a", "b"} {
			_, err := m.Create(name)
			must(t, err)
		}
		m.Fail(memfs.Fault{On: memfs.SyncDir, Nth: 1})
		wantErr(t, m.SyncDir(), syscall.EIO)
		_, err := m.Create("c")
		must(t, err)
		must(t, m.SyncDir())
		if got := strings.Join(names(t, m), ""); got != "abc" {
			t.Fatalf("the process sees %s", got)
		}
		seen[strings.Join(names(t, m.Cut(memfs.Synced, 0)), "")] = true
	}
	for _, want := range []string{"c", "ac", "abc"} {
		if !seen[want] {
			t.Errorf("never %s", want)
		}
		delete(seen, want)
	}
	if len(seen) != 0 {
		t.Errorf("what cannot be: %v", seen)
	}
}

func TestFullDisk(t *testing.T) {
	m := memfs.New(memfs.Config{Capacity: 10 * sector})
	f := create(t, m, "a")
	must(t, f.Allocate(8*sector))
	must(t, f.Allocate(8*sector))
	if m.Used() != 8*sector {
		t.Fatalf("%d bytes in use, want %d", m.Used(), 8*sector)
	}
	g := create(t, m, "b")
	wantErr(t, g.Allocate(3*sector), syscall.ENOSPC)
	if size, err := g.Size(); err != nil || size > 2*sector {
		t.Errorf("the file that did not fit has %d bytes: %v", size, err)
	}
	must(t, g.Truncate(0))
	wantErr(t, g.WriteVec([][]byte{fill('b', 1), fill('b', 2)}, 0), syscall.ENOSPC)
	if got := letters(content(t, m, "b")); got != "bb" {
		t.Errorf("what fits of a write that grows the file is %s, want bb", got)
	}
	must(t, f.WriteVec([][]byte{fill('a', 8)}, 0)) // what is allocated has room
	must(t, f.Sync())
	must(t, m.Rename("b", "c"))
	must(t, m.SyncDir())
	must(t, m.Remove("c"))
	if m.Used() != 10*sector {
		t.Error("the space of a file that is open was given back")
	}
	must(t, g.Close())
	if m.Used() != 8*sector {
		t.Error("the space of a removed file was not given back")
	}
	h := create(t, m, "d")
	must(t, h.Allocate(2*sector))
	for _, p := range memfs.Policies {
		if got := m.Cut(p, 1).Used(); got != 8*sector && got != 9*sector && got != 10*sector {
			t.Errorf("after %v %d sectors are in use", p, got/sector)
		}
	}
	must(t, f.Truncate(sector))
	must(t, h.Allocate(9*sector))
}

func TestAFileSystemThatCannotReserve(t *testing.T) {
	m := memfs.New(memfs.Config{Grow: true, Capacity: 2 * sector})
	f := create(t, m, "a")
	must(t, f.Allocate(100*sector))
	if size, err := f.Size(); size != 0 || err != nil {
		t.Errorf("the size is %d, %v", size, err)
	}
	must(t, f.WriteVec([][]byte{fill('a', 2)}, 0))
	wantErr(t, f.WriteVec([][]byte{{1}}, 2*sector), syscall.ENOSPC)
}

func TestStopAt(t *testing.T) {
	partly := 0
	for n := 1; n <= 8; n++ {
		m, f := machine(t, memfs.Config{Trace: true, Seed: uint64(n)})
		before := m.Changed()
		m.StopAt(n)
		all(m, f)
		if !m.Stopped() || m.Changed() != before+n {
			t.Fatalf("stopped: %v, after %d changes, want %d", m.Stopped(), m.Changed()-before, n)
		}
		for op, err := range all(m, f) {
			wantErr(t, err, memfs.ErrStopped)
			if !errors.Is(err, memfs.ErrStopped) {
				t.Errorf("%v: %v", op, err)
			}
		}
		_, err := f.ReadAt(make([]byte, 1), 0)
		wantErr(t, err, memfs.ErrStopped)
		next := m.Cut(memfs.Kill, 1)
		if next.Stopped() || next.Changed() != 0 {
			t.Error("the next life begins dead")
		}
		if p := content(t, next, "a"); n == 5 && bytes.Contains(p, []byte("w")) && bytes.Contains(p[:2*sector], []byte("a")) {
			partly++
		}
		if got := letters(content(t, m.Cut(memfs.Synced, 1), "a")); n == 6 && got != "aaaa" {
			t.Errorf("the sync in which the process died was done: %s", got)
		}
	}
	for seed := range uint64(20) {
		m := memfs.New(memfs.Config{Seed: seed})
		f := synced(t, m, "a", fill('a', 2))
		m.StopAt(1)
		wantErr(t, f.WriteVec([][]byte{fill('w', 2)}, 0), memfs.ErrStopped)
		if p := content(t, m, "a"); bytes.Contains(p, []byte("w")) && bytes.Contains(p, []byte("a")) {
			partly++
		}
	}
	if partly == 0 {
		t.Error("no write was cut in its middle")
	}
	m, f := machine(t, memfs.Config{})
	m.Stop()
	wantErr(t, f.Sync(), memfs.ErrStopped)
}

// Every operation of a workload can be cut, in one run.
func TestOnChangeSeesEachMomentBeforeIt(t *testing.T) {
	m := memfs.New(memfs.Config{Trace: true})
	var moments []string
	m.OnChange(func(op memfs.Op) {
		image := m.Cut(memfs.Kill, 1)
		moments = append(moments, strings.Join(names(t, image), " ")+" "+letters(content(t, image, "a")))
	})
	f, err := m.Create("a")
	must(t, err)
	write(t, f, 0, fill('b', 1))
	must(t, f.Sync())
	must(t, m.Rename("a", "c"))
	m.OnChange(nil)
	must(t, m.SyncDir())
	if want := []string{" ", "a ", "a b", "a b"}; !slices.Equal(moments, want) {
		t.Errorf("seen %q, want %q", moments, want)
	}
	var lines []string
	for _, op := range m.Trace() {
		lines = append(lines, op.String())
	}
	want := []string{"   1 Create a", "   2 Write a 0+512", "   3 Sync a", "   4 Rename a -> c", "   5 SyncDir"}
	if !slices.Equal(lines, want) {
		t.Errorf("the trace is %q, want %q", lines, want)
	}
}

func TestLock(t *testing.T) {
	m := memfs.New(memfs.Config{})
	l, err := m.Lock()
	must(t, err)
	_, err = m.Lock()
	wantErr(t, err, spool.ErrInUse)
	for _, p := range memfs.Policies {
		_, err = m.Cut(p, 1).Lock()
		must(t, err)
	}
	must(t, l.Close())
	if l.Close() == nil {
		t.Error("a lock was given back twice")
	}
	_, err = m.Lock()
	must(t, err)
	wantErr(t, l.Close(), fs.ErrClosed)
	_, err = m.Lock()
	wantErr(t, err, spool.ErrInUse)
}

func TestHandlesAndErrors(t *testing.T) {
	m, f := machine(t, memfs.Config{})
	if got := m.Handles(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("open are %v, want a", got)
	}
	p := make([]byte, 10)
	if n, err := f.ReadAt(p, 4*sector-3); n != 3 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
	_, err := m.Create("a")
	wantErr(t, err, fs.ErrExist)
	_, err = m.Open("nobody")
	wantErr(t, err, fs.ErrNotExist)
	wantErr(t, m.Remove("nobody"), fs.ErrNotExist)
	wantErr(t, m.Rename("nobody", "a"), fs.ErrNotExist)
	must(t, m.Remove("a"))
	if n, err := f.ReadAt(p, 0); n != 10 || err != nil {
		t.Errorf("a removed file that is open: %d, %v", n, err)
	}
	must(t, f.Close())
	wantErr(t, f.Close(), fs.ErrClosed)
	wantErr(t, f.WriteVec([][]byte{{1}}, 0), fs.ErrClosed)
	wantErr(t, f.Sync(), fs.ErrClosed)
	wantErr(t, f.Allocate(1), fs.ErrClosed)
	wantErr(t, f.Truncate(1), fs.ErrClosed)
	_, err = f.ReadAt(p, 0)
	wantErr(t, err, fs.ErrClosed)
	if got := m.Handles(); len(got) != 0 {
		t.Errorf("still open: %v", got)
	}
}

// Damage at rest is there under every policy.
func TestWriteFile(t *testing.T) {
	m := memfs.New(memfs.Config{})
	synced(t, m, "a", fill('a', 4))
	m.WriteFile("a", fill('z', 2))
	m.WriteFile("b", []byte("new"))
	for _, p := range memfs.Policies {
		next := m.Cut(p, 1)
		if got := letters(content(t, next, "a")) + string(content(t, next, "b")); got != "zznew" {
			t.Errorf("%v: %s", p, got)
		}
	}
	if m.Used() != 3*sector {
		t.Errorf("%d sectors in use, want 3", m.Used()/sector)
	}
}

func TestManyAtOnce(t *testing.T) {
	m := memfs.New(memfs.Config{})
	f := create(t, m, "a")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			p := make([]byte, sector)
			for range 200 {
				if err := f.WriteVec([][]byte{fill(byte('0'+i), 1)}, int64(i)*sector); err != nil {
					t.Error(err)
				}
				if err := f.Sync(); err != nil {
					t.Error(err)
				}
				if _, err := f.ReadAt(p, int64(i)*sector); err != nil || letters(p) != string(rune('0'+i)) {
					t.Errorf("%v, %s", err, letters(p))
				}
				m.Cut(memfs.Garbage, 1)
			}
		})
	}
	wg.Wait()
	if got := letters(content(t, m.Cut(memfs.Synced, 1), "a")); got != "0123" {
		t.Errorf("the file is %s", got)
	}
}
