package pubsub

import (
	"context"
	"errors"
	"iter"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
)

// Events yields events as they come. When ctx ends it yields that as an error and stops; when the subscriber closes
// it just stops. An error that matches ErrRefused says what a publisher does not give, and one that matches
// ErrMismatch that who sends is of another pattern, and was disconnected; the loop goes on behind either. One loop at
// a time reads: another one gets ErrBusy and stops; see Handle for several goroutines.
//
// An event of a [Group], or of a [Durable] subscription, is acknowledged once the body has ended and the next is
// asked for, or the loop is left. After a panic of the body it is given back.
func (s *Subscriber[T]) Events(ctx context.Context) iter.Seq2[Event[T], error] {
	return func(yield func(Event[T], error) bool) {
		var none Event[T]
		if !s.reading.CompareAndSwap(false, true) {
			yield(none, failed("events", ErrBusy))
			return
		}
		defer s.reading.Store(false)
		missed := 0 // before events that could not be decoded
		for {
			p, err := s.next(ctx)
			switch {
			case errors.Is(err, socket.ErrClosed):
				return
			case err != nil:
				yield(none, err)
				return
			case p.err != nil:
				if !yield(none, p.err) {
					return
				}
				continue
			}
			e, ok := decode[T](s.cfg.codec, &p)
			if e.Missed = add(missed, e.Missed); !ok {
				s.undecoded(&p, e.Attempt)
				missed = e.Missed
				continue
			}
			missed = 0
			if !s.pass(&p, func() bool { return yield(e, nil) }) {
				s.flush()
				return
			}
		}
	}
}

// pass has the body of a loop run, and acknowledges the event behind it, unless it panics: then it is given back.
func (s *subscriber) pass(p *parcel, body func() bool) (more bool) {
	if p.number == 0 {
		return body()
	}
	done := false
	defer func() {
		if done {
			s.settle(p)
		} else {
			p.giver.refuse(p.number, patterns.KindNack, 0)
		}
	}()
	more = body()
	done = true
	return more
}

// next returns the next parcel. The caller is the one who reads.
func (s *subscriber) next(ctx context.Context) (parcel, error) {
	if err := ctx.Err(); err != nil {
		return parcel{}, err
	}
	if len(s.rest) == 0 {
		select {
		case s.rest = <-s.parcels:
		default:
			s.flush()
		}
	}
	if len(s.rest) == 0 {
		select {
		case s.rest = <-s.parcels:
		case <-ctx.Done():
			return parcel{}, ctx.Err()
		case <-s.done:
			return parcel{}, socket.ErrClosed
		}
	}
	p := s.rest[0]
	s.rest[0], s.rest = parcel{}, s.rest[1:]
	return p, nil
}

// decode makes an event. ok is false if it is none of a T.
func decode[T any](codec patterns.Codec, p *parcel) (e Event[T], ok bool) {
	e = Event[T]{Subject: p.subject, From: p.from, Missed: p.missed}
	h := patterns.Head{Type: codec.Type()} // what a foreign publisher would say
	var body []byte
	switch len(p.frames) {
	case 0:
	case 1:
		body = p.frames[0]
	case 2:
		var err error
		if h, err = patterns.ParseHead(p.frames[0]); err != nil || h.Version > newestVersion {
			return e, false
		}
		body = p.frames[1]
	default:
		return e, false
	}
	e.Headers, e.Time, e.Seq, e.Attempt = h.Headers, h.Time, h.Seq, int(min(h.Attempt, 1<<31-1))
	e.Replay = h.Flags&(patterns.FlagReplay|patterns.FlagLastValue) != 0
	var err error
	if raw, isRaw := any(&e.Value).(*patterns.Raw); isRaw && h.Type != codec.Type() {
		*raw = patterns.Raw{Type: h.Type, Data: append([]byte(nil), body...)} // over inproc others have the body as well
	} else if h.Type == codec.Type() {
		err = codec.Decode(body, &e.Value)
	} else {
		e.Value, err = patterns.Decode[T](patterns.Raw{Type: h.Type, Data: body})
	}
	return e, err == nil
}
