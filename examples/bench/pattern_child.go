package main

import (
	"context"
	"fmt"
	"os"
)

// A child is a process of a side's own, which may be killed.
type child struct {
	p     *process
	kill  context.CancelFunc // by SIGKILL
	ready chan struct{}      // closed when it has said so
	done  chan struct{}      // closed when it has ended
	err   error              // why, once it has
}

// startChild has a process of its own do a job, until it is killed or its input ends.
func startChild(ctx context.Context, j job) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	own, kill := context.WithCancel(ctx)
	events := make(chan event)
	args := append([]string{patternSuite().verb, "yodel"}, j.args()...)
	c := &child{kill: kill, ready: make(chan struct{}), done: make(chan struct{})}
	if c.p, err = start(own, j.Role, self, args, events); err != nil {
		kill()
		return nil, err
	}
	go func() {
		defer close(c.done)
		for e := range events {
			switch {
			case e.ended:
				c.err = e.err
				return
			case e.word == "ready":
				close(c.ready)
			}
		}
	}()
	return c, nil
}

// await returns when the process is ready.
func (c *child) await(ctx context.Context) error {
	select {
	case <-c.ready:
		return nil
	case <-c.done:
		return fmt.Errorf("bench: %s ended: %w", c.p.name, c.err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end kills the process, or ends its input, and waits until it is gone.
func (c *child) end(kill bool) error {
	if kill {
		c.kill()
	} else {
		_ = c.p.stdin.Close() // it may be gone already
	}
	<-c.done
	c.kill()
	if kill {
		return nil
	}
	return c.err
}
