package pipeline

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/patterns/internal/dispatch"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// Dead letters in a spool. The reason that is kept with one says all of its JobError: what it is, the attempts, and
// what was said of the last.

var epitaphs = []error{ErrRejected, ErrTooOften, ErrExpired}

func epitaph(e *JobError) string {
	return e.Err.Error() + ", attempts " + strconv.Itoa(e.Attempts) + ": " + e.Reason
}

// readEpitaph is what epitaph has written. What somebody else has written is a rejection for that.
func readEpitaph(id ID, s string) *JobError {
	for _, err := range epitaphs {
		rest, ok := strings.CutPrefix(s, err.Error()+", attempts ")
		attempts, reason, _ := strings.Cut(rest, ": ")
		if n, bad := strconv.Atoi(attempts); ok && bad == nil {
			return &JobError{ID: id, Attempts: n, Reason: reason, Err: err}
		}
	}
	return &JobError{ID: id, Reason: s, Err: ErrRejected}
}

// buried yields the dead letters of the spool.
func (p *pusher) buried() iter.Seq2[deadLetter, error] {
	return func(yield func(deadLetter, error) bool) {
		if err := p.open(); err != nil {
			yield(deadLetter{}, err)
			return
		}
		for d, err := range p.disk.q.DeadLetters(context.Background()) {
			l := deadLetter{err: readEpitaph(ID{p.id, d.Seq}, d.Reason)}
			if err == nil {
				l.job, err = stored(&d.Message)
			}
			if err != nil {
				err = fmt.Errorf("%d: %w", d.Seq, err)
			}
			if !yield(l, err) {
				return
			}
		}
	}
}

// exhume makes a new job of a dead letter.
func (p *pusher) exhume(id ID) (*Receipt, error) {
	if id.Pusher != p.id {
		return nil, ErrSettled
	}
	var j *dispatch.Job[*entry]
	for l, err := range p.buried() {
		if err == nil && l.err.ID == id {
			j = l.job
		}
	}
	if j == nil {
		return nil, ErrSettled
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.disk
	switch {
	case p.closing:
		return nil, socket.ErrClosed
	case j.Unique != "" && (p.m.Pending(j.Unique) != nil || d.unique[j.Unique]):
		return nil, ErrDuplicate
	}
	if j.Unique != "" {
		d.unique[j.Unique] = true
	}
	p.mu.Unlock()
	seq, err := d.q.Requeue(context.Background(), id.Seq)
	p.mu.Lock()
	delete(d.unique, j.Unique)
	if errors.Is(err, spool.ErrNoMessage) {
		err = ErrSettled
	}
	if err != nil {
		return nil, err
	}
	j.Seq, j.Value.pushed = seq, time.Now()
	p.seq = max(p.seq, seq)
	if !j.Expires.After(j.Value.pushed) {
		j.Expires = time.Time{}
	}
	r := newReceipt(ID{p.id, seq}, p.cfg.codec)
	j.Value.receipt = r
	p.stats.accepted++
	p.step(p.m.Restore(j.Value.pushed, j))
	return r, nil
}

func (p *pusher) discard(id ID) error {
	if err := p.open(); err != nil {
		return err
	}
	if id.Pusher != p.id {
		return ErrSettled
	}
	err := p.disk.q.Discard(context.Background(), id.Seq)
	if errors.Is(err, spool.ErrNoMessage) {
		return ErrSettled
	}
	return err
}
