package spool

import (
	"context"
	"encoding/binary"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// A Dead is a dead letter: a message that was given up.
type Dead struct {
	Message
	Reason    string    // why it was given up
	LastError string    // the cause of its last Return
	Cursor    string    // whose it was
	First     time.Time // when it was appended
	Last      time.Time // when it was given up
}

// A burial is a message that is to become a dead letter.
type burial struct {
	c   *Cursor
	seq uint64
}

// reasonDeliveries is why a message is given up that was returned too often.
const reasonDeliveries = "too many deliveries"

// Bury makes a message a dead letter, in one commit: it is settled for this cursor, and a copy of it is kept among the
// dead letters. ErrSettled if it is settled, ErrNoMessage if it is not there.
func (c *Cursor) Bury(ctx context.Context, seq uint64, reason string) error {
	return c.s.wrap("bury a message in", c.bury(ctx, seq, reason))
}

func (c *Cursor) bury(ctx context.Context, seq uint64, reason string) error {
	s := c.s
	r := reader{s: s, seq: seq}
	m, ok, err := r.next()
	r.close()
	if err != nil {
		return err
	}
	s.mu.Lock()
	switch {
	case c.gone():
		err = ErrNoCursor
	case c.st.set.Contains(seq):
		err = ErrSettled
	case !ok || m.Seq != seq:
		err = ErrNoMessage
	}
	a := s.st.attempts[attemptKey{c.id, seq}]
	s.mu.Unlock()
	if err != nil {
		return err
	}
	m.Attempts = a.count
	var ahead []byte
	ahead = binary.LittleEndian.AppendUint64(ahead, uint64(putTime(s.env.now())))
	ahead = appendText(ahead, reason[:min(len(reason), maxCause)])
	ahead = appendText(ahead, a.cause)
	ahead = appendText(ahead, c.name)
	req := s.newRequest(forCopies)
	req.urgent, req.atomic = true, true
	req.add(deadNote(seq)) // or damage to the copy would go unnoticed
	req.add(messageRecord(typeDead, &m, ahead))
	only := ranges.Range{From: seq, To: seq + 1}
	req.add(settledRecord(c.id, 0, []ranges.Range{only}))
	req.then = func() {
		n := Count{1, uint64(m.bytes())}
		s.emit(Event{Kind: Buried, Seqs: Range(only), Count: n})
		s.lose(c.st, Buried, only, n)
		s.capDead()
	}
	return s.submit(ctx, req)
}

// capDead discards the oldest dead letters beyond Options.DeadBytes. The caller holds the lock.
func (s *Spool) capDead() {
	if s.opts.DeadBytes == 0 || s.st.deadBytes <= s.opts.DeadBytes {
		return
	}
	r := s.newRequest(forState)
	over, n := s.st.deadBytes-s.opts.DeadBytes, Count{}
	for _, seq := range slices.Sorted(maps.Keys(s.st.dead)) {
		if over <= 0 {
			break
		}
		size := s.st.dead[seq].size
		over -= int64(size)
		n.add(Count{1, uint64(size)})
		r.add(undeadRecord(seq))
	}
	r.then = func() {
		s.stats.dropped.add(n)
		s.emit(Event{Kind: Dropped, Count: n})
	}
	s.queue = append(s.queue, r) // nobody waits for it
	s.queued += r.size
}

// buryAll makes dead letters of what was returned too often.
func (s *Spool) buryAll() {
	for {
		s.mu.Lock()
		if len(s.burying) == 0 || s.ended {
			s.mu.Unlock()
			return
		}
		b := s.burying[0]
		s.mu.Unlock()
		err := b.c.bury(context.Background(), b.seq, reasonDeliveries)
		s.mu.Lock()
		s.burying = s.burying[1:]
		if err != nil && !b.c.gone() && !b.c.st.set.Contains(b.seq) { // it cannot be now: once more
			b.c.delayed = append(b.c.delayed, delayed{b.seq, s.env.now().Add(fullRetry)})
			s.move()
		}
		s.mu.Unlock()
	}
}

// dead reads a dead letter; nil if it is not there, or not whole.
func (s *Spool) dead(seq uint64) (*Dead, error) {
	s.mu.Lock()
	at, ok := s.st.dead[seq]
	s.mu.Unlock()
	if !ok {
		return nil, nil
	}
	rec, err := s.record(at.place, typeDead, seq)
	if err != nil || rec == nil {
		return nil, err
	}
	return rec.dead(), nil
}

// dead reads what bury has written; nil if it is no dead letter.
func (r *stored) dead() *Dead {
	f := field{b: r.data}
	d := &Dead{Last: getTime(int64(f.u64())), Reason: string(f.text()), LastError: string(f.text())}
	d.Cursor = string(f.text())
	m, ok := r.message(f.b)
	if f.bad || !ok {
		return nil
	}
	d.Message, d.First = m, m.Enqueued
	return d
}

// DeadLetters yields the dead letters, the lowest seq first. One that is damaged is passed over, and counted.
func (s *Spool) DeadLetters(ctx context.Context) iter.Seq2[Dead, error] {
	return func(yield func(Dead, error) bool) {
		s.mu.Lock()
		seqs := slices.Sorted(maps.Keys(s.st.dead))
		s.mu.Unlock()
		for _, seq := range seqs {
			if err := context.Cause(ctx); err != nil {
				yield(Dead{}, err)
				return
			}
			d, err := s.dead(seq)
			if err != nil {
				yield(Dead{}, s.wrap("read", err))
				return
			}
			if d == nil {
				s.deadDamaged(seq)
				continue
			}
			if !yield(*d, nil) {
				return
			}
		}
	}
}

// deadDamaged drops a dead letter that cannot be read, if it is there.
func (s *Spool) deadDamaged(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, there := s.st.dead[seq]
	if !there || s.closing {
		return
	}
	n := Count{1, uint64(at.size)}
	s.stats.damaged.add(n)
	s.emit(Event{Kind: Damaged, Seqs: Range{seq, seq + 1}, Count: n})
	s.st.dropDead(seq)
	r := s.newRequest(forState)
	r.add(undeadRecord(seq))
	s.queue = append(s.queue, r)
	s.queued += r.size
	s.wake(s.kick)
}

// Requeue appends a dead letter again, as a new message with a new seq and no attempts, and takes it from the dead
// letters, in one commit. ErrNoMessage if it is not there.
func (s *Spool) Requeue(ctx context.Context, seq uint64) (newSeq uint64, err error) {
	d, err := s.dead(seq)
	if err == nil && d == nil {
		err = ErrNoMessage
	}
	if err != nil {
		return 0, s.wrap("requeue in", err)
	}
	m := d.Message
	m.Attempts, m.Enqueued = 0, time.Time{}
	if !m.Expires.IsZero() && !m.Expires.After(s.env.now()) {
		m.Expires = time.Time{} // it would not come far
	}
	r := s.newRequest(forMessages)
	r.urgent, r.atomic = true, true
	r.try = s.opts.Overflow == Reject
	r.message(&m)
	r.add(undeadRecord(seq))
	if err := s.submit(ctx, r); err != nil {
		return 0, s.wrap("requeue in", err)
	}
	return r.first, nil
}

// Discard removes a dead letter. ErrNoMessage if it is not there.
func (s *Spool) Discard(ctx context.Context, seq uint64) error {
	s.mu.Lock()
	_, there := s.st.dead[seq]
	s.mu.Unlock()
	if !there {
		return s.wrap("discard in", ErrNoMessage)
	}
	r := s.newRequest(forState)
	r.urgent = true
	r.add(undeadRecord(seq))
	return s.wrap("discard in", s.submit(ctx, r))
}
