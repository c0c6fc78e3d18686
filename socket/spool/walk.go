package spool

import (
	"bytes"
	"errors"
	"io"
	"iter"
)

// A window is a part of a file in memory, through which the file is read from front to back.
type window struct {
	file  io.ReaderAt
	end   int64 // of what may be read
	chunk int   // how much is read at a time
	keep  bool  // what was handed out stays as it is; otherwise it is valid until the next call
	buf   []byte
	at    int64 // where buf begins
}

// bytes returns up to n bytes from off on, fewer only where the file ends.
func (w *window) bytes(off int64, n int) ([]byte, error) {
	n = int(min(int64(n), max(w.end-off, 0)))
	if n == 0 {
		return nil, nil
	}
	if off >= w.at && off+int64(n) <= w.at+int64(len(w.buf)) {
		b := w.buf[off-w.at:]
		return b[:n:n], nil
	}
	size := int(min(int64(max(n, w.chunk)), w.end-off))
	if w.keep || cap(w.buf) < size {
		w.buf = make([]byte, size)
	}
	w.buf, w.at = w.buf[:size], off
	got, err := w.file.ReadAt(w.buf, off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	w.buf = w.buf[:got]
	if err != nil {
		w.buf = w.buf[:0]
		return nil, err
	}
	if got < n {
		return w.buf[:got:got], nil
	}
	return w.buf[:n:n], nil
}

// blank returns where, from off on, the first byte is that is not zero, rounded down to the alignment, or the end.
func (w *window) blank(off int64) (int64, error) {
	for off < w.end {
		b, err := w.bytes(off, 1)
		if err != nil || len(b) == 0 {
			return w.end, err
		}
		b = w.buf[off-w.at:]                                                                 // all that was read
		for _, part := range [][]byte{b[:min(len(b), align)], b[:min(len(b), len(zeros))]} { // mostly the first tells
			if i := firstNotZero(part); i >= 0 {
				return off + int64(i)&^(align-1), nil
			}
		}
		off += int64(min(len(b), len(zeros)))
	}
	return w.end, nil
}

// firstNotZero is where, among at most len(zeros) bytes, the first is that is not zero; -1 if there is none.
func firstNotZero(b []byte) int {
	if !bytes.Equal(b, zeros[:len(b)]) {
		for i := range b {
			if b[i] != 0 {
				return i
			}
		}
	}
	return -1
}

// A walker goes through the batches and records of a segment one by one. Whatever is damaged it steps over, up to the
// next batch or record that is whole: both carry checksums that nothing else in the file can have.
type walker struct {
	window
	seed     uint32
	off      int64 // of the next item
	trusting bool  // a mutation: checksums of records are not looked at

	left int // bytes of the batch at hand that are still to come; 0: a batch is expected, below 0: either

	start int64 // of the item that next has returned
	batch batch
	rec   stored
	bad   int64 // bytes that were stepped over ahead of it
}

type item int

const (
	itemEnd item = iota
	itemBatch
	itemRecord
)

// walker goes through a segment from from to to, with little reading if there is little to go through.
func (s *segment) walker(f io.ReaderAt, from, to int64) *walker {
	return &walker{window: window{file: f, end: to, chunk: scanChunk}, seed: s.seed, off: from, left: -1}
}

// next moves on to the next batch or record that is whole.
func (w *walker) next() (item, error) {
	w.bad = 0
	for w.off < w.end {
		if w.left <= 0 {
			if ok, err := w.isBatch(w.off); err != nil {
				return itemEnd, err
			} else if ok {
				w.start, w.left = w.off, w.batch.size-batchHeader
				w.off += batchHeader
				return itemBatch, nil
			}
		}
		if w.left != 0 {
			ok, err := w.isRecord(w.off)
			if err != nil {
				return itemEnd, err
			}
			if ok {
				n := padded(w.rec.size)
				w.start = w.off
				w.off += int64(n)
				if w.left > 0 {
					w.left = max(w.left-n, 0)
				}
				return itemRecord, nil
			}
		}
		if err := w.step(); err != nil {
			return itemEnd, err
		}
	}
	return itemEnd, nil
}

// items goes through all that is left, as next does. An error is the last that it yields.
func (w *walker) items() iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		for {
			it, err := w.next()
			if err == nil && it == itemEnd || !yield(it, err) || err != nil {
				return
			}
		}
	}
}

// step passes eight bytes that are no item, and what is blank behind them.
func (w *walker) step() error {
	w.left = -1
	from := w.off
	at, err := w.blank(w.off)
	if at == w.off {
		at += align
	}
	w.off = min(at, w.end)
	if w.off < w.end {
		w.bad += w.off - from
	}
	return err
}

func (w *walker) isBatch(off int64) (bool, error) {
	b, err := w.bytes(off, batchHeader)
	if err != nil {
		return false, err
	}
	h, ok := parseBatch(b, w.seed)
	ok = ok && off+int64(h.size) <= w.end
	if ok {
		w.batch = h
	}
	return ok, nil
}

func (w *walker) isRecord(off int64) (bool, error) {
	b, err := w.bytes(off, recordHeader)
	if err != nil {
		return false, err
	}
	h, ok := parseHead(b)
	if !ok || off+int64(h.size) > w.end || w.left > 0 && h.size > w.left {
		return false, nil
	}
	if b, err = w.bytes(off, h.size); err != nil {
		return false, err
	}
	if w.trusting {
		w.rec = stored{h, b[recordHeader:h.size:h.size]}
		return true, nil
	}
	w.rec, ok = parseRecord(b, w.seed)
	return ok, nil
}
