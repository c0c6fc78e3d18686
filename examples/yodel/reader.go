package main

import (
	"context"
	"io"
	"syscall"

	"github.com/yodel-mq/yodel/examples/internal/cli"
	"github.com/yodel-mq/yodel/socket"
)

// What happens when nobody reads standard output any more, as behind "| head -1".

const readerHelp = `When nobody reads its standard output any more, as behind "| head -1", the tool ends with status 1
and without a word, and takes no message that it could not print. Messages that it had taken by
then are counted on standard error. (On Windows it learns of that only when it prints the next
one.)`

// whileRead returns a context that ends when nobody reads standard output any more, with the error as its cause that
// the next write would return. What it is for then takes no message that it could not print.
func (a *app) whileRead(ctx context.Context) (_ context.Context, stop func()) {
	if a.stdout == io.Discard {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stopWatch := cli.WatchReader(a.stdout, func() { cancel(outputError(syscall.EPIPE)) })
	return ctx, func() {
		stopWatch()
		cancel(nil)
	}
}

// noteUnprinted tells of messages that were taken from their senders and could not be printed: those that were
// written to standard output in vain and, if it ended the verb, those that were in the socket by then.
func (s *session) noteUnprinted(err error) {
	if s.out == nil {
		return
	}
	n := s.out.unprinted()
	if isBrokenPipe(err) {
		n += s.sock.Stats().Discarded[socket.SocketClosed].Messages
	}
	if n > 0 {
		s.con.printf("%s: %s received and not printed", s.verb.name, countOf(n, "message"))
	}
}
