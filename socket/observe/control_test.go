package observe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is longer than anything takes unless it hangs.
const patience = 30 * time.Second

// runtimeDir gives the test a runtime directory of its own, with a path that is short enough for sockets.
func runtimeDir(t testing.TB) (controls string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "obs")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	return filepath.Join(dir, "yodel")
}

// processes are those whose control sockets are in a directory: others may run on this machine.
func processes(t *testing.T, dir string) (found []Reading) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	all, err := Processes(ctx)
	must(t, err)
	return slices.DeleteFunc(all, func(p Reading) bool { return filepath.Dir(p.Path) != dir })
}

func TestListen(t *testing.T) {
	dir := runtimeDir(t)
	a, b := New(WithProcessName("a")), New(WithProcessName("b"))
	defer a.Close()
	defer b.Close()
	a.Add("work", &fake{typ: "PULL"})
	first, err := a.Listen()
	must(t, err)
	again, err := a.Listen()
	must(t, err)
	second, err := b.Listen()
	must(t, err)
	pid := os.Getpid()
	if want := filepath.Join(dir, fmt.Sprint(pid)); first != want+".sock" || again != first || second != want+"-2.sock" {
		t.Errorf("at %s, %s and %s", first, again, second)
	}
	for path, mode := range map[string]fs.FileMode{dir: 0o700, first: 0o600, second: 0o600} {
		info, err := os.Lstat(path)
		must(t, err)
		if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %#o", path, info.Mode().Perm())
		}
	}
	entries, err := os.ReadDir(dir)
	must(t, err)
	if len(entries) != 2 {
		t.Errorf("there are %v", entries)
	}
	found := processes(t, dir)
	if len(found) != 2 || found[0].PID != pid || found[0].Path != first || found[0].Snapshot.Process.Name != "a" ||
		found[0].Snapshot.Sockets[0].Name != "work" || found[1].Path != second || found[1].Snapshot.Process.Name != "b" {
		t.Fatalf("found %+v", found)
	}
	s, err := Read(t.Context(), second)
	must(t, err)
	if s.Process.Name != "b" {
		t.Errorf("read %+v", s.Process)
	}
	for path, want := range map[string]int{"/metrics": 200, "/healthz": 200, "/readyz": 200, "/x": 404} {
		if got := overUnix(t, first, http.MethodGet, path); got != want {
			t.Errorf("%s: %d", path, got)
		}
	}
	if got := overUnix(t, first, http.MethodPost, "/v1/snapshot"); got != 405 {
		t.Errorf("POST: %d", got)
	}
	must(t, a.Close())
	if _, err := os.Lstat(first); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := a.Listen(); !errors.Is(err, ErrClosed) || !errors.Is(err, net.ErrClosed) {
		t.Errorf("Listen after Close: %v", err)
	}
	if found := processes(t, dir); len(found) != 1 || found[0].Path != second {
		t.Errorf("after Close: found %+v", found)
	}
}

// overUnix asks over a control socket, and returns the status.
func overUnix(t *testing.T, path, method, at string) int {
	t.Helper()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://evil.example"+at, nil)
	must(t, err)
	answer, err := client.Do(req)
	must(t, err)
	answer.Body.Close()
	return answer.StatusCode
}

// Whatever readers do, Close ends it all before it returns.
func TestCloseLeavesNothing(t *testing.T) {
	runtimeDir(t)
	before := goleak.IgnoreCurrent()
	r := New()
	path, err := r.Listen()
	must(t, err)
	var conns []net.Conn
	for _, says := range []string{
		"", "GET /v1/snap", "GET /v1/live HTTP/1.1\r\nHost: x\r\n\r\n", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		conn, err := net.Dial("unix", path)
		must(t, err)
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		_, err = io.WriteString(conn, says)
		must(t, err)
		if strings.HasSuffix(says, "\r\n\r\n") {
			_, err = conn.Read(make([]byte, 1))
			must(t, err)
		}
		conns = append(conns, conn)
	}
	must(t, r.Close())
	for i, conn := range conns {
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("connection %d is still open", i)
		}
	}
	goleak.VerifyNone(t, before)
}

