package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
	limited, cancel := ctx, context.CancelFunc(func() {})
	if s.flags.execTimeout > 0 {
		limited, cancel = context.WithTimeoutCause(ctx, s.flags.execTimeout, errCommandTimeout)
	}
	defer cancel()
	reply, err := s.output(limited, bytes.Join(m.Frames, s.flags.delim))
	if ctx.Err() != nil {
		return socket.Msg{}, context.Cause(ctx)
	}
	if err != nil {
		s.con.printf("command: %v; sent an empty reply", err)
		reply = nil
	}
	return socket.NewMsg(reply), nil
}

// output runs the command with an input and returns what it wrote. When ctx ends first, the command and all that it
// started are killed, and the error is the cause of that.
func (s *session) output(ctx context.Context, input []byte) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", s.flags.exec)
	killAll := processGroup(cmd)
	killed := false
	cmd.Cancel = func() error {
		killed = true // read after Wait, which waits for this
		return killAll()
	}
	cmd.WaitDelay = commandWait
	var out replyBuffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, s.con
	err := cmd.Run()
	switch {
	case killed && err != nil:
		return nil, fmt.Errorf("killed: %w", context.Cause(ctx))
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
