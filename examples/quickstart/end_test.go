//go:build linux || darwin

package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// TestEndsEarly: when it is told to end, or nobody reads what it prints, it fails and leaves nothing behind.
func TestEndsEarly(t *testing.T) {
	program := filepath.Join(t.TempDir(), "quickstart")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, tc := range []struct {
		name string
		end  func(p *os.Process, stdout io.Closer)
	}{
		{"terminal gone", func(p *os.Process, _ io.Closer) { _ = p.Signal(syscall.SIGHUP) }},
		{"reader gone", func(_ *os.Process, stdout io.Closer) { stdout.Close() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			// The program takes a second; on a busy machine it may be done before this test comes to ending it.
			status := 0
			for attempt := 0; attempt < 20 && status == 0; attempt++ {
				status = endEarly(t, program, tc.end)
			}
			if status != 1 {
				t.Errorf("status %d, want 1", status)
			}
		})
	}
}

// endEarly starts the program, ends it after its first line and returns its status.
func endEarly(t *testing.T, program string, end func(p *os.Process, stdout io.Closer)) int {
	t.Helper()
	temp, err := os.MkdirTemp("", "qs") // shorter than t.TempDir: paths of sockets are limited
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(temp) }()
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	end(cmd.Process, stdout)
	_ = cmd.Wait() // the status says it
	left, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		t.Errorf("left behind: %s", f.Name())
	}
	return cmd.ProcessState.ExitCode()
}
