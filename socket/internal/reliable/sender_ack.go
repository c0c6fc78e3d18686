package reliable

import (
	"fmt"
	"slices"
	"sort"
)

// Ack takes the receiver's ACK on a link. queued is how many messages the link has taken that Wrote has not been told
// of: some of them may have arrived. Acknowledgements of an earlier link count for nothing.
func (s *Sender[P]) Ack(link Link, queued uint64, a Ack) (Settlement[P], error) {
	s.begin()
	if link != s.link || !s.up {
		return s.settled, nil
	}
	sent := s.written + queued
	if a.Upto > sent {
		return s.settled, fmt.Errorf("%w: ACK of %d messages, %d were sent", ErrProtocol, a.Upto, sent)
	}
	s.settle(0, a.Upto)
	for _, r := range a.Ranges {
		if r.To > sent {
			return s.settled, fmt.Errorf("%w: ACK of message %d, %d were sent", ErrProtocol, r.To, sent)
		}
		s.settle(r.From, r.To)
	}
	s.release()
	return s.settled, nil
}

// GiveBack takes the receiver's NAK or TERM of the message at a position on a link. It returns the message; ok is false
// if that was settled before. The caller has it sent again, by this or another link, or gives it up: this Sender knows
// nothing more of it. queued is as in Ack. ErrNotWritten says that Wrote has not been told of the message yet: ask
// again when it has.
func (s *Sender[P]) GiveBack(link Link, queued, pos uint64) (p Piece[P], freed Settlement[P], ok bool, err error) {
	s.begin()
	switch {
	case link != s.link || !s.up || s.done.Contains(pos):
		return p, s.settled, false, nil
	case pos >= s.written+queued:
		err = fmt.Errorf("%w: message %d is given back, %d were sent", ErrProtocol, pos, s.written+queued)
		return p, s.settled, false, err
	case pos >= s.written:
		return p, s.settled, false, ErrNotWritten
	}
	for q := range s.piecesIn(pos, pos+1) {
		p = q.again()
		p.Bytes = s.sizeOf(&p)
	}
	s.settle(pos, pos+1)
	s.settled.Messages, s.settled.Numbers = 0, s.settled.Numbers[:0] // not settled but given back
	r := &s.records[s.record(pos)]
	taken := min(p.Bytes, r.bytes) // of the rest it is told when that is settled
	r.bytes -= taken
	s.unackedLen -= taken
	s.release()
	return p, s.settled, true, nil
}

// begin empties what the last call returned.
func (s *Sender[P]) begin() {
	clear(s.settled.Payloads)
	clear(s.settled.Ahead)
	s.settled = Settlement[P]{
		Numbers: s.settled.Numbers[:0], Payloads: s.settled.Payloads[:0], Ahead: s.settled.Ahead[:0],
	}
}

// settle marks positions as done and enters in s.settled those that are written. release must follow.
func (s *Sender[P]) settle(from, to uint64) {
	if from >= to {
		return
	}
	s.met = true
	for gap := range s.done.Gaps(from, min(to, s.written)) {
		s.enter(gap.From, gap.To)
		s.settled.Messages += gap.Len()
		s.unacked -= gap.Len()
		for i := s.record(gap.From); i < len(s.records) && s.records[i].pos < gap.To; i++ {
			r := &s.records[i]
			r.left -= min(gap.To, r.pos+r.count) - max(gap.From, r.pos)
		}
	}
	s.done.AddRange(from, to)
}

// record is the place of the record that pos is in.
func (s *Sender[P]) record(pos uint64) int {
	if r := &s.records[0]; pos < r.pos+r.count { // acknowledged in order
		return 0
	}
	return sort.Search(len(s.records), func(i int) bool { return s.records[i].pos+s.records[i].count > pos })
}

// enter adds the numbers of positions to those that are settled.
func (s *Sender[P]) enter(from, to uint64) {
	s.places.each(from, to, func(_, number, n uint64, _ run) {
		all := s.settled.Numbers
		if i := len(all) - 1; i >= 0 && all[i].To == number {
			all[i].To += n
			return
		}
		s.settled.Numbers = append(all, Range{From: number, To: number + n})
	})
}

// release gives up the payloads that are no longer needed.
func (s *Sender[P]) release() {
	first := 0
	for i := range s.records {
		r := &s.records[i]
		if r.pos >= s.done.End() {
			break
		}
		if r.left == 0 && !r.freed {
			r.freed = true
			s.settled.Bytes += r.bytes
			s.unackedLen -= r.bytes
			switch {
			case r.part:
			case first == i:
				s.settled.Payloads = append(s.settled.Payloads, r.payload)
			default:
				s.settled.Ahead = append(s.settled.Ahead, r.payload)
			}
			var none P
			r.payload = none
		}
		if r.freed && first == i {
			first = i + 1
		}
	}
	s.records = slices.Delete(s.records, 0, first)
	s.places.prune(min(s.done.Floor(), s.written)) // of what was acknowledged ahead of Wrote the numbers are still needed
}
