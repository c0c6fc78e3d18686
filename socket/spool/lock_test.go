package spool_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
)

// lockChild is the variable that makes this test program a process that takes the lock of the directory it names, says
// so, and waits for the end of its input.
const lockChild = "SPOOL_TEST_LOCK"

// TestLockChild is no test: it is the other process.
func TestLockChild(t *testing.T) {
	dir := os.Getenv(lockChild)
	if dir == "" {
		return
	}
	d, err := spool.OpenDirectory(dir)
	must(t, err)
	began := time.Now()
	l, err := d.Lock()
	fmt.Printf("lock: %v after %v\n", err, time.Since(began))
	if err == nil {
		_, _ = io.Copy(io.Discard, os.Stdin)
		must(t, l.Close())
	}
}

// startChild starts the other process and returns what it says of the lock.
func startChild(t *testing.T, dir string) (cmd *exec.Cmd, said string) {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd = exec.CommandContext(t.Context(), exe, "-test.run=^TestLockChild$", "-test.count=1")
	cmd.Env = append(os.Environ(), lockChild+"="+dir)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	return cmd, strings.TrimSpace(line)
}

func TestASecondProcessIsToldWhoHasTheDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	d, err := spool.OpenDirectory(dir)
	must(t, err)
	host, err := os.Hostname()
	must(t, err)
	if pid, _, ok := spool.Owner(d); ok {
		t.Fatalf("a directory that nobody has is owned by %d", pid)
	}
	child, said := startChild(t, dir)
	if !strings.HasPrefix(said, "lock: <nil>") {
		t.Fatalf("the child could not lock a free directory: %s", said)
	}
	if pid, at, ok := spool.Owner(d); pid != child.Process.Pid || at != host || !ok {
		t.Errorf("the owner is %d on %s (%v), want %d on %s", pid, at, ok, child.Process.Pid, host)
	}
	took := time.Hour
	for try := 0; try < 10 && took > time.Second; try++ { // on a busy machine one may be held up by others
		began := time.Now()
		_, err = d.Lock()
		took = time.Since(began)
	}
	wantIs(t, "the second", err, spool.ErrInUse)
	if want := fmt.Sprintf("in use by pid %d on %s since 2", child.Process.Pid, host); err == nil ||
		!strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v, want %q in it", err, want)
	}
	if took > time.Second {
		t.Errorf("it took %v, each of ten times more than a second", took)
	}
	must(t, child.Process.Kill()) // kill -9: nothing is tidied up
	_ = child.Wait()
	if pid, _, ok := spool.Owner(d); ok {
		t.Errorf("the dead process %d is said to own it", pid)
	}
	l, err := d.Lock()
	must(t, err)
	_, said = startChild(t, dir)
	if want := fmt.Sprintf("in use by pid %d", os.Getpid()); !strings.Contains(said, want) {
		t.Errorf("the other process is told %q, want %q", said, want)
	}
	must(t, l.Close())
}

// An owner that goes is waited for, such as one that is being killed.
func TestLockWaitsForAnOwnerThatGoes(t *testing.T) {
	dir := t.TempDir()
	owner, err := spool.LockDirectory(dir, 0)
	must(t, err)
	time.AfterFunc(50*time.Millisecond, func() { owner.Close() })
	next, err := spool.LockDirectory(dir, time.Minute)
	must(t, err)
	must(t, next.Close())
}

// Who asks for the owner keeps nobody out for longer than a moment.
func TestAskingForTheOwnerHarmsNobody(t *testing.T) {
	dir := t.TempDir()
	d, err := spool.OpenDirectory(dir)
	must(t, err)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				spool.Owner(d)
			}
		}
	}()
	defer func() { close(stop); <-done }()
	for range 50 {
		l, err := spool.LockDirectory(dir, time.Minute)
		must(t, err)
		must(t, l.Close())
	}
}

// The lock holds even if the file cannot say whose it is.
func TestALockWithoutAName(t *testing.T) {
	dir := t.TempDir()
	d, err := spool.OpenDirectory(dir)
	must(t, err)
	l, err := d.Lock()
	must(t, err)
	defer l.Close()
	for _, content := range []string{"", "nonsense", "-1 host time", "1 2 3 4"} {
		must(t, os.WriteFile(filepath.Join(dir, "LOCK"), []byte(content), 0o600))
		_, err = d.Lock()
		if wantIs(t, content, err, spool.ErrInUse); err == nil || err.Error() != spool.ErrInUse.Error() {
			t.Errorf("%q: %v", content, err)
		}
	}
}
