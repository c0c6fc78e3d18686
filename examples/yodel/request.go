package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

const requestHelp = `Requests are the lines of standard input, split into frames at --delim, or --data, or --file; each
is sent when the reply to the one before has been printed, as --format says.

A peer that is lost before it has replied is a failure (status 1). A request waits for a peer to
appear and for its reply for as long as --timeout says, by default for ever: status 3 if no reply
had come at all by then, else 1. --confirm prints each request once the socket has accepted it,
before its reply. Ctrl-C ends with status 0, or 1 while a reply is awaited. A line that makes no
message, or one that the socket does not take, is reported and not sent; the others are, and the
status is 1 at the end.

` + inputHelp + "\n\n" + readerHelp

// runRequests is req.
func runRequests(ctx context.Context, s *session) error {
	src, err := s.flags.source(s.stdin)
	if err != nil {
		return err
	}
	defer src.close()
	out := s.printer(s.flags.format)
	confirm := out.as(s.lineFormat())

	read, stop := s.whileRead(ctx)
	defer stop()
	err = s.requestAll(read, s.sock.(*socket.Req), src, out, confirm)
	if e := out.flush(); err == nil {
		err = e
	}
	switch {
	case err == nil:
		// All replies are here; the ledger may still have to hear that the last request has left.
		if err = s.drain(ctx); err == nil {
			err = s.refusals()
		}
		return err
	case interrupted(ctx, err):
		return s.refusals()
	case errors.Is(err, errIdle) && s.messages.Load() == 0:
		return nothingf("no reply for %v%s", s.flags.timeout, s.whoOwes())
	case errors.Is(err, errIdle):
		return failf("no reply to request %d for %v%s", s.messages.Load()+1, s.flags.timeout, s.whoOwes())
	}
	if _, ok := errors.AsType[*statusError](err); ok {
		return err
	}
	return failf("request %d: %w", s.messages.Load()+1, err)
}

// whoOwes says why there is no reply: because there is nobody, or because somebody has the request and takes his time.
func (s *session) whoOwes() string {
	st := s.sock.Stats()
	if len(st.Peers) == 0 {
		if why := s.reached.nobody(); why != "" {
			return fmt.Sprintf(": %s (%s)", noPeer, why)
		}
		return ": " + noPeer
	}
	for _, p := range st.Peers {
		if p.Delivered.Messages > p.Received.Messages {
			return fmt.Sprintf("; %s has had the request since %v", p.Peer, time.Since(s.asked).Round(time.Millisecond))
		}
	}
	return ""
}

func (s *session) requestAll(ctx context.Context, sock *socket.Req, src source, out, confirm *printer) error {
	f := s.flags
	for n := 0; f.count == 0 || n < f.count; {
		it, err := src.next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case src.refuses(err):
			s.refuse(err)
			continue
		case err != nil:
			return err
		case n == 0:
			err = s.waitForPeers(ctx, sock, it)
		default:
			err = s.pause(ctx, out)
		}
		if err != nil {
			return err
		}
		err = s.send(ctx, sock, socket.Msg{Frames: it.frames}, out)
		switch {
		case src.refuses(err):
			s.refuse(err)
			continue
		case err != nil:
			return err
		}
		n++
		s.asked = time.Now()
		if f.confirm {
			if err := confirm.printLine(it); err != nil {
				return err
			}
			if err := out.flush(); err != nil {
				return err
			}
		}
		reply, err := s.recvOne(ctx, sock)
		switch {
		case err != nil && interrupted(ctx, err):
			return failf("interrupted: no reply to request %d", n)
		case err != nil:
			return err
		}
		if err := out.print(reply); err != nil {
			return err
		}
		if err := out.flush(); err != nil {
			return err
		}
		s.done(reply.Size())
	}
	return nil
}
