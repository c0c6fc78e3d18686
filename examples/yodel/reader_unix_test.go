//go:build linux || darwin

package main

import (
	"bufio"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// startPiped runs the tool with a pipe as its standard output, which the test reads, and an input that does not end.
func startPiped(t *testing.T, args ...string) (p *tool, stdout *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	in, typing := io.Pipe()
	p = startWith(t, in, w, args...)
	p.stdin = typing
	t.Cleanup(func() { typing.Close() })
	return p, r
}

// TestReaderGone: a verb that prints ends when its reader does, though nothing comes that it could print, and needs no
// words for it.
func TestReaderGone(t *testing.T) {
	for _, args := range []string{
		"pull --bind AT", "sub --bind AT", "req --bind AT", "pair --bind AT", "dealer --bind AT", "router --bind AT",
		"xpub --bind AT", "xsub --bind AT", "push --bind AT --confirm", "pub --bind AT --confirm", "monitor rep --bind AT",
		"monitor push --bind AT --data x", "bench recv AT", "bench ping NOBODY", "peers --watch --group GROUP",
		"submit --bind AT --wait", "call m --connect NOBODY", "subscribe a --connect NOBODY",
		"pull --connect NOBODY", "sub --bind AT --count 5 --timeout 1h",
	} {
		t.Run(strings.ReplaceAll(args, "/", ""), func(t *testing.T) {
			args = strings.NewReplacer("AT", anyPort, "NOBODY", ipcEndpoint(t), "GROUP", ownGroup()).Replace(args)
			p, stdout := startPiped(t, append(strings.Fields(args), "--quiet")...)
			stdout.Close()
			p.exit(1)
			if s := p.stderr.String(); s != "" {
				t.Errorf("stderr %q", s)
			}
		})
	}
}

// TestReaderGoneIsNoMatterToOthers: a verb that prints nothing goes on.
func TestReaderGoneIsNoMatterToOthers(t *testing.T) {
	rep, stdout := startPiped(t, "rep", "--bind", anyPort)
	stdout.Close()
	push, stdout := startPiped(t, "push", "--bind", anyPort)
	stdout.Close()
	for range 2 {
		startInput(t, "", "req", "--connect", rep.endpoint(), "--data", "x").exit(0)
	}
	pull := startInput(t, "", "pull", "--connect", push.endpoint(), "--count", "1")
	push.types("a\n")
	pull.exit(0)
	push.stdin.Close()
	push.exit(0)
	rep.stop()
	rep.exit(0)
}

// TestReaderGoneLeavesTheNextMessage: behind "| head -1" a receiver ends once its reader has what it wanted, and what
// is sent then goes to somebody else.
func TestReaderGoneLeavesTheNextMessage(t *testing.T) {
	for _, verb := range []string{"pull", "dealer"} {
		t.Run(verb, func(t *testing.T) {
			var sock socket.Sender = socket.NewPush()
			if verb == "dealer" {
				sock = socket.NewDealer()
			}
			defer sock.Close()
			at, err := sock.Bind(t.Context(), ipcEndpoint(t))
			if err != nil {
				t.Fatal(err)
			}
			first, stdout := startPiped(t, verb, "--connect", at)
			if err := sock.Send(t.Context(), socket.Text("one")); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "one\n" {
				t.Fatalf("%q, %v", line, err)
			}
			stdout.Close()
			first.exit(1)
			next := startInput(t, "", verb, "--connect", at, "--count", "1")
			if err := sock.Send(t.Context(), socket.Text("two")); err != nil {
				t.Fatal(err)
			}
			next.exit(0)
			next.prints("two\n")
		})
	}
}

// TestReaderGoneFinishesSending: lines that were accepted leave, and those that were not are not read.
func TestReaderGoneFinishesSending(t *testing.T) {
	at := ipcEndpoint(t)
	push, stdout := startPiped(t, "push", "--connect", at, "--confirm") // nobody is there yet
	push.types("a\nb\n")
	lines := bufio.NewScanner(stdout)
	for _, want := range []string{"a", "b"} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("%q, want %q", lines.Text(), want)
		}
	}
	stdout.Close()
	pull := startInput(t, "", "pull", "--bind", at, "--count", "2")
	pull.exit(0)
	pull.prints("a\nb\n")
	push.exit(1)
}
