//go:build linux || darwin

package main

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// TestEnds: whatever ends the program, it says goodbye.
func TestEnds(t *testing.T) {
	room := ownRoom()
	bob := start(t, "--name", "bob", "--room", room, "--notices")
	for _, tc := range []struct {
		name   string
		end    func(p *person, stdout *os.File)
		status int
	}{
		{"terminal gone", func(p *person, _ *os.File) { _ = p.cmd.Process.Signal(syscall.SIGHUP) }, 0},
		{"quit", func(p *person, _ *os.File) { _ = p.cmd.Process.Signal(syscall.SIGQUIT) }, 0},
		{"reader gone", func(_ *person, stdout *os.File) { stdout.Close() }, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			name := "ann, " + tc.name
			ann := startTo(t, w, "--name", name, "--room", room, "--notices")
			w.Close()
			bob.errors.mentions(t, "* "+name+" ")
			ann.errors.mentions(t, "* bob ")
			tc.end(ann, r)
			bob.errors.has(t, "* "+name+" has left")
			err = ann.cmd.Wait()
			status := 0
			if e, ok := errors.AsType[*exec.ExitError](err); ok {
				status = e.ExitCode()
			}
			if status != tc.status {
				t.Errorf("%v, want status %d: %s", err, tc.status, ann.errors)
			}
		})
	}
	bob.ends()
}
