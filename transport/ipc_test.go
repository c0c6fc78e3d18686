package transport

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestIPCValidate(t *testing.T) {
	long := strings.Repeat("x", 200)
	for _, tc := range []struct {
		name, address, goos string
		bind, connect       string
	}{
		{"path", "/run/a b", "linux", "", ""},
		{"relative", "a.sock", "linux", "", ""},
		{"longest, linux", long[:107], "linux", "", ""},
		{
			"too long, linux", long[:108], "linux", "108 bytes and a socket's path at most 107",
			"108 bytes and a socket's path at most 107",
		},
		{"longest, darwin", long[:103], "darwin", "", ""},
		{
			"too long, darwin", long[:104], "darwin", "104 bytes and a socket's path at most 103",
			"104 bytes and a socket's path at most 103",
		},
		{"abstract", "@x", "linux", "", ""},
		{"longest abstract", "@" + long[:107], "linux", "", ""},
		{"too long abstract", "@" + long[:108], "linux", "at most 108", "at most 108"},
		{
			"abstract elsewhere", "@x", "darwin", "abstract names (@name) exist only on Linux; write a path, as in ipc:///path",
			"exist only on Linux",
		},
		{"abstract without name", "@", "linux", "no name after '@'; write it as ipc://@name", "no name"},
		{"wildcard", "*", "linux", "", "a wildcard can be bound, not connected to; write the path that the peer has bound"},
		{"empty", "", "linux", "no path; write it as ipc:///path", "no path"},
		{"zero byte", "/a\x00b", "linux", "a zero byte in the path; remove it", "a zero byte"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for use, want := range map[Use]string{ForBind: tc.bind, ForConnect: tc.connect} {
				err := checkIPC(tc.address, use, tc.goos)
				switch {
				case want == "":
					if err != nil {
						t.Errorf("%s: %v", use, err)
					}
				case !errors.Is(err, ErrAddress) || !strings.Contains(err.Error(), want):
					t.Errorf("%s: got %v, want …%s…", use, err, want)
				}
			}
		})
	}
}

