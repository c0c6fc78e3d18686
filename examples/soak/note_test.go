package main

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
)

func TestNoteSeesEveryChangedBit(t *testing.T) {
	want := note{Scenario: 7, stream: stream{key{3, 1}, 12}, Seq: 1 << 40, Ask: 99}
	for _, size := range []int{0, noteSize, noteSize + 1, 300} {
		b := want.write(size)
		if len(b) != max(size, noteSize) {
			t.Errorf("%d bytes, want %d", len(b), max(size, noteSize))
		}
		if got, err := readNote(b); err != nil || got != want {
			t.Errorf("read %+v, %v; want %+v", got, err, want)
		}
		for i := range b {
			b[i] ^= 4
			if got, err := readNote(b); err == nil {
				t.Errorf("byte %d changed: read %+v", i, got)
			}
			b[i] ^= 4
		}
		for n := range b {
			if got, err := readNote(b[:n]); err == nil {
				t.Errorf("cut after %d bytes: read %+v", n, got)
			}
		}
	}
}

func TestRunsKeepEveryNumberInOrder(t *testing.T) {
	for name, numbers := range map[string][]uint64{
		"none":         nil,
		"one":          {5},
		"in a row":     {1, 2, 3, 4, 5},
		"every third":  {2, 5, 8, 11},
		"a gap":        {1, 2, 3, 7, 8},
		"back":         {1, 2, 3, 2, 4},
		"twice":        {4, 4, 4},
		"down":         {9, 8, 7},
		"two senders'": {1, 3, 5, 6, 7, 20, 10},
	} {
		t.Run(name, func(t *testing.T) {
			in := rs(numbers...)
			b, err := json.Marshal(in)
			if err != nil {
				t.Fatal(err)
			}
			var out runs
			if err := json.Unmarshal(b, &out); err != nil {
				t.Fatal(err)
			}
			var got []uint64
			out.each(func(n uint64) { got = append(got, n) })
			if !slices.Equal(got, numbers) || out.count() != uint64(len(numbers)) {
				t.Errorf("got %v, %d; want %v", got, out.count(), numbers)
			}
		})
	}
}

func TestReportsSurviveTheWire(t *testing.T) {
	want := report{
		Says: saysDown, Key: key{2, 3}, Peer: key{1, 0}, Sent: map[int]uint64{4: 17}, Ending: true,
		Runs: runs{{1, 9, 2}}, Ledger: &ledger{Accepted: 3, Dropped: map[string]uint64{"queue full": 1}},
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got report
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
