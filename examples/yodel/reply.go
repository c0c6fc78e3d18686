package main

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

const replyHelp = `Each request is answered by itself, frame by frame (--echo), or by the output of a command (--exec): sh runs it with the
frames of the request, joined by --delim, on standard input; what it writes to standard output is the reply, as one
frame, to the byte. A command that fails is reported on standard error and its requester gets an empty reply. Requests
are answered one at a time.

With --count N the tool ends with status 0 after N replies. With --timeout it gives up when no request came for that
long: status 3 if there was none at all, 1 if there were some but less than --count, 0 otherwise. A requester that is
gone before its reply is reported and does not count.`

// runReplies is rep.
func runReplies(ctx context.Context, s *session) error {
	err := s.replyAll(ctx, s.sock.(*socket.Rep))
	if status := s.recvStatus(ctx, err); status != nil {
		return status
	}
	return s.drain(ctx)
}

func (s *session) replyAll(ctx context.Context, sock *socket.Rep) error {
	for s.flags.count == 0 || s.messages.Load() < int64(s.flags.count) {
		m, err := s.recvOne(ctx, sock)
		if err != nil {
			return err
		}
		reply := m
		if s.flags.exec != "" {
			if reply, err = s.runCommand(ctx, m); err != nil {
				return err
			}
		}
		err = s.reply(ctx, sock, reply)
		switch {
		case errors.Is(err, socket.ErrPeerLost):
			s.con.printf("%v", err)
		case err != nil:
			return err
		default:
			s.done(m.Size())
		}
	}
	return nil
}

// reply sends one reply. One that is too large becomes an empty one, lest the requester wait for ever.
func (s *session) reply(ctx context.Context, sock *socket.Rep, m socket.Msg) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	err := sock.Send(ctx, m)
	if errors.Is(err, socket.ErrTooLarge) {
		s.con.printf("%v; sent an empty reply instead", err)
		err = sock.Send(ctx, socket.NewMsg(nil))
	}
	return err
}

// runCommand answers a request by --exec. It fails only when interrupted.
func (s *session) runCommand(ctx context.Context, m socket.Msg) (socket.Msg, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", s.flags.exec)
	cmd.Stdin = bytes.NewReader(bytes.Join(m.Frames, s.flags.delim))
	cmd.Stderr = s.con
	cmd.WaitDelay = time.Second // for children of the command that hold its output open
	reply, err := cmd.Output()
	if ctx.Err() != nil {
		return socket.Msg{}, context.Cause(ctx)
	}
	if err != nil {
		s.con.printf("command: %v; sent an empty reply", err)
		reply = nil
	}
	return socket.NewMsg(reply), nil
}
