package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// asTool makes the test binary be the tool, for the tests that need a process of its own.
const asTool = "YODEL_TEST_AS_TOOL"

// TestMain checks that no goroutine is left behind.
func TestMain(m *testing.M) {
	if os.Getenv(asTool) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// A tool is one run of the tool within the test.
type tool struct {
	t      *testing.T
	args   []string
	stdin  *io.PipeWriter // nil if the input was given
	stdout *output
	stderr *output
	stop   context.CancelFunc // Ctrl-C
	status chan int
}

// start runs the tool with an input that the test can write to.
func start(t *testing.T, args ...string) *tool {
	t.Helper()
	r, w := io.Pipe()
	t.Cleanup(func() { w.Close() })
	p := startWith(t, r, nil, args...)
	p.stdin = w
	return p
}

// startInput runs the tool with a given input.
func startInput(t *testing.T, input string, args ...string) *tool {
	t.Helper()
	return startWith(t, strings.NewReader(input), nil, args...)
}

func startWith(t *testing.T, stdin io.Reader, stdout io.Writer, args ...string) *tool {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := &tool{t: t, args: args, stdout: newOutput(), stderr: newOutput(), stop: cancel, status: make(chan int, 1)}
	if stdout == nil {
		stdout = p.stdout
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		p.status <- run(ctx, args, stdin, stdout, p.stderr)
	}()
	t.Cleanup(func() {
		cancel()
		<-over
	})
	return p
}

// exit waits for the end and checks the status.
func (p *tool) exit(want int) {
	p.t.Helper()
	select {
	case got := <-p.status:
		if got != want {
			p.t.Fatalf("yodel %s: status %d, want %d\nstdout: %.500s\nstderr: %s",
				strings.Join(p.args, " "), got, want, p.stdout, p.stderr)
		}
	case <-time.After(patience):
		p.t.Fatalf("yodel %s: still running\nstdout: %.500s\nstderr: %s", strings.Join(p.args, " "), p.stdout, p.stderr)
	}
}

// ends waits for the end, whatever the status.
func (p *tool) ends() {
	p.t.Helper()
	select {
	case <-p.status:
	case <-time.After(patience):
		p.t.Fatalf("yodel %s: still running\nstderr: %s", strings.Join(p.args, " "), p.stderr)
	}
}

// endpoint waits until the tool listens and returns where.
func (p *tool) endpoint() string {
	p.t.Helper()
	_, rest, _ := strings.Cut(p.stderr.waitFor(p.t, func(s string) bool {
		_, rest, found := strings.Cut(s, "listening on ")
		return found && strings.Contains(rest, "\n")
	}), "listening on ")
	at, _, _ := strings.Cut(rest, "\n")
	return at
}

// prints waits until standard output is want; says until standard error contains want.
func (p *tool) prints(want string) {
	p.t.Helper()
	p.stdout.waitFor(p.t, func(s string) bool { return s == want })
}

func (p *tool) says(want string) {
	p.t.Helper()
	p.stderr.waitFor(p.t, func(s string) bool { return strings.Contains(s, want) })
}

// types writes to standard input.
func (p *tool) types(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, s); err != nil {
		p.t.Fatal(err)
	}
}

// An output collects what the tool writes and lets a test wait for it.
type output struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	changed chan struct{}
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func (o *output) waitFor(t *testing.T, ok func(string) bool) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		o.mu.Lock()
		s, changed := o.buf.String(), o.changed
		o.mu.Unlock()
		if ok(s) {
			return s
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("waited in vain; the output is %.1000q", s)
		}
	}
}

// ipcEndpoint is a fresh one.
func ipcEndpoint(t *testing.T) string { return "ipc://" + filepath.Join(t.TempDir(), "s") }

const anyPort = "tcp://127.0.0.1:0"
