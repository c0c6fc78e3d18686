package discovery

import "errors"

// TableStats counts what a [Table] has done since it was made. A watcher that falls behind is told less than that.
type TableStats struct {
	Nodes   int // known now
	Watches int // there now

	Put     uint64 // announcements taken, copies and repetitions among them
	Added   uint64 // nodes that were not known
	Updated uint64 // announcements that changed something
	Left    uint64 // nodes that said goodbye
	Expired uint64 // nodes that were not heard of any more, or pushed out
	Evicted uint64 // of these, nodes that were pushed out to keep a limit
	Refused Refusals
}

// Refusals counts announcements and goodbyes that were turned away, by reason.
type Refusals struct {
	Bad       uint64 // ErrRecord
	Untrusted uint64 // ErrUntrusted
	Stale     uint64 // ErrStale
	Limit     uint64 // ErrLimit
}

// refuse counts an error and hands it back. The error that says most comes first: a proof over what cannot be written
// is no proof.
func (s *TableStats) refuse(err error) error {
	switch {
	case errors.Is(err, ErrUntrusted):
		s.Refused.Untrusted++
	case errors.Is(err, ErrRecord):
		s.Refused.Bad++
	case errors.Is(err, ErrStale):
		s.Refused.Stale++
	case errors.Is(err, ErrLimit):
		s.Refused.Limit++
	}
	return err
}

// Stats returns the counts, all of one moment.
func (t *Table) Stats() TableStats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stats
	s.Nodes, s.Watches = len(t.nodes), len(t.watches)
	return s
}
