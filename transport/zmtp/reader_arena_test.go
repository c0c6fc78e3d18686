package zmtp

import (
	"runtime"
	"testing"
)

// TestReaderPins: what a message that is kept keeps from the garbage collector beside itself, whatever came around it.
func TestReaderPins(t *testing.T) {
	const slabAndRun = maxSlab + 24*maxArenaBlock
	for _, tt := range []struct {
		name  string
		sizes []int // of the frames of one message
		limit int
	}{
		{"10 bytes", []int{10}, slabAndRun},
		{"100 bytes", []int{100}, slabAndRun},
		{"1 KiB", []int{1 << 10}, slabAndRun},
		{"5,000 bytes", []int{5_000}, slabAndRun},
		{"8 KiB", []int{8 << 10}, slabAndRun},
		{"10 KiB", []int{10 << 10}, slabAndRun},
		{"40,000 bytes", []int{40_000}, slabAndRun},
		{"64 KiB", []int{64 << 10}, slabAndRun},
		{"an envelope and 100 bytes", []int{5, 0, 100}, 2 * slabAndRun},
		{"an envelope and 64 KiB", []int{5, 0, 64 << 10}, 2 * slabAndRun},
		{"64 KiB and a bit", []int{64 << 10, 10}, 2 * slabAndRun},
		{"two of 64 KiB", []int{64 << 10, 64 << 10}, 2 * slabAndRun},
		{"small ones and 64 KiB by turns", nil, slabAndRun},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in, size := []byte(nil), 0
			for i, n := range tt.sizes {
				flags := FlagMore
				if i == len(tt.sizes)-1 {
					flags = 0
				}
				in = append(in, frame(byte(flags), n)...)
				size += n
			}
			if tt.sizes == nil {
				in = append(frame(0, 10), frame(0, 64<<10)...)
				size = 64 << 10
			}
			const keep = 64
			apart := 8 + 3*maxSlab/len(in) // messages: far enough to share nothing, for nothing spans two slabs
			r := NewReader(&endless{in: in}, nil, Limits{})
			var kept [keep][][]byte
			heap := func() int {
				var m runtime.MemStats
				runtime.GC()
				runtime.GC() // what pools had
				runtime.ReadMemStats(&m)
				return int(m.HeapAlloc)
			}
			n := 0
			readTo := func(end int) (last [][]byte) {
				for n < end {
					batch, err := r.Next(nil)
					if err != nil {
						t.Fatal(err)
					}
					if n += len(batch); len(batch) > 0 {
						last = batch[len(batch)/2]
					}
				}
				return last
			}
			readTo(100 + (1<<20)/len(in)) // until its buffers are as large as they get
			before := heap()
			for i := range kept {
				kept[i] = readTo(n + apart)
			}
			each := (heap() - before) / keep
			runtime.KeepAlive(&kept)
			runtime.KeepAlive(r)
			const noise = 2 << 10 // what else is there now and was not before, such as the Reader's own lists, for each
			if each > size+tt.limit+noise {
				t.Errorf("a message of %d bytes that is kept pins %d, want at most %d more", size, each, tt.limit)
			}
		})
	}
}

// An endless source brings the same bytes over and over.
type endless struct {
	in []byte
	at int
}

func (e *endless) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		m := copy(b[n:], e.in[e.at:])
		n += m
		e.at = (e.at + m) % len(e.in)
	}
	return n, nil
}
