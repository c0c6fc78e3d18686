package spool

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// A Sender is one incarnation of the sender of a stream: the stream, with what [Spool.Incarnation] tells there.
type Sender struct {
	Stream       ID
	Epoch, Nonce uint64
}

// Take is a receiver's commit: it notes that messages of another stream were taken, and appends them here if keep says
// so, all in one. A message is known by its Origin.Seq; one that was taken before is passed over. from is who sent
// them, and low the seq below which nothing will be sent again: what is below counts as taken. ms may be empty, to note
// these.
//
// Without room it does what Options.Overflow says. Errors are those of Append.
func (s *Spool) Take(ctx context.Context, from Sender, low uint64, ms []Message, keep bool) error {
	r := s.newRequest(forState)
	r.urgent, r.atomic = true, true
	t := takenState{epoch: from.Epoch, nonce: from.Nonce, low: low, seen: s.env.now()}
	s.mu.Lock()
	known := s.st.taken[from.Stream]
	var set ranges.Set
	for i := range ms {
		seq := ms[i].Origin.Seq
		if seq < low || seq == 0 || known != nil && known.set.Contains(seq) || set.AddRange(seq, seq+1) == 0 {
			continue
		}
		if keep {
			m := ms[i]
			m.Origin.Stream = from.Stream
			r.need = forMessages
			r.message(&m)
		}
	}
	if known != nil {
		t.low = max(low, known.low)
	}
	s.mu.Unlock()
	r.try = s.opts.Overflow == Reject
	t.set.Raise(t.low)
	var above []ranges.Range
	for _, g := range set.Above() {
		if g.To > t.set.Floor() {
			above = append(above, ranges.Range{From: max(g.From, t.set.Floor()), To: g.To})
		}
	}
	for n := 0; n == 0 || n < len(above); n += perRecord {
		r.add(t.record(from.Stream, above[n:min(len(above), n+perRecord)]))
	}
	return s.wrap("take into", s.submit(ctx, r))
}

// Taken tells what was taken of a stream: all below floor, and the ranges above; known is false if nothing was, or it
// was forgotten.
func (s *Spool) Taken(from ID) (floor uint64, above []Range, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.st.taken[from]
	if t == nil {
		return 0, nil, false
	}
	for _, r := range t.set.Above() {
		above = append(above, Range(r))
	}
	return t.set.Floor(), above, true
}

// Heard tells which incarnation of a stream's sender was the last that something was taken of; known is false if none
// was, or it was forgotten.
func (s *Spool) Heard(from ID) (sender Sender, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.st.taken[from]
	if t == nil {
		return Sender{}, false
	}
	return Sender{Stream: from, Epoch: t.epoch, Nonce: t.nonce}, true
}

// Forget drops what was taken of streams of which nothing was heard for so long, and returns how many they were. Should
// one come back, its messages may be taken twice.
func (s *Spool) Forget(ctx context.Context, olderThan time.Duration) (streams int, err error) {
	limit := s.env.now().Add(-olderThan)
	r := s.newRequest(forState)
	r.urgent = true
	s.mu.Lock()
	for _, id := range slices.SortedFunc(maps.Keys(s.st.taken), ID.compare) {
		if s.st.taken[id].seen.Before(limit) {
			r.add(forgottenRecord(id))
			streams++
		}
	}
	s.mu.Unlock()
	if streams == 0 {
		return 0, nil
	}
	if err := s.submit(ctx, r); err != nil {
		return 0, s.wrap("forget in", err)
	}
	return streams, nil
}
