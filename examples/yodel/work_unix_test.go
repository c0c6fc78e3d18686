//go:build unix

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestWorkerIsKilled: what a worker has that is killed, and can say nothing any more, comes to another one, which is
// told that it may have been done.
func TestWorkerIsKilled(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	submit := startInput(t, "7\n", "submit", "--bind", anyPort, "--wait")
	begun, held := newFifo(t), newFifo(t)
	first := exec.CommandContext(t.Context(), self, "work", "--connect", submit.endpoint(), "--exec",
		"echo begun >"+begun+"; exec cat "+held)
	first.Env = append(os.Environ(), asTool+"=1")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(begun); err != nil { // returns when the command has the job
		t.Fatal(err)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // it was killed
	t.Cleanup(func() {
		w, err := os.OpenFile(held, os.O_WRONLY, 0) // ends the command that is left
		if err != nil {
			t.Error(err)
			return
		}
		w.Close()
	})
	second := startInput(t, "", "work", "--connect", submit.endpoint(), "--count", "1", "--exec",
		`echo "[$(cat), $YODEL_ATTEMPT]"`)
	submit.exit(0)
	submit.prints("[7,1]\n")
	second.exit(0)
	if s := submit.stderr.String(); !strings.Contains(s, "submit: 1 of 1 job done; 1 given again, in ") {
		t.Errorf("stderr %q", s)
	}
}
