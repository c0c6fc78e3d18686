// Package child runs the program that it is in once more, as a process that says on its standard output, line by line,
// what it does: for programs that kill and stop parts of themselves.
package child

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Process is such a child. All methods may be called by any number of goroutines.
type Process struct {
	cmd    *exec.Cmd
	said   head
	done   chan struct{}
	err    error // how it ended; valid after done
	killed atomic.Bool

	mu    sync.Mutex
	stdin io.WriteCloser
}

// Start runs this program again, with arguments, and with variables, as NAME=value, added to its environment. Each line
// that it says, without its end, goes to take, one at a time, until take returns false or the process ends; of one that
// is killed the last may be cut short, and is not taken. A line is valid until take returns. The process is killed when
// ctx ends.
func Start(ctx context.Context, args, env []string, take func(line []byte) (more bool)) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &Process{cmd: exec.CommandContext(ctx, self, args...), done: make(chan struct{})}
	p.cmd.Stderr = &p.said
	p.cmd.Env = append(os.Environ(), env...)
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.read(out, take)
	return p, nil
}

func (p *Process) read(out io.Reader, take func(line []byte) (more bool)) {
	defer close(p.done)
	lines := bufio.NewReaderSize(out, 1<<16)
	for more := true; more; {
		line, err := lines.ReadBytes('\n')
		more = err == nil && take(line[:len(line)-1])
	}
	_, _ = io.Copy(io.Discard, lines) // so that it is not held up; the end is no error
	p.err = p.cmd.Wait()
}

// Tell writes a line to the process's standard input.
func (p *Process) Tell(line []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.stdin.Write(append(slices.Clip(line), '\n'))
	return err
}

// Done is closed once the process has ended and all that it said was taken.
func (p *Process) Done() <-chan struct{} { return p.done }

// Kill ends the process at once, and waits for Done. It may have ended already.
func (p *Process) Kill() {
	p.killed.Store(true)
	_ = p.cmd.Process.Kill()
	<-p.done
}

// ErrStuck: a process did not end by itself.
var ErrStuck = errors.New("it did not end")

// Finish closes the process's standard input, by which it is to end, and waits for Done. After some time it is killed
// instead, and the error is ErrStuck.
func (p *Process) Finish(within time.Duration) error {
	p.mu.Lock()
	_ = p.stdin.Close() // it may have ended already
	p.mu.Unlock()
	over := time.NewTimer(within)
	defer over.Stop()
	select {
	case <-p.done:
		return nil
	case <-over.C:
		p.Kill()
		return ErrStuck
	}
}

// Err is how the process ended, nil if well or by Kill. It waits for Done.
func (p *Process) Err() error {
	<-p.done
	if p.killed.Load() {
		return nil
	}
	return p.err
}

// Complaint is what the process has said on its standard error, the first 16 KiB of it.
func (p *Process) Complaint() string { return p.said.String() }
