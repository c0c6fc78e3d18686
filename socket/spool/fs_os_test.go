package spool_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/yodel-mq/yodel/socket/spool"
)

func TestWriteAll(t *testing.T) {
	tests := []struct {
		name  string
		sizes []int
		takes int // bytes a call takes
		calls int
	}{
		{"at once", []int{3, 4}, 100, 1},
		{"nothing", nil, 100, 0},
		{"empty buffers alone", []int{0, 0}, 100, 0},
		{"empty ones in between", []int{0, 3, 0, 0, 4, 0}, 100, 1},
		{"byte by byte", []int{2, 0, 3}, 1, 5},
		{"up to the end of a buffer", []int{4, 4, 4}, 4, 3},
		{"over the ends of buffers", []int{4, 4, 4}, 5, 3},
		{"more buffers than a call takes", make1(2500), 1 << 20, 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var vec [][]byte
			var want []byte
			for i, n := range test.sizes {
				p := bytes.Repeat([]byte{byte('a' + i%26)}, n)
				vec, want = append(vec, p), append(want, p...)
			}
			var got []byte
			calls := 0
			err := spool.WriteAll(vec, 10, func(b [][]byte, off int64) (int, error) {
				if calls++; calls > 10 {
					t.Fatal("it goes on for ever")
				}
				p := bytes.Join(b, nil)
				p = p[:min(test.takes, len(p))]
				if off != 10+int64(len(got)) || len(b) > 1024 || len(b[0]) == 0 {
					t.Fatalf("call %d at %d with %d buffers", calls, off, len(b))
				}
				got = append(got, p...)
				return len(p), nil
			})
			if err != nil || !bytes.Equal(got, want) || calls != test.calls {
				t.Errorf("wrote %q in %d calls: %v; want %q in %d", got, calls, err, want, test.calls)
			}
		})
	}
	broken := errors.New("broken")
	err := spool.WriteAll([][]byte{{1}}, 0, func([][]byte, int64) (int, error) { return 0, broken })
	wantIs(t, "a write that fails", err, broken)
	err = spool.WriteAll([][]byte{{1}}, 0, func([][]byte, int64) (int, error) { return 0, nil })
	wantIs(t, "a write that takes nothing", err, io.ErrShortWrite)
}

func make1(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = 1
	}
	return s
}

// A directory that does not exist is made with all above it.
func TestDirectoryIsMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "one", "two")
	d, err := spool.OpenDirectory(dir)
	must(t, err)
	file(t, d, "a", "content")
	if p, err := os.ReadFile(filepath.Join(dir, "a")); err != nil || string(p) != "content" {
		t.Errorf("the file holds %q: %v", p, err)
	}
	if _, err := spool.OpenDirectory(filepath.Join(dir, "a")); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("a file instead of a directory: %v", err)
	}
	if _, err := spool.OpenDirectory(filepath.Join(dir, "a", "b")); err == nil {
		t.Error("a directory below a file")
	}
}

// Whoever reads makes nothing.
func TestReadDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	_, err := spool.ReadDirectory(dir)
	wantIs(t, "no directory", err, fs.ErrNotExist)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("it was made by reading it")
	}
	d, err := spool.OpenDirectory(dir)
	must(t, err)
	file(t, d, "a", "content")
	_, err = spool.ReadDirectory(filepath.Join(dir, "a"))
	wantIs(t, "a file", err, syscall.ENOTDIR)
	r, err := spool.ReadDirectory(dir)
	must(t, err)
	f, err := r.Open("a")
	must(t, err)
	defer f.Close()
	if got := readAll(t, f); got != "content" {
		t.Errorf("read %q", got)
	}
}

// The process may change its own directory meanwhile.
func TestDirectoryIsAbsolute(t *testing.T) {
	base := t.TempDir()
	t.Chdir(base)
	d, err := spool.OpenDirectory("relative")
	must(t, err)
	t.Chdir(t.TempDir())
	file(t, d, "a", "content")
	if _, err := os.Stat(filepath.Join(base, "relative", "a")); err != nil {
		t.Error(err)
	}
}

// What is no file of a spool is not listed.
func TestListNamesFiles(t *testing.T) {
	dir := t.TempDir()
	d, err := spool.OpenDirectory(dir)
	must(t, err)
	must(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	file(t, d, "a", "")
	if names, err := d.List(); err != nil || fmt.Sprint(names) != "[a]" {
		t.Errorf("there are %v, %v", names, err)
	}
}

// A directory with something else in it is left as it is, mode and all: it may be /tmp.
func TestOtherDirectoriesAreLeftAlone(t *testing.T) {
	for name, fill := range map[string]func(path string) error{
		"a file":      func(path string) error { return os.WriteFile(path, nil, 0o644) },
		"a directory": func(path string) error { return os.Mkdir(path, 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, fill(filepath.Join(dir, "letters")))
			before, err := os.Stat(dir)
			must(t, err)
			_, err = spool.Open(dir, spool.Options{})
			wantIs(t, "open", err, spool.ErrNotSpool)
			after, err := os.Stat(dir)
			must(t, err)
			entries, err := os.ReadDir(dir)
			must(t, err)
			if len(entries) != 1 || after.Mode() != before.Mode() {
				t.Errorf("there are %v, the mode is %v, was %v", entries, after.Mode(), before.Mode())
			}
		})
	}
	dir := t.TempDir() // the root of a file system of its own
	must(t, os.Mkdir(filepath.Join(dir, "lost+found"), 0o700))
	s, err := spool.Open(dir, spool.Options{})
	must(t, err)
	must(t, s.Close())
}

func TestNetworkIsRefused(t *testing.T) {
	dir := t.TempDir()
	nfs := func(string) string { return "NFS" }
	_, err := spool.OpenOn(dir, false, nfs)
	wantIs(t, "NFS", err, errors.ErrUnsupported)
	if err == nil || !strings.Contains(err.Error(), "NFS") || !strings.Contains(err.Error(), dir) {
		t.Errorf("the error does not say what is where: %v", err)
	}
	_, err = spool.OpenOn(dir, true, nfs)
	must(t, err)
}

func TestNoSpace(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "a", Err: syscall.ENOSPC}
	wantIs(t, "a full disk", spool.NoSpace(full), syscall.ENOSPC)
	if err := spool.NoSpace(syscall.EIO); err != syscall.EIO {
		t.Errorf("another error became %v", err)
	}
	if err := spool.NoSpace(nil); err != nil {
		t.Errorf("no error became %v", err)
	}
}
