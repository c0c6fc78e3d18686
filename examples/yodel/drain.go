package main

import (
	"context"
	"errors"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// interruptedLinger is how long a sender that was interrupted still waits for its messages to leave.
const interruptedLinger = time.Second

// defaultLinger is --linger, unless it is given.
const defaultLinger = 30 * time.Second

// owes reports whether messages that have left are not done before a peer has read them. A REQ has had its replies; a
// subscriber that cannot keep up, or a requester that does not take its reply, is no failure.
func (v *verb) owes() bool {
	return !v.is(publishes) && !v.is(replies) && (v.is(converses) || !v.is(prints))
}

// drain closes the socket once its messages have left and, of verbs that owe that, once the peers have read them. It
// gives up after --linger, when none left for --timeout, or a second after Ctrl-C. What is left then is a failure,
// and so is what has left and may not have been read, but for the end by Ctrl-C, where that is just told.
func (s *session) drain(ctx context.Context) error {
	wait, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	if !s.verb.owes() {
		// Without a deadline Shutdown waits for the hosts of the peers, not for these to read and to close.
		linger := time.AfterFunc(s.flags.linger, func() { cancel(errLinger) })
		defer linger.Stop()
	} else {
		var done context.CancelFunc
		wait, done = context.WithTimeoutCause(wait, s.flags.linger, errLinger)
		defer done()
	}
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(min(s.flags.linger, interruptedLinger), func() { cancel(errInterrupted) })
	})
	defer stop()
	stopWatch := cancelWhenIdle(traffic(s.sock), s.flags.timeout, cancel)
	defer stopWatch()

	s.closing.Store(true)
	if s.flags.store != nil && !s.verb.owes() {
		awaitStored(wait, s.flags.store)
	}
	err := s.sock.Shutdown(wait)
	if s.flags.store != nil && s.verb.owes() { // what a publisher keeps for its subscribers is no failure
		return s.stored(context.Cause(wait))
	}
	if err == nil {
		return nil
	}
	led := s.sock.Stats().Ledger
	left := led.Dropped[socket.SocketClosed].Messages + led.Queued.Messages
	why := context.Cause(wait)
	switch {
	case left > 0:
	case errors.Is(why, errInterrupted), !s.verb.owes():
		s.con.printf("%v", err)
		return nil
	default:
		return failf("%w", err)
	}
	if errors.Is(why, errIdle) && led.Delivered.Messages+led.Handed.Messages == 0 {
		return nothingf("nothing could be sent for %v: %s not delivered", s.flags.timeout, countOf(left, "message"))
	}
	return failf("%s not delivered: %w", countOf(left, "message"), why)
}

// A tally says how much a socket, or whatever else, has done so far.
type tally struct{ out, in uint64 }

// traffic tells the tally of a socket: messages delivered and handed out.
func traffic(sock socket.Socket) func() tally {
	return func() tally {
		led := sock.Stats().Ledger
		return tally{led.Delivered.Messages, led.Handed.Messages}
	}
}

// cancelWhenIdle calls cancel(errIdle) when the tally has not changed for d; zero is never. It looks a few times in d,
// which costs the messages nothing.
func cancelWhenIdle(look func() tally, d time.Duration, cancel context.CancelCauseFunc) (stop func()) {
	if d <= 0 {
		return func() {}
	}
	last, at := look(), time.Now()
	return every(max(time.Millisecond, d/8), func() {
		if now := look(); now != last {
			last, at = now, time.Now()
		} else if time.Since(at) >= d {
			cancel(errIdle)
		}
	})
}

// every calls f once each d, in a goroutine of its own, until stop is called, which waits for a call under way.
func every(d time.Duration, f func()) (stop func()) {
	quit, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		t := time.NewTicker(d)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				f()
			case <-quit:
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-over
	}
}
