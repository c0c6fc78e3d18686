package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/yodel-mq/yodel/socket/spool"
)

// TestNotes: what is made of a note is read back, and a flipped bit, a frame more or less, and another seed are seen.
func TestNotes(t *testing.T) {
	frames, large := make(map[int]int), 0
	for n := range uint64(5000) {
		id := note{uint16(n % 7), uint32(n % 3), n}
		m := id.frames(9)
		frames[len(m)]++
		if len(m[0]) > 2000 {
			large++
		}
		if got, whole := readNote(9, m); got != id || !whole {
			t.Fatalf("%v is read as %v, whole: %v", id, got, whole)
		}
		if _, whole := readNote(10, m); whole && len(m[0]) > noteSize {
			t.Fatalf("%v is whole for another seed", id)
		}
		last := m[len(m)-1]
		if len(last) == 0 {
			continue
		}
		flipped := slices.Clone(m)
		flipped[len(m)-1] = bytes.Clone(last)
		flipped[len(m)-1][int(n)%len(last)] ^= 1 << (n % 8)
		if got, whole := readNote(9, flipped); whole && got == id {
			t.Fatalf("%v is whole with a bit flipped", id)
		}
		if _, whole := readNote(9, append(slices.Clone(m), nil)); whole {
			t.Fatalf("%v is whole with a frame more", id)
		}
		if _, whole := readNote(9, m[:len(m)-1]); whole {
			t.Fatalf("%v is whole with a frame less", id)
		}
	}
	if frames[1] == 0 || frames[3] == 0 || large == 0 {
		t.Errorf("messages by frames %v, %d large ones", frames, large)
	}
	if _, whole := readNote(9, nil); whole {
		t.Error("nothing is whole")
	}
}

// TestJournal: what one life writes the next one knows; of a record that was just being written there may be less than
// all, and one that is damaged is an error.
func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, err := openJournal(path)
	must(t, err)
	if floor, _, err := j.Taken(spool.ID{1}); floor != 0 || err != nil {
		t.Errorf("a new journal has taken up to %d, %v", floor, err)
	}
	for n := range uint64(3) {
		must(t, j.write(&record{note: note{1, 2, n + 1}, Stream: spool.ID{1}, Seq: n + 10}))
	}
	must(t, j.write(&record{Flags: damaged}))
	_, err = j.f.Write(make([]byte, recordSize-1))
	must(t, err)
	must(t, j.f.Close())

	j, err = openJournal(path)
	must(t, err)
	if floor, _, err := j.Taken(spool.ID{1}); floor != 13 || err != nil {
		t.Errorf("the next life has taken up to %d, %v; want 13", floor, err)
	}
	if floor, _, err := j.Taken(spool.ID{2}); floor != 0 || err != nil {
		t.Errorf("of another stream it has taken up to %d, %v", floor, err)
	}
	must(t, j.f.Close())
	var got []record
	must(t, readJournal(path, func(r record) { got = append(got, r) }))
	want := []record{
		{Flags: born},
		{note{1, 2, 1}, 0, spool.ID{1}, 10},
		{note{1, 2, 2}, 0, spool.ID{1}, 11},
		{note{1, 2, 3}, 0, spool.ID{1}, 12},
		{Flags: damaged},
		{Flags: born},
	}
	if !slices.Equal(got, want) {
		t.Errorf("journal: %v, want %v", got, want)
	}

	b, err := os.ReadFile(path)
	must(t, err)
	b[2*recordSize+20] ^= 1
	must(t, os.WriteFile(path, b, 0o600))
	if err := readJournal(path, func(record) {}); !errors.Is(err, errJournal) {
		t.Errorf("a damaged journal: %v", err)
	}
}

// TestPlans: a seed makes the same plan again, another one another, and each has what was asked for.
func TestPlans(t *testing.T) {
	o := sizes{messages: 1000, kills: 30, cuts: 50, stops: 4, lanes: 3}
	for _, s := range scenarios {
		t.Run(s.Name, func(t *testing.T) {
			a, b, c := makePlan(s, 1, o), makePlan(s, 1, o), makePlan(s, 2, o)
			if describe(a) != describe(b) || describe(a) == describe(c) {
				t.Error("a plan does not follow from its seed")
			}
			done, who := make(map[string]int), make(map[int]bool)
			for _, e := range a.Events {
				done[e.Do]++
				if e.Do == doKill {
					who[e.Who] = true
				}
			}
			kills := 60
			if !s.Kills {
				kills = 0
			} else if len(who) != s.Receivers+1 {
				t.Errorf("killed are %v", who)
			}
			if done[doKill] != kills || done[doCut] != 50 || done[doStop] != 8 || (done[doFill] > 0) != s.Full {
				t.Errorf("done is %v", done)
			}
		})
	}
}

func describe(p *plan) string {
	b, err := json.Marshal(p)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
