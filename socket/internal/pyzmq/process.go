package pyzmq

import (
	"bufio"
	"bytes"
	_ "embed" // the script
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

//go:embed peer.py
var script string

// A Process runs the script, or another program with the same commands. Its methods may be called by any number of
// goroutines.
type Process struct {
	name   string // what to call it in errors
	cmd    *exec.Cmd
	stderr bytes.Buffer // read it only after ended
	ended  chan struct{}

	writing sync.Mutex // held while a command is written, which takes as long as the script takes to read it
	stdin   io.WriteCloser

	mu      sync.Mutex
	last    int
	pending map[int]chan Reply
	gone    error // set once no more replies will come
}

// A Reply is what the script answers; which fields are set depends on the command.
type Reply struct {
	ID       int
	Error    string
	Timeout  bool // the error is that something did not happen in time
	Endpoint string
	Frames   [][]byte // encoding/json reads base64
	Events   []string
	First    int
	Version  string
	Count    int
	Bytes    int
	Hash     string
}

// running counts the processes that have not been waited for.
var running atomic.Int32

// Running returns the number of processes that have not ended, for a TestMain that looks for what was left behind.
func Running() int { return int(running.Load()) }

var shared struct {
	once sync.Once
	p    *Process
	err  error
}

// Shared returns the process for all tests that do not kill theirs. The first of them starts it; StopShared ends it.
func Shared(t testing.TB) *Process {
	t.Helper()
	python := need(t)
	shared.once.Do(func() { shared.p, shared.err = spawn(python) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.p
}

// StopShared ends the shared process, if there is one. Call it from TestMain.
func StopShared() {
	if shared.p != nil {
		shared.p.Stop()
	}
}

// Start starts a process of the test's own, which ends with it.
func Start(t testing.TB) *Process {
	t.Helper()
	p, err := spawn(need(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

// python finds an interpreter that can import zmq. Debian's python3-zmq belongs to /usr/bin/python3, which need not be
// the first in PATH.
var python = sync.OnceValues(func() (string, error) {
	var errs []error
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		out, err := exec.Command(name, "-c", "import zmq").CombinedOutput()
		if err == nil {
			return name, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out)))
	}
	return "", errors.Join(errs...)
})

// need skips the test where pyzmq is missing, but not in CI, where it has to be there.
func need(t testing.TB) string {
	t.Helper()
	name, err := python()
	switch {
	case err == nil:
		return name
	case os.Getenv("CI") != "":
		t.Fatalf("pyzmq is missing; install python3-zmq: %v", err)
	default:
		t.Skipf("pyzmq is missing; install python3-zmq to run this test: %v", err)
	}
	return ""
}

func spawn(python string) (*Process, error) {
	p, _, err := Run("pyzmq", exec.Command(python, "-c", script)) //nolint:noctx // Stop ends it
	return p, err
}

// Run starts a program with the commands of the script, or some of them, for tests against another implementation.
// name is what errors call it. It returns the program's word of its version, after which it takes commands. The caller
// has to call Stop.
func Run(name string, cmd *exec.Cmd) (p *Process, version string, err error) {
	p = &Process{
		name:    name,
		cmd:     cmd,
		ended:   make(chan struct{}),
		pending: map[int]chan Reply{},
	}
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = time.Second
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, "", err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	ready := make(chan Reply, 1)
	p.pending[0] = ready // the script greets with id 0
	if err := p.cmd.Start(); err != nil {
		return nil, "", err
	}
	running.Add(1)
	go p.follow(stdout)
	greeting := <-ready
	if greeting.Error != "" {
		return nil, "", errors.New(greeting.Error)
	}
	return p, greeting.Version, nil
}

// follow hands out the replies until the process has ended.
func (p *Process) follow(stdout io.Reader) {
	defer close(p.ended)
	in := bufio.NewReaderSize(stdout, 1<<20)
	var err error
	for err == nil {
		var line []byte
		if line, err = in.ReadBytes('\n'); err != nil {
			break
		}
		var r Reply
		if err = json.Unmarshal(line, &r); err != nil {
			err = fmt.Errorf("reply %.200q: %w", line, err)
			break
		}
		p.mu.Lock()
		to := p.pending[r.ID]
		delete(p.pending, r.ID)
		p.mu.Unlock()
		if to != nil {
			to <- r
		}
	}
	_ = p.cmd.Process.Kill() // if it is not the end of the process that ended the loop
	_ = p.cmd.Wait()
	running.Add(-1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = fmt.Errorf("the %s peer is gone: %w; it wrote: %s", p.name, err, p.stderr.String())
	for _, to := range p.pending {
		to <- Reply{Error: p.gone.Error()}
	}
	clear(p.pending)
}

// Stop ends the process, as the end of its input tells it to.
func (p *Process) Stop() {
	_ = p.stdin.Close() // which also ends a write under way
	t := time.NewTimer(5 * time.Second)
	defer t.Stop()
	select {
	case <-p.ended:
	case <-t.C:
		p.Kill()
	}
}

// Kill ends the process by SIGKILL and waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// Signal sends a signal to the process, such as SIGSTOP: its connections stay open and go silent.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// A Pending is a command whose reply is still to come.
type Pending struct {
	what string
	to   chan Reply
}

// Send gives a command. socket is the number the caller gave the socket with the command "socket", 0 for none.
func (p *Process) Send(op string, socket int, args map[string]any) Pending {
	to := make(chan Reply, 1)
	p.writing.Lock()
	defer p.writing.Unlock()
	id, err := p.await(to)
	command := map[string]any{"id": id, "op": op}
	if socket > 0 {
		command["sock"] = socket
	}
	maps.Copy(command, args)
	var line []byte
	if err == nil {
		line, err = json.Marshal(command)
	}
	if err == nil {
		_, err = p.stdin.Write(append(line, '\n'))
	}
	if err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.pending, id)
		select {
		case to <- Reply{Error: err.Error()}:
		default: // the end of the process has told already
		}
	}
	return Pending{p.name + "'s " + op, to}
}

// await makes replies with a new number go to a channel.
func (p *Process) await(to chan Reply) (id int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone != nil {
		return 0, p.gone
	}
	p.last++
	p.pending[p.last] = to
	return p.last, nil
}

// ErrTimeout: what the command waited for did not happen in time.
var ErrTimeout = errors.New("timed out")

// Wait waits for the reply, but no longer than patience; the script has timeouts of its own, which should come first.
func (c Pending) Wait(patience time.Duration) (Reply, error) {
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case r := <-c.to:
		switch {
		case r.Timeout:
			return r, fmt.Errorf("%s: %w: %s", c.what, ErrTimeout, r.Error)
		case r.Error != "":
			return r, fmt.Errorf("%s: %s", c.what, r.Error)
		}
		return r, nil
	case <-t.C:
		return Reply{}, fmt.Errorf("no reply to %s within %v", c.what, patience)
	}
}

var lastSocket atomic.Int32

// NextSocket returns a number for another socket.
func NextSocket() int { return int(lastSocket.Add(1)) }
