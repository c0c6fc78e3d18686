package spool_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

// TestFS holds the operating system's directory and the one that tests have in memory against one contract: a test on
// the one is worth something for the other.
func TestFS(t *testing.T) {
	kinds := []struct {
		name string
		open func(t *testing.T) spool.FS
	}{
		{"os", func(t *testing.T) spool.FS {
			f, err := spool.OpenDirectory(t.TempDir())
			must(t, err)
			return f
		}},
		{"memory", func(*testing.T) spool.FS { return memfs.New(memfs.Config{}) }},
	}
	tests := []struct {
		name string
		run  func(t *testing.T, d spool.FS)
	}{
		{"names", fsNames},
		{"what is not there", fsMissing},
		{"reads and writes", fsContent},
		{"a vector of buffers", fsVector},
		{"sizes", fsSizes},
		{"a removed file that is open", fsRemoved},
		{"a closed file", fsClosed},
		{"the lock", fsLock},
		{"read only", fsReadOnly},
	}
	for _, k := range kinds {
		for _, test := range tests {
			t.Run(k.name+"/"+test.name, func(t *testing.T) { test.run(t, k.open(t)) })
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantIs(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: the error is %v, want %v", what, err, want)
	}
}

// file makes a file that is closed at the end.
func file(t *testing.T, d spool.FS, name, content string) spool.File {
	t.Helper()
	f, err := d.Create(name)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	must(t, f.WriteVec([][]byte{[]byte(content)}, 0))
	return f
}

func readAll(t *testing.T, f spool.File) string {
	t.Helper()
	size, err := f.Size()
	must(t, err)
	p := make([]byte, size)
	n, err := f.ReadAt(p, 0)
	if n != len(p) || err != nil && err != io.EOF {
		t.Fatalf("read %d of %d bytes: %v", n, len(p), err)
	}
	return string(p)
}

func fsNames(t *testing.T, d spool.FS) {
	file(t, d, "b", "of b")
	file(t, d, "a", "of a")
	must(t, d.SyncDir())
	l, err := d.Lock()
	must(t, err)
	defer l.Close()
	names, err := d.List()
	must(t, err)
	if !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("there are %v, want a and b", names)
	}
	must(t, d.Rename("b", "a"))
	must(t, d.Remove("a"))
	if names, err = d.List(); err != nil || len(names) != 0 {
		t.Errorf("there are %v (%v), want none", names, err)
	}
	file(t, d, "c", "of c")
	must(t, d.Rename("c", "d"))
	f, err := d.Open("d")
	must(t, err)
	defer f.Close()
	if got := readAll(t, f); got != "of c" {
		t.Errorf("the renamed file holds %q", got)
	}
	must(t, d.SyncDir())
}

func fsMissing(t *testing.T, d spool.FS) {
	_, err := d.Open("a")
	wantIs(t, "open", err, fs.ErrNotExist)
	wantIs(t, "remove", d.Remove("a"), fs.ErrNotExist)
	wantIs(t, "rename", d.Rename("a", "b"), fs.ErrNotExist)
	file(t, d, "a", "")
	_, err = d.Create("a")
	wantIs(t, "create", err, fs.ErrExist)
}

func fsContent(t *testing.T, d spool.FS) {
	f := file(t, d, "a", "0123456789")
	must(t, f.WriteVec([][]byte{[]byte("abc")}, 8))
	must(t, f.Sync())
	p := make([]byte, 6)
	if n, err := f.ReadAt(p, 5); n != 6 || string(p) != "567abc" || err != nil && err != io.EOF {
		t.Errorf("read %q, %v", p[:n], err)
	}
	if n, err := f.ReadAt(p, 9); n != 2 || err != io.EOF {
		t.Errorf("over the end: %d, %v, want 2, EOF", n, err)
	}
	if n, err := f.ReadAt(p, 100); n != 0 || err != io.EOF {
		t.Errorf("behind the end: %d, %v, want 0, EOF", n, err)
	}
	again, err := d.Open("a")
	must(t, err)
	defer again.Close()
	must(t, again.WriteVec([][]byte{[]byte("ABC")}, 0))
	if got := readAll(t, f); got != "ABC34567abc" {
		t.Errorf("the first handle reads %q", got)
	}
	must(t, f.WriteVec([][]byte{[]byte("far")}, 20))
	if got, want := readAll(t, again), "ABC34567abc"+strings.Repeat("\x00", 9)+"far"; got != want {
		t.Errorf("a hole reads %q, want %q", got, want)
	}
}

func fsVector(t *testing.T, d spool.FS) {
	f := file(t, d, "a", "")
	must(t, f.WriteVec(nil, 0))
	must(t, f.WriteVec([][]byte{nil, {}}, 7))
	if got := readAll(t, f); got != "" {
		t.Errorf("writing nothing wrote %q", got)
	}
	var vec [][]byte
	var want []byte
	for i := range 3000 { // more than a system call takes
		p := bytes.Repeat([]byte{byte(i)}, i%7)
		vec, want = append(vec, p), append(want, p...)
	}
	before := slices.Clone(vec)
	must(t, f.WriteVec(vec, 0))
	if got := readAll(t, f); got != string(want) {
		t.Errorf("%d bytes are not what was written", len(got))
	}
	for i := range vec {
		if !bytes.Equal(vec[i], before[i]) || len(vec[i]) != i%7 {
			t.Fatalf("buffer %d was changed", i)
		}
	}
	if f.WriteVec([][]byte{{1}}, -1) == nil {
		t.Error("a write ahead of the file")
	}
}

func fsSizes(t *testing.T, d spool.FS) {
	f := file(t, d, "a", "0123456789")
	size := func(want int64) {
		t.Helper()
		if got, err := f.Size(); got != want || err != nil {
			t.Errorf("the size is %d (%v), want %d", got, err, want)
		}
	}
	size(10)
	must(t, f.Allocate(4096))
	size(4096)
	must(t, f.Allocate(100))
	size(4096)
	must(t, f.Allocate(0))
	size(4096)
	if got := readAll(t, f); got != "0123456789"+strings.Repeat("\x00", 4086) {
		t.Error("allocated room does not read as zeros")
	}
	must(t, f.Truncate(5))
	size(5)
	must(t, f.Truncate(8))
	if got := readAll(t, f); got != "01234\x00\x00\x00" {
		t.Errorf("after cutting and growing: %q", got)
	}
	must(t, f.Sync())
}

func fsRemoved(t *testing.T, d spool.FS) {
	f := file(t, d, "a", "still here")
	must(t, d.Remove("a"))
	file(t, d, "a", "another")
	if got := readAll(t, f); got != "still here" {
		t.Errorf("a removed file that is open reads %q", got)
	}
}

func fsClosed(t *testing.T, d spool.FS) {
	f := file(t, d, "a", "")
	must(t, f.Close())
	_, err := f.ReadAt(make([]byte, 1), 0)
	wantIs(t, "read", err, fs.ErrClosed)
	_, err = f.Size()
	wantIs(t, "size", err, fs.ErrClosed)
	wantIs(t, "write", f.WriteVec([][]byte{{1}}, 0), fs.ErrClosed)
	wantIs(t, "sync", f.Sync(), fs.ErrClosed)
	wantIs(t, "allocate", f.Allocate(1), fs.ErrClosed)
	wantIs(t, "truncate", f.Truncate(1), fs.ErrClosed)
	wantIs(t, "close", f.Close(), fs.ErrClosed)
}

func fsLock(t *testing.T, d spool.FS) {
	l, err := d.Lock()
	must(t, err)
	_, err = d.Lock()
	wantIs(t, "the second", err, spool.ErrInUse)
	must(t, l.Close())
	if l, err = d.Lock(); err != nil {
		t.Errorf("after it was given back: %v", err)
	}
	must(t, l.Close())
	wantIs(t, "the second close", l.Close(), fs.ErrClosed)
}

// Whoever only reads cannot write, whatever they call.
func fsReadOnly(t *testing.T, d spool.FS) {
	file(t, d, "a", "content")
	r := spool.ReadOnly(d)
	f, err := r.Open("a")
	must(t, err)
	defer f.Close()
	if got := readAll(t, f); got != "content" {
		t.Errorf("read %q", got)
	}
	if names, err := r.List(); err != nil || !slices.Equal(names, []string{"a"}) {
		t.Errorf("there are %v, %v", names, err)
	}
	_, err = r.Create("b")
	wantIs(t, "create", err, fs.ErrPermission)
	_, err = r.Lock()
	wantIs(t, "lock", err, fs.ErrPermission)
	wantIs(t, "remove", r.Remove("a"), fs.ErrPermission)
	wantIs(t, "rename", r.Rename("a", "b"), fs.ErrPermission)
	wantIs(t, "sync of the directory", r.SyncDir(), fs.ErrPermission)
	wantIs(t, "write", f.WriteVec([][]byte{{1}}, 0), fs.ErrPermission)
	wantIs(t, "sync", f.Sync(), fs.ErrPermission)
	wantIs(t, "allocate", f.Allocate(1<<20), fs.ErrPermission)
	wantIs(t, "truncate", f.Truncate(0), fs.ErrPermission)
	f, err = d.Open("a")
	must(t, err)
	defer f.Close()
	if got := readAll(t, f); got != "content" {
		t.Errorf("a reader has changed it to %q", got)
	}
}
