package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

const twoWayHelp = `Lines of standard input are sent, split into frames at --delim, and what arrives is printed as
--format says, both at once; --data or --file is sent once, in place of standard input. The end of
the input is not the end: the tool goes on receiving. On a terminal --format line shows what the
terminal would obey as \x1b, and newlines in a message as \n. --format json prints
{"frames":["…base64…"],"from":"…"}; --input quoted, hex or json takes lines in the form in which
--format prints them, for frames that are no text. A line that makes no message is reported and not
sent; one that is over the limits of a message ends the tool with status 1.

With --count N the tool ends with status 0 after N messages received; input that was there by then
is still sent, and given up to --linger to leave. With --timeout it gives up when nothing went
either way for that long: status 3 if nothing was received at all (without --count: nor sent), 1 if
less than --count was received or a message could not be sent, 0 otherwise. Ctrl-C leaves queued
messages one more second and ends with status 0, or 1 before --count is reached. Messages that
could not be sent make any of these a failure (status 1).

` + inputHelp + "\n\n" + readerHelp

// twoWay is what a verb that sends and receives at once keeps account of.
type twoWay struct {
	sent, sentBytes atomic.Int64
	refused         atomic.Int64  // lines that could not be sent and never will be
	blocked         atomic.Bool   // a line waits for a peer, or for room
	enough          chan struct{} // closed when --count is reached
}

// runTwoWay is pair, dealer, router, xpub and xsub.
func runTwoWay(ctx context.Context, s *session) error {
	src, err := s.flags.source(s.stdin)
	if err != nil {
		return err
	}
	defer src.close()
	out := s.printer(s.flags.format)
	out.subscriptions = s.verb.is(publishes)
	sock := s.sock.(twoWaySocket)

	read, stopReading := s.whileRead(ctx)
	defer stopReading()
	work, cancel := context.WithCancelCause(read)
	defer cancel(nil)
	stop := cancelWhenIdle(traffic(sock), s.flags.timeout, cancel)
	defer stop()
	said := make(chan struct{})
	go func() {
		defer close(said)
		confirm := out.as(s.lineFormat())
		err := s.sayAll(work, sock, src, confirm)
		if e := confirm.flush(); err == nil {
			err = e
		}
		if err != nil {
			cancel(err)
		}
	}()
	err = s.recvAll(work, sock, out)
	if e := s.flush(out); e != nil && (err == nil || !isBrokenPipe(err)) {
		err = e
	}
	if err == nil {
		close(s.enough)
		if !isTerminal(s.stdin) {
			await(work, src.begun(), time.Second)
			await(work, said, 100*time.Millisecond)
		}
		src.finish()
		linger := time.AfterFunc(s.flags.linger, func() { cancel(errLinger) })
		defer linger.Stop()
	} else {
		cancel(err) // unless it is the reason already
	}
	<-said
	return s.twoWayStatus(ctx, context.Cause(work))
}

// await waits for done, for at most d. It is for input that has been given along with the command and that the reply to
// it, or somebody else's message, should not outrun.
func await(ctx context.Context, done <-chan struct{}, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	case <-ctx.Done():
	}
}

// over is a context that has ended: a call that is given it waits for nothing.
var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// A twoWaySocket sends and receives at once.
type twoWaySocket interface {
	socket.Sender
	socket.Receiver
}

// sayAll sends what src has. Lines are confirmed in out, which is flushed before each wait.
func (s *session) sayAll(ctx context.Context, sock socket.Sender, src source, out *printer) error {
	for first := true; ; {
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
		}
		s.blocked.Store(true)
		if first {
			err = s.waitUnlessEnough(ctx, sock, it)
		} else {
			err = s.pause(ctx, out)
		}
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return err
		}
		first = false
		m := socket.Msg{Frames: it.frames}
		size := m.Size()
		err = s.send(ctx, sock, m, out)
		switch {
		case errors.Is(err, socket.ErrTooLarge):
			return fmt.Errorf("%w; what came after it was not sent", err)
		case src.refuses(err):
			s.refuse(err)
		case err != nil:
			return err
		default:
			s.sent.Add(1)
			s.sentBytes.Add(int64(size))
			if s.flags.confirm {
				if err := out.printLine(it); err != nil {
					return err
				}
			}
		}
		s.blocked.Store(false)
	}
}

