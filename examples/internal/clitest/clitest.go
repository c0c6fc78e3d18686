// Package clitest runs an example program as processes of its own, for its tests: the test binary is the program.
package clitest

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// asProgram makes the test binary be the program.
const asProgram = "YODEL_TEST_AS_PROGRAM"

// patience is how long a test waits for what must happen.
const patience = time.Minute

// Main is TestMain of a package whose program is main.
func Main(m *testing.M, main func()) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// A Process is the program, as it runs.
type Process struct {
	t      testing.TB
	cmd    *exec.Cmd
	lines  chan string
	ended  chan struct{}
	err    error
	stderr *strings.Builder

	mu  sync.Mutex
	all []string
}

// Start starts the program. It is killed at the end of the test, if it is there still.
func Start(t testing.TB, args ...string) *Process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	p := &Process{
		t: t, cmd: exec.CommandContext(ctx, os.Args[0], args...),
		lines: make(chan string, 1<<16), ended: make(chan struct{}), stderr: new(strings.Builder),
	}
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for in := bufio.NewScanner(out); in.Scan(); {
			p.mu.Lock()
			p.all = append(p.all, in.Text())
			p.mu.Unlock()
			p.lines <- in.Text()
		}
		close(p.lines)
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-p.ended
	})
	return p
}

// Says waits for a line with a text in it, behind those that were waited for before, and returns it.
func (p *Process) Says(text string) string {
	p.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case line, more := <-p.lines:
			if !more {
				<-p.ended
				p.t.Fatalf("it has ended (%v) without saying %q, but %q, %s", p.err, text, p.Lines(), p.stderr)
			}
			if strings.Contains(line, text) {
				return line
			}
		case <-timer.C:
			p.t.Fatalf("waited in vain for %q; it says %q", text, p.Lines())
		}
	}
}

// Lines returns all lines that it has said.
func (p *Process) Lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.all...)
}

// Signal sends it a signal; os.Kill ends it at once.
func (p *Process) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// Ends waits for its end, which must be a good one.
func (p *Process) Ends() {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("it does not end; it says %q", p.Lines())
	}
	if p.err != nil {
		p.t.Errorf("it ends with %v, %s", p.err, p.stderr)
	}
}

// Fails waits for its end, which must be a bad one, and returns what it says on standard error.
func (p *Process) Fails() string {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("it does not end; it says %q", p.Lines())
	}
	if p.err == nil {
		p.t.Error("status 0")
	}
	return p.stderr.String()
}

// Dies kills it, and waits for its end.
func (p *Process) Dies() {
	p.t.Helper()
	p.Signal(os.Kill)
	<-p.ended
}

// Loopback is the name of the interface that leads nowhere but here: tests are not to be heard on a real network.
func Loopback(t testing.TB) string {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			return i.Name
		}
	}
	t.Fatal("no loopback interface")
	return ""
}
