package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// TestTimeoutWithNothing: --timeout passed with nothing to show is status 3.
func TestTimeoutWithNothing(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"pull --bind tcp://127.0.0.1:0",
		"pull --bind tcp://127.0.0.1:0 --count 2",
		"sub --bind tcp://127.0.0.1:0",
		"rep --bind tcp://127.0.0.1:0",
		"push --bind tcp://127.0.0.1:0",
		"push --bind tcp://127.0.0.1:0 --wait 1",
		"push --connect NOBODY",
		"push --connect NOBODY --hwm 1",
		"pub --bind tcp://127.0.0.1:0",
		"req --connect NOBODY",
		"req --bind tcp://127.0.0.1:0",
		"call m --connect NOBODY --data 1",
		"serve m --bind tcp://127.0.0.1:0 --exec cat",
		"publish a --bind tcp://127.0.0.1:0 --data 1",
		"subscribe a --connect NOBODY",
		"submit --bind tcp://127.0.0.1:0 --data 1",
		"work --connect NOBODY --exec cat",
		"bench recv tcp://127.0.0.1:0",
		"bench send NOBODY",
		"bench ping NOBODY",
		"bench publish tcp://127.0.0.1:0",
	} {
		t.Run(strings.ReplaceAll(args, "/", ""), func(t *testing.T) {
			args := strings.ReplaceAll(args, "NOBODY", ipcEndpoint(t))
			p := startInput(t, "a\nb\nc\n", append(strings.Fields(args), "--timeout", "50ms")...)
			p.exit(3)
			p.says("50ms")
			if p.stdout.String() != "" {
				t.Errorf("stdout %q", p.stdout)
			}
		})
	}
}

// TestTimeoutWithSomething: done, unless a count was asked for.
func TestTimeoutWithSomething(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		args   []string
		status int
		says   string
	}{
		{"endless", nil, 0, "received 2 messages"},
		{"count not reached", []string{"--count", "5"}, 1, "got 2 messages of 5"},
		{"count reached", []string{"--count", "2"}, 0, "received 2 messages"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			push := startInput(t, "a\nb\n", "push", "--bind", ipcEndpoint(t))
			pull := startInput(t, "",
				append([]string{"pull", "--connect", push.endpoint(), "--timeout", "700ms"}, tc.args...)...)
			push.exit(0)
			pull.exit(tc.status)
			pull.says(tc.says)
			pull.prints("a\nb\n")
		})
	}
	t.Run("sender stuck", func(t *testing.T) {
		pull := socket.NewPull(socket.WithRecvHWM(1)) // takes in little and reads nothing
		defer pull.Close()
		at, err := pull.Bind(t.Context(), ipcEndpoint(t))
		if err != nil {
			t.Fatal(err)
		}
		line := strings.Repeat("x", 1<<20)
		push := startInput(t, strings.Repeat(line+"\n", 20), "push", "--connect", at, "--hwm", "1", "--timeout", "2s")
		push.exit(1)
		push.says("--timeout passed")
	})
	t.Run("no second reply", func(t *testing.T) {
		rep := socket.NewRep()
		defer rep.Close()
		at, err := rep.Bind(t.Context(), anyPort)
		if err != nil {
			t.Fatal(err)
		}
		req := startInput(t, "a\nb\n", "req", "--connect", at, "--timeout", "700ms")
		m, err := rep.Recv(t.Context())
		if err == nil {
			err = rep.Send(t.Context(), m)
		}
		if err != nil {
			t.Fatal(err)
		}
		req.exit(1)
		req.says("no reply to request 2 for 700ms")
		req.prints("a\n")
	})
}

func TestLinger(t *testing.T) {
	for _, tc := range []struct{ name, linger, says string }{
		{"a while", "50ms", "3 messages not delivered: --linger passed"},
		{"none", "0", "3 messages not delivered: --linger passed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			push := startInput(t, "a\nb\nc\n", "push", "--connect", ipcEndpoint(t), "--linger", tc.linger)
			push.exit(1)
			push.says(tc.says)
		})
	}
}

func TestTooLarge(t *testing.T) {
	pull := start(t, "pull", "--bind", anyPort, "--count", "1")
	push := startInput(t, "fine\n"+strings.Repeat("x\t", 2000)+"\n", "push", "--connect", pull.endpoint())
	push.exit(1)
	push.says("2001 frames")
	pull.exit(0) // what was accepted before is delivered
	pull.prints("fine\n")
}

