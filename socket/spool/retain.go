package spool

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// reap takes out of the log the oldest segments of which nobody needs anything any more, once that is durable. Only
// from the front, so that the numbers go on without gaps and one that is missing was lost. The caller holds the lock.
func (s *Spool) reap() {
	for seq := range s.st.copies {
		if len(s.st.live(ranges.Range{From: seq, To: seq + 1})) == 0 && s.durable(ranges.Range{From: seq, To: seq + 1}) {
			s.st.dropCopy(seq)
		}
	}
	n := 0
	for n+1 < len(s.segs) && s.spent(s.segs[n], s.segs[n+1].first) {
		seg := s.segs[n]
		seg.gone = true
		if seg.readers == 0 {
			seg.shut()
		}
		n++
	}
	if n > 0 {
		s.unlinked = append(s.unlinked, s.segs[:n]...)
		s.segs = slices.Clone(s.segs[n:])
	}
	if s.looked++; n > 0 || s.looked >= lookEvery || len(s.segs) != s.lookedAt { // it takes time, with many ranges
		s.looked, s.lookedAt = 0, len(s.segs)
		s.compact = s.compact || s.wasteful()
	}
	if n > 0 || s.compact || !s.spare {
		s.wakeJanitor()
	}
}

// lookEvery is how many commits it takes, where no segment comes or goes, until what is dead is counted again.
const lookEvery = 64

// spent reports whether nothing in a segment is needed any more. next is the first seq of the one behind. The caller
// holds the lock.
func (s *Spool) spent(seg *segment, next uint64) bool {
	if s.st.pins[seg.number] > 0 {
		return false
	}
	r := ranges.Range{From: seg.first, To: next}
	if len(s.st.cursors) == 0 {
		r.From = max(r.From, s.st.base)
		for g := range s.st.void.Gaps(r.From, r.To) {
			if !s.allMoved(g) {
				return false
			}
		}
	}
	for _, c := range s.st.cursors {
		for g := range c.set.Gaps(r.From, r.To) {
			if !s.allMoved(g) {
				return false
			}
		}
	}
	return s.durable(r)
}

// allMoved reports whether every message of a range stands elsewhere by now. The caller holds the lock.
func (s *Spool) allMoved(r ranges.Range) bool {
	for seq := r.From; seq < r.To; seq++ {
		if _, moved := s.st.copies[seq]; !moved {
			return false
		}
	}
	return true
}

// durable reports whether all that is known to be settled of a range is so on disk too. The caller holds the lock.
func (s *Spool) durable(r ranges.Range) bool {
	if s.env.is(unlinkEarly) {
		return true
	}
	if s.flying > 0 {
		return false
	}
	touches := func(o ranges.Range) bool { return o.From < r.To && o.To > r.From }
	for _, owed := range s.owed.settled {
		if slices.ContainsFunc(owed, touches) {
			return false
		}
	}
	return !slices.ContainsFunc(s.owed.void, func(v voided) bool { return touches(v.Range) })
}

// wasteful reports whether the segments hold twice as much as is alive, and two segments more. What they hold is
// counted without their checkpoints, so that compaction comes to an end: what it writes again holds nothing that is
// dead. The caller holds the lock.
func (s *Spool) wasteful() bool {
	if len(s.segs) < 3 {
		return false
	}
	held := int64(0)
	for _, seg := range s.segs {
		held += seg.end - seg.begin
	}
	live := s.st.deadBytes + s.st.copyBytes
	for _, r := range s.st.live(ranges.Range{From: 0, To: s.written}) {
		live += int64(s.weight(r))
	}
	return held > 2*live+2*s.segs[len(s.segs)-1].size
}

// tidy is the janitor: it does what has to be done and need not hold up a commit.
func (s *Spool) tidy() {
	defer s.work.Done()
	for range s.chore {
		s.unlinkAll()
		s.makeSpare()
		s.buryAll()
		s.expireCursors()
		s.compactAll()
		s.mu.Lock()
		ended := s.ended
		s.mu.Unlock()
		s.tidied()
		if ended {
			return
		}
	}
}

// releaseGone has cursors give back files that are removed.
func (s *Spool) releaseGone() {
	s.mu.Lock()
	cursors := slices.Collect(maps.Values(s.handles))
	s.move() // those that are in Next do it by themselves
	s.mu.Unlock()
	for _, c := range cursors {
		c.releaseGone()
	}
}

