package spool

import (
	"errors"
	"fmt"
	"slices"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// errTooMany is why a message has to wait although the files have room.
var errTooMany = fmt.Errorf("%w: MaxMessages are waiting", errNoRoom)

// makeRoom sees that a group's messages may come in, if need be by what Options.Overflow says.
func (s *Spool) makeRoom(g *group) error {
	for {
		err := s.mayCount(g)
		if err == nil {
			err = s.ensure(g.total(), g.need)
		}
		if err == nil || !isFull(err) || g.need != forMessages {
			return err
		}
		if s.expire() {
			continue
		}
		byCount := errors.Is(err, errTooMany)
		switch {
		case s.opts.Overflow == DropOldest && s.dropOldest(g, byCount):
		case !byCount && s.leaveLast(g):
		default:
			return err
		}
	}
}

// leaveLast begins another segment although there is no room for it, for the only one there is takes it all: so it is
// where MaxBytes is less than it was, or than a segment. Else nothing would ever leave room, for what is in the newest
// segment does not go. It reports whether it did, which it does if nobody needs the messages, or they may be dropped.
func (s *Spool) leaveLast(g *group) bool {
	s.mu.Lock()
	alone := len(s.segs) == 1 && s.newest.first < s.written
	may := s.opts.Overflow == DropOldest || len(s.st.live(ranges.Range{From: 0, To: s.written})) == 0
	s.mu.Unlock()
	return alone && may && s.rotate(g.total(), forState) == nil
}

// mayCount holds a group against MaxMessages.
func (s *Spool) mayCount(g *group) error {
	if s.opts.MaxMessages == 0 || g.need != forMessages {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lag(0, s.written)+uint64(g.wants()) > uint64(s.opts.MaxMessages) {
		return errTooMany
	}
	return nil
}

// wants is how many messages a group brings.
func (g *group) wants() (n int) {
	for _, r := range g.reqs {
		n += r.messages
	}
	return n
}

// lag is how many messages of a range somebody still needs, or may. The caller holds the lock.
func (s *Spool) lag(from, to uint64) (n uint64) {
	for _, r := range s.st.live(ranges.Range{From: from, To: to}) {
		n += r.Len()
	}
	return n
}

// refuse takes those requests out of a group that have no room: they fail, or wait for room.
func (s *Spool) refuse(g *group, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := isFull(err)
	if full {
		s.nowFull(err)
	}
	var kept, wait []*request
	var a ahead
	for _, r := range g.reqs {
		held := a.holds(r)
		switch {
		case r.need == forState && !held:
			kept = append(kept, r)
		case r.gaveUp != nil:
			s.abandon(r)
			s.finish(r, r.gaveUp)
		case full && (held || r.need == forMessages) && !r.try && !s.closing:
			wait = append(wait, r)
			a.waits(r)
			s.queued += r.size
		case full:
			s.abandon(r)
			s.finish(r, fullError(err))
		default:
			s.abandon(r)
			s.finish(r, err)
		}
	}
	s.queue = append(wait, s.queue...)
	g.reqs = kept
	g.assemble()
}

// nowFull notes that there is no room. The caller holds the lock.
func (s *Spool) nowFull(err error) {
	if !s.stats.full {
		s.stats.full = true
		s.emit(Event{Kind: Full, Err: err})
	}
	s.full, s.fullUntil = err, s.env.now().Add(fullRetry)
}

// room notes that there may be room again. The caller holds the lock.
func (s *Spool) room() {
	if s.full != nil {
		s.full = nil
		s.wake(s.kick)
	}
}

// ensure sees that the newest segment has room for a batch, and can be written to.
func (s *Spool) ensure(size int, n need) error {
	seg := s.newest
	limit := seg.size
	if n != forState {
		limit -= reserve(seg.size)
	}
	if seg.failed != nil || seg.end+int64(size) > limit {
		return s.rotate(size, n)
	}
	if n == forState {
		return nil
	}
	err := seg.back(seg.end + int64(size) + reserve(seg.size))
	if err == nil || isFull(err) {
		return err
	}
	s.failed(err)
	seg.failed = err
	return s.rotate(size, n)
}

// reserve is what is kept at the end of a segment for commits without messages: with it, settling works on a full disk.
func reserve(size int64) int64 { return min(maxReserve, size/8) }

// dropOldest settles the oldest messages: so many as a group brings, or all that are only in the oldest segment.
func (s *Spool) dropOldest(g *group, byCount bool) bool {
	s.mu.Lock()
	low := s.st.low()
	to := uint64(0)
	if byCount {
		left := uint64(g.wants())
		for _, r := range s.st.live(ranges.Range{From: 0, To: s.written}) {
			n := min(r.Len(), left)
			to, left = r.From+n, left-n
			if left == 0 {
				break
			}
		}
	} else {
		for _, seg := range s.segs[1:] {
			if seg.first > low {
				to = seg.first
				break
			}
		}
	}
	count := s.drop(ranges.Range{From: low, To: to})
	s.mu.Unlock()
	if count == 0 {
		return false
	}
	if err := s.commitOwed(); err != nil {
		return false
	}
	s.unlinkAll()
	return true
}

// drop settles for everybody what is live in a range, and counts it. The caller holds the lock.
func (s *Spool) drop(r ranges.Range) uint64 {
	n := s.discard(Dropped, r)
	if n.Messages > 0 {
		s.stats.dropped.add(n)
		s.emit(Event{Kind: Dropped, Seqs: Range(r), Count: n})
	}
	return n.Messages
}

// discard settles for everybody what is live in a range. The caller holds the lock.
func (s *Spool) discard(why EventKind, r ranges.Range) (n Count) {
	live := s.st.live(r)
	for _, l := range live {
		n.Messages += l.Len()
		n.Bytes += s.weight(l)
	}
	if n.Messages == 0 {
		return n
	}
	if len(s.st.cursors) == 0 {
		for _, l := range live {
			s.void(l, false)
		}
		return n
	}
	for _, c := range s.st.cursors {
		for g := range c.set.Gaps(max(r.From, 1), min(r.To, s.written)) {
			s.settle(c, g)
			s.lose(c, why, g, Count{g.Len(), s.weight(g)})
		}
	}
	return n
}

// settle notes that a cursor is done with a range, and owes it. The caller holds the lock.
func (s *Spool) settle(c *cursorState, r ranges.Range) {
	from := c.set.Floor()
	if c.set.AddRange(r.From, r.To) == 0 {
		return
	}
	s.st.forget(c, min(from, r.From))
	s.owed.settled[c.id] = appendRange(s.owed.settled[c.id], r)
	s.owe()
	if errors.Is(s.full, errTooMany) {
		s.room()
	}
	if s.env.is(unlinkEarly) {
		s.reap()
	}
}

// appendRange adds a range to a list, to its last one if it goes on where that ends.
func appendRange(rs []ranges.Range, r ranges.Range) []ranges.Range {
	if n := len(rs); n > 0 && rs[n-1].To == r.From {
		rs[n-1].To = r.To
		return rs
	}
	return append(rs, r)
}

// commitOwed commits what is owed, now. Only the committer calls it.
func (s *Spool) commitOwed() error {
	for {
		s.mu.Lock()
		g := &group{}
		s.collectOwed(g)
		g.assemble()
		s.mu.Unlock()
		if len(g.state) == 0 {
			return nil
		}
		err := s.ensure(g.total(), forState)
		if err != nil {
			s.fail(g, err, false)
			return err
		}
		s.number(g)
		s.commit(g)
		s.mu.Lock()
		err = s.stuck
		s.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// weight estimates how many bytes of the files the messages of a range take, from the average of their segments. The
// caller holds the lock.
func (s *Spool) weight(r ranges.Range) (n uint64) {
	i, found := slices.BinarySearchFunc(s.segs, r.From, func(seg *segment, seq uint64) int {
		switch {
		case seg.first < seq:
			return -1
		case seg.first > seq:
			return 1
		}
		return 0
	})
	if !found && i > 0 {
		i--
	}
	for ; i < len(s.segs) && s.segs[i].first < r.To; i++ {
		seg := s.segs[i]
		next := s.written
		if i+1 < len(s.segs) {
			next = s.segs[i+1].first
		}
		part := ranges.Range{From: max(r.From, seg.first), To: min(r.To, next)}
		if all := (ranges.Range{From: seg.first, To: next}).Len(); all > 0 {
			n += part.Len() * uint64(max(seg.end-seg.begin, 0)) / all
		}
	}
	return n
}