// waitUnlessEnough is --wait. When --count is reached meanwhile, messages are sent if the peers are there, or not at
// all.
func (s *session) waitUnlessEnough(ctx context.Context, sock socket.Sender, it item) error {
	if s.flags.wait == 0 {
		return nil
	}
	wait, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-s.enough:
			cancel(errEnough)
		case <-wait.Done():
		}
	}()
	err := s.waitForPeers(wait, sock, it)
	if errors.Is(err, errEnough) && s.waitForPeers(over, sock, it) == nil {
		return nil
	}
	return err
}

// refuse says that a line was not sent; the next may be better.
func (s *session) refuse(err error) {
	s.refused.Add(1)
	s.con.printf("%s: %v; not sent", s.verb.name, err)
}

// twoWayStatus closes the socket and says what it all came to. why is nil if --count was reached.
func (s *session) twoWayStatus(ctx context.Context, why error) error {
	got, want := s.messages.Load(), int64(s.flags.count)
	if errors.Is(why, errIdle) {
		s.close() // what could not leave by now is given up
		return s.idleStatus(got, want)
	}
	if errors.Is(why, errLinger) && !s.blocked.Load() {
		why = nil // it passed while there was nothing left to send
	}
	left := s.drain(ctx)
	switch {
	case why == nil, interrupted(ctx, why) && (want == 0 || got >= want):
		if left == nil {
			left = s.refusals()
		}
		return left
	case interrupted(ctx, why):
		why = failf("interrupted: got %s of %d", countOf(got, "message"), want)
	case errors.Is(why, errLinger):
		why = failf("a message could not be sent: %w", why)
	}
	if left != nil && !isBrokenPipe(why) {
		s.con.printf("%v", left)
	}
	if _, ok := errors.AsType[*statusError](why); ok {
		return why
	}
	return failf("%w", why)
}

// idleStatus is what --timeout comes to.
func (s *session) idleStatus(got, want int64) error {
	led, timeout := s.sock.Stats().Ledger, s.flags.timeout
	left := led.Dropped[socket.SocketClosed].Messages
	if s.blocked.Load() {
		left++
	}
	switch nothing := got == 0 && led.Delivered.Messages == 0; {
	case want > 0 && got == 0:
		return nothingf("nothing received for %v", timeout)
	case want > 0 && got < want:
		return failf("got %s of %d, then nothing for %v", countOf(got, "message"), want, timeout)
	case nothing && left > 0:
		return nothingf("nothing could be sent for %v: %s not delivered", timeout, countOf(left, "message"))
	case nothing:
		return nothingf("nothing received or sent for %v", timeout)
	case left > 0:
		return failf("%s not delivered: %w", countOf(left, "message"), errIdle)
	}
	return s.refusals()
}

// refusals is an error if there were lines, or replies, that could not be sent.
func (s *session) refusals() error {
	what := "line"
	if s.verb.is(replies) {
		what = "reply"
	}
	if n := s.refused.Load(); n > 0 {
		return failf("%s not sent", countOf(n, what))
	}
	return nil
}

// alsoSent is the other half of the progress line and of the summary.
func (s *session) alsoSent() string {
	if !s.verb.is(converses) {
		return ""
	}
	return fmt.Sprintf(", sent %s, %s", countOf(s.sent.Load(), "message"), byteCount(s.sentBytes.Load()))
}

// noteSubscription tells of a subscription in words.
func (s *session) noteSubscription(m socket.Msg) {
	if sub, ok := socket.ParseSubscription(m); ok {
		s.con.notef("%s %s from %s", changeOf(sub), strconv.Quote(sub.Topic), sub.Peer)
	}
}

func changeOf(sub socket.Subscription) string {
	if sub.Add {
		return "subscribe"
	}
	return "cancel"
}
