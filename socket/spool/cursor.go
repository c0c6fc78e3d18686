package spool

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// A Cursor is one consumer's place in a spool: the socket's own, whose name is "", or a durable subscription's. It has
// its own view of what is settled; a message goes when every cursor is done with it. All methods may be called by any
// number of goroutines.
type Cursor struct {
	s    *Spool
	id   uint16
	name string
	turn chan struct{} // held by the one Next that reads

	// Guarded by the Spool's mutex.
	st      *cursorState
	opts    CursorOptions
	read    uint64         // the next seq to be handed out for the first time
	again   []ranges.Range // to be handed out again, ascending
	delayed []delayed      // to be handed out again later, the next one first
	lost    func(Loss)     // of whoever has claimed it; nil while nobody has
	claims  uint64         // how often that was

	// Of whoever has the turn.
	main, redo reader
}

type delayed struct {
	seq uint64
	at  time.Time
}

// CursorOptions say where a new cursor starts and what it takes.
type CursorOptions struct {
	// Start is where a cursor begins that is new. Default: New; the cursor "" always begins at the earliest.
	Start Start
	// Filter, unless nil, says which messages are for this cursor; the others it passes. It is not kept: give it each
	// time.
	Filter func(m *Message) bool
	// MaxBytes bounds what may wait for this cursor: beyond, it loses its oldest, which are counted as dropped and
	// reported. Default (0 or less): no bound but the spool's.
	MaxBytes int64
	// Expiry is after how long without a call a cursor is dropped. Default (0 or less): never.
	Expiry time.Duration
	// Data is kept with the cursor, for whoever opens it: nil leaves what is there.
	Data []byte
}

// Start is where a new cursor begins.
type Start struct {
	At   StartAt
	Seq  uint64    // for AtSeq
	Time time.Time // for AtTime
}

// StartAt is how a Start is meant.
type StartAt int

// The ways to begin.
const (
	New      StartAt = iota // with what is appended from now on
	Earliest                // with the oldest message that is kept
	AtSeq                   // with a seq, or the first one kept behind it
	AtTime                  // with the first message that was appended at a time or later
)

// Cursor opens the cursor of this name; a new one is made, on disk, before it returns. There is one Cursor for each
// name: a second call returns the same, with the new options.
func (s *Spool) Cursor(name string, opts CursorOptions) (*Cursor, error) {
	if len(name) > 1<<12 || len(opts.Data) > 1<<16 {
		return nil, s.wrap("cursor of", ErrTooLarge)
	}
	s.making.Lock() // one at a time, so that a name gets one id
	defer s.making.Unlock()
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return nil, s.wrap("cursor of", ErrClosed)
	}
	st := s.st.named(name)
	s.mu.Unlock()
	if st == nil || opts.Data != nil && !slices.Equal(opts.Data, st.data) || st.expiry != max(opts.Expiry, 0) {
		if err := s.putCursor(name, st, opts); err != nil {
			return nil, s.wrap("cursor of", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st = s.st.named(name); st == nil {
		return nil, s.wrap("cursor of", ErrNoCursor)
	}
	c := s.handles[st.id]
	if c == nil {
		c = &Cursor{s: s, id: st.id, name: name, st: st, turn: make(chan struct{}, 1), read: st.set.Floor()}
		c.main.s, c.redo.s = s, s
		s.handles[st.id] = c
	}
	c.opts = opts
	st.seen = s.env.now()
	return c, nil
}

// putCursor makes a cursor, or writes what has changed of one.
func (s *Spool) putCursor(name string, old *cursorState, opts CursorOptions) error {
	c := cursorState{name: name, expiry: max(opts.Expiry, 0), seen: s.env.now(), data: opts.Data}
	start := Start{At: Earliest}
	if name != "" {
		start = opts.Start
	}
	from, err := s.begin(start)
	if err != nil {
		return err
	}
	s.mu.Lock()
	if old != nil {
		c.id, from = old.id, old.set.Floor()
		if c.data == nil {
			c.data = old.data
		}
	} else if name != "" {
		for c.id = 1; s.st.cursors[c.id] != nil; c.id++ {
			if c.id == baseCursor-1 {
				s.mu.Unlock()
				return ErrTooLarge
			}
		}
	}
	c.set.Raise(from)
	s.mu.Unlock()
	r := s.newRequest(forState)
	r.urgent = true
	r.add(c.record())
	r.add(c.record()) // damage to one is not to cost a subscription
	r.then = func() {
		if st := s.st.cursors[c.id]; st != nil && len(s.segs) > 0 { // what is gone meanwhile is no loss
			for g := range st.set.Gaps(1, s.segs[0].first) {
				s.settle(st, g)
			}
		}
	}
	return s.submit(context.Background(), r)
}

// begin is the seq that a start means.
func (s *Spool) begin(start Start) (uint64, error) {
	s.mu.Lock()
	low, next := s.st.low(), s.st.next
	s.mu.Unlock()
	switch start.At {
	case New:
		return next, nil
	case AtSeq:
		return min(max(start.Seq, low), next), nil
	case AtTime:
		r := reader{s: s, seq: low}
		defer r.close()
		for {
			m, ok, err := r.next()
			if err != nil || !ok {
				return r.seq, err
			}
			if !m.Enqueued.Before(start.Time) {
				return m.Seq, nil
			}
		}
	case Earliest:
	}
	return low, nil
}

// DropCursor removes a cursor: what only it had not settled goes. ErrNoCursor if there is none of this name.
func (s *Spool) DropCursor(ctx context.Context, name string) error {
	s.mu.Lock()
	st := s.st.named(name)
	s.mu.Unlock()
	if st == nil {
		return s.wrap("drop cursor of", ErrNoCursor)
	}
	return s.wrap("drop cursor of", s.dropCursor(ctx, st))
}

func (s *Spool) dropCursor(ctx context.Context, st *cursorState) error {
	r := s.newRequest(forState)
	r.urgent = true
	r.add(st.goneRecord())
	r.add(st.goneRecord()) // damage to one is not to bring it back
	s.mu.Lock()
	c := s.handles[st.id]
	if len(s.st.cursors) == 1 { // nobody is left who needs what is there
		r.add(settledRecord(baseCursor, s.written, nil))
	} else {
		r.add(settledRecord(baseCursor, s.st.low(), nil))
	}
	s.mu.Unlock()
	r.then = func() { s.forgetCursor(st) }
	err := s.submit(ctx, r)
	if c != nil {
		c.releaseGone()
	}
	return err
}

// forgetCursor ends what refers to a cursor that was dropped. The caller holds the lock.
func (s *Spool) forgetCursor(st *cursorState) {
	delete(s.handles, st.id)
	delete(s.owed.settled, st.id)
	for k := range s.owed.attempts {
		if k.cursor == st.id {
			delete(s.owed.attempts, k)
		}
	}
	s.move()
}

// Name is the cursor's name.
func (c *Cursor) Name() string { return c.name }

// Data is what was given as CursorOptions.Data.
func (c *Cursor) Data() []byte {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return slices.Clone(c.st.data)
}

// Low is the lowest seq that is not settled, or may be given again after a crash: everything below is settled, and will
// never be anything else.
func (c *Cursor) Low() uint64 {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return min(c.st.set.Floor(), c.s.safe)
}

// LowOnDisk is Low as it is on disk: the cursor will hand out nothing below it, whatever happens to the process. It
// comes after Low by a commit.
func (c *Cursor) LowOnDisk() uint64 {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return min(c.st.onDisk, c.s.safe)
}

// Above returns what is settled above Low, up to so many ranges, the lowest first.
func (c *Cursor) Above(most int) []Range {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	above := c.st.set.Above()
	above = above[:min(max(most, 0), len(above))]
	all := make([]Range, 0, len(above))
	for _, r := range above {
		all = append(all, Range(r))
	}
	return all
}

// Lag is what the cursor has not settled; Bytes is an estimate.
func (c *Cursor) Lag() (n Count) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for g := range c.st.set.Gaps(1, c.s.written) {
		n.add(Count{g.Len(), c.s.weight(g)})
	}
	return n
}

// Settled reports whether a message was settled by this cursor.
func (c *Cursor) Settled(seq uint64) bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.st.set.Contains(seq)
}

