package spool

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// A segment is one file of the log.
type segment struct {
	number, salt uint64
	name         string
	seed         uint32 // of its checksums
	head         header
	headed       bool   // head was found
	begun        uint64 // number of its checkpoint, 0 unknown
	first        uint64 // every message from this seq on is here or in a later segment
	size         int64  // allocated
	begin        int64  // where what is not its checkpoint begins

	// Of these the Spool's mutex guards all but what only the committer uses.
	file    File  // nil when nobody reads it
	readers int   // who use file
	gone    bool  // unlinked
	end     int64 // of what may be read
	indexAt int64 // 0: it has no index
	index   []mark
	indexed bool // index is all there is

	// The committer's own.
	number1 uint64 // of the last batch
	zeroed  int64  // up to here the file holds zeros behind end
	dirty   int64  // up to here it may hold something that counts for nothing
	backed  int64  // up to here the file has its room; below size where the file system cannot reserve any
	failed  error  // a write or a sync that failed: it is never written to again
}

// A mark says where a message stands.
type mark struct {
	seq uint64
	off int64
}

// markEvery is how far the marks of an index are apart.
const markEvery = 64 << 10

// marked is where the last mark is.
func (s *segment) marked() int64 {
	if n := len(s.index); n > 0 {
		return s.index[n-1].off
	}
	return 0
}

// mark notes a message, unless the last mark is near.
func (s *segment) mark(seq uint64, off int64) {
	if len(s.index) == 0 || off >= s.marked()+markEvery && seq > s.index[len(s.index)-1].seq {
		s.index = append(s.index, mark{seq, off})
	}
}

// find is where to begin to look for a message: at the last mark at or before it.
func (s *segment) find(seq uint64) mark {
	i, found := slices.BinarySearchFunc(s.index, seq, func(m mark, seq uint64) int { return cmp.Compare(m.seq, seq) })
	switch {
	case found:
		return s.index[i]
	case i > 0:
		return s.index[i-1]
	}
	return mark{s.first, dataStart}
}

// shut closes the file of a segment that nobody reads.
func (s *segment) shut() {
	if s.file != nil {
		_ = s.file.Close() // nothing is written to it any more
		s.file = nil
	}
}

// indexRecord is the segment's index.
func (s *segment) indexRecord() record {
	r := newRecord(typeIndex, 0, 4+12*len(s.index))
	r.head = binary.LittleEndian.AppendUint32(r.head, uint32(len(s.index)))
	for _, m := range s.index {
		r.head = binary.LittleEndian.AppendUint64(r.head, m.seq)
		r.head = binary.LittleEndian.AppendUint32(r.head, uint32(m.off/align))
	}
	return r
}

// parseIndex reads what indexRecord has written.
func parseIndex(data []byte) []mark {
	f := field{b: data}
	n := f.u32()
	if f.bad || uint64(n)*12 != uint64(len(f.b)) {
		return nil
	}
	marks := make([]mark, n)
	for i := range marks {
		marks[i] = mark{f.u64(), int64(f.u32()) * align}
	}
	return marks
}

// loadIndex reads the index of a segment that is not written to any more; if it has none, or it is damaged, reading
// begins at the front.
func loadIndex(f File, at, size int64, seed uint32) []mark {
	if at <= 0 || at >= size {
		return nil
	}
	w := walker{window: window{file: f, end: size, chunk: 64 << 10}, seed: seed, off: at, left: -1}
	if ok, err := w.isBatch(at); !ok || err != nil || w.batch.kind != kindIndex {
		return nil
	}
	if ok, err := w.isRecord(at + batchHeader); !ok || err != nil || w.rec.kind != typeIndex {
		return nil
	}
	return parseIndex(w.rec.data)
}

// back sees that the file has its room up to to: where the file system cannot reserve any, by writing zeros. So a full
// disk is found out ahead of a commit, and what is kept at the end of the file for settling is really there.
func (s *segment) back(to int64) error {
	if s.backed >= to {
		return nil
	}
	to = min((to+backAhead-1)/backAhead*backAhead, max(s.size, to))
	for s.backed < to {
		n := min(to-s.backed, int64(len(zeros)))
		if err := s.file.WriteVec([][]byte{zeros[:n]}, s.backed); err != nil {
			return err
		}
		s.backed += n
	}
	return nil
}

// backAhead is how much is written at a time by back.
const backAhead = 64 << 10
