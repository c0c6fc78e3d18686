package reliable

import (
	"cmp"
	"iter"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

func compare(a, b uint64) int { return cmp.Compare(a, b) }

// pieces yields all that is written and not done, in the order of the link.
func (s *Sender[P]) pieces() iter.Seq[Piece[P]] { return s.piecesIn(0, s.written) }

// piecesIn yields what of positions is written and not done.
func (s *Sender[P]) piecesIn(from, to uint64) iter.Seq[Piece[P]] {
	return func(yield func(Piece[P]) bool) {
		for i := range s.records {
			r := &s.records[i]
			for gap := range s.done.Gaps(max(from, r.pos), min(to, r.pos+r.count)) {
				if !s.piecesOf(r, gap, yield) {
					return
				}
			}
		}
	}
}

// piecesOf yields what one record has at some positions, none of them done.
func (s *Sender[P]) piecesOf(r *record[P], at Range, yield func(Piece[P]) bool) (going bool) {
	going = true
	s.places.each(at.From, at.To, func(pos, number, n uint64, first run) {
		p := Piece[P]{
			Payload: r.payload, Skip: r.skip + pos - r.pos, Count: n, Number: number, Bytes: r.bytes / r.count * n,
			adopted: r.adopted,
		}
		if first.attempts > 0 || first.redelivered { // which is true of this message alone
			one := p.to(1)
			one.Attempts, one.Redelivered = first.attempts, first.redelivered
			going = going && yield(one)
			p = p.from(number + 1)
		}
		going = going && (p.Count == 0 || yield(p))
	})
	return going
}

// from is the piece from a number in it on.
func (p Piece[P]) from(number uint64) Piece[P] {
	n := number - p.Number
	if n > 0 {
		p.Bytes -= p.Bytes / p.Count * n
	}
	p.Number, p.Skip, p.Count = number, p.Skip+n, p.Count-n
	return p
}

// to is the first n messages of the piece.
func (p Piece[P]) to(n uint64) Piece[P] {
	if n < p.Count {
		p.Bytes = p.Bytes / p.Count * n
		p.Count = n
	}
	return p
}

// cut parts the piece into what is below a number and what is not.
func (p Piece[P]) cut(number uint64) (below, rest Piece[P]) {
	switch {
	case number <= p.Number:
		return below, p
	case number >= p.Number+p.Count:
		return p, rest
	}
	return p.to(number - p.Number), p.from(number)
}

// again is a piece that an application may have got.
func (p Piece[P]) again() Piece[P] {
	if p.Attempts < ^uint16(0) {
		p.Attempts++
	}
	p.Redelivered = true
	return p
}

// A part is a piece of which all is in a set, or nothing.
type part[P any] struct {
	Piece[P]
	settled bool
}

// split yields the parts of a piece that are in a set and those that are not, in order.
func split[P any](p Piece[P], set *ranges.Set) iter.Seq[part[P]] {
	return func(yield func(part[P]) bool) {
		end := p.Number + p.Count
		for gap := range set.Gaps(p.Number, end) {
			if gap.From > p.Number {
				if !yield(part[P]{p.to(gap.From - p.Number), true}) {
					return
				}
			}
			if !yield(part[P]{p.from(gap.From).to(gap.Len()), false}) {
				return
			}
			p = p.from(gap.To)
		}
		if p.Count > 0 {
			yield(part[P]{p, true})
		}
	}
}

// sizeOf is the bytes of a piece.
func (s *Sender[P]) sizeOf(p *Piece[P]) uint64 {
	if s.cfg.Size == nil || p.adopted {
		return p.Bytes
	}
	return s.cfg.Size(p.Payload, p.Skip, p.Count)
}

// weigh takes the bytes of pieces off those of which it is known that they are settled.
func (s *Sender[P]) weigh(pieces []Piece[P]) {
	for i := range pieces {
		p := &pieces[i]
		p.Bytes = s.sizeOf(p)
		s.settled.Bytes -= p.Bytes
	}
}
