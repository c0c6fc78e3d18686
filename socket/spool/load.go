package spool

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// An image is what a directory holds, as far as it can be told without a change to it.
type image struct {
	segs   []*segment // ascending; the last one is the newest, and open
	strays []string   // segments that were never born
	st     *state
	number uint64 // of the last batch that is known
	begun  uint64 // the highest number of a checkpoint, of segments that were never born too
	id     ID     // in the headers
	unread uint64 // how many batches at most cannot be read, each of which may have been the first of a life

	last     span   // the last whole batch of the newest segment, behind which the next one goes
	dirtyEnd int64  // up to where the newest segment holds something
	written  uint64 // the next seq behind what is whole
	torn     []torn
	tornSize int64
	damage   []loss
}

// A span is a part of a file.
type span struct{ off, size int64 }

// A torn record is one of a commit that did not come to its end, but is itself whole.
type torn struct {
	recordHead
	data []byte
}

// isBase reports whether it says that everything below a seq is settled, whoever may come. That was so with the others
// of its commit, which say what the cursors have settled or that one is gone: without them a message that a cursor
// still has would count as dead.
func (t *torn) isBase() bool {
	f := field{b: t.data}
	return t.kind == typeSettled && f.u16() == baseCursor
}

// A loss is damage that was found: what was acknowledged and cannot be read any more.
type loss struct {
	seqs ranges.Range // empty: no message is lost by it
	path string
	off  int64
}

const segmentSuffix = ".seg"

func segmentName(number, salt uint64) string {
	return fmt.Sprintf("%016x-%016x%s", number, salt, segmentSuffix)
}

func parseSegmentName(name string) (number, salt uint64, ok bool) {
	b, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(b) != 33 || b[16] != '-' {
		return 0, 0, false
	}
	number, err1 := strconv.ParseUint(b[:16], 16, 64)
	salt, err2 := strconv.ParseUint(b[17:], 16, 64)
	return number, salt, err1 == nil && err2 == nil && segmentName(number, salt) == name
}

// loader reads a directory.
type loader struct {
	fs  FS
	env *env
	im  *image
}

// load reads what the directory holds; it changes nothing. It returns nil if there is nothing yet.
func load(fs FS, e *env) (*image, error) {
	l := &loader{fs, e, &image{st: newState()}}
	if err := l.load(); err != nil {
		shutAll(l.im.segs)
		return nil, err
	}
	if n := len(l.im.segs); n > 0 {
		shutAll(l.im.segs[:n-1])
	}
	return l.im, nil
}

func shutAll(segs []*segment) {
	for _, s := range segs {
		s.shut()
	}
}

func (l *loader) load() error {
	for _, find := range []func() error{l.headers, l.dropUnborn, l.foreign} { // which segments there are
		if err := find(); err != nil {
			return err
		}
	}
	if len(l.im.segs) == 0 {
		return nil
	}
	if err := l.ends(); err != nil {
		return err
	}
	if err := l.state(); err != nil {
		return err
	}
	l.im.st.next = l.im.st.given()
	l.settleDamage()
	return nil
}

// headers opens the segments and reads what each says of itself.
func (l *loader) headers() error {
	names, err := l.fs.List()
	if err != nil {
		return err
	}
	var found []*segment
	for _, name := range names {
		number, salt, ok := parseSegmentName(name)
		if !ok {
			continue
		}
		s := &segment{name: name, number: number, salt: salt, seed: l.env.seed(salt)}
		l.im.segs = append(l.im.segs, s) // to be closed
		if err := l.header(s); err != nil {
			return err
		}
		found = append(found, s)
	}
	slices.SortStableFunc(found, func(a, b *segment) int {
		if a.number != b.number {
			return int(min(max(int64(a.number-b.number), -1), 1))
		}
		return int(min(max(int64(a.begun-b.begun), -1), 1))
	})
	// Of two with one number the birth of one failed, and it could not be removed: that with the older checkpoint.
	l.im.segs = l.im.segs[:0]
	for i, s := range found {
		if i+1 < len(found) && found[i+1].number == s.number {
			s.shut()
			l.im.strays = append(l.im.strays, s.name)
			continue
		}
		l.im.segs = append(l.im.segs, s)
	}
	return nil
}

