package zmtp

import (
	"bytes"
	"testing"
)

// TestReaderAllocated: what is counted for the garbage that messages of each size will be.
func TestReaderAllocated(t *testing.T) {
	for _, tt := range []struct {
		name     string
		size     int
		count    int
		recycled bool
		large    bool
	}{
		{"small", 100, 100_000, false, false},
		{"8 KiB", 8 << 10, 1000, false, false},
		{"32 KiB", 32 << 10, 300, false, false},
		{"64 KiB", 64 << 10, 300, false, true},
		{"64 KiB, given back", 64 << 10, 300, true, true},
		{"1 MiB", 1 << 20, 20, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewReader(bytes.NewReader(bytes.Repeat(frame(0, tt.size), tt.count)), nil, Limits{})
			for {
				batch, err := r.Next(nil)
				for _, m := range batch {
					if tt.recycled {
						Recycle(m)
					}
				}
				if err != nil {
					break
				}
			}
			total, large := r.Allocated()
			in := uint64(tt.size * tt.count)
			in = in / 10 * 9 // of the first large bodies what they grow to does not count
			if total < in || total > in*3/2+4*maxFirstBuffer {
				t.Errorf("%d bytes for messages of %d", total, in)
			}
			if tt.large && large < in || !tt.large && large > 0 {
				t.Errorf("%d of %d bytes are in large buffers", large, total)
			}
		})
	}
}
