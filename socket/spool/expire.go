package spool

import (
	"context"
	"maps"
	"slices"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// passed has cursors lose what is beyond their CursorOptions.MaxBytes. The caller holds the lock.
func (s *Spool) passed() {
	for _, c := range s.handles {
		if c.opts.MaxBytes <= 0 || c.gone() {
			continue
		}
		over := int64(0)
		for g := range c.st.set.Gaps(1, s.written) {
			over += int64(s.weight(g))
		}
		if over -= c.opts.MaxBytes; over <= 0 {
			continue
		}
		s.loseOldest(c, over)
	}
}

// loseOldest has a cursor lose its oldest messages, of that many bytes or a little more. The caller holds the lock.
func (s *Spool) loseOldest(c *Cursor, over int64) {
	var n Count
	lost := ranges.Range{}
	var gone []ranges.Range
	for g := range c.st.set.Gaps(1, s.written) {
		if over <= 0 {
			break
		}
		w := int64(s.weight(g))
		if w > over { // a part of it
			each := max(w/int64(g.Len()), 1)
			g.To = min(g.To, g.From+uint64((over+each-1)/each))
			w = each * int64(g.Len())
		}
		over -= w
		n.add(Count{g.Len(), uint64(w)})
		if lost.Len() == 0 {
			lost.From = g.From
		}
		lost.To = g.To
		gone = append(gone, g)
	}
	for _, g := range gone {
		s.settle(c.st, g)
		s.lose(c.st, Dropped, g, Count{g.Len(), s.weight(g)})
	}
	s.stats.dropped.add(n)
	s.emit(Event{Kind: Dropped, Seqs: Range(lost), Count: n, Path: c.name})
}

// expireSweep is how many messages are looked at to make room.
const expireSweep = 4096

// expire makes room by what has expired at the front, and reports whether there was any. Only the committer calls it.
func (s *Spool) expire() bool {
	s.mu.Lock()
	r, may := reader{s: s, seq: s.st.low()}, s.mayExpire
	s.mu.Unlock()
	if !may {
		return false
	}
	defer r.close()
	n, any := 0, false
	for range expireSweep {
		m, ok, err := r.next()
		if err != nil {
			break
		}
		if !ok { // all were seen
			s.mu.Lock()
			s.mayExpire = any
			s.mu.Unlock()
			break
		}
		any = any || !m.Expires.IsZero()
		if m.Expires.IsZero() || m.Expires.After(s.env.now()) {
			continue
		}
		s.mu.Lock()
		only := ranges.Range{From: m.Seq, To: m.Seq + 1}
		if d := s.discard(Expired, only); d.Messages > 0 {
			n++
			c := Count{1, uint64(m.bytes())}
			s.stats.expired.add(c)
			s.emit(Event{Kind: Expired, Seqs: Range(only), Count: c})
		}
		s.mu.Unlock()
	}
	if n == 0 || s.commitOwed() != nil {
		return false
	}
	s.unlinkAll()
	return true
}

// expireCursors drops the cursors that nobody has used for longer than they may be left.
func (s *Spool) expireCursors() {
	now := s.env.now()
	s.mu.Lock()
	var old []*cursorState
	for _, id := range slices.Sorted(maps.Keys(s.st.cursors)) {
		c := s.st.cursors[id]
		if c.expiry > 0 && c.seen.Add(c.expiry).Before(now) {
			old = append(old, c)
		}
	}
	s.mu.Unlock()
	for _, c := range old {
		if s.dropCursor(context.Background(), c) != nil {
			return
		}
		s.mu.Lock()
		s.emit(Event{Kind: CursorExpired, Path: c.name})
		s.mu.Unlock()
	}
}
