package pipeline

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/yodel-mq/yodel/patterns/internal/dispatch"
	"github.com/yodel-mq/yodel/socket"
)

// A Pending is a job that is not settled.
type Pending[T any] struct {
	ID       ID
	Value    T
	Key      string
	State    string // "waiting" for a worker, "blocked" by another job of its key, "delayed", or "held" by a worker
	Attempts int    // that came to nothing
	Age      time.Duration
}

var stateNames = map[dispatch.State]string{
	dispatch.Waiting: "waiting", dispatch.Blocked: "blocked", dispatch.Delayed: "delayed", dispatch.Held: "held",
}

// Browse yields the jobs that were pending when it began, the oldest first, until ctx ends, whose error it yields. It
// changes nothing. Any other error is of one whose job is no T.
func (p *Pusher[T]) Browse(ctx context.Context) iter.Seq2[Pending[T], error] {
	return func(yield func(Pending[T], error) bool) {
		type seen struct {
			job *dispatch.Job[*entry]
			Pending[T]
		}
		var all []seen
		p.p.mu.Lock()
		now := time.Now()
		for j := range p.p.m.All() {
			all = append(all, seen{j, Pending[T]{
				ID: ID{p.p.id, j.Seq}, Key: j.Key, State: stateNames[j.State()], Attempts: j.Attempts,
				Age: now.Sub(j.Value.pushed),
			}})
		}
		p.p.mu.Unlock()
		for _, s := range all {
			if ctx.Err() != nil {
				yield(Pending[T]{}, opError("browse", context.Cause(ctx)))
				return
			}
			err := opNil("browse", p.p.decode(s.job, &s.Value)) // its body does not change
			if !yield(s.Pending, err) {
				return
			}
		}
	}
}

// Cancel ends a job that no worker has; its Receipt ends with ErrCanceled. The error matches ErrTaken if a worker has
// it, and ErrSettled if it is settled or was not this pusher's.
func (p *Pusher[T]) Cancel(id ID) error {
	p.p.mu.Lock()
	defer p.p.mu.Unlock()
	return opNil("cancel", p.p.cancel(id))
}

func (p *pusher) cancel(id ID) error {
	if id.Pusher != p.id || p.closed {
		return ErrSettled
	}
	actions, err := p.m.Cancel(time.Now(), id.Seq)
	p.step(actions)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, dispatch.ErrTaken):
		return ErrTaken
	default:
		return ErrSettled
	}
}

// requeue makes a new job of a dead letter.
func (p *pusher) requeue(id ID) (*Receipt, error) {
	if p.closing {
		return nil, socket.ErrClosed
	}
	if id.Pusher != p.id {
		return nil, ErrSettled
	}
	old := p.dead.take(id.Seq)
	switch {
	case old == nil:
		return nil, ErrSettled
	case old.Unique != "" && p.m.Pending(old.Unique) != nil:
		p.dead.add(old, &JobError{ID: id, Attempts: old.Attempts, Reason: old.Value.reason, Err: ErrDuplicate})
		return nil, ErrDuplicate
	}
	p.seq++
	e := *old.Value
	e.pushed, e.reason = time.Now(), ""
	e.receipt = newReceipt(ID{p.id, p.seq}, p.cfg.codec)
	p.stats.accepted++
	p.step(p.m.Restore(e.pushed, &dispatch.Job[*entry]{
		Seq: p.seq, Key: old.Key, To: old.To, Unique: old.Unique, Size: old.Size, Value: &e,
	}))
	return e.receipt, nil
}
