package disk_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// childEnv makes this test program the process that a test looks at: it names one of children.
const childEnv = "SPOOL_DISK_CHILD"

// children are what such a process does with the directory in its first argument. What they say on standard output, a
// line at a time, is for the test.
var children = map[string]func(ctx context.Context, dir string) error{
	"commit": commitChild,
	"reopen": reopenChild,
	"many":   manyChild,
	"full":   fullChild,
	"grow":   growChild,
	"flush":  flushChild,
}

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		if err := children[name](context.Background(), os.Args[1]); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// say tells the test something, by one write.
func say(format string, args ...any) {
	_, _ = os.Stdout.WriteString(fmt.Sprintf(format, args...) + "\n")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// childCommand is a child as a command, behind others that run it, such as strace with its flags.
func childCommand(t *testing.T, name, dir string, before ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	args := append(before, self, dir)
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	return cmd
}

// runChild runs a child to its end and returns what it said. It must end well.
func runChild(t *testing.T, name, dir string, before ...string) []string {
	t.Helper()
	out, err := childCommand(t, name, dir, before...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v:\n%s", name, err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// A talk is a child that is spoken with.
type talk struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

// startChild starts a child that is killed at the end of the test if it lives on.
func startChild(t *testing.T, name, dir string, before ...string) *talk {
	t.Helper()
	cmd := childCommand(t, name, dir, before...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &talk{t, in, bufio.NewScanner(out)}
}

// expect reads a line that begins so and returns the rest.
func (c *talk) expect(prefix string) string {
	c.t.Helper()
	if !c.out.Scan() {
		c.t.Fatalf("the child is gone, instead of saying %q: %v", prefix, c.out.Err())
	}
	rest, ok := strings.CutPrefix(c.out.Text(), prefix)
	if !ok {
		c.t.Fatalf("the child says %q, not %q", c.out.Text(), prefix)
	}
	return strings.TrimSpace(rest)
}

// tell gives the child a line.
func (c *talk) tell(line string) {
	c.t.Helper()
	_, err := io.WriteString(c.in, line+"\n")
	must(c.t, err)
}