// Settle ends messages for this cursor: at once in memory, and on disk with the next commit, 100 ms later if there is
// none before. What was not handed out may be settled too.
func (c *Cursor) Settle(r ...Range) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.gone() || s.ended {
		return
	}
	for _, r := range r {
		s.settle(c.st, ranges.Range{From: max(r.From, 1), To: min(r.To, s.written)})
	}
	c.st.seen = s.env.now()
}

// gone reports whether the cursor was dropped. The caller holds the lock.
func (c *Cursor) gone() bool { return c.s.st.cursors[c.id] != c.st }

// Return gives a message back that was not delivered: after the delay it is handed out again, unless it has been
// delivered Options.MaxDeliveries times, when it becomes a dead letter. cause is kept with it, up to 256 bytes. What is
// settled, or was not handed out, is left alone.
func (c *Cursor) Return(seq uint64, delay time.Duration, cause error) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if !c.out(seq) {
		return
	}
	k := attemptKey{c.id, seq}
	a := s.st.attempts[k]
	a.count++
	a.notBefore = time.Time{}
	if delay > 0 {
		a.notBefore = s.env.now().Add(delay)
	}
	if cause != nil {
		a.cause = cause.Error()
		a.cause = a.cause[:min(len(a.cause), maxCause)]
	}
	s.st.attempts[k] = a
	s.owed.attempts[k] = true
	s.owe()
	if s.opts.MaxDeliveries > 0 && a.count >= s.opts.MaxDeliveries {
		s.burying = append(s.burying, burial{c, seq})
		s.wakeJanitor()
		return
	}
	if delay > 0 {
		d := delayed{seq, a.notBefore}
		i, _ := slices.BinarySearchFunc(c.delayed, d, func(a, b delayed) int {
			return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.seq, b.seq))
		})
		c.delayed = slices.Insert(c.delayed, i, d)
	} else {
		c.handAgain(ranges.Range{From: seq, To: seq + 1})
	}
	s.move()
}

// Release gives messages back that were handed out and not tried: they are handed out again at once, and no attempt is
// counted.
func (c *Cursor) Release(r ...Range) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range r {
		for g := range c.st.set.Gaps(max(r.From, 1), min(r.To, c.read)) {
			c.handAgain(g)
		}
	}
	s.move()
}

// out reports whether a message is handed out and neither settled nor given back. The caller holds the lock.
func (c *Cursor) out(seq uint64) bool {
	if seq == 0 || seq >= c.read || c.st.set.Contains(seq) || c.gone() {
		return false
	}
	for _, r := range c.again {
		if r.Contains(seq) {
			return false
		}
	}
	return !slices.ContainsFunc(c.delayed, func(d delayed) bool { return d.seq == seq }) &&
		!slices.Contains(c.s.burying, burial{c, seq})
}

// handAgain adds to what is handed out again. The caller holds the lock.
func (c *Cursor) handAgain(r ranges.Range) {
	var set ranges.Set
	for _, a := range c.again {
		set.AddRange(a.From, a.To)
	}
	set.AddRange(r.From, r.To)
	c.again = set.Above()
}