// A process that is killed leaves its socket behind, and whoever looks next removes it.
func TestProcesses(t *testing.T) {
	dir := runtimeDir(t)
	start := func(name string) (child *exec.Cmd, path string) {
		child = exec.Command(os.Args[0])
		child.Env = append(os.Environ(), asChild+"="+name)
		stdin, err := child.StdinPipe()
		must(t, err)
		stdout, err := child.StdoutPipe()
		must(t, err)
		must(t, child.Start())
		t.Cleanup(func() {
			stdin.Close()
			_, _ = io.Copy(io.Discard, stdout)
			_ = child.Wait()
		})
		line, err := bufio.NewReader(stdout).ReadString('\n')
		must(t, err)
		path, ok := strings.CutSuffix(line, " <nil>\n")
		if !ok {
			t.Fatalf("the child says %q", line)
		}
		return child, path
	}
	a, pathOfA := start("a")
	b, pathOfB := start("b")
	names := func() (all []string) {
		for _, p := range processes(t, dir) {
			if p.Err != nil || p.Snapshot.Process.PID != p.PID || len(p.Snapshot.Sockets) != 1 {
				t.Errorf("%+v", p)
				continue
			}
			all = append(all, p.Snapshot.Process.Name)
		}
		slices.Sort(all)
		return all
	}
	if got := names(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("found %q", got)
	}
	must(t, a.Process.Kill())
	_ = a.Wait()
	if _, err := os.Lstat(pathOfA); err != nil {
		t.Error("nothing was left behind:", err)
	}
	if got := names(); !slices.Equal(got, []string{"b"}) {
		t.Errorf("after one was killed: found %q", got)
	}
	if _, err := os.Lstat(pathOfA); !errors.Is(err, fs.ErrNotExist) {
		t.Error("what was left behind is still there:", err)
	}
	if want := filepath.Join(dir, fmt.Sprintf("%d.sock", b.Process.Pid)); pathOfB != want {
		t.Errorf("at %s, want %s", pathOfB, want)
	}
}

// A process that does not answer is told as such, and holds up the others for two seconds at most.
func TestSilentProcess(t *testing.T) {
	dir := runtimeDir(t)
	must(t, os.Mkdir(dir, 0o700))
	ln, err := net.Listen("unix", filepath.Join(dir, "7.sock"))
	must(t, err)
	defer ln.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	all, err := Processes(ctx)
	must(t, err)
	i := slices.IndexFunc(all, func(p Reading) bool { return p.Path == filepath.Join(dir, "7.sock") })
	if i < 0 || all[i].PID != 7 || all[i].Snapshot != nil || !errors.Is(all[i].Err, context.DeadlineExceeded) {
		t.Errorf("%+v", all)
	}
}

// What is not of a process is left alone; what a process left behind is not.
func TestStale(t *testing.T) {
	dir := runtimeDir(t)
	must(t, os.Mkdir(dir, 0o700))
	leave := func(name string) string {
		path := filepath.Join(dir, name)
		ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		must(t, err)
		ln.SetUnlinkOnClose(false)
		ln.Close()
		return path
	}
	ours := leave(controlName(os.Getpid(), 1))
	old, young, other := leave("1.aa.new"), leave("1.bb.new"), leave("x.sock")
	must(t, os.Chtimes(old, time.Time{}, time.Now().Add(-2*newFor)))
	file := filepath.Join(dir, "77.sock")
	must(t, os.WriteFile(file, nil, 0o600))

	r := New()
	defer r.Close()
	path, err := r.Listen() // it takes the name that a process of this number has left
	must(t, err)
	if path != ours {
		t.Errorf("at %s, want %s", path, ours)
	}
	if found := processes(t, dir); len(found) != 1 || found[0].Path != ours || found[0].Err != nil {
		t.Errorf("found %+v", found)
	}
	for path, want := range map[string]bool{ours: true, old: false, young: true, other: true, file: true} {
		if _, err := os.Lstat(path); (err == nil) != want {
			t.Errorf("%s: %v, want it to be there: %v", path, err, want)
		}
	}
	// Of what has taken its place Close takes no notice.
	must(t, os.Remove(ours))
	must(t, os.WriteFile(ours, nil, 0o600))
	must(t, r.Close())
	if _, err := os.Lstat(ours); err != nil {
		t.Error("Close has removed another file:", err)
	}
}

