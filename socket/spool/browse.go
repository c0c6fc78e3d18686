package spool

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// An Entry is a message as Browse sees it.
type Entry struct {
	Message
	State     State
	NotBefore time.Time // when it is handed out again, if it is Delayed
}

// State is what becomes of a message.
type State int

// The states. With several cursors it is that of the cursor that is furthest with it.
const (
	Queued   State = iota // to be handed out
	InFlight              // handed out, and neither settled nor given back
	Delayed               // given back, for later
)

var stateNames = [...]string{"queued", "in flight", "delayed"}

// String is the state in words.
func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return "unknown"
	}
	return stateNames[s]
}

// Browse yields the messages that some cursor has not settled, from a seq on. It takes nothing from anybody, and sees
// what is there when it begins; what is settled meanwhile may be left out.
func (s *Spool) Browse(ctx context.Context, from uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		s.mu.Lock()
		from := max(from, s.st.low())
		end, ended := s.written, s.ended
		s.mu.Unlock()
		if ended {
			yield(Entry{}, s.wrap("browse", ErrClosed))
			return
		}
		r := reader{s: s, seq: from}
		defer r.close()
		for {
			seq, ok := s.nextLive(r.seq, end)
			if !ok {
				return
			}
			if err := context.Cause(ctx); err != nil {
				yield(Entry{}, err)
				return
			}
			r.seek(seq)
			m, ok, err := r.next()
			switch {
			case err != nil:
				yield(Entry{}, s.wrap("browse", err))
				return
			case !ok || m.Seq >= end:
				return
			case !s.isLive(m.Seq):
				continue
			}
			if !yield(s.entry(m), nil) {
				return
			}
		}
	}
}

// nextLive is the first seq of those from from up to, but without, end that somebody needs.
func (s *Spool) nextLive(from, end uint64) (uint64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.st.live(ranges.Range{From: from, To: end}) {
		return l.From, true
	}
	return 0, false
}

func (s *Spool) isLive(seq uint64) bool {
	_, ok := s.nextLive(seq, seq+1)
	return ok
}

// entry says what becomes of a message.
func (s *Spool) entry(m Message) Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := Entry{Message: m}
	for _, c := range s.handles {
		if c.gone() || c.st.set.Contains(m.Seq) {
			continue
		}
		e.Attempts = max(e.Attempts, s.st.attempts[attemptKey{c.id, m.Seq}].count)
		i := slices.IndexFunc(c.delayed, func(d delayed) bool { return d.seq == m.Seq })
		switch {
		case i >= 0 && e.State != InFlight:
			e.State, e.NotBefore = Delayed, c.delayed[i].at
		case c.out(m.Seq):
			e.State, e.NotBefore = InFlight, time.Time{}
		}
	}
	return e
}

// A Filter says which messages are meant. The zero value is all of them; of several conditions all must hold.
type Filter struct {
	Before time.Time           // appended before
	To     uint64              // with a seq below
	Dead   bool                // dead letters, instead of messages that wait
	Match  func(*Message) bool // and this
}

func (f *Filter) matches(m *Message) bool {
	return (f.Before.IsZero() || m.Enqueued.Before(f.Before)) && (f.To == 0 || m.Seq < f.To) &&
		(f.Match == nil || f.Match(m))
}

// Purge removes messages, for every cursor, or dead letters, and returns how much that was once it is durable.
func (s *Spool) Purge(ctx context.Context, which Filter) (Count, error) {
	if which.Dead {
		return s.purgeDead(ctx, which)
	}
	var n Count
	for e, err := range s.Browse(ctx, 0) {
		if err != nil {
			return n, err
		}
		if which.To > 0 && e.Seq >= which.To {
			break
		}
		if !which.matches(&e.Message) {
			continue
		}
		s.mu.Lock()
		if d := s.discard(Purged, ranges.Range{From: e.Seq, To: e.Seq + 1}); d.Messages > 0 {
			n.add(Count{1, uint64(e.bytes())})
		}
		s.mu.Unlock()
	}
	if n.Messages > 0 {
		s.emit(Event{Kind: Purged, Count: n})
	}
	return n, s.wrap("purge", s.flush(ctx))
}

func (s *Spool) purgeDead(ctx context.Context, which Filter) (Count, error) {
	var n Count
	r := s.newRequest(forState)
	r.urgent = true
	for d, err := range s.DeadLetters(ctx) {
		if err != nil {
			return Count{}, err
		}
		if which.matches(&d.Message) {
			r.add(undeadRecord(d.Seq))
			n.add(Count{1, uint64(d.bytes())})
		}
	}
	if n.Messages == 0 {
		return n, nil
	}
	if err := s.submit(ctx, r); err != nil {
		return Count{}, s.wrap("purge", err)
	}
	return n, nil
}
