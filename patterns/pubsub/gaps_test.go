package pubsub

import (
	"math"
	"slices"
	"testing"
)

func TestGaps(t *testing.T) {
	const e = math.MaxUint64 // an event comes; any other number is a beat
	for name, tt := range map[string]struct {
		steps []uint64
		want  []int // what is missing before each event
		total uint64
	}{
		"nothing":                   {},
		"all came":                  {[]uint64{e, e, 2, e, 3}, []int{0, 0, 0}, 0},
		"some in between":           {[]uint64{e, 5, e, e}, []int{0, 4, 0}, 4},
		"the first":                 {[]uint64{3, e}, []int{3}, 3},
		"the last":                  {[]uint64{e, 2}, []int{0}, 1},
		"told once":                 {[]uint64{e, 5, 5, 5, e, 6}, []int{0, 4}, 4},
		"more of it later":          {[]uint64{e, 5, 9, e, 12, e}, []int{0, 8, 2}, 10},
		"a beat that says less":     {[]uint64{e, e, e, 2, 0, e}, []int{0, 0, 0, 0}, 0},
		"a beat that is lost":       {[]uint64{e, e, 7, e}, []int{0, 0, 5}, 5},
		"a beat that cannot be":     {[]uint64{e, math.MaxUint64 - 1, e}, []int{0, math.MaxInt32}, math.MaxUint64 - 2},
		"and one beyond that again": {[]uint64{math.MaxUint64 - 1, e, e}, []int{math.MaxInt32, 0}, math.MaxUint64 - 1},
	} {
		t.Run(name, func(t *testing.T) {
			var g gaps
			var got []int
			var total uint64
			for _, s := range tt.steps {
				if s == e {
					got = append(got, g.event())
				} else {
					total += g.beat(s)
				}
			}
			if !slices.Equal(got, tt.want) || total != tt.total {
				t.Errorf("%v, %d in all; want %v, %d", got, total, tt.want, tt.total)
			}
		})
	}
}

func TestGapsTellLater(t *testing.T) {
	var g gaps
	g.beat(4)
	g.tellLater(g.event())
	if got := g.event(); got != 4 {
		t.Errorf("%d, want 4", got)
	}
	g.unknown = true
	g.tellLater(g.event())
	if got := g.event(); got != unknownMissed {
		t.Errorf("%d, want %d", got, unknownMissed)
	}
	if got := g.event(); got != 0 {
		t.Errorf("%d after that was told", got)
	}
}

// FuzzGaps drops some of what is published, and beats too: what came and what is known to be missing is all that was
// meant, as of the last beat that came; and all that is missing is told.
func FuzzGaps(f *testing.F) {
	f.Add([]byte{0, 0, 1, 2, 0, 3, 1, 2})
	f.Fuzz(func(t *testing.T, steps []byte) {
		var g gaps
		var meant, came, told, known uint64
		for _, s := range steps {
			switch s % 4 {
			case 0: // published, and comes
				meant++
				came++
				told += uint64(g.event())
			case 1: // published, and is dropped
				meant++
			case 2: // a beat comes
				known += g.beat(meant)
				if came+known != meant {
					t.Fatalf("%d came, %d missing, %d meant", came, known, meant)
				}
			case 3: // a beat is dropped
			}
		}
		if told += g.untold; told != known {
			t.Errorf("%d told, %d known", told, known)
		}
	})
}
