package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// A console is how a side talks to the bench. It says "ready ENDPOINT" when it listens, "joined" when all its
// subscribers or peers are there, and "result JSON" at the end. It is told "go" once everybody has joined, and its
// input ends when the other side has its result.
type console struct {
	out  io.Writer
	told <-chan struct{} // a line came; closed at the end of the input
}

func newConsole(in io.Reader, out io.Writer) *console {
	told := make(chan struct{}, 8)
	go func() {
		defer close(told)
		for lines := bufio.NewScanner(in); lines.Scan(); {
			told <- struct{}{}
		}
	}()
	return &console{out, told}
}

func (c *console) say(words ...any) error {
	_, err := fmt.Fprintln(c.out, words...)
	return err
}

func (c *console) wait(ctx context.Context) error {
	select {
	case <-c.told:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *console) result(r report) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return c.say("result", string(b))
}

// linger gives the result, and returns when the other side has its own: not every library can tell when what it sent
// has left.
func (c *console) linger(ctx context.Context, r report) error {
	if err := c.result(r); err != nil {
		return err
	}
	return c.wait(ctx)
}

// side runs one side of a suite to its end: bench VERB PEER JOB….
func side(ctx context.Context, s *suite, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("bench: %s needs a peer and a job", s.verb)
	}
	p, err := s.peer(args[0])
	if err != nil {
		return err
	}
	j, err := parseJob(args[1:])
	if err != nil {
		return err
	}
	c := newConsole(os.Stdin, os.Stdout)
	if do := p.roles[j.Role]; do != nil {
		return do(ctx, c, j)
	}
	switch j.Role {
	case "push":
		return push(ctx, c, p.open, j)
	case "pull", "pullreleased":
		return pull(ctx, c, p.open, j)
	case "pullbeside":
		return pullBeside(ctx, c, p.open, j)
	case "beside":
		return beside(ctx, c, p.open, j)
	case "req", "reqhalf":
		return req(ctx, c, p.open, j)
	case "rep":
		return rep(ctx, c, p.open, j)
	case "pub":
		return pub(ctx, c, p.open, j)
	case "sub":
		return sub(ctx, c, p.open, j)
	case "oneway", "roundtrip":
		return inproc(ctx, c, p.open, j)
	case "idle":
		return idle(ctx, c, p.open, j)
	case "peers":
		return idlePeers(ctx, c, j)
	case "server":
		return p.server(ctx, c, j)
	}
	return fmt.Errorf("bench: no role %q", j.Role)
}
