package socket_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Some tests need a second process: for twice the descriptors, or to kill it. It is this test program again, which runs
// one of children instead of the tests, takes commands from its standard input, a line each, and says on its standard
// output what it has done.

// childEnv names the child to be, and its arguments, in the environment of a second process.
const childEnv = "YODEL_TEST_CHILD"

// children by name. Each returns at the end of its commands, which is also how it learns that its parent is gone.
var children = map[string]func(t *testing.T, args []string, commands *bufio.Scanner){
	"backlog": childBacklog,
	"dealers": childDealers,
	"pull":    childPull,
	"push":    childPush,
	"rep":     childRep,
}

// TestChild is what a second process runs. In the first it has nothing to do.
func TestChild(t *testing.T) {
	if args := os.Getenv(childEnv); args != "" {
		f := strings.Split(args, "\n")
		children[f[0]](t, f[1:], bufio.NewScanner(os.Stdin))
	}
}

// say tells the parent something.
func say(args ...any) { _, _ = fmt.Fprintln(os.Stdout, append([]any{childSays}, args...)...) }

const childSays = "child:" // sets what it says apart from what package testing prints

// A child is a second process.
type child struct {
	cmd   *exec.Cmd
	to    io.WriteCloser
	lines *bufio.Scanner
}

// startChild starts a second process, which is killed at the end of the test if it lives on.
func startChild(t testing.TB, name string, args ...string) *child {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	c := &child{cmd: exec.CommandContext(t.Context(), self, "-test.run=^TestChild$", "-test.timeout=5m")}
	c.cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(append([]string{name}, args...), "\n"))
	c.cmd.Stderr = os.Stderr
	c.to, err = c.cmd.StdinPipe()
	must(t, err)
	from, err := c.cmd.StdoutPipe()
	must(t, err)
	c.lines = bufio.NewScanner(from)
	must(t, c.cmd.Start())
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	})
	return c
}

// command gives the child a command.
func (c *child) command(t testing.TB, args ...any) {
	t.Helper()
	_, err := fmt.Fprintln(c.to, args...)
	must(t, err)
}

// readLine returns the next line that the child says; ok is false at their end.
func (c *child) readLine() (line string, ok bool) {
	for c.lines.Scan() {
		if said, ok := strings.CutPrefix(c.lines.Text(), childSays+" "); ok {
			return said, true
		}
		fmt.Fprintln(os.Stderr, "a child printed:", c.lines.Text())
	}
	return "", false
}

// await waits until the child says a line.
func (c *child) await(t testing.TB, line string) {
	t.Helper()
	if said, ok := c.readLine(); !ok || said != line {
		t.Fatalf("the child says %q, want %q", said, line)
	}
}

// finish ends the commands and waits until the child has ended well.
func (c *child) finish(t testing.TB) {
	t.Helper()
	must(t, c.to.Close())
	for {
		if _, ok := c.readLine(); !ok {
			break
		}
	}
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("the child: %v", err)
	}
}

// kill ends the child at once, as the loss of its machine would but for what the kernel tells its peers, and returns
// what it had said until then.
func (c *child) kill(t testing.TB) (said []string) {
	t.Helper()
	must(t, c.cmd.Process.Kill())
	for {
		line, ok := c.readLine()
		if !ok {
			break
		}
		said = append(said, line)
	}
	_ = c.cmd.Wait() // says that it was killed
	return said
}
