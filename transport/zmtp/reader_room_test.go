package zmtp

import (
	"bytes"
	"slices"
	"testing"
)

// TestReaderRoom: a message under way takes no more than it was given, and waits, losing nothing, while it is given
// none.
func TestReaderRoom(t *testing.T) {
	in := slices.Concat(
		frame(0, 10),
		frame(0, 64<<10), // takes no room
		frame(0, 64<<10+1),
		frame(0, 1_000_000),
		frame(FlagMore, 300_000), frame(FlagMore, 5), frame(0, 70_000),
		bytes.Repeat(frame(FlagMore, 8000), 40), frame(0, 0),
		bytes.Repeat([]byte{FlagMore, 0}, 5000), frame(0, 1),
		frame(0, 20),
	)
	want := oneByOne(in, Limits{})
	for _, pieces := range [][]int{nil, {64 << 10}, {1000}, {9, 1}} {
		var given int64
		asked, refused, begun := 0, 0, 0
		lim := Limits{Room: func(total int64) bool {
			if total == 0 {
				given = 0
				return true
			}
			if total <= given {
				t.Errorf("asked for %d bytes, %d are given", total, given)
			}
			if asked++; asked%3 != 0 {
				refused++
				return false
			}
			if given == 0 {
				begun++
			}
			given = total
			return true
		}}
		r := NewReader(&cuts{in: in, sizes: pieces}, nil, lim)
		var got traffic
		for got.err == nil {
			batch, err := r.Next(nil)
			for _, m := range batch {
				frames := make([]string, len(m))
				for i, f := range m {
					frames[i] = string(f)
				}
				got.messages = append(got.messages, frames)
			}
			if takes := r.size + int64(r.taken()); takes > max(given, roomFree) {
				t.Fatalf("a message under way takes %d bytes, %d are given", takes, given)
			}
			if err != ErrNoRoom {
				got.err = err
			}
		}
		if err := same(got, want); err != nil {
			t.Errorf("in pieces of %v: %v", pieces, err)
		}
		if refused < 5 || begun != 5 || given != 0 {
			t.Errorf("in pieces of %v: refused %d times, given to %d messages, %d bytes left", pieces, refused, begun, given)
		}
	}
}
