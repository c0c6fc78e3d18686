package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/yodel-mq/yodel/examples/internal/child"
)

// A process is a worker as the controller sees it.
type process struct {
	*child.Process

	mu      sync.Mutex
	waiting map[int]chan report
	last    int
}

// startProcess runs this program again as a worker. Each report that is no answer goes to take, one at a time.
func startProcess(ctx context.Context, take func(report)) (_ *process, err error) {
	p := &process{waiting: make(map[int]chan report)}
	p.Process, err = child.Start(ctx, []string{"worker"}, []string{"SOAK_WORKER=1"}, func(line []byte) bool {
		var r report
		if json.Unmarshal(line, &r) != nil {
			return false
		}
		if r.ID == 0 {
			take(r)
			return true
		}
		p.mu.Lock()
		ch := p.waiting[r.ID]
		p.mu.Unlock()
		if ch != nil {
			ch <- r
		}
		return true
	})
	return p, err
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
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.waiting, c.ID)
	}()
	line, err := json.Marshal(c)
	if err != nil || p.Tell(line) != nil {
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
		case <-p.Done():
			return report{}, errGone
		case <-ctx.Done():
			return report{}, fmt.Errorf("soak: %s %s: no answer: %w", c.Do, c.Key, context.Cause(ctx))
		}
	}
}

// finish lets the process end by itself, and kills it if it does not.
func (p *process) finish() error {
	if err := p.Finish(2 * grace); err != nil {
		return fmt.Errorf("soak: a worker: %w", err)
	}
	text, err := p.Complaint(), p.Err()
	switch {
	case err != nil:
		return fmt.Errorf("soak: a worker ended: %w: %s", err, text)
	case text != "":
		return fmt.Errorf("soak: a worker said: %s", text)
	}
	return nil
}
