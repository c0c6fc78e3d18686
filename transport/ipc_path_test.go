package transport

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestIPCCanonical(t *testing.T) {
	dir, err := filepath.EvalSymlinks(shortDir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	long := strings.Repeat("x", maxIPC(runtime.GOOS))
	for _, tc := range []struct{ name, in, want string }{
		{"relative", "app.sock", dir + "/app.sock"},
		{"dot", "./app.sock", dir + "/app.sock"},
		{"absolute", "/run/app.sock", "/run/app.sock"},
		{"slashes", "/run//app.sock", "/run/app.sock"},
		{"the parent of what may be a link", "link/../app.sock", dir + "/link/../app.sock"},
		{"absolute, the parent of what may be a link", "/run/link/../app.sock", "/run/link/../app.sock"},
		{"too long to be absolute", long, long},
		{"wildcard", "*", "*"},
		{"abstract", "@app", "@app"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := NewIPC().Canonical(tc.in, ForConnect); filepath.ToSlash(got) != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

// Of any number that bind a free path at once, which takes no lock, exactly one wins, and it stays reachable.
func TestIPCBindRace(t *testing.T) {
	tr := NewIPC()
	for range 20 {
		path := filepath.Join(shortDir(t), "s")
		won := make(chan Listener, 16)
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range 16 {
			wg.Go(func() {
				<-start
				l, err := tr.Listen(t.Context(), path)
				if err == nil {
					won <- l
				} else if !errors.Is(err, ErrAddressInUse) {
					t.Errorf("loser got %v", err)
				}
			})
		}
		close(start)
		wg.Wait()
		close(won)
		if len(won) != 1 {
			t.Fatalf("%d won", len(won))
		}
		dial(t, tr, path)
		_ = (<-won).Close()
	}
}

// A file that its maker may not have come to listen on yet is left alone for a while.
func TestIPCYoungFileIsNotTakenAtOnce(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	stale(t, path)
	made, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	listen(t, NewIPC(), path)
	if age := time.Since(made.ModTime()); age < settlingTime {
		t.Errorf("taken at the age of %v", age)
	}
}

func TestIPCRemovedFileIsMadeAgain(t *testing.T) {
	for _, tc := range []struct{ name, address string }{{"path", "s"}, {"private directory", "*"}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Chdir(shortDir(t))
			tr := NewIPC()
			l := watched(t, tr, tc.address)
			before, server := dial(t, tr, l.Address()), accept(t, l)
			remove := l.path
			if tc.address == "*" {
				remove = filepath.Dir(l.path)
			}
			if err := os.RemoveAll(remove); err != nil {
				t.Fatal(err)
			}
			want := "transport: accept ipc://" + l.Address() + ": somebody removed the socket file; it was made again"
			if _, err := l.Accept(); err == nil || err.Error() != want {
				t.Fatalf("got  %v\nwant %s", err, want)
			}
			dial(t, tr, l.Address())
			accept(t, l)
			if _, err := before.Write([]byte("x")); err != nil {
				t.Error(err)
			}
			if _, err := server.Read(make([]byte, 1)); err != nil {
				t.Errorf("the earlier connection: %v", err)
			}
			if _, err := tr.Listen(t.Context(), l.path); !errors.Is(err, ErrAddressInUse) {
				t.Errorf("a second one may bind: %v", err)
			}
			if err := l.Close(); err != nil || exists(l.path) {
				t.Errorf("file left behind, %v", err)
			}
		})
	}
}

// watched listens and looks after its file much more often than usual.
func watched(t *testing.T, tr *IPC, address string) *ipcListener {
	t.Helper()
	l := listen(t, tr, address).(*ipcListener)
	l.check = 5 * time.Millisecond
	return l
}

func TestIPCReplacedFileIsTold(t *testing.T) {
	tr := NewIPC()
	path := filepath.Join(shortDir(t), "s")
	first := watched(t, tr, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second := listen(t, tr, path)
	_, err := first.Accept()
	if err == nil || !strings.Contains(err.Error(), "somebody has put another one in its place") {
		t.Fatalf("got %v", err)
	}
	// Once is enough; and when the path is free again it is taken back.
	next := make(chan error, 1)
	go func() {
		_, err := first.Accept()
		next <- err
	}()
	dial(t, tr, path)
	accept(t, second)
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-next; err == nil || !strings.HasSuffix(err.Error(), "it was made again") {
		t.Fatalf("got %v", err)
	}
	dial(t, tr, path)
	accept(t, first)
}

func TestIPCRemovedDirectoryIsToldOnce(t *testing.T) {
	tr := NewIPC()
	dir := filepath.Join(shortDir(t), "d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l := watched(t, tr, filepath.Join(dir, "s"))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	_, err := l.Accept()
	if !errors.Is(err, fs.ErrNotExist) ||
		!strings.Contains(err.Error(), "peers cannot connect here: directory "+dir+" does not exist") {
		t.Fatalf("got %v", err)
	}
	if err := l.checkFile(); err != nil {
		t.Errorf("told again: %v", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Accept(); err == nil || !strings.HasSuffix(err.Error(), "it was made again") {
		t.Errorf("got %v", err)
	}
	dial(t, tr, l.path)
	accept(t, l)
}