// stale leaves a socket file that nobody listens on, as a killed process does.
func stale(t *testing.T, path string) {
	t.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func TestIPC(t *testing.T) {
	tr := NewIPC()
	t.Run("removes its file and binds again", func(t *testing.T) {
		path := filepath.Join(shortDir(t), "s")
		for range 2 {
			l := listen(t, tr, path)
			if l.Address() != path || !exists(path) {
				t.Fatalf("address %s", l.Address())
			}
			if err := l.Close(); err != nil || exists(path) {
				t.Fatalf("file left behind, %v", err)
			}
		}
	})
	t.Run("leaves nothing else behind", func(t *testing.T) {
		dir := shortDir(t)
		_ = listen(t, tr, filepath.Join(dir, "s")).Close()
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("left %v, %v", left, err)
		}
	})
	t.Run("takes over a stale file", func(t *testing.T) {
		path := filepath.Join(shortDir(t), "s")
		stale(t, path)
		l := listen(t, tr, path)
		dial(t, tr, path)
		accept(t, l)
	})
	t.Run("refuses a live listener", func(t *testing.T) {
		path := filepath.Join(shortDir(t), "s")
		foreign, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer foreign.Close()
		_, err = tr.Listen(t.Context(), path)
		want := "transport: listen ipc://" + path +
			": address already in use: somebody listens there; stop them or choose another path"
		if !errors.Is(err, ErrAddressInUse) || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if !exists(path) {
			t.Error("the file is gone")
		}
	})
	t.Run("refuses what is not a socket", func(t *testing.T) {
		dir := shortDir(t)
		path := filepath.Join(dir, "s")
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{path, dir} {
			_, err := tr.Listen(t.Context(), path)
			if err == nil || !strings.Contains(err.Error(), "taken by a file that is not a socket") {
				t.Errorf("got %v", err)
			}
		}
		if got, err := os.ReadFile(path); string(got) != "precious" {
			t.Errorf("now %q, %v", got, err)
		}
	})
	t.Run("refuses a socket of another kind", func(t *testing.T) {
		path := filepath.Join(shortDir(t), "s")
		foreign, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			t.Skip(err)
		}
		defer foreign.Close()
		if _, err := tr.Listen(t.Context(), path); !errors.Is(err, ErrAddressInUse) || !exists(path) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("waits for another that is taking the file over", func(t *testing.T) {
		path := filepath.Join(shortDir(t), "s")
		stale(t, path)
		release, err := tryLock(path + ".yodel-lock")
		if err != nil {
			t.Skip(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := tr.Listen(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("did not wait: %v", err)
		}
		time.AfterFunc(20*time.Millisecond, release)
		listen(t, tr, path)
	})
	t.Run("takes over what a directory that cannot be read holds", func(t *testing.T) {
		dir := shortDir(t)
		path := filepath.Join(dir, "s")
		stale(t, path)
		t.Cleanup(func() { _ = os.Chmod(dir, 0o700) }) // so that it can be removed
		if err := os.Chmod(dir, 0o300); err != nil {
			t.Fatal(err)
		}
		listen(t, tr, path)
		listen(t, tr, filepath.Join(dir, "other"))
	})
	t.Run("close leaves another's file", func(t *testing.T) {
		path := filepath.Join(shortDir(t), "s")
		first := listen(t, tr, path)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		second := listen(t, tr, path)
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		dial(t, tr, path)
		accept(t, second)
	})
	t.Run("no directory", func(t *testing.T) {
		path := filepath.Join(shortDir(t), "none", "s")
		_, err := tr.Listen(t.Context(), path)
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "does not exist; create it first") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("relative path", func(t *testing.T) {
		dir := shortDir(t)
		t.Chdir(dir)
		l := listen(t, tr, "s")
		if !filepath.IsAbs(l.Address()) {
			t.Errorf("address %s", l.Address())
		}
		t.Chdir(os.TempDir())
		dial(t, tr, l.Address())
		accept(t, l)
		if err := l.Close(); err != nil || exists(filepath.Join(dir, "s")) {
			t.Errorf("file left behind, %v", err)
		}
	})
	t.Run("wildcard", func(t *testing.T) {
		a, b := listen(t, tr, "*"), listen(t, tr, "*")
		if a.Address() == b.Address() {
			t.Errorf("both at %s", a.Address())
		}
		dir := filepath.Dir(a.Address())
		if info, err := os.Stat(dir); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
			t.Errorf("directory %v, %v", info, err)
		}
		if err := a.Close(); err != nil || exists(dir) {
			t.Errorf("directory left behind, %v", err)
		}
	})
	t.Run("abstract", func(t *testing.T) {
		name := fmt.Sprintf("@yodel-test-%d", os.Getpid())
		if runtime.GOOS != "linux" {
			if _, err := tr.Listen(t.Context(), name); !errors.Is(err, ErrAddress) {
				t.Errorf("got %v", err)
			}
			return
		}
		l := listen(t, tr, name)
		if l.Address() != name {
			t.Errorf("address %s", l.Address())
		}
		dial(t, tr, name)
		accept(t, l)
		if _, err := tr.Listen(t.Context(), name); !errors.Is(err, ErrAddressInUse) {
			t.Errorf("got %v", err)
		}
		_ = l.Close()
		listen(t, tr, name)
	})
}

// However many take over a stale file at once, one wins, and it stays
// reachable.
func TestIPCTakeoverRace(t *testing.T) {
	tr := NewIPC()
	for range 20 {
		path := filepath.Join(shortDir(t), "s")
		stale(t, path)
		var won atomic.Pointer[Listener]
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range 16 {
			wg.Go(func() {
				<-start
				l, err := tr.Listen(t.Context(), path)
				switch {
				case err != nil:
					if !errors.Is(err, ErrAddressInUse) {
						t.Errorf("loser got %v", err)
					}
				case !won.CompareAndSwap(nil, &l):
					t.Error("a second one won")
					_ = l.Close()
				}
			})
		}
		close(start)
		wg.Wait()
		l := won.Load()
		if l == nil {
			t.Fatal("nobody won")
		}
		dial(t, tr, path)
		_ = (*l).Close()
	}
}

// childEnv makes the test binary a child process that binds the path it holds.
const childEnv = "YODEL_TEST_IPC_PATH"

// childListen tells on standard output whether it won, and holds what it won
// until standard input ends.
func childListen(path string) int {
	in := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	if _, err := in.ReadString('\n'); err != nil {
		return 1
	}
	l, err := NewIPC().Listen(context.Background(), path)
	switch {
	case err == nil:
		fmt.Println("won")
	case errors.Is(err, ErrAddressInUse):
		fmt.Println("lost")
	default:
		fmt.Println(err)
	}
	_, _ = io.Copy(io.Discard, in)
	if l != nil {
		_ = l.Close()
	}
	return 0
}

func TestIPCTakeoverRaceOfProcesses(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	path := filepath.Join(shortDir(t), "s")
	stale(t, path)
	const n = 4
	var ins []io.WriteCloser
	var outs []*bufio.Reader
	for range n {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), childEnv+"="+path, "GORACE=atexit_sleep_ms=0")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = in.Close()
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
		ins, outs = append(ins, in), append(outs, bufio.NewReader(out))
	}
	line := func(r *bufio.Reader) string {
		s, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(s)
	}
	for _, out := range outs {
		if got := line(out); got != "ready" {
			t.Fatal(got)
		}
	}
	for _, in := range ins {
		if _, err := io.WriteString(in, "go\n"); err != nil {
			t.Fatal(err)
		}
	}
	count := map[string]int{}
	for _, out := range outs {
		count[line(out)]++
	}
	if count["won"] != 1 || count["lost"] != n-1 {
		t.Errorf("got %v", count)
	}
	dial(t, NewIPC(), path)
}

// TestIPCKernelBuffers: what the kernel takes while nobody reads follows SendBuffer.
func TestIPCKernelBuffers(t *testing.T) {
	takes := func(ipc *IPC) (total int) {
		client, _ := pair(t, ipc, "*")
		for chunk, n := make([]byte, 4<<10), 1; n > 0; total += n {
			var err error
			if n, err = client.(TryWriter).TryWrite(chunk); err != nil {
				t.Fatal(err)
			}
		}
		return total
	}
	small, system, usual := takes(&IPC{SendBuffer: 16 << 10}), takes(&IPC{SendBuffer: -1}), takes(NewIPC())
	if small >= system || system >= usual {
		t.Errorf("the kernel takes %d bytes with 16 KiB, %d of its own accord and %d by default", small, system, usual)
	}
}
