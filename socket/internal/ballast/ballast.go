// Package ballast makes the garbage collector run less often while a process receives much, by a GC ballast: memory
// that counts as in use and is never touched, so that it takes up addresses and no memory.
//
// The collector starts once the heap is twice what was in use after the last collection, and no sooner than at 4 MiB;
// a collection costs about the same whatever it finds. What a socket receives is garbage soon after, so that in a small
// process that receives gigabytes a second the collector takes nearly half of all time. With 16 MiB of ballast it
// starts at 36 MiB.
//
// Measured with examples/bench, PUSH to PULL over tcp, time a message, without and with 8 MiB in one run: 16 B 103 and
// 91 ns; 100 B 198 and 145; 1 KiB 1156 and 755; 64 KiB 51.6 and 39.4 µs. With 8 and with 16 MiB in another: 79 and 82;
// 156 and 147; 774 and 692 ns; 36.9 and 32.9 µs.
//
// Bodies above 32 KiB cost the collector and the kernel more: each is a span of its own, cleared when it is made, swept
// alone, and its pages are given back and faulted in again when collections come that often. For them the ballast grows
// to 64 MiB. Measured with 16, 32, 64 and 128 MiB in one run: 64 KiB 34, 31, 28 and 26 µs; 1 MiB 0.43, 0.37, 0.36 and
// 0.37 ms.
//
// There is one ballast for the process, as there is one collector. It is there from the time that one connection is
// busy until the last one that was has ended. A user who has set up the collector gets none: see weight.wanted.
package ballast

import (
	"math"
	"os"
	"runtime/metrics"
	"strings"
	"sync"
)

// What makes a connection busy, counted in bytes of buffers for what it brings.
const (
	// BusyAfter is how much it has brought in all.
	BusyAfter = 4 << 20
	// BusyAfterLarge is how much of that in large bodies, before the heap has pages of that many to clear.
	BusyAfterLarge = 16 << 20
)

// Sizes, in bytes.
const (
	Size      = 16 << 20
	SizeLarge = 48 << 20 // beside Size
)

// A memory limit (GOMEMLIMIT) below these leaves no room for it.
const (
	minLimit      = 256 << 20
	minLimitLarge = 1 << 30
)

var (
	common = weight{size: Size, minLimit: minLimit}
	large  = weight{size: SizeLarge, minLimit: minLimitLarge}
)

// A weight is a part of the ballast.
type weight struct {
	size     int
	minLimit uint64

	mu    sync.Mutex
	users int
	// memory is a strings.Builder because that does not clear what it allocates. make would, where the heap has used
	// the addresses before: 64 MiB were then 64 MiB of memory and took 68 ms, and like this none and 0.3 ms.
	memory strings.Builder
}

func (w *weight) acquire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.users++
	if w.memory.Cap() == 0 && w.wanted() {
		w.memory.Grow(w.size)
	}
}

func (w *weight) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.users--; w.users == 0 {
		w.memory.Reset()
	}
}

// defaultGOGC is what the collector goes by if nobody says anything.
const defaultGOGC = 100

// wanted reports whether nobody has set up the collector, by GOGC, debug.SetGCPercent or a memory limit so small that
// there is no room.
func (w *weight) wanted() bool {
	if os.Getenv("GOGC") != "" {
		return false
	}
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}, {Name: "/gc/gomemlimit:bytes"}}
	metrics.Read(s)
	return value(s[0], defaultGOGC) == defaultGOGC && value(s[1], math.MaxInt64) >= w.minLimit
}

// value is what a metric says, or else a runtime that does not know it any more.
func value(s metrics.Sample, otherwise uint64) uint64 {
	if s.Value.Kind() != metrics.KindUint64 {
		return otherwise
	}
	return s.Value.Uint64()
}

// A Share is what one connection contributes to the need for ballast. The zero value is that of one that has brought
// nothing. It is for one goroutine at a time.
type Share struct {
	common, large bool
}

// Update takes note of how much the connection has brought so far, in bytes of buffers: in all, and in large bodies.
func (s *Share) Update(total, inLarge uint64) {
	if !s.common && total >= BusyAfter {
		s.common = true
		common.acquire()
	}
	if !s.large && inLarge >= BusyAfterLarge {
		s.large = true
		large.acquire()
	}
}

// End is for when the connection has ended.
func (s *Share) End() {
	if s.common {
		common.release()
	}
	if s.large {
		large.release()
	}
	*s = Share{}
}
