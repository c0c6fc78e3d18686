//go:build linux || darwin

package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// TestReaderGone: it is seen without a write, whether it went before the watch or during it.
func TestReaderGone(t *testing.T) {
	pair := func(t *testing.T) (r, w *os.File) {
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		return os.NewFile(uintptr(fds[0]), "reader"), os.NewFile(uintptr(fds[1]), "writer")
	}
	pipe := func(t *testing.T) (r, w *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		return r, w
	}
	for _, tc := range []struct {
		name   string
		make   func(t *testing.T) (r, w *os.File)
		before bool
	}{
		{"pipe, before", pipe, true},
		{"pipe", pipe, false},
		{"sockets, before", pair, true},
		{"sockets", pair, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, w := tc.make(t)
			defer w.Close()
			defer r.Close()
			if tc.before {
				r.Close()
			}
			gone, _ := watch(t, w)
			if tc.before {
				select {
				case <-gone:
				default:
					t.Fatal("not seen before WatchReader returned")
				}
				return
			}
			if _, err := w.WriteString("unread"); err != nil {
				t.Fatal(err)
			}
			select {
			case <-gone:
				t.Fatal("gone too soon")
			default:
			}
			r.Close()
			select {
			case <-gone:
			case <-time.After(patience):
				t.Fatal("not seen")
			}
		})
	}
}

// asChild makes the test binary a program that ends as Context says and, with hold, when its input does after that.
const asChild = "CLI_TEST_AS_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(asChild) {
	case "":
		goleak.VerifyTestMain(m)
	case "pipe": // its standard output is closed
		ctx, stop := Context(context.Background())
		_, err := os.Stdout.WriteString("x")
		fmt.Fprintf(os.Stderr, "%v, %v\n", err, ctx.Err())
		stop()
	default:
		ctx, _ := Context(context.Background())
		fmt.Println("ready")
		<-ctx.Done()
		fmt.Println(context.Cause(ctx))
		if os.Getenv(asChild) == "hold" {
			_, _ = io.Copy(io.Discard, os.Stdin)
		}
		fmt.Println("goodbye")
	}
}

// A child is a program that has called Context.
type child struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.Closer
	out *bufio.Scanner
}

// start starts one, by way of a shell that has run setup.
func start(t *testing.T, mode, setup string) *child {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "sh", "-c", setup+` exec "$0"`, os.Args[0])
	cmd.Env = append(os.Environ(), asChild+"="+mode)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	c := &child{t: t, cmd: cmd, in: in, out: bufio.NewScanner(out)}
	c.says("ready")
	return c
}

func (c *child) says(want string) {
	c.t.Helper()
	if !c.out.Scan() || c.out.Text() != want {
		c.t.Fatalf("it says %q (%v), want %q", c.out.Text(), c.out.Err(), want)
	}
}

func (c *child) send(signals ...os.Signal) {
	c.t.Helper()
	for _, s := range signals {
		if err := c.cmd.Process.Signal(s); err != nil {
			c.t.Fatal(err)
		}
	}
}

// ends waits for the end, which is by a signal or, if that is 0, with status 0.
func (c *child) ends(by syscall.Signal) {
	c.t.Helper()
	for c.out.Scan() {
		c.t.Errorf("it also says %q", c.out.Text())
	}
	_ = c.cmd.Wait()
	status := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if by == 0 && (!status.Exited() || status.ExitStatus() != 0) ||
		by != 0 && (!status.Signaled() || status.Signal() != by) {
		c.t.Errorf("it ended by %v, want signal %d", c.cmd.ProcessState, by)
	}
}

func TestSignalsEndInGoodOrder(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		t.Run(s.String(), func(t *testing.T) {
			c := start(t, "once", "")
			c.send(s)
			c.says("stopped by a signal: " + s.String())
			c.says("goodbye")
			c.ends(0)
		})
	}
}

func TestSecondSignal(t *testing.T) {
	t.Run("ends at once", func(t *testing.T) {
		for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			c := start(t, "hold", "")
			c.send(syscall.SIGHUP)
			c.says("stopped by a signal: hangup")
			c.send(s)
			c.ends(s)
		}
	})
	t.Run("but for a hangup", func(t *testing.T) {
		c := start(t, "hold", "")
		c.send(syscall.SIGHUP)
		c.says("stopped by a signal: hangup")
		c.send(syscall.SIGHUP, syscall.SIGHUP)
		c.in.Close()
		c.says("goodbye")
		c.ends(0)
	})
}

// TestIgnoredSignalsStayIgnored: those that were ignored at the start do nothing; the others do.
func TestIgnoredSignalsStayIgnored(t *testing.T) {
	for _, tc := range []struct {
		name, setup string
		ignored     []os.Signal
		works       syscall.Signal
	}{
		{"nohup", "trap '' HUP;", []os.Signal{syscall.SIGHUP}, syscall.SIGINT},
		{"interrupt", "trap '' INT;", []os.Signal{syscall.SIGINT}, syscall.SIGHUP},
		{"in the background", "trap '' INT QUIT;", []os.Signal{syscall.SIGINT, syscall.SIGQUIT}, syscall.SIGTERM},
		{"all", "trap '' INT QUIT HUP;", []os.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP}, syscall.SIGTERM},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := start(t, "once", tc.setup)
			c.send(tc.ignored...)
			c.send(tc.works)
			c.says("stopped by a signal: " + tc.works.String())
			c.says("goodbye")
			c.ends(0)
		})
	}
}

// TestWriteToClosedOutput: it is an error, not the end of the program.
func TestWriteToClosedOutput(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	var stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), asChild+"=pipe")
	cmd.Stdout, cmd.Stderr = w, &stderr
	if err := cmd.Run(); err != nil || !strings.HasSuffix(stderr.String(), "broken pipe, <nil>\n") {
		t.Errorf("%v, it says %q", err, stderr.String())
	}
}
