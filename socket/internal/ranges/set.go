package ranges

import (
	"iter"
	"slices"
)

// A Range is the numbers from From up to, but without, To. It is empty unless From is less than To.
type Range struct{ From, To uint64 }

// Len is how many numbers there are in the range.
func (r Range) Len() uint64 {
	if r.From >= r.To {
		return 0
	}
	return r.To - r.From
}

// Contains reports whether n is in the range.
func (r Range) Contains(n uint64) bool { return r.From <= n && n < r.To }

// A Set is a set of numbers: everything below its floor, and ranges above. The zero value is empty. The greatest uint64
// cannot be in a Set.
//
// A Set is copied by Clone, not by assignment. It may be used by one goroutine at a time.
type Set struct {
	floor uint64
	above []Range // ascending, none empty, with a gap ahead of each
}

// From returns the set of everything below floor and of the given ranges, which may be in any order, overlap and be
// empty: of whatever was stored, or came from a peer.
func From(floor uint64, above ...Range) Set {
	s := Set{floor: floor}
	for _, r := range above {
		s.AddRange(r.From, r.To)
	}
	return s
}

// Floor returns the least number that is not in the set: everything below it is.
func (s *Set) Floor() uint64 { return s.floor }

// Above returns the ranges above the floor in ascending order, none of them empty, and none next to another or to the
// floor. It is the set's own slice: not to be changed, and valid until the set changes.
func (s *Set) Above() []Range { return s.above }

// End returns the number behind the greatest one in the set.
func (s *Set) End() uint64 {
	if n := len(s.above); n > 0 {
		return s.above[n-1].To
	}
	return s.floor
}

// Contains reports whether n is in the set. It takes a comparison for what is below the floor or behind the end, and
// logarithmic time otherwise.
func (s *Set) Contains(n uint64) bool {
	if n < s.floor || n >= s.End() {
		return n < s.floor
	}
	i := s.search(n)
	return i < len(s.above) && s.above[i].Contains(n)
}

// Add adds one number, and reports whether it was missing.
func (s *Set) Add(n uint64) bool {
	if n == s.floor && len(s.above) == 0 && n+1 != 0 { // in order
		s.floor++
		return true
	}
	return s.AddRange(n, n+1) > 0
}

// AddRange adds the numbers from from up to, but without, to, and returns how many of them were missing. In the midst
// of many ranges it takes time linear in their number.
func (s *Set) AddRange(from, to uint64) (missing uint64) {
	from = max(from, s.floor)
	if from >= to {
		return 0
	}
	first := s.search(from) // of those that overlap or touch
	if first > 0 && s.above[first-1].To == from {
		first--
	}
	last := first
	missing = to - from
	joined := Range{from, to}
	for ; last < len(s.above) && s.above[last].From <= to; last++ {
		r := s.above[last]
		missing -= Range{max(r.From, from), min(r.To, to)}.Len()
		joined = Range{min(joined.From, r.From), max(joined.To, r.To)}
	}
	if joined.From == s.floor {
		s.floor = joined.To
		s.above = slices.Delete(s.above, 0, last)
		return missing
	}
	s.above = slices.Replace(s.above, first, last, joined)
	return missing
}

// Raise adds everything below floor, and returns how many numbers that were missing.
func (s *Set) Raise(floor uint64) (missing uint64) { return s.AddRange(0, floor) }

// RemoveRange takes the numbers from from up to, but without, to out of the set: the floor comes down to from if it was
// above.
func (s *Set) RemoveRange(from, to uint64) {
	to = min(to, s.End())
	if from >= to {
		return
	}
	whole := s.above
	if s.floor > from { // what is left of everything below the floor
		if to < s.floor {
			whole = slices.Insert(whole, 0, Range{to, s.floor})
		}
		s.floor = from
	}
	first, last := 0, 0 // of those that overlap
	for first < len(whole) && whole[first].To <= from {
		first++
	}
	var left []Range
	for last = first; last < len(whole) && whole[last].From < to; last++ {
		for _, r := range []Range{{whole[last].From, from}, {to, whole[last].To}} {
			if r.Len() > 0 {
				left = append(left, r)
			}
		}
	}
	s.above = slices.Replace(whole, first, last, left...)
}

// Gaps yields, in ascending order, what of the numbers from from up to, but without, to is missing. The set must not
// change meanwhile.
func (s *Set) Gaps(from, to uint64) iter.Seq[Range] {
	return func(yield func(Range) bool) {
		from = max(from, s.floor)
		for i := s.search(from); from < to; i++ {
			gap := Range{from, to}
			if i < len(s.above) {
				gap.To = min(to, s.above[i].From)
				from = s.above[i].To
			} else {
				from = to
			}
			if gap.Len() > 0 && !yield(gap) {
				return
			}
		}
	}
}

// Clone returns a copy that shares nothing with s.
func (s *Set) Clone() Set { return Set{floor: s.floor, above: slices.Clone(s.above)} }

// search returns the place of the first range above the floor that ends behind n.
func (s *Set) search(n uint64) int {
	i, _ := slices.BinarySearchFunc(s.above, n, func(r Range, n uint64) int {
		if r.To <= n {
			return -1
		}
		return 1
	})
	return i
}