// unlinkAll removes the files of segments that are out of the log, the oldest first.
func (s *Spool) unlinkAll() {
	removed := false
	defer func() {
		if removed {
			s.releaseGone()
		}
	}()
	s.removing.Lock()
	defer s.removing.Unlock()
	for {
		s.mu.Lock()
		if len(s.unlinked) == 0 || s.ended {
			s.mu.Unlock()
			return
		}
		seg := s.unlinked[0]
		s.mu.Unlock()
		if err := s.fs.Remove(seg.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return // the next time
		}
		s.mu.Lock()
		removed = true
		s.unlinked = s.unlinked[1:]
		s.used -= seg.size
		s.room()
		s.mu.Unlock()
	}
}

// makeSpare makes the file that becomes a segment when the disk is full.
func (s *Spool) makeSpare() {
	size := min(spareBytes, s.opts.SegmentBytes)
	s.mu.Lock()
	have := s.spare || s.full != nil || s.ended
	s.mu.Unlock()
	if have {
		return
	}
	f, err := s.fs.Create(spareName)
	if errors.Is(err, fs.ErrExist) {
		f, err = s.fs.Open(spareName)
	}
	if err != nil {
		return
	}
	spare := segment{file: f}
	err = s.reserveRoom(&spare, size, size)
	if err == nil {
		err = f.Sync() // or it is short after a loss of power, when the disk may be full
	}
	_ = f.Close()
	if err == nil {
		err = s.fs.SyncDir()
	}
	if err != nil {
		_ = s.fs.Remove(spareName) // what a full disk has given is not enough
		return
	}
	s.mu.Lock()
	s.spare = true
	s.used += size
	s.mu.Unlock()
}

// compactAll writes again what is alive in the oldest segments, as long as too much is dead.
func (s *Spool) compactAll() {
	for {
		s.mu.Lock()
		if !s.compact || s.ended || s.closing {
			s.mu.Unlock()
			return
		}
		if !s.wasteful() {
			s.compact = false
			s.mu.Unlock()
			return
		}
		seg, next := s.segs[0], s.segs[1].first
		s.mu.Unlock()
		n, err := s.evacuate(seg, next)
		s.mu.Lock()
		if err != nil || len(s.segs) > 0 && s.segs[0] == seg && n == 0 { // no progress: the next time
			s.compact = false
			s.mu.Unlock()
			return
		}
		s.emit(Event{Kind: Compacted, Count: Count{Messages: uint64(n)}, Path: seg.name})
		s.mu.Unlock()
		s.unlinkAll()
	}
}

// compactBytes is how much one commit of compaction has.
const compactBytes = 1 << 20

// evacuate writes again all in a segment that is needed, and returns how many records that were.
func (s *Spool) evacuate(seg *segment, next uint64) (n int, err error) {
	f, err := s.hold(seg)
	if err != nil {
		return 0, err
	}
	defer s.release(seg)
	w := seg.walker(f, dataStart, seg.end)
	w.keep = true
	r := s.newRequest(forCopies)
	flush := func() error {
		if len(r.recs) == 0 {
			return nil
		}
		r.urgent = true
		n += len(r.recs)
		err := s.submit(context.Background(), r)
		r = s.newRequest(forCopies)
		return err
	}
	for it, err := range w.items() {
		if err != nil {
			return n, err
		}
		if it != itemRecord {
			continue
		}
		if rec, ok := s.rewritten(&w.rec, place{seg.number, w.start}); ok {
			r.add(rec)
			if r.size >= compactBytes {
				if err := flush(); err != nil {
					return n, err
				}
			}
		}
	}
	if err := flush(); err != nil {
		return n, err
	}
	s.mu.Lock()
	var missing []ranges.Range
	for _, l := range s.st.live(ranges.Range{From: seg.first, To: next}) {
		for seq := l.From; seq < l.To; seq++ {
			if _, moved := s.st.copies[seq]; !moved {
				missing = append(missing, ranges.Range{From: seq, To: seq + 1})
			}
		}
	}
	s.mu.Unlock()
	s.lost(missing, seg.name)
	return n + len(missing), nil
}

// rewritten is a record as it is written again elsewhere, if it is needed at all.
func (s *Spool) rewritten(old *stored, at place) (record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind, flags := old.kind, old.flags&^flagAtomic
	live := len(s.st.live(ranges.Range{From: old.seq, To: old.seq + 1})) > 0
	copied, isCopied := s.st.copies[old.seq]
	switch old.kind {
	case typeMessage:
		if !live || isCopied {
			return record{}, false
		}
		kind = typeCopy
	case typeCopy:
		if !live || copied.place != at {
			return record{}, false
		}
	case typeDead:
		if d, there := s.st.dead[old.seq]; !there || d.place != at {
			return record{}, false
		}
		flags |= flagMoved
	default:
		return record{}, false
	}
	r := newRecord(kind, old.seq, len(old.data))
	r.flags, r.attempts, r.expiry = flags, old.attempts, old.expiry
	r.head = append(r.head, old.data...)
	return r, true
}
