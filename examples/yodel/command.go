package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// How a command of --exec is run, and how its request is answered, is said in replyHelp.

// commandWait is how long the output of a command is waited for after its end, for what it left running and holds that
// open.
const commandWait = time.Second

var (
	errCommandTimeout = errors.New("--exec-timeout passed")
	errCommandOutput  = fmt.Errorf("it wrote more than %d bytes, the limit on a message", maxLine)
)

// runCommand answers a request by --exec. It fails only when ctx ends.
func (s *session) runCommand(ctx context.Context, m socket.Msg) (socket.Msg, error) {
	c := command{line: s.flags.exec, limit: s.flags.execTimeout, stderr: s.con}
	reply, err := c.output(ctx, bytes.Join(m.Frames, s.flags.delim))
	if ctx.Err() != nil {
		return socket.Msg{}, context.Cause(ctx)
	}
	if err != nil {
		s.con.printf("command: %v; sent an empty reply", err)
		reply = nil
	}
	return socket.NewMsg(reply), nil
}

// A command is what --exec says to run.
type command struct {
	line   string        // for sh
	limit  time.Duration // --exec-timeout; 0 is none
	env    []string      // beside the tool's own
	stderr io.Writer
}

// start makes the command, which is killed with all that it starts when ctx ends, or at its limit; killed says so
// once it has been waited for, with the cause.
func (c *command) start(ctx context.Context, input []byte) (cmd *exec.Cmd, killed func() error, cancel func()) {
	cancel = func() {}
	if c.limit > 0 {
		ctx, cancel = context.WithTimeoutCause(ctx, c.limit, errCommandTimeout)
	}
	cmd = exec.CommandContext(ctx, "sh", "-c", c.line)
	killAll := processGroup(cmd)
	was := false
	cmd.Cancel = func() error {
		was = true // read after Wait, which waits for this
		return killAll()
	}
	cmd.WaitDelay = commandWait
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), c.stderr
	if len(c.env) > 0 {
		cmd.Env = append(os.Environ(), c.env...)
	}
	return cmd, func() error {
		if !was {
			return nil
		}
		return fmt.Errorf("killed: %w", context.Cause(ctx))
	}, cancel
}

// output runs the command with an input and returns what it wrote. When ctx ends first, the command and all that it
// started are killed, and the error is the cause of that.
func (c *command) output(ctx context.Context, input []byte) ([]byte, error) {
	cmd, killed, cancel := c.start(ctx, input)
	defer cancel()
	var out replyBuffer
	cmd.Stdout = &out
	err := cmd.Run()
	switch why := killed(); {
	case why != nil && err != nil:
		return nil, why
	case out.full:
		return nil, errCommandOutput
	case errors.Is(err, exec.ErrWaitDelay):
		err = nil // it has succeeded; what it left running is not to be waited for
	}
	return out.b.Bytes(), err
}

// A replyBuffer collects the output of a command, up to the limit on a message.
type replyBuffer struct {
	b    bytes.Buffer
	full bool
}

func (r *replyBuffer) Write(b []byte) (int, error) {
	if r.b.Len()+len(b) > maxLine {
		r.full = true
		return 0, errCommandOutput
	}
	return r.b.Write(b)
}
