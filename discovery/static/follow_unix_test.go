//go:build unix

package static

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

// What the path leads to once the file has been looked at is opened all the same: it must not be waited for.
func TestOnlyRegularFilesAreOpened(t *testing.T) {
	dir := t.TempDir()
	pipe, file, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, file, "orders tcp://a:1\n")
	if err := os.Symlink(pipe, link); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, path, says string
	}{
		{"a named pipe", pipe, "not a regular file"},
		{"a link to one", link, "not a regular file"},
		{"a directory", dir, "not a regular file"},
		{"a device", os.DevNull, "not a regular file"},
		{"nothing", filepath.Join(dir, "none"), "no such file"},
		{"a file", file, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opened := make(chan error, 1)
			go func() {
				f, info, err := openRegular(tc.path)
				if err == nil {
					if !info.Mode().IsRegular() {
						t.Errorf("opened a %v", info.Mode())
					}
					f.Close()
				}
				opened <- err
			}()
			select {
			case err := <-opened:
				if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
					t.Errorf("%v, want %q", err, tc.says)
				}
			case <-time.After(30 * time.Second):
				if f, err := os.OpenFile(tc.path, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
					f.Close() // lets it go on
				}
				t.Error("it waits for a writer")
			}
		})
	}
}

// A watch ends in time whatever is put in place of its file.
func TestPipeSwappedForTheFile(t *testing.T) {
	dir := t.TempDir()
	path, file, pipe := filepath.Join(dir, "peers"), filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	write(t, file, "orders tcp://a:1\n")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	swap := func(to string) {
		next := filepath.Join(dir, "next")
		if err := os.Link(to, next); err != nil {
			t.Error(err)
		}
		if err := os.Rename(next, path); err != nil {
			t.Error(err)
		}
	}
	swap(file)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b := File(path, WithInterval(10*time.Millisecond))
	events, err := b.Watch(ctx, discovery.Query{})
	if err != nil {
		t.Fatal(err)
	}
	troubles := 0
	patience := time.NewTimer(30 * time.Second)
	defer patience.Stop()
	for troubles < 8 { // each means that it met the pipe, and the file before
		swap(pipe)
		swap(file)
		select {
		case e := <-events:
			if e.Kind == discovery.Trouble {
				troubles++
			}
		case <-patience.C:
			t.Fatal("it does not look any more")
		default:
		}
	}
	cancel()
	for {
		select {
		case _, open := <-events:
			if !open {
				return
			}
		case <-patience.C:
			t.Fatal("the watch does not end")
		}
	}
}
