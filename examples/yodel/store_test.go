package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// numbers are the lines from one number to another.
func numbers(from, to int) string {
	var b strings.Builder
	for n := from; n <= to; n++ {
		fmt.Fprintln(&b, n)
	}
	return b.String()
}

// process runs the tool in a process of its own, for it to be killed.
func process(t *testing.T, stdin io.Reader, args ...string) (p *tool, kill func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p = &tool{t: t, args: args, stdout: newOutput(), stderr: newOutput(), status: make(chan int, 1)}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), asTool+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, p.stdout, p.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = cmd.Wait() // the status says how it ended
		p.status <- cmd.ProcessState.ExitCode()
	}()
	kill = func() {
		cancel()
		<-over
	}
	t.Cleanup(kill)
	return p, kill
}

// TestStoreForwards: what has no peer is kept, and told, and goes ahead of what comes next.
func TestStoreForwards(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"push", "dealer"} {
		t.Run(verb, func(t *testing.T) {
			dir, at := filepath.Join(t.TempDir(), "q"), ipcEndpoint(t)
			args := []string{verb, "--connect", at, "--spool", dir, "--confirm"}
			end, status := []string{"--linger", "100ms"}, 1
			if verb == "dealer" { // which goes on when the input ends
				end, status = []string{"--timeout", "100ms"}, 3
			}
			p := startInput(t, numbers(1, 5), append(args, end...)...)
			p.exit(status)
			p.prints(numbers(1, 5))
			p.says("kept in " + dir)
			if out, _ := tooled(t, 0, "spool", "ls", dir); !strings.Contains(out, "5 messages") {
				t.Errorf("ls: %q", out)
			}
			receiver := map[string]string{"push": "pull", "dealer": "router"}[verb]
			r := startInput(t, "", receiver, "--bind", at, "--count", "7", "--delim", "")
			r.endpoint()
			if verb == "dealer" {
				args = append(args, "--timeout", "1s")
			}
			p = startInput(t, numbers(6, 7), args...)
			p.exit(0)
			p.says(dir + ": 5 messages from before")
			r.exit(0)
			if verb == "push" {
				r.prints(numbers(1, 7))
			}
			if out, _ := tooled(t, 0, "spool", "ls", dir); !strings.Contains(out, "0 messages") {
				t.Errorf("ls: %q", out)
			}
		})
	}
}

// TestStoreSurvivesKill: every line that was printed as accepted when the sender was killed comes.
func TestStoreSurvivesKill(t *testing.T) {
	dir, at := filepath.Join(t.TempDir(), "q"), ipcEndpoint(t)
	in, lines := io.Pipe()
	defer lines.Close()
	p, kill := process(t, in, "push", "--connect", at, "--spool", dir, "--confirm")
	if _, err := io.WriteString(lines, numbers(1, 20)); err != nil {
		t.Fatal(err)
	}
	p.prints(numbers(1, 20))
	in.Close()
	kill()
	r := startInput(t, "", "pull", "--bind", at, "--count", "20")
	r.endpoint()
	p = startInput(t, "", "push", "--connect", at, "--spool", dir)
	p.exit(0)
	r.exit(0)
	r.prints(numbers(1, 20))
}

// TestStoreInUse: of two senders with one spool the second is told who has it.
func TestStoreInUse(t *testing.T) {
	t.Parallel()
	dir, at := filepath.Join(t.TempDir(), "q"), ipcEndpoint(t)
	p := start(t, "push", "--connect", at, "--spool", dir, "--confirm")
	p.types("1\n")
	p.prints("1\n")
	_, stderr := tooled(t, 1, "push", "--connect", at, "--spool", dir)
	if want := fmt.Sprintf("in use by pid %d", os.Getpid()); !strings.Contains(stderr, want) {
		t.Errorf("stderr %q, want %q in it", stderr, want)
	}
	p.stop()
	p.exit(1)
	p.says("1 message not acknowledged")
}

// TestStoreNothingLeft: with --timeout, and nobody who takes anything, the status is 3.
func TestStoreNothingLeft(t *testing.T) {
	p := startInput(t, "1\n", "push", "--connect", ipcEndpoint(t), "--spool", filepath.Join(t.TempDir(), "q"),
		"--timeout", "100ms")
	p.exit(3)
	p.says("nothing could be sent for 100ms: 1 message kept in")
}
