package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"
)

const spareName = "spare"

// rotate makes a new newest segment, with room for a batch. On a failure that is not about room it tries once more: the
// file that failed holds nothing.
func (s *Spool) rotate(size int, n need) error {
	err := s.birth(size, n)
	if err == nil || isFull(err) {
		return err
	}
	s.failed(err)
	return s.birth(size, n)
}

// birth makes a segment: it takes the place of the newest only when it is on disk, its name too.
func (s *Spool) birth(size int, n need) error {
	s.mu.Lock()
	recs := s.st.checkpoint(s.written, !s.env.is(checkpointWithoutFloor))
	s.mu.Unlock()
	cp := bundle{batch: batch{kind: kindCheckpoint, first: s.written}}
	cp.add(recs...)
	if cp.size < maxTwice { // so that one that is damaged is not missed
		cp.add(twice(recs)...)
	}

	seg := &segment{salt: s.env.random(), number: 1, first: s.written, headed: true}
	seg.seed = s.env.seed(seg.salt)
	old := s.newest
	if old != nil {
		seg.number = old.number + 1
	}
	seg.name = segmentName(seg.number, seg.salt)
	blank, err := s.allocate(seg, int64(dataStart+cp.total()+size), n)
	if err != nil {
		return err
	}
	err = s.fill(seg, old, &cp, blank)
	if err != nil {
		seg.shut()
		_ = s.fs.Remove(seg.name) // Open sees that it was never born
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old != nil && old.readers == 0 {
		old.shut()
	}
	if old != nil {
		old.indexed = true
	}
	s.segs = append(s.segs, seg)
	s.used += seg.size
	s.newest = seg
	s.grown()
	return nil
}

// maxTwice is up to what size of a checkpoint its records stand in it twice.
const maxTwice = 256 << 10

// twice copies records that are to stand in a batch once more: for what is worth so much more than its size.
func twice(recs []record) []record {
	again := slices.Clone(recs)
	for i := range again {
		again[i].head = slices.Clone(again[i].head)
	}
	return again
}

// fill writes all of a new segment but for its batches.
func (s *Spool) fill(seg, old *segment, cp *bundle, blank bool) error {
	seg.head = header{spool: s.header, number: seg.number, salt: seg.salt, first: seg.first}
	if old != nil {
		seg.head.prevEnd = old.end
		seg.head.prevIndex = s.writeIndex(old)
	}
	s.begun++
	if old != nil {
		s.begun = max(s.begun, old.number1+2) // its index may have the number between
	}
	cp.number = s.begun
	seg.begun = cp.number
	out := append([][]byte{seg.head.page()}, cp.seal(seg.seed, nil)...)
	seg.end = dataStart + int64(cp.total())
	seg.begin = seg.end
	seg.zeroed, seg.number1 = seg.end, cp.number
	if blank { // the room may hold something
		for at := seg.end; at < seg.size; at += int64(len(zeros)) {
			out = append(out, zeros[:min(seg.size-at, int64(len(zeros)))])
		}
		seg.zeroed = seg.size
	}
	if err := seg.file.WriteVec(out, 0); err != nil {
		return err
	}
	if !s.env.is(noBirthSync) {
		if err := seg.file.Sync(); err != nil {
			return err
		}
	}
	if s.env.is(noDirSync) {
		return nil
	}
	return s.fs.SyncDir()
}

// writeIndex writes the index behind the last batch of a segment that is about to be left, and returns where. It is not
// synced by itself: without an index a segment is read from the front.
func (s *Spool) writeIndex(old *segment) int64 {
	if old.failed != nil || len(old.index) == 0 {
		return 0
	}
	ix := bundle{batch: batch{kind: kindIndex, first: s.written, number: old.number1 + 1}}
	ix.add(old.indexRecord())
	if old.end+int64(ix.total()) > old.size {
		return 0
	}
	old.zeroed, old.dirty = old.end, max(old.dirty, old.end+int64(ix.total()))
	if err := old.file.WriteVec(ix.seal(old.seed, nil), old.end); err != nil {
		old.failed = err
		return 0
	}
	s.mu.Lock()
	old.indexAt = old.end
	s.mu.Unlock()
	return old.end
}

// allocate makes the file of a segment with room for at least least bytes. blank says that it may not be blank.
func (s *Spool) allocate(seg *segment, least int64, n need) (blank bool, err error) {
	least += min(maxReserve, least/7) + dataStart
	least = (least + dataStart - 1) / dataStart * dataStart
	size := max(s.nextSize(), least)
	smallest := max(min(smallSegment, s.opts.SegmentBytes), least)
	if s.opts.MaxBytes > 0 {
		s.mu.Lock()
		left := s.opts.MaxBytes - s.used
		s.mu.Unlock()
		switch {
		case left >= size:
		case n == forMessages && left < smallest:
			return false, errNoRoom
		case n == forMessages:
			size = max(left/dataStart*dataStart, smallest)
		default:
			size = smallest
		}
	}
	if seg.file, err = s.fs.Create(seg.name); err != nil {
		_ = s.fs.Remove(seg.name) // it may be there nevertheless
		return false, err
	}
	for {
		if err = s.reserveRoom(seg, size, least); err == nil {
			return false, nil
		}
		if !errors.Is(err, syscall.ENOSPC) || size == smallest {
			break
		}
		size = max(size/2/dataStart*dataStart, smallest)
	}
	seg.shut()
	_ = s.fs.Remove(seg.name)
	if n == forMessages || !s.spare || !errors.Is(err, syscall.ENOSPC) {
		return false, err
	}
	if e := s.useSpare(seg, least); !errors.Is(e, fs.ErrNotExist) {
		return true, e
	}
	return false, err // the spare file is gone, by a change of names that failed: the disk is full, that is all
}

// reserveRoom makes a file as large as size, or, where the file system cannot reserve room, at least as large as least.
func (s *Spool) reserveRoom(seg *segment, size, least int64) (err error) {
	if err = seg.file.Allocate(size); err != nil {
		return err
	}
	if seg.backed, err = seg.file.Size(); err != nil {
		return err
	}
	seg.size = size
	return seg.back(least)
}

// useSpare makes a segment of the spare file.
func (s *Spool) useSpare(seg *segment, least int64) (err error) {
	if seg.file, err = s.fs.Open(spareName); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			s.mu.Lock()
			s.spare = false
			s.used -= min(spareBytes, s.opts.SegmentBytes)
			s.mu.Unlock()
		}
		return err
	}
	seg.size, err = seg.file.Size()
	if seg.backed = seg.size; err == nil && seg.size < least {
		err = fmt.Errorf("the spare file has %d of %d bytes: %w", seg.size, least, syscall.ENOSPC)
	}
	if err == nil {
		err = s.fs.Rename(spareName, seg.name)
	}
	if err != nil {
		seg.shut()
		_ = s.fs.Remove(seg.name) // the name may have changed nevertheless
		return err
	}
	s.mu.Lock()
	s.spare = false
	s.used -= seg.size // it was counted as the spare
	s.mu.Unlock()
	return nil
}

// nextSize is the size of the next segment: double that of the last, from 1 MiB on.
func (s *Spool) nextSize() int64 {
	size := min(firstSegment, s.opts.SegmentBytes)
	if s.newest != nil {
		size = max(size, min(2*s.newest.size, s.opts.SegmentBytes))
	}
	return size
}
