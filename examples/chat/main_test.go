package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/yodel-mq/yodel/discovery"
)

// asChat makes the test binary be the program.
const asChat = "YODEL_TEST_AS_CHAT"

func TestMain(m *testing.M) {
	if os.Getenv(asChat) != "" {
		main()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// ownRoom is one that nobody else on this network is in.
func ownRoom() string { return "test-" + discovery.NewID().String() }

// A person is a process that chats.
type person struct {
	t           *testing.T
	cmd         *exec.Cmd
	in          io.WriteCloser
	out, errors *output
}

func start(t *testing.T, args ...string) *person {
	t.Helper()
	return startTo(t, nil, args...)
}

// startTo starts one whose standard output is given, unless nil.
func startTo(t *testing.T, stdout *os.File, args ...string) *person {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	p := &person{t: t, out: newOutput(), errors: newOutput()}
	p.cmd = exec.CommandContext(ctx, os.Args[0], append([]string{"--interface", loopback(t)}, args...)...)
	p.cmd.Env = append(os.Environ(), asChat+"=1")
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.errors
	if stdout != nil {
		p.cmd.Stdout = stdout
	}
	var err error
	if p.in, err = p.cmd.StdinPipe(); err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = p.cmd.Wait() // for the second time, if all went well
	})
	return p
}

func (p *person) types(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// ends closes the input and expects the program to end well.
func (p *person) ends() {
	p.t.Helper()
	p.in.Close()
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("%v: %s", err, p.errors)
	}
}

// An output collects what a process writes and lets a test wait for it.
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

// has waits until there is such a line; mentions, until the text is anywhere.
func (o *output) has(t *testing.T, line string) {
	t.Helper()
	o.waitFor(t, line, func(s string) bool { return strings.Contains("\n"+s, "\n"+line+"\n") })
}

func (o *output) mentions(t *testing.T, text string) {
	t.Helper()
	o.waitFor(t, text, func(s string) bool { return strings.Contains(s, text) })
}

func (o *output) waitFor(t *testing.T, what string, there func(string) bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		o.mu.Lock()
		s, changed := o.buf.String(), o.changed
		o.mu.Unlock()
		if there(s) {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("waited in vain for %q; the output is %q", what, s)
		}
	}
}

func TestThree(t *testing.T) {
	room, names := ownRoom(), []string{"ann", "bob", "cy"}
	people := make(map[string]*person)
	for _, name := range names {
		people[name] = start(t, "--name", name, "--room", room, "--notices")
		people[name].errors.has(t, "* you are "+name+", in the room "+room+"; Ctrl-D ends")
	}
	stranger := start(t, "--name", "dan", "--room", ownRoom()) // in another room

	// Who hears a line from each other also knows that it was meant for all who are there by then.
	for i, name := range names {
		for _, other := range names[i+1:] {
			people[name].errors.mentions(t, "* "+other+" ")
			people[other].errors.mentions(t, "* "+name+" ")
		}
	}
	for _, name := range names {
		people[name].types("I am " + name)
		people[name].types("\tand \x1b[31mred\x07") // a terminal would obey
	}
	for _, name := range names {
		for _, other := range names {
			if other != name {
				people[name].out.has(t, other+": I am "+other)
				people[name].out.has(t, other+": and [31mred")
			}
		}
	}

	// One line is for bob alone: the count at the end says that nobody else has heard it.
	people["cy"].types("@bob psst")
	people["bob"].out.has(t, "cy, to you: psst")

	// Who ends says goodbye.
	people["ann"].ends()
	people["bob"].errors.has(t, "* ann has left")
	people["cy"].errors.has(t, "* ann has left")
	people["bob"].ends()
	people["cy"].ends()
	stranger.ends()
	for _, name := range names {
		lines := 4
		if name == "bob" {
			lines++
		}
		if s := people[name].out.String(); strings.Count(s, "\n") != lines || strings.Contains(s, name+":") {
			t.Errorf("%s heard %q", name, s)
		}
	}
	if s := stranger.out.String() + stranger.errors.String(); s != "" {
		t.Errorf("dan, in another room, heard %q", s)
	}
}

// TestPipe: a program that says one line and ends is heard by who is there, and prints nothing itself.
func TestPipe(t *testing.T) {
	room := ownRoom()
	ann := start(t, "--name", "ann", "--room", room)
	bob := start(t, "--name", "bob", "--room", room, "--notices")
	bob.errors.mentions(t, "* ann ") // so she listens
	script := start(t, "--name", "script", "--room", room)
	script.types("backup done")
	script.ends()
	ann.out.has(t, "script: backup done")
	bob.out.has(t, "script: backup done")
	ann.ends()
	bob.ends()
	if s := script.out.String() + script.errors.String() + ann.errors.String(); s != "" {
		t.Errorf("not quiet: %q", s)
	}
}

func TestBadRoom(t *testing.T) {
	p := start(t, "--room", "Not A Room")
	if err := p.cmd.Wait(); err == nil {
		t.Error("status 0")
	}
	p.errors.mentions(t, "chat: ")
}

// loopback is the name of the interface that leads nowhere but here: tests are not to be heard on a real network.
func loopback(t *testing.T) string {
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
