package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// A process is one side at work.
type process struct {
	name   string
	stdin  io.WriteCloser
	stderr bytes.Buffer
	done   chan struct{} // closed when it has ended and its streams are read
}

// An event is a line that a side said, or its end.
type event struct {
	from       *process
	word, rest string
	ended      bool
	err        error // of an ended one
}

// start runs a command and sends what it says to events, which must be read until it has ended. It is killed with ctx.
func start(ctx context.Context, name, program string, args []string, events chan<- event) (*process, error) {
	p := &process{name: name, done: make(chan struct{})}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stderr = &p.stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			word, rest, _ := strings.Cut(lines.Text(), " ")
			events <- event{from: p, word: word, rest: rest}
		}
		err := cmd.Wait()
		if err != nil {
			err = fmt.Errorf("bench: %s: %w: %s", name, err, strings.TrimSpace(p.stderr.String()))
		}
		events <- event{from: p, ended: true, err: err}
	}()
	return p, nil
}

// settle is how long the listening side is left alone after the last peer's handshake before it is told so: its own end
// of that handshake may come a little later.
const settle = 300 * time.Millisecond

// runSides runs a work once on a peer and returns the reports of its sides: the binding one, the connecting one (not
// of inproc), the server's if it has one. calls may be nil.
func runSides(ctx context.Context, p *peer, w *work, j job, dir string, calls *callCounter) ([]report, error) {
	limited, cancel := context.WithTimeout(ctx, w.limit())
	events := make(chan event, 64) // more than the sides ever say
	var sides []*process
	defer func() {
		cancel()
		for _, s := range sides {
			<-s.done
		}
	}()
	launch := func(role, endpoint string) error {
		j.Role, j.Endpoint = role, endpoint
		program, args, err := p.command(dir, j)
		if err != nil {
			return err
		}
		program, args = calls.wrap(program, args)
		s, err := start(limited, p.name+" "+role, program, args, events)
		if err == nil {
			sides = append(sides, s)
		}
		return err
	}
	binds, connects := w.roles()
	var todo []string // the roles after the one that is about to be ready
	first := binds
	if connects != "" {
		todo = append(todo, connects)
	}
	if p.server != nil {
		first, todo = "server", append([]string{binds}, todo...)
	}
	all := len(todo) + 1
	if err := launch(first, j.Endpoint); err != nil {
		return nil, err
	}
	reports, ended := make(map[*process]report), 0
	for ended < all {
		var e event
		select {
		case e = <-events:
		case <-limited.Done():
			if err := context.Cause(ctx); err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("bench: %s, %s: not done after %v; no result from %s", p.name, w.ID, w.limit(),
				without(sides, reports))
		}
		var err error
		switch {
		case e.ended && e.err != nil:
			err = e.err
		case e.ended:
			ended++
			if _, ok := reports[e.from]; !ok {
				err = fmt.Errorf("bench: %s ended without a result", e.from.name)
			}
		case e.word == "ready" && len(todo) > 0:
			err = launch(todo[0], e.rest)
			todo = todo[1:]
		case e.word == "joined":
			err = goAhead(limited, w, sides[len(sides)-2])
		case e.word == "result":
			var r report
			err = json.Unmarshal([]byte(e.rest), &r)
			reports[e.from] = r
			release(sides, e.from, len(reports), p.server != nil)
		}
		if err != nil {
			return nil, err
		}
	}
	out := make([]report, 0, all)
	for _, s := range sides {
		out = append(out, reports[s])
	}
	return out, nil
}

// without names the sides that have no result.
func without(sides []*process, reports map[*process]report) string {
	var names []string
	for _, s := range sides {
		if _, ok := reports[s]; !ok {
			names = append(names, s.name)
		}
	}
	return strings.Join(names, ", ")
}

// goAhead tells the binding side that everybody has joined.
func goAhead(ctx context.Context, w *work, s *process) error {
	if w.Kind == idling {
		select {
		case <-time.After(settle):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	_, err := io.WriteString(s.stdin, "go\n")
	if errors.Is(err, io.ErrClosedPipe) {
		err = nil // it has ended, which is the next event
	}
	return err
}

// release ends the input of the side across from one that has its result, and of a server that has served both.
func release(sides []*process, from *process, results int, server bool) {
	for i, s := range sides {
		if s != from && (!server || i > 0 || results == len(sides)-1) {
			_ = s.stdin.Close() // the process may be gone
		}
	}
}
