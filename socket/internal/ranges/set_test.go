package ranges

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestAddRange(t *testing.T) {
	for _, tt := range []struct {
		name     string
		start    Set
		from, to uint64
		missing  uint64
		floor    uint64
		above    []Range
	}{
		{"nothing to nothing", Set{}, 0, 0, 0, 0, nil},
		{"in order", From(5), 5, 6, 1, 6, nil},
		{"a run in order", From(5), 5, 9, 4, 9, nil},
		{"below the floor", From(5), 0, 5, 0, 5, nil},
		{"over the floor", From(5), 3, 7, 2, 7, nil},
		{"turned around", From(5), 9, 7, 0, 5, nil},
		{"behind a gap", From(5), 7, 9, 2, 5, []Range{{7, 9}}},
		{"behind another", From(5, Range{7, 9}), 11, 12, 1, 5, []Range{{7, 9}, {11, 12}}},
		{"ahead of another", From(5, Range{11, 12}), 7, 9, 2, 5, []Range{{7, 9}, {11, 12}}},
		{"touches what is below", From(5, Range{7, 9}), 9, 10, 1, 5, []Range{{7, 10}}},
		{"touches what is above", From(5, Range{8, 9}), 7, 8, 1, 5, []Range{{7, 9}}},
		{"closes a gap between two", From(5, Range{7, 8}, Range{9, 10}), 8, 9, 1, 5, []Range{{7, 10}}},
		{"closes the first gap", From(5, Range{6, 8}), 5, 6, 1, 8, nil},
		{"closes the first of two gaps", From(5, Range{6, 8}, Range{9, 10}), 5, 6, 1, 8, []Range{{9, 10}}},
		{"closes all gaps", From(5, Range{6, 8}, Range{9, 10}), 5, 9, 2, 10, nil},
		{"inside", From(5, Range{7, 12}), 8, 10, 0, 5, []Range{{7, 12}}},
		{"around", From(5, Range{8, 9}, Range{10, 11}), 7, 12, 3, 5, []Range{{7, 12}}},
		{"over the end of one", From(5, Range{7, 9}), 8, 12, 3, 5, []Range{{7, 12}}},
		{"over the start of one", From(5, Range{7, 9}), 6, 8, 1, 5, []Range{{6, 9}}},
		{"up to the greatest", From(5), 6, math.MaxUint64, math.MaxUint64 - 6, 5, []Range{{6, math.MaxUint64}}},
		{"all there is", Set{}, 0, math.MaxUint64, math.MaxUint64, math.MaxUint64, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.start.Clone()
			if n := s.AddRange(tt.from, tt.to); n != tt.missing {
				t.Errorf("%d were missing, want %d", n, tt.missing)
			}
			if s.Floor() != tt.floor || !slices.Equal(s.Above(), tt.above) {
				t.Errorf("got %d %v, want %d %v", s.Floor(), s.Above(), tt.floor, tt.above)
			}
		})
	}
}

func TestGreatestNumberIsNeverIn(t *testing.T) {
	for _, s := range []Set{{}, From(math.MaxUint64), From(3, Range{5, math.MaxUint64})} {
		before := s.Clone()
		if s.Add(math.MaxUint64) || s.Contains(math.MaxUint64) || s.Floor() != before.Floor() {
			t.Errorf("%v became %v", before, s)
		}
	}
}

func TestCloneSharesNothing(t *testing.T) {
	s := From(1, Range{3, 4}, Range{6, 7})
	c := s.Clone()
	s.AddRange(4, 5)
	if want := []Range{{3, 4}, {6, 7}}; !slices.Equal(c.Above(), want) {
		t.Errorf("the copy became %v, want %v", c.Above(), want)
	}
}

// A model is the same set as one bit a number.
type model [100]bool

func (m *model) gaps(from, to uint64) (gaps []Range) {
	for n := from; n < to; n++ {
		switch last := len(gaps) - 1; {
		case m[n]:
		case last >= 0 && gaps[last].To == n:
			gaps[last].To++
		default:
			gaps = append(gaps, Range{n, n + 1})
		}
	}
	return gaps
}

// Every answer of a set is that of a list of bits, whatever is added in whatever order.
func TestSetAgainstBits(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		var s Set
		var m model
		for range 60 {
			from := r.Uint64N(uint64(len(m)))
			to := min(from+r.Uint64N(8), uint64(len(m)))
			var want, got uint64
			for n := from; n < to; n++ {
				if !m[n] {
					m[n], want = true, want+1
				}
			}
			switch r.IntN(6) {
			case 5:
				for n := from; n < to; n++ {
					m[n] = false
				}
				s.RemoveRange(from, to)
				got = want
			case 0:
				for n := from; n < to; n++ {
					if s.Add(n) {
						got++
					}
				}
			case 1:
				got = s.AddRange(from, to)
				floor := s.Floor() + r.Uint64N(3)
				for n := s.Floor(); n < min(floor, uint64(len(m))); n++ {
					if !m[n] {
						m[n], want = true, want+1
					}
				}
				got += s.Raise(min(floor, uint64(len(m))))
			default:
				got = s.AddRange(from, to)
			}
			if got != want {
				t.Fatalf("seed %d: %d were missing of %d to %d, want %d", seed, got, from, to, want)
			}
			check(t, seed, &s, &m)
		}
	}
}

func check(t *testing.T, seed uint64, s *Set, m *model) {
	t.Helper()
	end := uint64(0)
	for n, in := range m {
		if s.Contains(uint64(n)) != in {
			t.Fatalf("seed %d: contains %d is %v; %v", seed, n, !in, s)
		}
		if in {
			end = uint64(n) + 1
		}
	}
	if floor := m.gaps(0, uint64(len(m))); len(floor) > 0 && s.Floor() != floor[0].From || s.End() != max(end, s.Floor()) {
		t.Fatalf("seed %d: floor %d, end %d; %v", seed, s.Floor(), s.End(), s)
	}
	last := s.Floor()
	for _, r := range s.Above() {
		if r.From <= last || r.Len() == 0 {
			t.Fatalf("seed %d: %v is out of order, empty or touches the one before", seed, s.Above())
		}
		last = r.To
	}
	for from := uint64(0); from < uint64(len(m)); from += 13 {
		for to := from; to < uint64(len(m)); to += 9 {
			if got, want := slices.Collect(s.Gaps(from, to)), m.gaps(from, to); !slices.Equal(got, want) {
				t.Fatalf("seed %d: gaps from %d to %d are %v, want %v; %v", seed, from, to, got, want, s)
			}
		}
	}
	for range s.Gaps(0, uint64(len(m))) {
		break // stops when it is told to
	}
	turned := slices.Clone(s.Above())
	slices.Reverse(turned)
	if back := From(s.Floor(), turned...); back.Floor() != s.Floor() || !slices.Equal(back.Above(), s.Above()) {
		t.Fatalf("seed %d: %v became %v", seed, s, back)
	}
}

func TestInOrderAllocatesNothing(t *testing.T) {
	var s Set
	n := uint64(0)
	if got := testing.AllocsPerRun(1000, func() {
		s.Add(n)
		s.AddRange(n+1, n+9)
		n += 9
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
