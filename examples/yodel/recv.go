package main

import (
	"context"
	"errors"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

const recvHelp = `Messages are printed as --format says: line (frames joined by --delim, one message a line), quoted
and hex (the same with each frame as a Go string or in hexadecimal), json
({"frames":["…base64…"],"from":"…"}) or raw (the bytes, nothing added). On a terminal, line shows
what the terminal would obey, and newlines in a message, as \x1b and \n; in a pipe or a file each
byte is as it came. A message is never held back while the next is awaited.

With --count N the tool ends with status 0 after N messages. With --timeout it gives up when nothing
was received for that long: status 3 if nothing was received at all, 1 if there was something but
less than --count, 0 otherwise. Ctrl-C ends with status 0, or 1 before --count is reached.

` + readerHelp

// runRecv is pull and sub.
func runRecv(ctx context.Context, s *session) error {
	out := s.printer(s.flags.format)
	read, stop := s.whileRead(ctx)
	defer stop()
	err := s.recvAll(read, s.sock.(socket.Receiver), out)
	if e := s.flush(out); e != nil && (err == nil || !isBrokenPipe(err)) {
		err = e
	}
	return s.recvStatus(ctx, err)
}

// recvAll prints what arrives. It flushes when nothing more has arrived, before it waits.
func (s *session) recvAll(ctx context.Context, sock socket.Receiver, out *printer) error {
	for n := 0; s.flags.count == 0 || n < s.flags.count; n++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		m, err := s.tryRecv(sock)
		if errors.Is(err, socket.ErrWouldBlock) {
			if err := s.flush(out); err != nil {
				return err
			}
			m, err = s.recvOne(ctx, sock)
		}
		if err != nil {
			return err
		}
		if err := out.print(m); err != nil {
			return err
		}
		s.done(m.Size())
		if s.verb.is(publishes) {
			s.noteSubscription(m)
		}
	}
	return nil
}

func (s *session) recvOne(ctx context.Context, sock socket.Receiver) (socket.Msg, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	if s.flags.taken != nil {
		return s.nextDelivery(ctx, sock)
	}
	return sock.Recv(ctx)
}

// recvStatus is what a receiver that ended with err comes to.
func (s *session) recvStatus(ctx context.Context, err error) error {
	thing := "message"
	if s.verb.is(replies) {
		thing = "request"
	}
	return countStatus(ctx, err, s.messages.Load(), s.flags.count, thing, s.flags.timeout)
}

// countStatus is what it comes to that a verb has ended with err when it had got so many things, of which it was to get
// so many, or of which it waits for the next for so long.
func countStatus(ctx context.Context, err error, got int64, count int, thing string, timeout time.Duration) error {
	want, what := int64(count), countOf(got, thing)
	missing := want > 0 && got < want
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errIdle) && got == 0:
		return nothingf("nothing received for %v", timeout)
	case errors.Is(err, errIdle) && missing:
		return failf("got %s of %d, then nothing for %v", what, want, timeout)
	case errors.Is(err, errIdle):
		return nil
	case interrupted(ctx, err) && missing:
		return failf("interrupted: got %s of %d", what, want)
	case interrupted(ctx, err):
		return nil
	}
	if _, ok := errors.AsType[*statusError](err); ok {
		return err
	}
	return failf("%w", err)
}
