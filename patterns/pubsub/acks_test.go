package pubsub

import (
	"slices"
	"testing"
)

func TestAcks(t *testing.T) {
	var a acks
	for u := uint64(1); u <= 10; u++ {
		if u == 4 || u == 9 {
			continue // dropped on the way
		}
		if !a.came(u, 1) {
			t.Fatalf("%d has come before", u)
		}
	}
	if a.came(10, 1) || a.came(4, 1) {
		t.Error("what has come, or was passed over, comes again")
	}
	for _, u := range []uint64{2, 6, 5, 10, 1} {
		if !a.settle(u) {
			t.Errorf("%d was not at hand", u)
		}
	}
	if a.settle(2) || a.settle(4) {
		t.Error("settled what was not at hand")
	}
	if got, want := a.spans(), []uint64{5, 6, 10, 10}; a.floor != 2 || !slices.Equal(got, want) {
		t.Errorf("floor %d, %v; want 2, %v", a.floor, got, want)
	}
	if got, want := a.holes(12), []uint64{4, 9, 11, 12}; !slices.Equal(got, want) {
		t.Errorf("holes %v, want %v", got, want)
	}
	a.drop(7)
	if got, want := a.holes(0), []uint64{4, 7, 9}; !slices.Equal(got, want) {
		t.Errorf("holes %v, want %v", got, want)
	}
	a.came(13, 8) // the publisher has given 4 and 7 to others
	if got, want := a.spans(), []uint64{10, 10}; a.floor != 7 || !slices.Equal(got, want) {
		t.Errorf("floor %d, %v; want 7, %v", a.floor, got, want)
	}
	a.settle(3) // after all
	a.settle(8)
	if got, want := a.holes(0), []uint64{9, 11, 12}; a.floor != 8 || !slices.Equal(got, want) {
		t.Errorf("floor %d, holes %v; want 8, %v", a.floor, got, want)
	}
}

// FuzzAcks settles, drops and gives back at random: what acks says is what a set of numbers says.
func FuzzAcks(f *testing.F) {
	f.Add([]byte{0, 0, 4, 1, 5, 0, 8, 3, 2})
	f.Fuzz(func(t *testing.T, steps []byte) {
		var a acks
		settled, here := make(map[uint64]bool), make(map[uint64]bool)
		last, lowest := uint64(0), uint64(1)
		for i, s := range steps {
			u := uint64(s/4)%16 + max(last, 8) - 8 // one of the last
			switch s % 4 {
			case 0: // it comes
				last++
				here[last] = true
				if a.came(last, lowest) != true {
					t.Fatalf("step %d: %d has come before", i, last)
				}
				for u := uint64(1); u < lowest; u++ {
					settled[u] = true
				}
			case 1: // it is lost on the way
				last++
			case 2:
				if a.settle(u) != here[u] {
					t.Fatalf("step %d: settle %d", i, u)
				}
				if here[u] {
					settled[u] = true
				}
				delete(here, u)
			case 3: // it is not wanted any more, and the publisher gives some to others
				a.drop(u)
				delete(here, u)
				if s > 200 {
					lowest = max(lowest, min(u, last))
				}
			}
			spans, holes := a.spans(), a.holes(0)
			for u := uint64(1); u <= a.last && len(a.done) <= mostSpans && len(holes) < mostHoles; u++ {
				if covers(a.floor, spans, u) != settled[u] {
					t.Fatalf("step %d: %d is settled: %v; floor %d, %v", i, u, settled[u], a.floor, spans)
				}
				if slices.Contains(holes, u) != (!settled[u] && !here[u]) {
					t.Fatalf("step %d: %d is a hole; floor %d, %v, holes %v", i, u, a.floor, spans, holes)
				}
			}
		}
	})
}
