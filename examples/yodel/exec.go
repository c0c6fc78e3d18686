package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/pflag"
)

// How serve and work run their command.

// registerExec registers the flags of a verb whose work a command does, by default so many at once.
func (f *taskFlags) registerExec(fs *pflag.FlagSet, does, result string, parallel int) {
	fs.StringVar(&f.exec, "exec", "", "run `CMD` by sh for each "+does+", which it gets on standard input; "+result)
	fs.DurationVar(&f.execTimeout, "exec-timeout", 0,
		"kill a CMD that runs for longer than `D`, with all that it has started; 0: never")
	def := fmt.Sprint(parallel)
	if parallel == 0 {
		parallel, def = runtime.GOMAXPROCS(0), "one for each processor"
	}
	fs.IntVar(&f.parallel, "parallel", parallel, "run up to `N` commands at once (default "+def+")")
	fs.Lookup("parallel").DefValue = "0" // said in words instead
}

// Exit statuses of a command that mean something, of sysexits.h.
const (
	exitData  = 65 // EX_DATAERR: it is the input that is wrong
	exitLater = 75 // EX_TEMPFAIL: not now
)

// A commandError says how a command failed.
type commandError struct {
	err  error
	said string // the last line of its standard error
}

func (e *commandError) Error() string {
	if e.said == "" {
		return e.err.Error()
	}
	return e.err.Error() + ": " + e.said
}

func (e *commandError) Unwrap() error { return e.err }

// text is what somebody else is told: what the command has said or, if that was nothing, how it ended.
func (e *commandError) text() string {
	if e.said == "" {
		return e.err.Error()
	}
	return e.said
}

// status is the exit status of the command, -1 if it has none.
func (e *commandError) status() int {
	if exit, ok := errors.AsType[*exec.ExitError](e.err); ok {
		return exit.ExitCode()
	}
	return -1
}

// newCommand is the command of --exec, with variables of its own: "ATTEMPT=2" is YODEL_ATTEMPT.
func (t *task) newCommand(vars ...string) (*command, *lastLine) {
	said := &lastLine{w: t.con}
	c := &command{line: t.flags.exec, limit: t.flags.execTimeout, stderr: said}
	for _, v := range vars {
		c.env = append(c.env, "YODEL_"+v)
	}
	return c, said
}

// command runs --exec on JSON and returns what it wrote. The error is that of ctx, or a *commandError.
func (t *task) command(ctx context.Context, input []byte, vars ...string) ([]byte, error) {
	c, said := t.newCommand(vars...)
	out, err := c.output(ctx, append(input, '\n'))
	if err != nil {
		return nil, commandFailed(ctx, err, said)
	}
	return out, nil
}

// commandLines runs --exec on JSON and hands over each line that it writes, until yield wants no more. Errors are those
// of command, or yield's.
func (t *task) commandLines(ctx context.Context, input []byte, yield func(line []byte) error, vars ...string) error {
	c, said := t.newCommand(vars...)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	cmd, killed, cancel := c.start(ctx, append(input, '\n'))
	defer cancel()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return commandFailed(ctx, err, said)
	}
	wrong := eachLine(out, yield)
	if wrong != nil {
		stop(wrong) // nobody reads on
	}
	err = cmd.Wait()
	switch why := killed(); {
	case wrong != nil:
		return wrong
	case why != nil && err != nil:
		err = why
	case errors.Is(err, exec.ErrWaitDelay):
		err = nil
	}
	if err != nil {
		return commandFailed(ctx, err, said)
	}
	return nil
}

// eachLine hands over each line of what a command writes, to its end or until yield wants no more.
func eachLine(r io.Reader, yield func(line []byte) error) error {
	lines := bufio.NewReader(r)
	for {
		line, err := readLine(lines, maxLine)
		if line != nil && !isBlank(line) {
			if err := yield(line); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, errLongLine):
			return errCommandOutput
		case err != nil: // the end, or it was killed
			return nil
		}
	}
}

func commandFailed(ctx context.Context, err error, said *lastLine) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &commandError{err, said.String()}
}

// A lastLine passes on what is written, and remembers the last line of it that says something.
type lastLine struct {
	w          io.Writer
	line, open []byte
}

const mostLastLine = 1000 // bytes that are remembered

func (l *lastLine) Write(b []byte) (int, error) {
	for rest := b; ; {
		part, after, whole := bytes.Cut(rest, []byte{'\n'})
		l.open = append(l.open, part[:min(len(part), mostLastLine-len(l.open))]...)
		if !whole {
			break
		}
		l.end()
		rest = after
	}
	return l.w.Write(b)
}

func (l *lastLine) end() {
	if !isBlank(l.open) {
		l.line = append(l.line[:0], l.open...)
	}
	l.open = l.open[:0]
}

func (l *lastLine) String() string {
	l.end()
	return strings.TrimSpace(clean(string(l.line)))
}
