package main

import (
	"context"
	"errors"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// How a run of spout ends, and what it comes to.

// finish waits until what was sent has been received, and says what it has come to.
func (s *spouting) finish(ctx context.Context, err error) error {
	f := s.spout
	if errors.Is(err, errIdle) || errors.Is(err, context.DeadlineExceeded) {
		if err = errIdle; f.count == 0 && s.messages.Load() > 0 {
			err = nil // it was to send for so long
		}
	}
	s.closing.Store(true)
	if isBrokenPipe(err) {
		return err
	}
	wait, cancel := context.WithDeadlineCause(context.Background(), s.deadline(), errIdle)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(interruptedLinger, cancel) })
	defer stop()
	if errors.Is(err, errGivenUp) {
		cancel()
	}
	ended := s.sock.Shutdown(wait)
	if err == nil && s.flags.store != nil {
		s.leave() // which takes a moment, in which a process that is killed shall still count as interrupted
		if e := s.noteOver(); e != nil {
			return e
		}
	}
	return s.outcome(ctx, err, ended)
}

// deadline is until when to wait for messages to be received.
func (s *spouting) deadline() time.Time {
	if !s.spout.wholeTime {
		return time.Now().Add(receiverTime)
	}
	if least := time.Now().Add(leastTime); least.After(s.until) {
		return least
	}
	return s.until
}

// outcome is what a run comes to that ended with err, and whose socket ended with ended.
func (s *spouting) outcome(ctx context.Context, err, ended error) error {
	why := "not received in time"
	switch {
	case ctx.Err() != nil:
		why = errInterrupted.Error()
	case errors.Is(err, errGivenUp):
		why = err.Error()
	case s.spout.wholeTime:
		why = errIdle.Error()
	}
	unsent := 0
	if s.spout.count > 0 {
		unsent = s.spout.count - s.from - int(s.messages.Load())
	}
	switch {
	case s.flags.store != nil:
		left := s.flags.store.Stats().Live.Messages
		s.kept = left > 0
		if left > 0 {
			return failf("%s not acknowledged, kept in %s: %s", countOf(left, "message"), s.flags.spool, why)
		}
	case ended != nil:
		led := s.sock.Stats().Ledger
		left := led.Dropped[socket.SocketClosed].Messages + led.Queued.Messages
		return failf("%s not delivered: %s", countOf(max(left, 1), "message"), why)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errIdle), errors.Is(err, errGivenUp):
		return failf("%s not sent: %s", countOf(unsent, "message"), why)
	case interrupted(ctx, err) && unsent == 0:
		return nil
	case interrupted(ctx, err):
		return failf("interrupted: %s not sent", countOf(unsent, "message"))
	}
	if _, ok := errors.AsType[*statusError](err); ok {
		return err
	}
	return failf("%w", err)
}

// giveUpAfter ends a run after so many attempts in vain since there was a peer; 0 is never.
func giveUpAfter(sock eventful, limit int, cancel context.CancelCauseFunc) (stop func()) {
	if limit == 0 {
		return func() {}
	}
	ctx, end := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		vain := 0
		for ev := range sock.Events(ctx) {
			switch ev.Kind {
			case socket.PeerUp:
				vain = 0
			case socket.ConnectFailed, socket.HandshakeFailed:
				if vain++; vain >= limit {
					cancel(errGivenUp)
				}
			default:
			}
		}
	}()
	return func() {
		end()
		<-over
	}
}
