package zmtp

import (
	"runtime/debug"
	"sync"
)

// What a Reader hands out is the receiver's, and so garbage in the end. The collector starts at twice the memory in
// use, at 4 MiB at the least, and costs about the same each time, so that in a small process that receives gigabytes
// a second it takes nearly half of all time. The reserve is memory in use that is never touched, and so takes up
// addresses but no memory: with it the collector starts at 36 MiB.
//
// Measured with examples/bench, PUSH to PULL over tcp, ns a message, without it and with 8 MiB in one run: 16 B 103,
// 91; 100 B 198, 145; 1 KiB 1156, 755; 64 KiB 51.6, 39.4 µs. With 8 and with 16 MiB in another: 79, 82; 156, 147;
// 774, 692; 36.9, 32.9 µs.
//
// Bodies above 32 KiB cost the collector and the kernel more: each is a span of its own, cleared when it is made,
// swept alone, and its pages are given back and faulted in again when collections come that often. For them the
// reserve grows to 64 MiB. Measured with 16, 32, 64 and 128 MiB in one run: 64 KiB 34, 31, 28, 26 µs; 1 MiB 0.43,
// 0.37, 0.36, 0.37 ms.
const (
	reserveSize = 16 << 20
	// busyAfter is how much one connection brings before the reserve is made.
	busyAfter = 4 << 20
	// reserveFrom is the least memory limit (GOMEMLIMIT) with which there is a reserve.
	reserveFrom = 256 << 20

	bulkSize = 48 << 20 // beside reserveSize
	// of bodies above bulkBody that one connection brings: before the heap has pages of that many to clear
	bulkAfter = 16 << 20
	bulkBody  = 32 << 10
	bulkFrom  = 1 << 30
)

var (
	reserve     = reserveOf(reserveSize, reserveFrom)
	bulkReserve = reserveOf(bulkSize, bulkFrom)
)

func reserveOf(size int, from int64) func() []byte {
	return sync.OnceValue(func() []byte {
		if debug.SetMemoryLimit(-1) < from {
			return nil
		}
		return make([]byte, size)
	})
}

// made takes note of a new buffer.
func (r *Reader) made(n int) {
	if r.fresh < busyAfter {
		if r.fresh += n; r.fresh >= busyAfter {
			reserve()
		}
	}
	if n > bulkBody && r.bulk < bulkAfter {
		if r.bulk += n; r.bulk >= bulkAfter {
			bulkReserve()
		}
	}
}
