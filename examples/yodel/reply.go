package main

import (
	"context"
	"errors"

	"github.com/yodel-mq/yodel/socket"
)

const replyHelp = `Each request is answered by itself, frame by frame (--echo), or by the output of a command (--exec):
sh runs it with the frames of the request, joined by --delim, on standard input; what it writes to
standard output is the reply, as one frame, to the byte. Requests are answered one at a time.

A command that fails, that runs for longer than --exec-timeout or that writes more than a message
may have is reported on standard error, and its requester gets an empty reply. At the end of that
time, and when the tool is told to end, the command is killed with all that it has started: it runs
in a process group of its own. A command that succeeds and leaves something running is done: what
that has not written to its standard output a second later is no part of the reply.

With --count N the tool ends with status 0 after N replies. With --timeout it gives up when no
request came for that long: status 3 if there was none at all, 1 if there were some but less than
--count, 0 otherwise. A requester that is gone before its reply is reported and does not count.`

// runReplies is rep.
func runReplies(ctx context.Context, s *session) error {
	err := s.replyAll(ctx, s.sock.(*socket.Rep))
	if status := s.recvStatus(ctx, err); status != nil {
		return status
	}
	if err := s.drain(ctx); err != nil {
		return err
	}
	return s.refusals()
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
		case s.flags.rejects() && errors.Is(err, socket.ErrWouldBlock):
			s.refuse(err)
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
