//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package transport

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// flock takes a lock of the kind that programs take on a directory of theirs, until the end of the test.
func flock(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Fatal(err)
	}
}

// The locks of others, whatever they are for, stop nobody.
func TestIPCBindsBesideTheLocksOfOthers(t *testing.T) {
	for _, tc := range []struct{ name, stale, lock string }{
		{"free path, locked directory", "", "."},
		{"dead file, locked directory", "s", "."},
		{"free path, our own lock kept", "", "s.yodel-lock"},
		{"dead file, the name that others use for locks", "s", "s.lock"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := shortDir(t)
			if tc.lock != "." {
				if err := os.WriteFile(filepath.Join(dir, tc.lock), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			flock(t, filepath.Join(dir, tc.lock))
			if tc.stale != "" {
				stale(t, filepath.Join(dir, tc.stale))
			}
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // they were waited for longer than this
			defer cancel()
			l, err := NewIPC().Listen(ctx, filepath.Join(dir, "s"))
			if err != nil {
				t.Fatal(err)
			}
			_ = l.Close()
			if tc.lock != "." && !exists(filepath.Join(dir, tc.lock)) {
				t.Error("the lock is gone")
			}
		})
	}
}

// Whatever stands in the way, Listen neither hangs nor touches it.
func TestIPCOddFilesAreAnsweredAtOnce(t *testing.T) {
	fifo := func(path string) error { return syscall.Mkfifo(path, 0o600) }
	dir := func(path string) error { return os.Mkdir(path, 0o700) }
	link := func(path string) error { return os.Symlink("nowhere", path) }
	for _, tc := range []struct {
		name  string
		make  func(path string) error
		at    string // below the test's directory
		stale bool   // a dead file at s
		bind  string
		want  string
	}{
		{"FIFO at the path", fifo, "s", false, "s", "the path is taken by a file that is not a socket"},
		{"directory at the path", dir, "s", false, "s", "the path is taken by a file that is not a socket"},
		{"link at the path", link, "s", false, "s", "the path is taken by a file that is not a socket"},
		{"FIFO for a directory", fifo, "d", false, "d/s", "not a directory"},
		{"FIFO for a directory above", fifo, "d", false, "d/e/s", "not a directory"},
		{"link to nowhere for a directory", link, "d", false, "d/s", "does not exist; create it first"},
		{"FIFO for the lock", fifo, "s.yodel-lock", true, "s", "is not a file to lock"},
		{"directory for the lock", dir, "s.yodel-lock", true, "s", "is not a file to lock"},
		{"link for the lock", link, "s.yodel-lock", true, "s", "no lock can be had there"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			base := shortDir(t)
			if err := tc.make(filepath.Join(base, tc.at)); err != nil {
				t.Fatal(err)
			}
			if tc.stale {
				stale(t, filepath.Join(base, tc.bind))
			}
			before, err := os.Lstat(filepath.Join(base, tc.at))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			_, err = NewIPC().Listen(ctx, filepath.Join(base, tc.bind))
			if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want …%s…", err, tc.want)
			}
			if now, err := os.Lstat(filepath.Join(base, tc.at)); err != nil || !os.SameFile(now, before) {
				t.Errorf("what was in the way is gone: %v", err)
			}
			if _, err := NewIPC().Dial(ctx, filepath.Join(base, tc.bind)); err == nil || ctx.Err() != nil {
				t.Errorf("dial: %v", err)
			}
		})
	}
}

// A lock that somebody keeps is waited for as long as the context lasts, and named.
func TestIPCKeptLockEndsWithTheContext(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	stale(t, path)
	if err := os.WriteFile(path+".yodel-lock", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	flock(t, path+".yodel-lock")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := NewIPC().Listen(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if _, err := tryLock(path + ".yodel-lock"); !errors.Is(err, errLockBusy) ||
		!strings.Contains(err.Error(), path+".yodel-lock") {
		t.Errorf("got %v", err)
	}
}

// A lock file that a dead process has left is used again, and goes.
func TestIPCLockOfADeadProcess(t *testing.T) {
	dir := shortDir(t)
	path := filepath.Join(dir, "s")
	stale(t, path)
	if err := os.WriteFile(path+".yodel-lock", nil, 0o400); err != nil {
		t.Fatal(err)
	}
	listen(t, NewIPC(), path)
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}

const strangerEnv = "YODEL_TEST_IPC_STRANGER"

func init() { children[strangerEnv] = childStranger }

// childStranger binds a path as a user who has no rights there.
func childStranger(path string) int {
	if os.Getuid() == 0 {
		if err := syscall.Setuid(65534); err != nil {
			fmt.Println(err)
			return 0
		}
	}
	_, err := NewIPC().Listen(context.Background(), path)
	fmt.Println(errors.Is(err, ErrAddressInUse), errors.Is(err, fs.ErrPermission), err)
	return 0
}

// Not to be allowed to ask whether somebody listens is no answer.
func TestIPCFileThatMayNotBeAsked(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	for _, alive := range []bool{false, true} {
		t.Run(fmt.Sprintf("alive %t", alive), func(t *testing.T) {
			if alive {
				listen(t, NewIPC(), path)
			} else {
				stale(t, path)
				t.Cleanup(func() { _ = os.Remove(path) })
			}
			if err := os.Chmod(path, 0); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), self)
			cmd.Env = append(os.Environ(), strangerEnv+"="+path, "GORACE=atexit_sleep_ms=0")
			out, err := cmd.CombinedOutput()
			want := "true true transport: listen ipc://" + path +
				": address already in use: a socket is there already, and whether somebody " +
				"listens on it cannot be told (connect: permission denied); remove it if nobody does, or choose another path"
			if got := strings.TrimSpace(string(out)); err != nil || got != want {
				t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
			}
			if !exists(path) {
				t.Error("the file is gone")
			}
		})
	}
}