func TestInputFails(t *testing.T) {
	pull := start(t, "pull", "--bind", anyPort, "--count", "1")
	r, w := io.Pipe()
	push := startWith(t, r, nil, "push", "--connect", pull.endpoint())
	if _, err := io.WriteString(w, "fine\n"); err != nil {
		t.Fatal(err)
	}
	_ = w.CloseWithError(errors.New("disk on fire"))
	push.exit(1)
	push.says("disk on fire")
	pull.exit(0)
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	t.Run("receiver", func(t *testing.T) {
		pull := start(t, "pull", "--bind", anyPort)
		startInput(t, "", "push", "--connect", pull.endpoint(), "--data", "x").exit(0)
		pull.prints("x\n")
		pull.stop()
		pull.exit(0)
		pull.says("received 1 message, 1 B")
		pull.says("interrupted")
	})
	t.Run("receiver before its count", func(t *testing.T) {
		pull := start(t, "pull", "--bind", anyPort, "--count", "2")
		pull.endpoint()
		pull.stop()
		pull.exit(1)
		pull.says("got 0 messages of 2")
	})
	t.Run("sender that waits for input", func(t *testing.T) {
		pull := start(t, "pull", "--bind", anyPort)
		push := start(t, "push", "--connect", pull.endpoint())
		push.types("a\nb")
		pull.prints("a\n")
		push.stop()
		push.exit(0)
		push.says("sent 1 message")
	})
	t.Run("sender in an interval", func(t *testing.T) {
		pull := start(t, "pull", "--bind", anyPort)
		push := startInput(t, "a\nb\n", "push", "--connect", pull.endpoint(), "--interval", "1h")
		pull.prints("a\n")
		push.stop()
		push.exit(0)
	})
	t.Run("sender with messages left", func(t *testing.T) {
		push := startInput(t, "a\nb\n", "push", "--connect", ipcEndpoint(t), "--confirm")
		push.prints("a\nb\n")
		push.stop()
		push.exit(1)
		push.says("2 messages not delivered: interrupted")
	})
	t.Run("sender that is blocked", func(t *testing.T) {
		push := startInput(t, "a\n", "push", "--bind", anyPort)
		push.endpoint()
		push.stop()
		push.exit(0)
		push.says("sent 0 messages")
	})
	t.Run("publisher that waits", func(t *testing.T) {
		pub := startInput(t, "a\n", "pub", "--bind", anyPort)
		pub.endpoint()
		pub.stop()
		pub.exit(0)
	})
	t.Run("request without a reply", func(t *testing.T) {
		req := startInput(t, "a\n", "req", "--connect", ipcEndpoint(t), "--confirm")
		req.prints("a\n")
		req.stop()
		req.exit(1)
		req.says("interrupted: no reply to request 1")
	})
	t.Run("request that waits for input", func(t *testing.T) {
		rep := start(t, "rep", "--bind", anyPort)
		req := start(t, "req", "--connect", rep.endpoint())
		req.types("a\n")
		req.prints("a\n")
		req.stop()
		req.exit(0)
		req.says("got replies to 1 message")
	})
	t.Run("replier", func(t *testing.T) {
		rep := startInput(t, "", "rep", "--bind", anyPort)
		rep.endpoint()
		rep.stop()
		rep.exit(0)
	})
	t.Run("bench", func(t *testing.T) {
		b := startInput(t, "", "bench", "recv", anyPort)
		b.endpoint()
		b.stop()
		b.exit(1)
	})
}

