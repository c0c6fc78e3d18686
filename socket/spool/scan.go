package spool

import (
	"slices"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// A scanned record waits until the whole of its batch was found good.
type scanned struct {
	rec stored
	at  int64
}

// scan reads the newest segment from its first batch to its last, and tells what is damaged from what is torn: a batch
// was begun only when the one ahead of it was synced, so that a bad one with a good one behind it was once whole.
func (l *loader) scan(s *segment) error {
	w := s.walker(s.file, dataStart, s.size)
	if l.im.number == 0 && s.begun > 0 {
		l.im.number = s.begun - 1
	}
	off, batches := int64(dataStart), 0
	for {
		var recs []scanned
		marked := s.marked()
		b, whole, err := l.whole(w, off, func(r *stored, at int64) {
			switch {
			case r.kind != typeMessage:
				recs = append(recs, scanned{stored{r.recordHead, slices.Clone(r.data)}, at})
			case at >= marked+markEvery:
				recs = append(recs, scanned{stored{r.recordHead, nil}, at})
				marked = at
			}
		})
		if err != nil {
			return err
		}
		if whole && (batches == 0 || b.number == l.im.number+1) {
			l.take(s, b, recs)
			l.im.last = span{off, int64(b.size)}
			off += int64(b.size)
			batches++
			continue
		}
		before := l.im.number
		later, found, err := l.later(w, off+align, before+1)
		if err != nil {
			return err
		}
		if !found {
			s.end, l.im.written = off, l.im.st.next
			return l.tail(s, w, off)
		}
		l.im.unread += l.im.number - before
		if err := l.salvage(s, off, later); err != nil {
			return err
		}
		off = later
		batches++
	}
}

// take applies a batch that is whole.
func (l *loader) take(s *segment, b batch, recs []scanned) {
	for i := range recs {
		r := &recs[i]
		if r.rec.kind == typeMessage {
			s.mark(r.rec.seq, r.at)
		}
		l.im.st.apply(&r.rec, place{s.number, r.at})
	}
	l.im.number = b.number
	l.im.st.next = max(l.im.st.next, b.first+uint64(b.messages))
}

// later looks, from off on, for the header of a batch with a higher number than the given one.
func (l *loader) later(w *walker, off int64, number uint64) (int64, bool, error) {
	for off < w.end {
		at, err := w.blank(off)
		if err != nil {
			return 0, false, err
		}
		ok, err := w.isBatch(at)
		if err != nil {
			return 0, false, err
		}
		if ok && w.batch.number > number {
			l.im.number = w.batch.number - 1
			return at, true, nil
		}
		off = at + align
	}
	return 0, false, nil
}

// salvage takes what is whole between from and to, where at least one batch is damaged.
func (l *loader) salvage(s *segment, from, to int64) error {
	first := max(l.im.st.next, s.first)
	var have ranges.Set
	w := s.walker(s.file, from, to)
	for it, err := range w.items() {
		if err != nil {
			return err
		}
		if it != itemRecord {
			continue
		}
		if w.rec.kind == typeMessage {
			have.AddRange(w.rec.seq, w.rec.seq+1)
			s.mark(w.rec.seq, w.start)
		}
		l.im.st.apply(&w.rec, place{s.number, w.start})
	}
	next := s.walker(s.file, to, s.size)
	end := l.im.st.next
	if ok, err := next.isBatch(to); err != nil {
		return err
	} else if ok {
		end = max(end, next.batch.first)
	}
	lost := false
	for r := range have.Gaps(first, end) {
		l.im.damage = append(l.im.damage, loss{r, s.name, from})
		lost = true
	}
	if !lost {
		l.im.damage = append(l.im.damage, loss{path: s.name, off: from})
	}
	l.im.st.next = max(l.im.st.next, end)
	return nil
}

// tail reads what follows the last batch: nothing, or a commit that did not come to its end and was never
// acknowledged. Its records are kept where each is worth something by itself.
func (l *loader) tail(s *segment, w *walker, off int64) error {
	atomic := false
	if ok, err := w.isBatch(off); err != nil {
		return err
	} else if ok && w.batch.number == l.im.number+1 {
		atomic = w.batch.flags&batchAtomic != 0
		l.im.st.next = max(l.im.st.next, w.batch.first+uint64(w.batch.messages))
		l.im.begun = max(l.im.begun, w.batch.number)
	}
	l.im.dirtyEnd = off
	at, err := w.blank(off)
	if err != nil || at >= w.end {
		return err
	}
	tw := s.walker(s.file, off, s.size)
	for it, err := range tw.items() {
		if err != nil {
			return err
		}
		if it == itemRecord && !atomic && tw.rec.flags&flagAtomic == 0 && tw.rec.kind != typeIndex {
			l.im.torn = append(l.im.torn, torn{tw.rec.recordHead, slices.Clone(tw.rec.data)})
		}
	}
	for at < w.end { // the last byte that is not zero
		b, err := w.bytes(at, align)
		if err != nil {
			return err
		}
		l.im.dirtyEnd = at + int64(len(b))
		if at, err = w.blank(at + int64(len(b))); err != nil {
			return err
		}
	}
	l.im.tornSize = l.im.dirtyEnd - off
	l.im.unread += uint64((l.im.tornSize + smallestEpoch - 1) / smallestEpoch)
	return nil
}
