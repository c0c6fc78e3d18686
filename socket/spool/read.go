package spool

import (
	"slices"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// readChunk is how much a reader reads at a time. A message that is kept keeps as much in memory.
const readChunk = 64 << 10

// hold opens a segment for one more reader.
func (s *Spool) hold(seg *segment) (File, error) {
	s.mu.Lock()
	f := seg.file
	if f != nil {
		seg.readers++
		s.mu.Unlock()
		return f, nil
	}
	s.mu.Unlock()
	f, err := s.fs.Open(seg.name)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	if seg.file != nil { // another one was faster
		other := f
		defer func() { _ = other.Close() }()
	} else {
		seg.file = f
	}
	seg.readers++
	f = seg.file
	indexed, at, size := seg.indexed || len(seg.index) > 0, seg.indexAt, seg.size
	s.mu.Unlock()
	if !indexed {
		marks := loadIndex(f, at, size, seg.seed)
		s.mu.Lock()
		if !seg.indexed {
			seg.index, seg.indexed = marks, true
		}
		s.mu.Unlock()
	}
	return f, nil
}

// release gives a segment back.
func (s *Spool) release(seg *segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seg.readers--
	if seg.readers <= 0 && (seg.gone || seg != s.segs[len(s.segs)-1]) {
		seg.shut()
	}
}

// A reader goes through the messages of a spool in the order of their seqs. It belongs to one goroutine at a time.
type reader struct {
	s   *Spool
	seq uint64 // the next one wanted
	seg *segment
	w   *walker

	missing []ranges.Range // what should have been there and is not
	path    string         // where
}

// close gives back what the reader holds.
func (r *reader) close() {
	if r.seg != nil {
		r.s.release(r.seg)
	}
	r.seg, r.w = nil, nil
}

// seek goes on at another seq.
func (r *reader) seek(seq uint64) {
	if seq == r.seq {
		return
	}
	near := r.seg != nil && seq > r.seq && seq-r.seq < 256
	r.seq = seq
	if !near {
		r.close()
	}
}

// next returns the next message at or behind the seq wanted; ok is false if there is none yet. What is damaged is
// passed over and noted as lost.
func (r *reader) next() (m Message, ok bool, err error) {
	defer r.report()
	for {
		if r.seg == nil {
			m, ok, err := r.enter()
			if err != nil || ok {
				return m, ok, err
			}
			if r.seg == nil {
				return Message{}, false, nil
			}
		}
		it, err := r.w.next()
		if err != nil {
			return Message{}, false, err
		}
		switch {
		case it == itemEnd:
			if more := r.leave(); !more {
				return Message{}, false, nil
			}
		case it == itemRecord && r.w.rec.kind == typeMessage && r.w.rec.seq >= r.seq:
			rec := &r.w.rec
			m, good := rec.message(rec.data)
			if !good {
				continue // it will be missed
			}
			r.miss(rec.seq)
			r.seq = rec.seq + 1
			return m, true, nil
		}
	}
}

// miss notes that what is wanted up to seq is not where it should be.
func (r *reader) miss(seq uint64) {
	if seq > r.seq {
		r.missing = append(r.missing, ranges.Range{From: r.seq, To: seq})
		if r.seg != nil {
			r.path = r.seg.name
		}
	}
}

// report tells the spool what was missed.
func (r *reader) report() {
	if len(r.missing) > 0 {
		r.s.lost(r.missing, r.path)
		r.missing = nil
	}
}

// enter opens the segment in which the wanted seq is. A message that compaction has moved it returns at once.
func (r *reader) enter() (m Message, ok bool, err error) {
	s := r.s
	for {
		s.mu.Lock()
		oldest := s.segs[0]
		if r.seq < oldest.first {
			at, seq, moved := s.st.nextCopy(r.seq, oldest.first)
			s.mu.Unlock()
			if !moved {
				r.miss(oldest.first)
				r.seq = oldest.first
				continue
			}
			r.miss(seq)
			r.seq = seq + 1
			rec, err := s.record(at, typeCopy, seq)
			if err != nil {
				return Message{}, false, err
			}
			if rec != nil {
				if m, good := rec.message(rec.data); good {
					return m, true, nil
				}
			}
			s.lost([]ranges.Range{{From: seq, To: seq + 1}}, "")
			continue
		}
		i := s.segmentOf(r.seq)
		seg := s.segs[i]
		s.mu.Unlock()
		f, err := s.hold(seg)
		if err != nil {
			s.mu.Lock()
			gone := seg.gone
			s.mu.Unlock()
			if gone { // it was unlinked just now: all in it is settled, or moved
				continue
			}
			return Message{}, false, err
		}
		s.mu.Lock()
		from, end := seg.find(r.seq), seg.end
		s.mu.Unlock()
		r.seg = seg
		r.w = &walker{
			window: window{file: f, end: end, chunk: readChunk, keep: true}, seed: seg.seed, off: from.off, left: -1,
			trusting: s.env.is(noDataChecksum),
		}
		return Message{}, false, nil
	}
}

// leave is at the end of what the segment had: it has more by now, or the next one goes on.
func (r *reader) leave() (more bool) {
	s := r.s
	s.mu.Lock()
	if r.seg.end > r.w.end {
		r.w.end = r.seg.end
		s.mu.Unlock()
		return true
	}
	next := -1
	for i := range s.segs {
		if s.segs[i].number > r.seg.number {
			next = i
			break
		}
	}
	if next < 0 {
		written := s.written // in one step with the segment's end
		s.mu.Unlock()
		r.miss(written)
		r.seq = max(r.seq, written)
		return false
	}
	first, behind := s.segs[next].first, !r.seg.gone
	s.mu.Unlock()
	if behind { // or else enter finds what was moved meanwhile
		r.miss(first)
		r.seq = max(r.seq, first)
	}
	r.close()
	return true
}

// segmentOf is the place in segs of the segment in which a seq is, or would be. The caller holds the lock.
func (s *Spool) segmentOf(seq uint64) int {
	i, _ := slices.BinarySearchFunc(s.segs, seq, func(seg *segment, seq uint64) int {
		if seg.first <= seq {
			return -1
		}
		return 1
	})
	return max(i-1, 0)
}

// nextCopy is the first message that was moved of those from from up to, but without, to.
func (st *state) nextCopy(from, to uint64) (at place, seq uint64, ok bool) {
	for c, p := range st.copies {
		if c >= from && c < to && (!ok || c < seq) {
			at, seq, ok = p.place, c, true
		}
	}
	return at, seq, ok
}

// record reads one record from its place; nil if it is not there.
func (s *Spool) record(at place, kind recordType, seq uint64) (*stored, error) {
	s.mu.Lock()
	var seg *segment
	for _, g := range s.segs {
		if g.number == at.segment {
			seg = g
		}
	}
	s.mu.Unlock()
	if seg == nil {
		return nil, nil
	}
	f, err := s.hold(seg)
	if err != nil {
		return nil, err
	}
	defer s.release(seg)
	s.mu.Lock()
	end := seg.end
	s.mu.Unlock()
	w := walker{window: window{file: f, end: end, chunk: recordHeader, keep: true}, seed: seg.seed, left: -1}
	if ok, err := w.isRecord(at.off); err != nil || !ok || w.rec.kind != kind || w.rec.seq != seq {
		return nil, err
	}
	return &w.rec, nil
}

// lost notes seqs that should be there and are not. What nobody needs any more is no loss.
func (s *Spool) lost(missing []ranges.Range, path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range missing {
		for _, l := range s.st.live(r) {
			s.damaged(l, path)
		}
	}
}

// damaged counts and reports a loss, and has all cursors pass it. The caller holds the lock.
func (s *Spool) damaged(l ranges.Range, path string) {
	n := Count{Messages: l.Len()}
	s.stats.damaged.add(n)
	s.emit(Event{Kind: Damaged, Seqs: Range(l), Count: n, Path: path})
	for _, c := range s.st.cursors {
		for g := range c.set.Gaps(l.From, l.To) {
			s.lose(c, Damaged, g, Count{Messages: g.Len()})
		}
	}
	s.void(l, true)
}
