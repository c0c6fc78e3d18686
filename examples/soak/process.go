package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A process is a worker as the controller sees it.
type process struct {
	cmd    *exec.Cmd
	stderr tail
	done   chan struct{} // closed when it has ended and all its reports were taken
	err    error         // how it ended; valid after done

	expected atomic.Bool // it was told to end, or killed

	mu      sync.Mutex
	stdin   io.WriteCloser
	waiting map[int]chan report
	last    int
}

// startProcess runs this program again as a worker. Each report that is no answer goes to take, one at a time.
func startProcess(ctx context.Context, take func(report)) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{done: make(chan struct{}), waiting: make(map[int]chan report)}
	p.cmd = exec.CommandContext(ctx, self, "worker")
	p.cmd.Stderr = &p.stderr
	p.cmd.Env = append(os.Environ(), "SOAK_WORKER=1")
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

func (p *process) read(out io.Reader, take func(report)) {
	defer close(p.done)
	lines := bufio.NewReaderSize(out, 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		var r report
		if err != nil || json.Unmarshal(line, &r) != nil {
			break // the end; a worker that was killed may have written half a line
		}
		if r.ID == 0 {
			take(r)
			continue
		}
		p.mu.Lock()
		ch := p.waiting[r.ID]
		p.mu.Unlock()
		if ch != nil {
			ch <- r
		}
	}
	_, _ = io.Copy(io.Discard, out)
	p.err = p.cmd.Wait()
}

// errGone: the process has ended.
var errGone = errors.New("soak: the worker has ended")

// call sends a command and returns the answer; for a state that has the ledger.
func (p *process) call(ctx context.Context, c command) (report, error) {
	ch := make(chan report, 2)
	p.mu.Lock()
	p.last++
	c.ID = p.last
	p.waiting[c.ID] = ch
	line, err := json.Marshal(c)
	if err == nil {
		_, err = p.stdin.Write(append(line, '\n'))
	}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.waiting, c.ID)
	}()
	if err != nil {
		return report{}, errGone
	}
	var out report
	for {
		select {
		case r := <-ch:
			if r.Says != saysAnswer {
				out = r
				continue
			}
			if r.Text != "" {
				return r, fmt.Errorf("soak: %s %s: %s", c.Do, c.Key, r.Text)
			}
			if out.Says != "" {
				return out, nil
			}
			return r, nil
		case <-p.done:
			return report{}, errGone
		case <-ctx.Done():
			return report{}, fmt.Errorf("soak: %s %s: no answer: %w", c.Do, c.Key, context.Cause(ctx))
		}
	}
}

// kill ends the process at once and waits until its last reports are taken.
func (p *process) kill() {
	p.expected.Store(true)
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

// finish lets the process end by itself, and kills it if it does not.
func (p *process) finish() error {
	p.expected.Store(true)
	p.mu.Lock()
	_ = p.stdin.Close() // it may have ended already
	p.mu.Unlock()
	select {
	case <-p.done:
		return p.ended()
	case <-time.After(2 * grace):
		p.kill()
		return errors.New("soak: a worker did not end")
	}
}

// ended says how the process ended, nil if well. It must have.
func (p *process) ended() error {
	text := p.stderr.String()
	if p.err == nil && text == "" {
		return nil
	}
	if p.err == nil {
		return fmt.Errorf("soak: a worker said: %s", text)
	}
	return fmt.Errorf("soak: a worker ended: %w: %s", p.err, text)
}

// complained: it said something that no worker should, before it was killed.
func (p *process) complained() string { return p.stderr.String() }

// A tail keeps the first bytes that are written to it, which say more of a panic or a race than the last.
type tail struct {
	mu sync.Mutex
	b  strings.Builder
}

const tailSize = 16 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := tailSize - t.b.Len(); room > 0 {
		t.b.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}
