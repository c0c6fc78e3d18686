package zmtp

import "testing"

// TestRecycle: a buffer that was given back is used again, for bodies up to its size and for no others.
func TestRecycle(t *testing.T) {
	for _, c := range []struct {
		name       string
		back, body int
		reused     bool
	}{
		{"the same size", 64 << 10, 64 << 10, true},
		{"a shorter body", 64 << 10, 40_000, true},
		{"half of it", 64 << 10, 32 << 10, true},
		{"a quarter of it", 64 << 10, 16 << 10, false},
		{"an odd size", 100_000, 100_000, true},
		{"a longer body", 64 << 10, 64<<10 + 1, false},
		{"too small to be worth it", 8000, 8000, false},
		{"too large to be kept", 32 << 20, 32 << 20, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, frames := range []int{1, 2} {
				reused := false
				for range 100 { // a pool may forget
					back := make([]byte, c.back)
					Recycle(append(make([][]byte, frames-1), back)) // in front of it an empty one
					b := getBodyBuffer(c.body)[0]
					if len(b) != c.body || cap(b) != c.body {
						t.Fatalf("%d bytes of %d, want %d", len(b), cap(b), c.body)
					}
					reused = reused || &b[0] == &back[0]
				}
				if reused != c.reused {
					t.Errorf("the buffer of a message of %d frames is used again: %t, want %t", frames, reused, c.reused)
				}
			}
		})
	}
}
