//go:build unix

package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A peer is a process that runs testdata/peer.py: libzmq, driven by commands.
type peer struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer // read it only after ended
	ended  chan struct{}

	mu      sync.Mutex
	stdin   io.WriteCloser
	last    int
	pending map[int]chan reply
	gone    error // set once no more replies will come
}

// reply is what the script answers; which fields are set depends on the command.
type reply struct {
	ID       int
	Error    string
	Endpoint string
	Frames   [][]byte // encoding/json reads base64
	Events   []string
	First    int
	Version  string
	stream
}

// peersRunning counts the processes that have not been waited for.
var peersRunning atomic.Int32

// sharedPeer serves all tests that do not kill theirs. It is started by the first of them.
var sharedPeer lazyPeer

type lazyPeer struct {
	once sync.Once
	p    *peer
	err  error
}

func (l *lazyPeer) get(t *testing.T) *peer {
	t.Helper()
	python := needPython(t)
	l.once.Do(func() { l.p, l.err = spawn(python) })
	if l.err != nil {
		t.Fatal(l.err)
	}
	return l.p
}

func (l *lazyPeer) stop() {
	if l.p != nil {
		l.p.stop()
	}
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

// needPython skips the test where pyzmq is missing, but not in CI, where it has to be there.
func needPython(t *testing.T) string {
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

// startPeer starts a process of the test's own, which ends with it.
func startPeer(t *testing.T) *peer {
	t.Helper()
	p, err := spawn(needPython(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	return p
}

func spawn(python string) (*peer, error) {
	p := &peer{
		cmd:     exec.Command(python, "testdata/peer.py"),
		ended:   make(chan struct{}),
		pending: map[int]chan reply{},
	}
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = time.Second
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	ready := make(chan reply, 1)
	p.pending[0] = ready // the script greets with id 0
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	peersRunning.Add(1)
	go p.follow(stdout)
	if r := <-ready; r.Error != "" {
		return nil, errors.New(r.Error)
	}
	return p, nil
}

// follow hands out the replies until the process has ended.
func (p *peer) follow(stdout io.Reader) {
	defer close(p.ended)
	in := bufio.NewReaderSize(stdout, 1<<20)
	var err error
	for err == nil {
		var line []byte
		if line, err = in.ReadBytes('\n'); err != nil {
			break
		}
		var r reply
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
	peersRunning.Add(-1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = fmt.Errorf("the pyzmq peer is gone: %w; it wrote: %s", err, p.stderr.String())
	for _, to := range p.pending {
		to <- reply{Error: p.gone.Error()}
	}
	clear(p.pending)
}

// stop ends the process, as the end of its input tells it to.
func (p *peer) stop() {
	p.mu.Lock()
	_ = p.stdin.Close()
	p.mu.Unlock()
	select {
	case <-p.ended:
	case <-time.After(5 * time.Second):
		p.kill()
	}
}

// kill ends the process by SIGKILL and waits until it is gone.
func (p *peer) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// freeze stops the process without ending it: its connections stay open and go silent. thaw lets it go on.
func (p *peer) freeze(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Signal(syscall.SIGCONT) })
}

func (p *peer) thaw(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// A pending is a command whose reply is still to come.
type pending struct {
	op string
	to chan reply
}

// start sends a command. socket is its number, 0 for none.
func (p *peer) start(op string, socket int, args map[string]any) pending {
	to := make(chan reply, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone != nil {
		to <- reply{Error: p.gone.Error()}
		return pending{op, to}
	}
	p.last++
	p.pending[p.last] = to
	command := map[string]any{"id": p.last, "op": op}
	if socket > 0 {
		command["sock"] = socket
	}
	maps.Copy(command, args)
	line, err := json.Marshal(command)
	if err == nil {
		_, err = p.stdin.Write(append(line, '\n'))
	}
	if err != nil {
		delete(p.pending, p.last)
		to <- reply{Error: err.Error()}
	}
	return pending{op, to}
}

// patience is how long anything may take that should happen at once, on a machine that is busy.
const patience = 10 * time.Second

// result waits for the reply.
func (c pending) result() (reply, error) {
	select {
	case r := <-c.to:
		if r.Error != "" {
			return r, errors.New("pyzmq: " + r.Error)
		}
		return r, nil
	case <-time.After(2 * patience):
		return reply{}, fmt.Errorf("pyzmq: no reply to %s", c.op)
	}
}

// wait waits for the reply, which must be a success.
func (c pending) wait(t *testing.T) reply {
	t.Helper()
	r, err := c.result()
	if err != nil {
		t.Fatal(err)
	}
	return r
}