// A directory that is not the user's alone is not used.
func TestExposed(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T, dir string)
		why  string
	}{
		{"others may read", func(t *testing.T, dir string) { must(t, os.Mkdir(dir, 0o755)) }, "0755; run chmod 700 "},
		{"a group may write", func(t *testing.T, dir string) {
			must(t, os.Mkdir(dir, 0o700))
			must(t, os.Chmod(dir, 0o720))
		}, "has mode 0720"},
		{"a link", func(t *testing.T, dir string) { must(t, os.Symlink(t.TempDir(), dir)) }, "is no directory"},
		{"a file", func(t *testing.T, dir string) { must(t, os.WriteFile(dir, nil, 0o600)) }, "is no directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := runtimeDir(t)
			c.make(t, dir)
			r := New()
			defer r.Close()
			_, err := r.Listen()
			_, readErr := Processes(t.Context())
			for _, err := range []error{err, readErr} {
				if !errors.Is(err, ErrExposed) || !strings.Contains(err.Error(), c.why) {
					t.Errorf("%v, want an ErrExposed that says %q", err, c.why)
				}
			}
		})
	}
	t.Run("another user's", func(t *testing.T) {
		info, err := os.Lstat(t.TempDir())
		must(t, err)
		if err := checkPrivate("d", info, os.Geteuid()+1); !errors.Is(err, ErrExposed) {
			t.Errorf("%v", err)
		}
	})
	t.Run("too long a path", func(t *testing.T) {
		t.Setenv("XDG_RUNTIME_DIR", filepath.Dir(runtimeDir(t))+"/"+strings.Repeat("x", 80))
		must(t, os.Mkdir(os.Getenv("XDG_RUNTIME_DIR"), 0o700))
		if _, err := New().Listen(); err == nil || !strings.Contains(err.Error(), "give XDG_RUNTIME_DIR a shorter one") {
			t.Errorf("%v", err)
		}
	})
}

// The runtime directory counts if it is an absolute path to a directory of this user.
func TestControlDirs(t *testing.T) {
	uid, dir := os.Geteuid(), t.TempDir()
	fallback := fmt.Sprintf("/tmp/yodel-%d", uid)
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	for _, c := range []struct {
		name, runtime string
		uid           int
		want          []string
	}{
		{"ours", dir, uid, []string{dir + "/yodel", fallback}},
		{"none", "", uid, []string{fallback}},
		{"another user's", dir, uid + 1, []string{fmt.Sprintf("/tmp/yodel-%d", uid+1)}},
		{"relative", ".", uid, []string{fallback}},
		{"not there", dir + "/no", uid, []string{fallback}},
		{"a file", file, uid, []string{fallback}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := controlDirsFor(c.runtime, c.uid); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestControlNames(t *testing.T) {
	for _, c := range []struct {
		name string
		pid  int
	}{
		{"1.sock", 1},
		{"4194304-64.sock", 4194304},
		{"1-1.sock", 0},
		{"01.sock", 0},
		{"+1.sock", 0},
		{"-1.sock", 0},
		{"0.sock", 0},
		{"1-02.sock", 0},
		{"1-2-3.sock", 0},
		{"99999999999999999999.sock", 0},
		{"1.socket", 0},
		{".sock", 0},
		{"", 0},
	} {
		if pid, ok := controlPID(c.name); ok != (c.pid > 0) || ok && pid != c.pid {
			t.Errorf("%q: %d, %v", c.name, pid, ok)
		}
	}
}

// A snapshot is read over HTTP too, with a token if need be, and nothing but a snapshot.
func TestRead(t *testing.T) {
	reg := exemplary()
	mux := http.NewServeMux()
	mux.Handle("/debug/yodel/", reg.Handler())
	mux.Handle("/secret/", reg.Handler(WithToken(testToken)))
	mux.HandleFunc("/page/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	mux.Handle("/away/", http.RedirectHandler("/debug/yodel/v1/snapshot", http.StatusFound))
	server := httptest.NewServer(mux)
	defer server.Close()
	for _, c := range []struct {
		target string
		opts   []ReadOption
		why    string
	}{
		{server.URL + "/debug/yodel", nil, ""},
		{server.URL + "/debug/yodel/", []ReadOption{nil}, ""},
		{server.URL + "/debug/yodel/v1/snapshot", nil, ""},
		{server.URL + "/secret/", []ReadOption{WithBearer(testToken)}, ""},
		{server.URL + "/secret/", nil, "401 Unauthorized: a token is needed"},
		{server.URL + "/page/", nil, ErrSnapshot.Error()},
		{server.URL + "/away/", nil, "302 Found"},
		{"ftp://localhost/", nil, "write it as http://host:port/path/"},
		{"http://", nil, "write it as http://host:port/path/"},
		{filepath.Join(t.TempDir(), "no.sock"), nil, "no such file"},
	} {
		s, err := Read(t.Context(), c.target, c.opts...)
		switch {
		case c.why != "" && (err == nil || !strings.Contains(err.Error(), c.why)):
			t.Errorf("%s: %v, want %q", c.target, err, c.why)
		case c.why == "" && (err != nil || s.Process.Name != "web"):
			t.Errorf("%s: %+v, %v", c.target, s, err)
		}
	}
}