func (l *loader) header(s *segment) (err error) {
	if s.file, err = l.fs.Open(s.name); err != nil {
		return err
	}
	if s.size, err = s.file.Size(); err != nil {
		return err
	}
	page := make([]byte, dataStart+batchHeader)
	n, err := s.file.ReadAt(page, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	page = page[:n]
	for _, at := range []int{0, headerTwin} {
		h, ok := parseHeader(page[min(at, n):])
		if ok && h.number == s.number && h.salt == s.salt {
			s.head, s.headed, s.first = h, true, h.first
			break
		}
	}
	if v, ok := otherVersion(page); ok && !s.headed {
		return fmt.Errorf("%w: %s is of version %c, known is %c", ErrFormat, s.name, v, magic[6])
	}
	s.begin = dataStart
	if b, ok := parseBatch(page[min(dataStart, n):], s.seed); ok && b.kind == kindCheckpoint {
		s.begin += int64(b.size)
		s.begun = b.number
		l.im.begun = max(l.im.begun, b.number)
	}
	return nil
}

// otherVersion reports whether a segment begins, twice, as one of another version does.
func otherVersion(page []byte) (version byte, ok bool) {
	if len(page) < headerTwin+len(magic) {
		return 0, false
	}
	b := string(page[:len(magic)])
	version = b[6]
	return version, strings.HasPrefix(b, magicFamily) && b != magic && version >= '0' && version <= '9' && b[7] == '\n' &&
		b == string(page[headerTwin:headerTwin+len(magic)])
}

// dropUnborn sets aside newest segments that never held anything: the process or the machine ended before their birth
// was complete.
func (l *loader) dropUnborn() error {
	for len(l.im.segs) > 0 {
		n := len(l.im.segs) - 1
		born, err := l.born(l.im.segs[n])
		if err != nil || born {
			return err
		}
		l.im.segs[n].shut()
		l.im.strays = append(l.im.strays, l.im.segs[n].name)
		l.im.segs = l.im.segs[:n]
	}
	return nil
}

// foreign sets aside segments of another spool that hold nothing: of an Open that did not come to its end, and that
// made way for another one. Such a file may come back when the directory could not be synced.
func (l *loader) foreign() error {
	for _, s := range l.im.segs {
		if s.headed {
			l.im.id = s.head.spool // the newest one's, in the end
		}
	}
	kept := l.im.segs[:0:0]
	for _, s := range l.im.segs {
		if s.headed && s.head.spool != l.im.id {
			born, err := l.born(s)
			if err != nil {
				return err
			}
			if born {
				return fmt.Errorf("%w: %s belongs to another spool than the segments behind it", ErrFormat, s.name)
			}
			s.shut()
			l.im.strays = append(l.im.strays, s.name)
			continue
		}
		kept = append(kept, s)
	}
	l.im.segs = kept
	return nil
}

// born reports whether a segment's birth was complete: something stands behind its checkpoint, which was begun only
// when the segment and its name were synced. A segment that has a checkpoint and nothing else was never used, and its
// name may be one that no sync makes durable any more; what it says, the segments before it say too.
func (l *loader) born(s *segment) (bool, error) {
	if l.env.is(unbornSegmentKept) {
		return true, nil
	}
	w := s.walker(s.file, dataStart, s.size)
	for it, err := range w.items() {
		if err != nil {
			return false, err
		}
		if it == itemBatch && w.batch.kind != kindCheckpoint || it == itemRecord && w.rec.kind == typeMessage {
			return true, nil
		}
	}
	return false, nil
}

// scanChunk is how much of a segment is read at a time when all of it is read.
const scanChunk = 1 << 20

// whole reads the batch at off, and reports whether it and all its records are as they were written. each, unless nil,
// gets the records one by one.
func (l *loader) whole(w *walker, off int64, each func(r *stored, at int64)) (batch, bool, error) {
	ok, err := w.isBatch(off)
	if err != nil || !ok {
		return batch{}, false, err
	}
	b := w.batch
	end := off + int64(b.size)
	at := off + batchHeader
	for range b.records {
		w.left = int(end - at)
		ok, err := w.isRecord(at)
		if err != nil {
			return b, false, err
		}
		if !ok && l.env.is(tornBatchTaken) {
			return b, true, nil
		}
		if !ok {
			return b, false, nil
		}
		if each != nil {
			each(&w.rec, at)
		}
		at += int64(padded(w.rec.size))
	}
	return b, at == end, nil
}

// ends finds out where each segment ends: the next one says, or else its own batches.
func (l *loader) ends() error {
	for i, s := range l.im.segs[:len(l.im.segs)-1] {
		next := l.im.segs[i+1]
		if next.headed && next.number == s.number+1 && next.head.prevEnd >= dataStart && !l.env.is(prevEndIgnored) {
			s.end, s.indexAt = next.head.prevEnd, next.head.prevIndex
			continue
		}
		w := s.walker(s.file, dataStart, s.size)
		s.end = dataStart
		for it, err := range w.items() {
			if err != nil {
				return err
			}
			if it == itemRecord && w.rec.kind != typeIndex {
				s.end = w.off
			}
		}
	}
	return l.firsts()
}

// firsts finds the first seq of the segments that have lost their headers.
func (l *loader) firsts() error {
	for _, s := range l.im.segs {
		if s.headed {
			continue
		}
		l.im.damage = append(l.im.damage, loss{path: s.name})
		w := s.walker(s.file, dataStart, s.size)
		for it, err := range w.items() {
			if err != nil {
				return err
			}
			if it == itemBatch {
				s.first = w.batch.first
			}
			if it != itemRecord {
				break
			}
		}
	}
	return nil
}

// state adds up the state: from the newest whole checkpoint on.
func (l *loader) state() error {
	from := len(l.im.segs) - 1
	for ; from > 0; from-- {
		s := l.im.segs[from]
		w := s.walker(s.file, dataStart, s.size)
		b, whole, err := l.whole(w, dataStart, nil)
		if err != nil {
			return err
		}
		if whole && b.kind == kindCheckpoint {
			break
		}
	}
	for _, s := range l.im.segs[from : len(l.im.segs)-1] {
		w := s.walker(s.file, dataStart, s.end)
		for it, err := range w.items() {
			if err != nil {
				return err
			}
			if it == itemBatch {
				l.im.number = max(l.im.number, w.batch.number)
				continue
			}
			l.im.st.apply(&w.rec, place{s.number, w.start})
		}
	}
	return l.scan(l.im.segs[len(l.im.segs)-1])
}

// settleDamage keeps of the damage that was found what still matters, and has all cursors pass what is lost.
func (l *loader) settleDamage() {
	st := l.im.st
	var kept []loss
	for _, d := range l.im.damage {
		if d.seqs.Len() == 0 {
			kept = append(kept, d)
			continue
		}
		for _, r := range st.live(d.seqs) {
			kept = append(kept, loss{r, d.path, d.off})
		}
	}
	l.im.damage = kept
}
