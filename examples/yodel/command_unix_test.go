//go:build unix

package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestExecLeavesSomethingRunning: a command that succeeds has its output sent, though what it left behind holds that
// open.
func TestExecLeavesSomethingRunning(t *testing.T) {
	t.Parallel()
	held := newFifo(t)
	// waits for the fifo
	rep := startInput(t, "", "rep", "--bind", anyPort, "--count", "1", "--exec", "cat "+held+" & echo started")
	req := startInput(t, "", "req", "--connect", rep.endpoint(), "--data", "x", "--format", "raw")
	req.exit(0)
	rep.exit(0)
	req.prints("started\n")
	if s := rep.stderr.String(); strings.Contains(s, "command") {
		t.Errorf("stderr %q", s)
	}
	w, err := os.OpenFile(held, os.O_WRONLY, 0) // somebody reads it: it was left alone
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
}

// TestExecIsKilled: a command that hangs is killed with all that it has started, at the end of --exec-timeout and
// with the tool.
func TestExecIsKilled(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		args []string
		end  bool // by a signal
	}{
		{"time limit", []string{"--exec-timeout", "2s"}, false},
		{"the tool ends", nil, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			held := newFifo(t)
			hang := `if [ "$(cat)" = hang ]; then sleep 1000 >` + held + ` & wait; else echo ok; fi`
			rep := startInput(t, "", append([]string{"rep", "--bind", anyPort, "--exec", hang}, tc.args...)...)
			req := start(t, "req", "--connect", rep.endpoint(), "--format", "quoted")
			req.types("hang\n")
			flag := os.O_RDONLY // returns when the command has started what it starts
			if !tc.end {        // the time may pass before
				req.prints("\"\"\n")
				flag |= syscall.O_NONBLOCK
			}
			r, err := os.OpenFile(held, flag, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if tc.end {
				rep.stop()
				rep.exit(0)
			} else {
				rep.says("command: killed: --exec-timeout passed; sent an empty reply")
				req.types("x\n")
				req.prints("\"\"\n\"ok\\n\"\n")
				rep.stop()
				rep.exit(0)
			}
			if _, err := io.ReadAll(r); err != nil { // ends when nobody is left who could write
				t.Error(err)
			}
		})
	}
}

// TestExecWithinItsTime: the time limit is no minimum, and does not end what succeeds.
func TestExecWithinItsTime(t *testing.T) {
	rep := startInput(t, "", "rep", "--bind", anyPort, "--exec", "cat", "--exec-timeout", "1h", "--count", "2")
	req := startInput(t, "a\nb\n", "req", "--connect", rep.endpoint())
	req.exit(0)
	req.prints("a\nb\n")
	rep.exit(0)
}

// TestExecWritesTooMuch: what no message could hold is not collected.
func TestExecWritesTooMuch(t *testing.T) {
	rep := startInput(t, "", "rep", "--bind", anyPort, "--exec", "cat /dev/zero", "--count", "1")
	req := startInput(t, "", "req", "--connect", rep.endpoint(), "--data", "x", "--format", "quoted")
	req.exit(0)
	req.prints("\"\"\n")
	rep.says("command: it wrote more than")
	rep.exit(0)
}

func newFifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
