package pipeline

import (
	"iter"
	"slices"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/dispatch"
)

// mostDead is how many dead letters are kept.
const mostDead = 1000

// deadLetters are the jobs that came to nothing, the oldest first.
type deadLetters struct{ letters []deadLetter }

type deadLetter struct {
	job *dispatch.Job[*entry]
	err *JobError
}

func (d *deadLetters) add(j *dispatch.Job[*entry], err *JobError) {
	if len(d.letters) == mostDead {
		d.letters = append(d.letters[:0], d.letters[1:]...)
	}
	d.letters = append(d.letters, deadLetter{j, err})
}

// take takes out the dead letter of a job; nil if there is none.
func (d *deadLetters) take(seq uint64) *dispatch.Job[*entry] {
	i := slices.IndexFunc(d.letters, func(l deadLetter) bool { return l.job.Seq == seq })
	if i < 0 {
		return nil
	}
	j := d.letters[i].job
	d.letters = slices.Delete(d.letters, i, i+1)
	return j
}

// DeadLetters are the jobs of a [Pusher] that came to nothing: the last 1,000 that were rejected, failed too often or
// expired, or as many as its spool keeps. All methods may be called by any number of goroutines.
type DeadLetters[T any] struct{ p *pusher }

// A DeadLetter is a job that came to nothing.
type DeadLetter[T any] struct {
	ID       ID
	Value    T
	Key      string
	Attempts int
	Err      error // a JobError
}

// DeadLetters returns the dead letters, as they are whenever they are asked for.
func (p *Pusher[T]) DeadLetters() *DeadLetters[T] { return &DeadLetters[T]{p.p} }

// All yields the dead letters that there are now, the oldest first. The error is of one whose job is no T.
func (d *DeadLetters[T]) All() iter.Seq2[DeadLetter[T], error] {
	return func(yield func(DeadLetter[T], error) bool) {
		if d.p.disk != nil {
			for l, err := range d.p.buried() {
				var v DeadLetter[T]
				if err == nil {
					v = DeadLetter[T]{ID: l.err.ID, Key: l.job.Key, Attempts: l.err.Attempts, Err: l.err}
					err = d.p.decode(l.job, &v.Value)
				}
				if !yield(v, opNil("dead letters", err)) {
					return
				}
			}
			return
		}
		d.p.mu.Lock()
		letters := slices.Clone(d.p.dead.letters)
		d.p.mu.Unlock()
		for _, l := range letters {
			v := DeadLetter[T]{ID: l.err.ID, Key: l.job.Key, Attempts: l.job.Attempts, Err: l.err}
			if !yield(v, opNil("dead letters", d.p.decode(l.job, &v.Value))) {
				return
			}
		}
	}
}

// Requeue accepts the job of a dead letter again, as a new one with a Receipt of its own, without its time to live
// and its attempts, also if that is more than may be pending; with a spool, what is left of a time to live stays. The
// error matches ErrSettled if there is no such dead letter, and ErrDuplicate if its Unique key is pending.
func (d *DeadLetters[T]) Requeue(id ID) (*Receipt, error) {
	if d.p.disk != nil {
		r, err := d.p.exhume(id)
		return r, opNil("requeue", err)
	}
	d.p.mu.Lock()
	defer d.p.mu.Unlock()
	r, err := d.p.requeue(id)
	return r, opNil("requeue", err)
}

// Discard forgets a dead letter. The error matches ErrSettled if there is none.
func (d *DeadLetters[T]) Discard(id ID) error {
	if d.p.disk != nil {
		return opNil("discard", d.p.discard(id))
	}
	d.p.mu.Lock()
	defer d.p.mu.Unlock()
	if id.Pusher != d.p.id || d.p.dead.take(id.Seq) == nil {
		return opError("discard", ErrSettled)
	}
	return nil
}

func (p *pusher) decode(j *dispatch.Job[*entry], v any) error {
	return decodeRaw(patterns.Raw{Type: j.Value.typ, Data: j.Value.body}, v, p.cfg.codec)
}
