package reliable

import "github.com/yodel-mq/yodel/socket/internal/ranges"

// Room reports whether more may be written: the window is not used up. One write may go beyond it.
func (s *Sender[P]) Room() bool { return s.up && !s.window.reached(s.unacked, s.unackedLen) }

// Place is asked about a message that goes behind queued others which this link has taken and Wrote has not been told
// of yet. It returns what NEXT has to say ahead of the message, and whether NEXT is needed at all.
//
// It must be called for each message whose number does not follow from the one before: what Opened says is to be sent
// again, with its number, attempts and redelivered; the first message behind those, and what comes from another stream
// or was given back, with the number 0, for a number of its own. All other messages need no call: they have the number
// of the one before them plus one. Calls go in the order of the link. A number is a position, so that neither the
// message nor one ahead of it may be taken back as long as the link is up: it is best placed as it is written.
func (s *Sender[P]) Place(queued uint64, m Next) (next Next, needed bool) {
	pos := s.written + queued
	expected := s.places.number(pos)
	if m.Number == 0 {
		m.Number = max(s.nextFree, expected)
	}
	needed = m.Number != expected || m.Attempts > 0 || m.Redelivered
	if needed {
		s.places.add(run{pos: pos, number: m.Number, attempts: m.Attempts, redelivered: m.Redelivered})
	}
	return m, needed
}

// Wrote records that the next count messages were written whole, bytes altogether, all of those that payload has, in
// order. It returns what has been acknowledged meanwhile.
//
// Of a write that failed, count every message of which it is not certain that a part of it never left.
func (s *Sender[P]) Wrote(link Link, count, bytes uint64, payload P) Settlement[P] {
	s.begin()
	if link != s.link || !s.opened || count == 0 {
		return s.settled
	}
	pos := s.written
	s.written += count
	s.nextFree = max(s.nextFree, s.places.number(s.written-1)+1)
	if len(s.owed.Above()) > 0 {
		s.repay(pos)
	}
	left := count
	if s.done.End() > pos {
		left -= s.enterEarly(pos)
	}
	if left == 0 {
		s.settled.Bytes = bytes
		if len(s.records) == 0 {
			s.settled.Payloads = append(s.settled.Payloads, payload)
		} else {
			s.settled.Ahead = append(s.settled.Ahead, payload)
		}
		s.places.prune(min(s.done.Floor(), s.written))
		return s.settled
	}
	s.unacked += left
	s.unackedLen += bytes
	s.records = append(s.records, record[P]{pos: pos, count: count, left: left, bytes: bytes, payload: payload})
	return s.settled
}

// repay notes that what the write that begins at pos had of messages to be sent again is written.
func (s *Sender[P]) repay(pos uint64) {
	s.places.each(pos, s.written, func(_, number, n uint64, _ run) { s.Forget(number, n) })
}

// enterEarly enters as settled what was acknowledged before the write that begins at pos was over, and returns how many
// messages that is.
func (s *Sender[P]) enterEarly(pos uint64) (n uint64) {
	n = s.written - pos
	for gap := range s.done.Gaps(pos, s.written) {
		n -= gap.Len()
	}
	s.settled.Messages = n
	for gap := range s.done.Gaps(pos, s.written) {
		s.enter(pos, gap.From)
		pos = gap.To
	}
	s.enter(pos, s.written)
	return n
}

// TellLow reports whether the receiver should be told that low is the lowest number that it may still be sent (the
// command LOW), and takes it for told. It is due once in a quarter of the window. Of a shared stream LOW also says
// which numbers above are settled, so that one message that waits somewhere does not make everybody remember all that
// follow.
func (s *Sender[P]) TellLow(low uint64) bool {
	if !s.up || low < s.told || low-s.told < max(1, s.window.Messages/4) {
		return false
	}
	s.told = low
	return true
}

// Settled returns what the receiver may forget of the numbers that were given: all below low, and the lowest ranges
// above it, most of them at most. It is for a sender that gives the numbers itself: where messages are given back,
// which go on under other numbers, a receiver would remember a gap for each.
func (s *Sender[P]) Settled(most int) (low uint64, above []Range) {
	var open ranges.Set
	for p := range s.pieces() {
		open.AddRange(p.Number, p.Number+p.Count)
	}
	for _, o := range s.owed.Above() {
		open.AddRange(o.From, o.To)
	}
	low = s.nextFree
	if left := open.Above(); len(left) > 0 {
		low = min(low, left[0].From)
	}
	for gap := range open.Gaps(low, s.nextFree) {
		if len(above) == most {
			break
		}
		above = append(above, gap)
	}
	return low, above
}
