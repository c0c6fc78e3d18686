package spool

import (
	"context"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// Next hands out messages in the order of their seqs, up to a number and a size of frames; it waits until there is one
// at least. What was handed out is not handed out again until it is given back, by Return or Release; those come first.
// messages below 1 is 1, bytes below 1 is no bound; one message may be larger.
//
// Errors: the context's own, ErrClosed, ErrNoCursor once the cursor was dropped, and what the disk says when it cannot
// be read. What is damaged is no error: it is passed over, counted and reported.
func (c *Cursor) Next(ctx context.Context, messages int, bytes int64) ([]Message, error) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() {
		<-c.turn
		c.releaseGone()
	}()
	for {
		c.s.mu.Lock()
		if err := c.ended(); err != nil {
			c.s.mu.Unlock()
			return nil, c.s.wrap("read", err)
		}
		moved := c.s.change()
		c.s.mu.Unlock()
		ms, wait, err := c.gather(max(messages, 1), bytes)
		if len(ms) > 0 || err != nil {
			return ms, c.s.wrap("read", err)
		}
		c.closeGone()
		if err := await(ctx, moved, wait); err != nil {
			return nil, err
		}
	}
}

// releaseGone has the cursor's readers give back files that are removed, whose room the disk gets only then. Whoever
// has the turn meanwhile does it behind that.
func (c *Cursor) releaseGone() {
	select {
	case c.turn <- struct{}{}:
		c.closeGone()
		<-c.turn
	default:
	}
}

// closeGone is releaseGone for whoever has the turn.
func (c *Cursor) closeGone() {
	for _, r := range []*reader{&c.main, &c.redo} {
		c.s.mu.Lock()
		gone := r.seg != nil && (r.seg.gone || c.ended() != nil)
		c.s.mu.Unlock()
		if gone {
			r.close()
		}
	}
}

// await waits for a change, or for a time if that is above 0.
func await(ctx context.Context, moved <-chan struct{}, wait time.Duration) error {
	var due <-chan time.Time
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		due = t.C
	}
	select {
	case <-moved:
	case <-due:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// ended is why nothing more is handed out. The caller holds the lock.
func (c *Cursor) ended() error {
	switch {
	case c.s.closing:
		return ErrClosed
	case c.gone():
		return ErrNoCursor
	}
	return nil
}

// gather takes what is there; wait is until more is due, 0 if nothing is waited for.
func (c *Cursor) gather(messages int, bytes int64) (ms []Message, wait time.Duration, err error) {
	s := c.s
	room := func() bool { return len(ms) < messages && (bytes <= 0 || bytes > 0 && size(ms) < bytes) }
	for room() {
		s.mu.Lock()
		wait = c.wakeDelayed()
		seq, first, ok := c.pick()
		s.mu.Unlock()
		if !ok {
			break
		}
		r := &c.main
		if !first {
			r = &c.redo
		}
		r.seek(seq)
		m, ok, err := r.next()
		if err != nil {
			return ms, wait, err
		}
		if !ok && first {
			s.mu.Lock()
			c.read = max(c.read, r.seq)
			s.mu.Unlock()
			break
		}
		if c.hand(seq, &m, first, ok) {
			ms = append(ms, m)
		}
	}
	return ms, wait, nil
}

func size(ms []Message) (n int64) {
	for i := range ms {
		n += int64(ms[i].bytes())
	}
	return n
}

// wakeDelayed moves on what is due again, and returns how long it is until more is. The caller holds the lock.
func (c *Cursor) wakeDelayed() time.Duration {
	now := c.s.env.now()
	for len(c.delayed) > 0 {
		d := c.delayed[0]
		if d.at.After(now) {
			return d.at.Sub(now)
		}
		c.delayed = c.delayed[1:]
		c.handAgain(ranges.Range{From: d.seq, To: d.seq + 1})
	}
	return 0
}

// pick is the seq to look for next, and whether it is for the first time. The caller holds the lock.
func (c *Cursor) pick() (seq uint64, first, ok bool) {
	for len(c.again) > 0 {
		r := &c.again[0]
		for g := range c.st.set.Gaps(r.From, r.To) {
			return g.From, false, true
		}
		c.again = c.again[1:]
	}
	for g := range c.st.set.Gaps(c.read, c.s.written) {
		c.read = g.From
		return g.From, true, true
	}
	return 0, true, false
}

// hand notes that a message is handed out, and reports whether it is: not if it was settled meanwhile, has expired, or
// is not for this cursor.
func (c *Cursor) hand(wanted uint64, m *Message, first, found bool) bool {
	s := c.s
	s.mu.Lock()
	filter, expired := c.opts.Filter, found && !m.Expires.IsZero() && !m.Expires.After(s.env.now())
	s.mu.Unlock()
	passes := !found || expired || filter == nil || filter(m)
	s.mu.Lock()
	defer s.mu.Unlock()
	if first {
		c.read = max(c.read, m.Seq+1)
	} else {
		c.handed(wanted)
		if !found || m.Seq != wanted { // it is gone, and was reported
			return false
		}
	}
	if c.st.set.Contains(m.Seq) || c.gone() {
		return false
	}
	if expired || !passes {
		if expired {
			n := Count{1, uint64(m.bytes())}
			s.stats.expired.add(n)
			s.emit(Event{Kind: Expired, Seqs: Range{m.Seq, m.Seq + 1}, Count: n})
			s.lose(c.st, Expired, ranges.Range{From: m.Seq, To: m.Seq + 1}, n)
		}
		s.settle(c.st, ranges.Range{From: m.Seq, To: m.Seq + 1})
		return false
	}
	m.Attempts += s.st.attempts[attemptKey{c.id, m.Seq}].count
	c.st.seen = s.env.now()
	return true
}

// handed takes a seq out of those to be handed out again, among which there may be others ahead of it that were given
// back while it was read. The caller holds the lock.
func (c *Cursor) handed(seq uint64) {
	for i, r := range c.again {
		if r.From > seq {
			return
		}
		if !r.Contains(seq) {
			continue
		}
		switch {
		case r.From < seq && r.To > seq+1:
			c.again = slices.Insert(c.again, i+1, ranges.Range{From: seq + 1, To: r.To})
			c.again[i].To = seq
		case r.From < seq:
			c.again[i].To = seq
		case r.To > seq+1:
			c.again[i].From = seq + 1
		default:
			c.again = slices.Delete(c.again, i, i+1)
		}
		return
	}
}
