package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// A job is what a worker process is to do. It stands in its environment, as JSON.
type job struct {
	Who      int // sender or a receiver
	Life     uint32
	Plan     *plan    // without events
	Dir      string   // of tallies and journals
	Spool    string   // its spool or inbox
	Before   uint64   // messages that earlier lives of the sender have had accepted
	Bind     string   // or
	Connect  []string // to these
	Capacity int64    // of the spool
}

const workerVariable = "CRASHTEST_WORKER"

// What a worker says on its standard output, a line each: the word and what belongs to it.
const (
	saysBound   = "bound"   // and the endpoint
	saysSettled = "settled" // all messages were sent and settled
	saysFault   = "fault"   // what must not be
)

// A process is a worker as the controller sees it.
type process struct {
	job
	cmd    *exec.Cmd
	stdin  io.Closer // to be closed when the worker is to end
	stderr tail
	done   chan struct{} // closed when it has ended and all it said was taken
	err    error         // how it ended; valid after done
	killed bool
}

// startProcess runs this program again as a worker. Each line it says goes to take, one at a time.
func startProcess(ctx context.Context, j job, take func(p *process, word, rest string)) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	p := &process{job: j, done: make(chan struct{})}
	p.cmd = exec.CommandContext(ctx, self)
	p.cmd.Stderr = &p.stderr
	p.cmd.Env = append(os.Environ(), workerVariable+"="+string(text))
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
	go func() {
		defer close(p.done)
		lines := bufio.NewReader(out)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				break // the end; of one that was killed perhaps half a line
			}
			word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			take(p, word, rest)
		}
		p.err = p.cmd.Wait()
	}()
	return p, nil
}

// kill ends the process at once and waits until all it said is taken.
func (p *process) kill() {
	p.killed = true
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

// finish lets the process end by itself, and kills it if it does not.
func (p *process) finish() error {
	_ = p.stdin.Close() // it may have ended already
	select {
	case <-p.done:
		return p.ended()
	case <-time.After(10 * patience): // it may have an inbox to empty
		p.kill()
		return fmt.Errorf("%s did not end in %v", p.name(), 10*patience)
	}
}

// ended says how the process ended, nil if well. It must have.
func (p *process) ended() error {
	text := p.stderr.String()
	switch {
	case text != "":
		return fmt.Errorf("%s said: %s", p.name(), text)
	case p.err != nil && !p.killed:
		return fmt.Errorf("%s ended: %w", p.name(), p.err)
	}
	return nil
}

func (p *process) name() string {
	if p.Who == sender {
		return fmt.Sprintf("sender, life %d", p.Life)
	}
	return fmt.Sprintf("receiver %d, life %d", p.Who, p.Life)
}

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
