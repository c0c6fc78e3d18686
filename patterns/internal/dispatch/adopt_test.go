package dispatch

import (
	"slices"
	"testing"
	"time"
)

// A worker of an earlier life gets back the jobs that it says it has, also those that wait for it, but none that
// another has by now, is for another, or is behind one of its key.
func TestAdopt(t *testing.T) {
	now := time.Unix(1, 0)
	m := New[int](Config{Lease: time.Minute})
	for _, j := range []*Job[int]{
		{Seq: 1, NotBefore: now.Add(time.Second)},
		{Seq: 2, Key: "k", NotBefore: now.Add(time.Second)},
		{Seq: 3, Key: "k"},
		{Seq: 4, To: "other"},
		{Seq: 5},
	} {
		m.Restore(now, j)
	}
	m.Up(1, "")
	if _, err := m.Credit(now, 1, 1, 0); err != nil { // takes 5
		t.Fatal(err)
	}
	m.Up(2, "mine")
	_, lost := m.Adopt(now, 2, 0, []uint64{1, 2, 3, 4, 5, 6})
	if want := []uint64{3, 4, 5, 6}; !slices.Equal(lost, want) {
		t.Errorf("lost %v, want %v", lost, want)
	}
	for _, seq := range []uint64{1, 2} {
		if _, err := m.Ack(now, 2, seq); err != nil {
			t.Errorf("Ack of %d: %v", seq, err)
		}
	}
	if _, err := m.Ack(now, 2, 5); err == nil {
		t.Error("it has settled what another has")
	}
	if s := m.Stats(); s.Held != 1 || s.Waiting != 2 || s.Delayed != 0 {
		t.Errorf("%+v", s)
	}
}
