package sockettest_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket/sockettest"
)

// A process is this test binary run once more, which serves sockets of one side: so that they can be killed, or do no
// harm here when they crash. Its methods may be called by any number of goroutines.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr tail
	slack  time.Duration // how long it may take beyond what it was given
	ended  chan struct{}

	writing  sync.Mutex
	out      *bufio.Writer
	commands *gob.Encoder

	mu      sync.Mutex
	last    uint64
	pending map[uint64]chan answer
	gone    error // set once no more answers will come
}

// processes counts those that have not been waited for.
var processes atomic.Int32

func startProcess(side string, slack time.Duration) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{
		cmd:     exec.Command(self),
		slack:   slack,
		ended:   make(chan struct{}),
		pending: make(map[uint64]chan answer),
	}
	// A data race in another implementation is not for us to report.
	p.cmd.Env = append(os.Environ(), childEnv+"="+side, "GORACE=exitcode=0 halt_on_error=0")
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = time.Second
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewWriter(p.stdin)
	p.commands = gob.NewEncoder(p.out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	processes.Add(1)
	go p.follow(stdout)
	return p, nil
}

// follow hands out the answers until the process has ended.
func (p *process) follow(stdout io.Reader) {
	defer close(p.ended)
	answers := gob.NewDecoder(bufio.NewReader(stdout))
	var err error
	for {
		var a answer
		if err = answers.Decode(&a); err != nil {
			break
		}
		p.mu.Lock()
		to := p.pending[a.ID]
		delete(p.pending, a.ID)
		p.mu.Unlock()
		if to != nil {
			to <- a
		}
	}
	_ = p.cmd.Process.Kill() // if it is not the end of the process that ended the loop
	_ = p.cmd.Wait()
	processes.Add(-1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = fmt.Errorf("the process is gone: %w; it wrote last: %s", err, p.stderr.String())
	for _, to := range p.pending {
		to <- answer{Err: p.gone.Error()}
	}
	clear(p.pending)
}

// over reports whether the process has ended.
func (p *process) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// stop ends the process, as the end of its input tells it to.
func (p *process) stop() {
	_ = p.stdin.Close()
	t := time.NewTimer(5 * time.Second)
	defer t.Stop()
	select {
	case <-p.ended:
	case <-t.C:
		p.kill()
	}
}

// kill ends the process without any farewell and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// do has a command carried out. When ctx ends the child is told to end the command too, and its answer counts: what
// it has received by then is not lost.
func (p *process) do(ctx context.Context, m command) (answer, error) {
	to := make(chan answer, 1)
	id, err := p.await(to)
	if err != nil {
		return answer{}, err
	}
	m.ID = id
	p.write(m)
	var a answer
	select {
	case a = <-to:
	case <-ctx.Done():
		p.write(command{Op: "cancel", Of: id})
		t := time.NewTimer(p.slack)
		defer t.Stop()
		select {
		case a = <-to:
		case <-t.C:
			return answer{}, fmt.Errorf("%s hangs: %w", m.Op, ctx.Err())
		}
	}
	switch {
	case a.Canceled:
		return a, fmt.Errorf("%s: %w", m.Op, ctx.Err())
	case a.Err != "":
		return a, errors.New(a.Err)
	}
	return a, nil
}

// await makes the answer to the next command go to a channel.
func (p *process) await(to chan answer) (id uint64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone != nil {
		return 0, p.gone
	}
	p.last++
	p.pending[p.last] = to
	return p.last, nil
}

// write gives a command. If that fails the process ends, and then there are answers to all commands.
func (p *process) write(m command) {
	p.writing.Lock()
	defer p.writing.Unlock()
	if err := errors.Join(p.commands.Encode(m), p.out.Flush()); err != nil {
		_ = p.cmd.Process.Kill()
	}
}

var lastSocket atomic.Uint64

// socket makes a socket in the process.
func (p *process) socket(t testing.TB, role string, o sockettest.Options) *processSocket {
	t.Helper()
	s := &processSocket{p: p, id: lastSocket.Add(1)}
	if err := s.brief(command{Op: "new", Text: role, Options: o}); err != nil {
		t.Fatal(err)
	}
	return s
}

// A processSocket is a Socket in another process.
type processSocket struct {
	p  *process
	id uint64
}

func (s *processSocket) do(ctx context.Context, m command) (answer, error) {
	m.Sock = s.id
	return s.p.do(ctx, m)
}

// brief has something done that should not wait.
func (s *processSocket) brief(m command) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.p.slack)
	defer cancel()
	_, err := s.do(ctx, m)
	return err
}

func (s *processSocket) Bind(ctx context.Context, endpoint string) (string, error) {
	a, err := s.do(ctx, command{Op: "bind", Text: endpoint})
	return a.Text, err
}

func (s *processSocket) Unbind(endpoint string) error {
	return s.brief(command{Op: "unbind", Text: endpoint})
}

func (s *processSocket) Connect(endpoint string) error {
	return s.brief(command{Op: "connect", Text: endpoint})
}

func (s *processSocket) Disconnect(endpoint string) error {
	return s.brief(command{Op: "disconnect", Text: endpoint})
}

func (s *processSocket) Send(ctx context.Context, frames [][]byte) error {
	_, err := s.do(ctx, command{Op: "send", Frames: frames})
	return err
}

func (s *processSocket) Recv(ctx context.Context) ([][]byte, error) {
	a, err := s.do(ctx, command{Op: "recv"})
	return a.Frames, err
}

func (s *processSocket) Subscribe(topic string) error {
	return s.brief(command{Op: "subscribe", Text: topic})
}

func (s *processSocket) Unsubscribe(topic string) error {
	return s.brief(command{Op: "unsubscribe", Text: topic})
}

func (s *processSocket) WaitPeers(ctx context.Context, n int) error {
	_, err := s.do(ctx, command{Op: "peers", N: n})
	return err
}

func (s *processSocket) Close() error { return s.brief(command{Op: "close"}) }

// A tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	const most = 8 << 10
	t.buf = append(t.buf, b...)
	if n := len(t.buf); n > most {
		t.buf = bytes.Clone(t.buf[n-most:])
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