// TestBrokenPipe: who has stopped reading our output need not be told so.
func TestBrokenPipe(t *testing.T) {
	closed := func(t *testing.T) io.Writer {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		t.Cleanup(func() { w.Close() })
		return w
	}
	check := func(t *testing.T, p *tool) {
		p.exit(1)
		for line := range strings.Lines(p.stderr.String()) {
			if !strings.HasPrefix(line, "listening on ") {
				t.Errorf("stderr: %s", line)
			}
		}
	}
	t.Run("receiver", func(t *testing.T) { // before anything has come
		check(t, startWith(t, strings.NewReader(""), closed(t), "pull", "--bind", anyPort))
	})
	t.Run("sender", func(t *testing.T) {
		pull := start(t, "pull", "--bind", anyPort)
		check(t, startWith(t, strings.NewReader("a\n"), closed(t), "push", "--connect", pull.endpoint(), "--confirm"))
	})
	t.Run("request", func(t *testing.T) {
		rep := start(t, "rep", "--bind", anyPort)
		check(t, startWith(t, strings.NewReader("a\nb\n"), closed(t), "req", "--connect", rep.endpoint()))
	})
	t.Run("monitor", func(t *testing.T) {
		check(t, startWith(t, strings.NewReader(""), closed(t), "monitor", "pull", "--bind", anyPort))
	})
	t.Run("another error is named", func(t *testing.T) {
		pull := startWith(t, strings.NewReader(""), failing{}, "pull", "--bind", anyPort)
		startInput(t, "", "push", "--connect", pull.endpoint(), "--data", "x").exit(0)
		pull.exit(1)
		pull.says("standard output: no space left on device")
	})
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// TestProcess is what only a process of its own can show: signals.
func TestProcess(t *testing.T) {
	command := func(t *testing.T, args ...string) (*exec.Cmd, *output) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		t.Cleanup(cancel)
		cmd := exec.CommandContext(ctx, self, args...)
		cmd.Env = append(os.Environ(), asTool+"=1")
		stderr := newOutput()
		cmd.Stderr = stderr
		return cmd, stderr
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		t.Run(sig.String(), func(t *testing.T) {
			temp, err := os.MkdirTemp("", "y") // shorter than t.TempDir: paths of sockets are limited
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(temp) })
			cmd, stderr := command(t, "pull", "--bind", "ipc://*")
			cmd.Env = append(cmd.Env, "TMPDIR="+temp)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			stderr.waitFor(t, func(s string) bool { return strings.Contains(s, "listening on") })
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v\n%s", err, stderr)
			}
			if !strings.Contains(stderr.String(), "received 0 messages") {
				t.Errorf("stderr %q", stderr)
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
	t.Run("closed standard output", func(t *testing.T) {
		cmd, stderr := command(t, "pull", "--bind", anyPort)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		cmd.Stdout = w
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		w.Close()
		err = cmd.Wait()
		if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != 1 {
			t.Errorf("%v, want status 1\n%s", err, stderr)
		}
	})
}

// TestStderr: what goes there, and what --quiet leaves out.
func TestStderr(t *testing.T) {
	t.Run("stats", func(t *testing.T) {
		pull := start(t, "pull", "--bind", anyPort, "--stats", "5ms")
		startInput(t, "", "push", "--connect", pull.endpoint(), "--data", "x").exit(0)
		pull.says("in: received 1, handed 1, unread 0")
		pull.stop()
		pull.exit(0)
	})
	t.Run("quiet", func(t *testing.T) {
		at := ipcEndpoint(t)
		pull := startInput(t, "", "pull", "--bind", at, "--count", "1", "--quiet")
		push := startInput(t, "x\n", "push", "--connect", at, "--quiet")
		push.exit(0)
		pull.exit(0)
		if got := pull.stderr.String() + push.stderr.String(); got != "" {
			t.Errorf("stderr %q", got)
		}
	})
	t.Run("quiet keeps errors", func(t *testing.T) {
		p := startInput(t, "", "pull", "--bind", anyPort, "--quiet", "--timeout", "1ms")
		p.exit(3)
		p.says("nothing received for 1ms")
	})
	t.Run("progress line", func(t *testing.T) {
		out := newOutput()
		con := &console{w: out}
		con.showProgress("sent 1")
		con.showProgress("sent 2")
		con.printf("note")
		con.showProgress("sent 3")
		con.showProgress("")
		if got, want := out.String(), "sent 1"+eraseLine+"sent 2"+eraseLine+"note\nsent 3"+eraseLine; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("no terminal", func(t *testing.T) {
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		if isTerminal(null) || isTerminal(newOutput()) {
			t.Error("taken for a terminal")
		}
	})
}

func TestByteCount(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1 kB", 1234: "1.23 kB", 999_999: "1 MB", 5_300_000_000: "5.3 GB",
	} {
		if got := byteCount(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
