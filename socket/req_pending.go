package socket

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
)

// A PendingRequest is a request that is in the spool and that no call waits for, with its reply; see [Req.Pending].
type PendingRequest struct {
	// ID names the request for good.
	ID MessageID
	// Request is what was asked, without its envelope. Its frames must not be changed.
	Request Msg
	// Reply is the caller's for good.
	Reply Msg
}

// A KeptError says that a request has no reply yet and stays in the spool: its reply will come by [Req.Pending], in
// this life of the socket or in the next, unless [Req.Withdraw] is called. It wraps why the call has ended.
type KeptError struct {
	// ID names the request for good.
	ID MessageID
	// Err is why the call has ended: the context's error or ErrClosed.
	Err error
}

// Error names the request.
func (e *KeptError) Error() string {
	return fmt.Sprintf("request %d stays in the spool: %v", e.ID.Seq, e.Err)
}

// Unwrap returns Err.
func (e *KeptError) Unwrap() error { return e.Err }

// errNoRequests is what a Req without a spool says that is to tell of requests in it.
var errNoRequests = fmt.Errorf("%w: it needs a spool", errors.ErrUnsupported)

// Pending yields the requests in the spool that no call waits for, once their replies have come: those that an earlier
// life of the requester has left, those that other parts of the process have appended to the spool, and those whose
// Do has ended with a [KeptError]. A request is settled when the body of the loop is done with it; if the process ends
// before, it is asked again in the next life.
//
// It goes on until ctx ends, which it yields as an error, or the socket closes; with a context that has ended it yields
// what is there already. Several loops at once share the replies. Without a spool ([WithSpool]) the error matches
// [errors.ErrUnsupported].
func (s *Req) Pending(ctx context.Context) iter.Seq2[PendingRequest, error] {
	return func(yield func(PendingRequest, error) bool) {
		if s.kept == nil {
			yield(PendingRequest{}, opError("pending", errNoRequests))
			return
		}
		for {
			q, err := s.kept.nextAnswered(ctx)
			switch {
			case isClosed(err):
				return
			case err != nil:
				yield(PendingRequest{}, opError("pending", err))
				return
			}
			more := yield(PendingRequest{s.kept.id(q), Msg{Frames: q.frames}, q.reply}, nil)
			s.kept.settle(q)
			if !more {
				return
			}
		}
	}
}

// Withdraw takes a request out of the spool that has no reply yet, so that it is not sent again; a reply that still
// comes is discarded. The id is that of a KeptError. The error matches ErrSettled if there is no such request any more:
// it was answered, withdrawn or lost. Without a spool it matches [errors.ErrUnsupported].
func (s *Req) Withdraw(id MessageID) error {
	if s.kept == nil {
		return opError("withdraw", errNoRequests)
	}
	return opError("withdraw", s.kept.withdraw(id))
}

func (r *requests) withdraw(id MessageID) error {
	if err := r.begin(); err != nil {
		return err
	}
	r.req.mu.Lock()
	defer r.req.mu.Unlock()
	q := r.open[id.Seq]
	switch {
	case id.Stream != spool.ID(r.stream) || r.cur.settled(id.Seq) || q != nil && q.over():
		return ErrSettled
	case q == nil: // not read yet
		r.done.Add(id.Seq)
		r.cur.settle(only(id.Seq))
		r.dropped.add(GivenUp, Count{Messages: 1})
	default:
		r.giveUp(q, GivenUp, fmt.Errorf("%w: %s", ErrLost, GivenUp))
	}
	return nil
}

func (r *requests) id(q *request) MessageID {
	return MessageID{Stream: spool.ID(r.stream), Seq: q.number}
}

// nextAnswered waits for a reply that is for Pending.
func (r *requests) nextAnswered(ctx context.Context) (*request, error) {
	r.req.mu.Lock()
	defer r.req.mu.Unlock()
	for {
		switch {
		case r.stopped:
			return nil, ErrClosed
		case len(r.answered) > 0:
			q := r.answered[0]
			r.answered = r.answered[1:]
			return q, nil
		}
		if err := r.awaitCall(ctx); err != nil {
			return nil, err
		}
	}
}

// awaitCall waits for a change until ctx ends. mu is held before and after.
func (r *requests) awaitCall(ctx context.Context) error {
	changed := r.changed
	r.req.mu.Unlock()
	defer r.req.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-r.feeding.Done():
		return ErrClosed
	}
}

// do is Req.Do of a socket with a spool; the turn is held.
func (r *requests) do(ctx context.Context, m Msg) (Msg, error) {
	expires, _ := ctx.Deadline()
	q, err := r.ask(ctx, true, m, expires)
	if err != nil {
		return Msg{}, opError("send", err)
	}
	reply, err := r.reply(ctx, q)
	if err == nil || q.err != nil {
		return reply, opError("do", err)
	}
	r.req.mu.Lock()
	defer r.req.mu.Unlock()
	switch {
	case q.answered && r.current == q: // in the same moment
		r.forget(q)
		return q.reply, nil
	case !expires.IsZero() && !time.Now().Before(expires):
		r.giveUp(q, Expired, err)
		r.current = nil
		return Msg{}, opError("do", err)
	}
	r.setAside(q)
	return Msg{}, opError("do", &KeptError{ID: r.id(q), Err: err})
}

// reply waits for the reply to a request, and settles it.
func (r *requests) reply(ctx context.Context, q *request) (Msg, error) {
	r.req.mu.Lock()
	defer r.req.mu.Unlock()
	for {
		switch {
		case q == nil || r.current != q: // another one has received it
			return Msg{}, errNotAsked
		case q.answered:
			r.forget(q)
			return q.reply, nil
		case q.err != nil:
			r.current = nil
			r.change()
			return Msg{}, q.err
		}
		if err := r.awaitCall(ctx); err != nil {
			return Msg{}, err
		}
	}
}

var errNotAsked = fmt.Errorf("%w: no request was sent", ErrState)

// recv is Req.Recv of a socket with a spool.
func (r *requests) recv(ctx context.Context) (Msg, error) {
	r.req.mu.Lock()
	q := r.current
	r.req.mu.Unlock()
	reply, err := r.reply(ctx, q)
	return reply, opError("recv", err)
}

// tryRecv is Req.TryRecv of a socket with a spool.
func (r *requests) tryRecv() (Msg, error) {
	r.req.mu.Lock()
	q := r.current
	waits := q != nil && !q.over()
	stopped := r.stopped
	r.req.mu.Unlock()
	switch {
	case waits && stopped:
		return Msg{}, opError("recv", ErrClosed)
	case waits:
		return Msg{}, errNothingCame
	}
	return r.recv(context.Background())
}
