package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

const sendHelp = `Messages are the lines of standard input, split into frames at --delim, or --data, or --file.

At the end the tool waits up to --linger for messages to leave and, but for publications, for the peers to read them;
messages that are then left, or may not have been read, are a failure (status 1).
With --timeout it also gives up when nothing could be sent for that long: status 3 if nothing has left at all, else 1.
Waiting for input is not bounded. Ctrl-C stops reading, leaves queued messages one more second and ends with status 0
if all have left, else 1. --count is an upper bound: an input that ends earlier is no failure. A line that makes no
message, or one that the socket does not take, is reported and not sent; the others are, and the status is 1 at the end.

` + inputHelp

// runSend is push and pub.
func runSend(ctx context.Context, s *session) error {
	sock := s.sock.(socket.Sender)
	src, err := s.flags.source(s.stdin)
	if err != nil {
		return err
	}
	defer src.close()
	out := s.printer(s.lineFormat())
	read, stop := ctx, func() {}
	if s.flags.confirm {
		read, stop = s.whileRead(ctx)
	}
	defer stop()

	err = s.sendAll(read, sock, src, out)
	if e := out.flush(); err == nil {
		err = e
	}
	switch {
	case err == nil || interrupted(ctx, err):
		if err = s.drain(ctx); err == nil {
			err = s.refusals()
		}
		return err
	case errors.Is(err, errIdle):
		s.close()
		if s.sock.Stats().Delivered.Messages == 0 {
			return nothingf("nothing could be sent for %v: %w", s.flags.timeout, err)
		}
		return failf("%w", err)
	}
	// What has been accepted so far is not the worse for it.
	if e := s.drain(ctx); e != nil {
		s.con.printf("%v", e)
	}
	if _, ok := errors.AsType[*statusError](err); ok {
		return err
	}
	return failf("%w", err)
}

// sendAll sends what src has. Lines are confirmed in out, which is flushed before each wait.
func (s *session) sendAll(ctx context.Context, sock socket.Sender, src source, out *printer) error {
	f := s.flags
	for n := 0; f.count == 0 || n < f.count; {
		if !src.ready() {
			if err := out.flush(); err != nil {
				return err
			}
		}
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
		m := socket.Msg{Frames: it.frames}
		size := m.Size()
		err = s.send(ctx, sock, m, out)
		switch {
		case src.refuses(err):
			s.refuse(err)
			continue
		case err != nil:
			return err
		}
		n++
		if f.confirm {
			if err := out.printLine(it); err != nil {
				return err
			}
		}
		s.done(size)
	}
	return nil
}

// send sends one message; only if it has to wait does it cost a timer.
func (s *session) send(ctx context.Context, sock socket.Sender, m socket.Msg, out *printer) error {
	err := sock.TrySend(m)
	if !errors.Is(err, socket.ErrWouldBlock) {
		return err
	}
	if err := out.flush(); err != nil {
		return err
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	return sock.Send(ctx, m)
}

// waitForPeers does what --wait says; it is the first message.
func (s *session) waitForPeers(ctx context.Context, sock socket.Socket, it item) error {
	if s.flags.wait == 0 {
		return nil
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	if pub, ok := sock.(interface {
		WaitSubscribers(ctx context.Context, topic string, n int) error
		Topics() []string
	}); ok {
		topic := string(it.frames[0])
		keeps := func(prefix string) bool { return strings.HasPrefix(topic, prefix) }
		if s.flags.store != nil && !s.flags.hasWait && slices.ContainsFunc(pub.Topics(), keeps) {
			return nil // it is there for whoever comes
		}
		return pub.WaitSubscribers(ctx, topic, s.flags.wait)
	}
	return sock.WaitPeers(ctx, s.flags.wait)
}

// pause is --interval.
func (s *session) pause(ctx context.Context, out *printer) error {
	if s.flags.interval == 0 {
		return nil
	}
	if err := out.flush(); err != nil {
		return err
	}
	t := time.NewTimer(s.flags.interval)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.enough:
		return errEnough
	}
}
