package pubsub

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/dispatch"
	"github.com/yodel-mq/yodel/socket"
)

// Handle calls h for events as they come, for n at a time (1 if n is less), until ctx ends, whose error it returns,
// or the subscriber closes, with nil. It waits for handlers that run; their context is ctx. What a handler returns is
// for groups and durable subscriptions: nil acknowledges the event; after an error it comes again, here or elsewhere,
// after 1 s, twice as much with each [Event.Attempt], up to 5 minutes. Of other events an error means nothing. An
// error from a publisher, as Events yields it, ends Handle. A panic of h gives the event back and goes on in the
// caller of Handle.
func (s *Subscriber[T]) Handle(ctx context.Context, n int, h func(context.Context, Event[T]) error) error {
	if !s.reading.CompareAndSwap(false, true) {
		return failed("handle", ErrBusy)
	}
	defer s.reading.Store(false)
	s.handling.Store(true)
	defer s.handling.Store(false)

	running, stop := context.WithCancel(ctx)
	defer stop()
	var workers sync.WaitGroup
	var panicked struct {
		sync.Once
		with any
	}
	work := make(chan job[T])
	for range max(n, 1) {
		workers.Go(func() {
			for j := range work {
				func() {
					err := errPanic
					defer func() {
						if err != nil {
							again(j.from, j.number, j.event.Attempt)
						} else {
							done(j.from, j.number)
						}
						if r := recover(); r != nil {
							panicked.Do(func() { panicked.with = r })
							stop()
						}
					}()
					err = h(ctx, j.event)
				}()
			}
		})
	}
	err := s.hand(running, work)
	close(work)
	workers.Wait()
	s.flushAll()
	if panicked.with != nil {
		panic(panicked.with)
	}
	if errors.Is(err, socket.ErrClosed) {
		return nil
	}
	return err
}

var errPanic = errors.New("the handler panicked")

// A job is an event for a handler.
type job[T any] struct {
	event  Event[T]
	from   giver
	number uint64
}

// hand gives events to handlers until ctx ends.
func (s *Subscriber[T]) hand(ctx context.Context, work chan<- job[T]) error {
	missed := 0
	for {
		p, err := s.next(ctx)
		if err == nil {
			err = p.err
		}
		if err != nil {
			return err
		}
		e, ok := decode[T](s.cfg.codec, &p)
		if e.Missed = add(missed, e.Missed); !ok {
			s.undecoded(&p, e.Attempt)
			missed = e.Missed
			continue
		}
		missed = 0
		select {
		case work <- job[T]{e, p.giver, p.number}:
		case <-ctx.Done():
			again(p.giver, p.number, 0)
			return ctx.Err()
		}
	}
}

// done acknowledges an event, if it is one of a group or durable subscription.
func done(from giver, number uint64) {
	if number == 0 {
		return
	}
	if from.settle(number); from.idle() {
		from.flush()
	}
}

// again gives an event back, if it is one of those, with so many attempts behind it.
func again(from giver, number uint64, attempts int) {
	if number > 0 {
		from.refuse(number, patterns.KindNack, max(dispatch.Backoff(attempts, rand.Float64()), time.Millisecond))
	}
}

// undecoded counts an event that is not what it should be. Of a group it comes again twice, to members who may be able
// to read it, and then never.
func (s *subscriber) undecoded(p *parcel, attempts int) {
	s.undecodable.Add(1)
	switch {
	case p.number == 0:
	case attempts < 2:
		p.giver.refuse(p.number, patterns.KindNack, 0)
	default:
		p.giver.refuse(p.number, patterns.KindReject, 0)
	}
}

// flushAll says what was settled on all connections.
func (s *subscriber) flushAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lines {
		if c := l.conn.Load(); c != nil {
			c.flush()
		}
		for _, st := range l.streams {
			st.flush()
		}
	}
}
