package socket

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// encoded is what the batch encodes, the plain way.
func encoded(m Msg) []byte {
	var b []byte
	for i, f := range m.Frames {
		flags := byte(zmtp.FlagMore)
		if i == len(m.Frames)-1 {
			flags = 0
		}
		b = append(zmtp.AppendHeader(b, flags, len(f)), f...)
	}
	return b
}

func encodedAll(ms []Msg) []byte {
	var b []byte
	for _, m := range ms {
		b = append(b, encoded(m)...)
	}
	return b
}

func countAll(ms []Msg) (n Count) {
	for _, m := range ms {
		n.add(m.Size())
	}
	return n
}

// fresh makes a message with frames of the given sizes and bytes that no other one has.
func fresh(r *rand.Rand, sizes ...int) Msg {
	m := Msg{Frames: make([][]byte, len(sizes))}
	for i, n := range sizes {
		m.Frames[i] = make([]byte, n)
		for rest := m.Frames[i]; len(rest) > 0; {
			var some [8]byte
			binary.NativeEndian.PutUint64(some[:], r.Uint64())
			rest = rest[copy(rest, some[:]):]
		}
	}
	return m
}

func numbers(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 5)) }

func batchOf(ms ...Msg) *batch {
	b := new(batch)
	for _, m := range ms {
		b.add(m.Frames, m.Size())
	}
	return b
}

// wireOf is what a writer would write.
func wireOf(b *batch) []byte { return bytes.Join(b.vectors(nil), nil) }

// sameMessages compares messages; frames that are one and the same array are not read.
func sameMessages(got, want []Msg) bool {
	return slices.EqualFunc(got, want, func(a, b Msg) bool {
		return slices.EqualFunc(a.Frames, b.Frames, func(a, b []byte) bool {
			return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || bytes.Equal(a, b))
		})
	})
}

// checkBatch checks that b holds exactly ms and that its slabs each have one owner, the last segment in them.
func checkBatch(t *testing.T, b *batch, ms []Msg) {
	t.Helper()
	if got, want := b.count, countAll(ms); got != want {
		t.Fatalf("the batch counts %v, want %v", got, want)
	}
	if got, want := wireOf(b), encodedAll(ms); !bytes.Equal(got, want) {
		t.Fatalf("the batch has %d bytes, not equal to the %d of the reference", len(got), len(want))
	}
	if b.empty() != (len(ms) == 0) {
		t.Fatalf("empty is %t with %d messages", b.empty(), len(ms))
	}
	owned := make(map[*slab]bool)
	for i, s := range b.segs {
		if s.slab == nil {
			continue
		}
		if owned[s.slab] {
			t.Fatalf("segment %d is the second owner of its slab", i)
		}
		owned[s.slab] = true
		if end := s.b[:cap(s.b)]; &end[len(end)-1] != &s.slab[slabSize-1] {
			t.Fatalf("segment %d does not lie in the slab it owns", i)
		}
		for k, later := range b.segs[i+1:] {
			if end := later.b[:cap(later.b)]; len(end) > 0 && &end[len(end)-1] == &s.slab[slabSize-1] {
				t.Fatalf("segment %d owns the slab that segment %d is in", i, i+1+k)
			}
		}
	}
}

// TestBatchAddFast: the short way comes to the same as add where it is taken, and is taken for small frames behind
// others.
func TestBatchAddFast(t *testing.T) {
	r := numbers(7)
	for range 200 {
		b := new(batch)
		var ms []Msg
		for range 100 {
			size := []int{0, 16, 255, 256, 1000, referTo - 1, referTo, 3 * referTo}[r.IntN(8)]
			m := fresh(r, size)
			m.Frames[0] = slices.Grow(m.Frames[0], 100) // room that is not ours to write to
			var last segment
			if n := len(b.segs); n > int(b.base) {
				last = b.segs[n-1]
			}
			want := last.slab != nil && size < referTo && 9+size <= cap(last.b)-len(last.b)
			if got := b.addFast(m.Frames[0]); got != want {
				t.Fatalf("%d bytes, behind %d with room for %d: %t, want %t", size, len(last.b), cap(last.b)-len(last.b), got, want)
			} else if !got {
				b.add(m.Frames, size)
			}
			ms = append(ms, m)
			if r.IntN(4) == 0 {
				b.shift(true)
				ms = ms[1:]
			}
		}
		if len(ms) > 0 && b.head > 0 {
			continue // its first segment begins with bytes that were taken off
		}
		checkBatch(t, b, ms)
	}
}

// slabsBack runs f with an empty pool and returns how many slabs it took new and how many of these it gave back. It
// fails if one was given back twice. The race detector makes the pool forget some.
func slabsBack(t *testing.T, f func()) (taken, back int) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // a pool keeps a list for each processor
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	made := make(map[*slab]int)
	old := slabs.New
	defer func() { slabs.New = old }()
	slabs.New = func() any { return (*slab)(nil) }
	for s := slabs.Get().(*slab); s != nil; s = slabs.Get().(*slab) {
		continue // to empty the pool
	}
	slabs.New = func() any {
		s := new(slab)
		made[s] = 0
		return s
	}
	f()
	slabs.New = func() any { return (*slab)(nil) }
	for s := slabs.Get().(*slab); s != nil; s = slabs.Get().(*slab) {
		n, ours := made[s]
		if n > 0 || !ours {
			t.Errorf("slab %p came back %d times", s, n+1)
		}
		made[s]++
		back++
	}
	return len(made), back
}

// wantBack checks how many slabs came back.
func wantBack(t *testing.T, taken, back, wantTaken, wantBack int) {
	t.Helper()
	if taken != wantTaken || back > wantBack || back < wantBack && !RaceEnabled {
		t.Errorf("%d slabs were taken and %d given back, want %d and %d", taken, back, wantTaken, wantBack)
	}
}

// edge leaves twelve bytes of a slab in front of the first referenced frame: room for one header, not for two.
var edge = []int{8191, 8191, 8191, 8191, 8191, 8191, 8191, slabSize - 7*8200 - 9 - 12, referTo, referTo}

func TestBatchEncoding(t *testing.T) {
	r := numbers(1)
	for _, c := range []struct {
		name     string
		messages []Msg
		segments int
	}{
		{"one empty frame", []Msg{fresh(r, 0)}, 1},
		{"one byte", []Msg{fresh(r, 1)}, 1},
		{"the longest short header", []Msg{fresh(r, 255)}, 1},
		{"the shortest long header", []Msg{fresh(r, 256)}, 1},
		{"the longest frame that is copied", []Msg{fresh(r, referTo-1)}, 1},
		{"the shortest that is referenced", []Msg{fresh(r, referTo)}, 2},
		{"many small ones", slices.Repeat([]Msg{fresh(r, 16)}, 1000), 1},
		{"multipart", []Msg{fresh(r, 0, 3, 300, 0), fresh(r, 5)}, 1},
		{"a reference between small frames", []Msg{fresh(r, 3, referTo, 3)}, 3},
		{"references one behind the other", []Msg{fresh(r, referTo, referTo), fresh(r, 1<<20)}, 6},
		{"small ones go on in the slab of the header", []Msg{fresh(r, referTo), fresh(r, 7), fresh(r, 8)}, 3},
		{
			"over the end of a slab",
			[]Msg{
				fresh(r, 8000), fresh(r, 8000), fresh(r, 8000), fresh(r, 8000), fresh(r, 8000), fresh(r, 8000), fresh(r, 8000),
				fresh(r, 8000), fresh(r, 8000),
			},
			2,
		},
		{"one message over the end of a slab", []Msg{fresh(r, slices.Repeat([]int{6000}, 24)...)}, 3},
		{"a header finds no room behind a reference", []Msg{fresh(r, edge...)}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := batchOf(c.messages...)
			checkBatch(t, b, c.messages)
			if len(b.segs) != c.segments {
				t.Errorf("%d segments, want %d", len(b.segs), c.segments)
			}
			b.recycle()
			checkBatch(t, b, nil)
			b.add(c.messages[0].Frames, c.messages[0].Size()) // a batch is used again and again
			checkBatch(t, b, c.messages[:1])
		})
	}
}

func TestBatchRefersToLargeBodies(t *testing.T) {
	m := fresh(numbers(2), 10, referTo-1, referTo, 1<<20)
	vec := batchOf(m).vectors(nil)
	refers := func(f []byte) bool {
		return slices.ContainsFunc(vec, func(v []byte) bool { return len(v) == len(f) && &v[0] == &f[0] })
	}
	for i, want := range []bool{false, false, true, true} {
		if got := refers(m.Frames[i]); got != want {
			t.Errorf("a frame of %d bytes is referenced: %t, want %t", len(m.Frames[i]), got, want)
		}
	}
}

func TestBatchAddEncoded(t *testing.T) {
	r := numbers(3)
	full := fresh(r, append(slices.Repeat([]int{8000}, 8), slabSize-9-8*8009)...)
	for _, c := range []struct {
		name     string
		messages []Msg
	}{
		{"one", []Msg{fresh(r, 100)}},
		{"multipart", []Msg{fresh(r, 1, 0, 300)}},
		{"several slabs", slices.Repeat([]Msg{fresh(r, 5000, 5000)}, 20)},
		{"exactly a slab", []Msg{fresh(r, 1), full, fresh(r, 2)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := new(batch)
			var all []Msg
			for i, m := range c.messages {
				wire, ok := encodeSmall(nil, m.Frames)
				if !ok || !bytes.Equal(wire, encoded(m)) {
					t.Fatalf("encodeSmall of message %d: %t, %d bytes; want true, %d bytes", i, ok, len(wire), len(encoded(m)))
				}
				b.addEncoded(wire, m.Size())
				clear(wire) // the bytes are copied
				all = append(all, m)
				checkBatch(t, b, all)
			}
			big := fresh(r, referTo) // goes on behind one that came as frames
			b.add(big.Frames, big.Size())
			b.addEncoded(encoded(c.messages[0]), c.messages[0].Size())
			checkBatch(t, b, append(all, big, c.messages[0]))
		})
	}
}

func TestEncodeSmallRefuses(t *testing.T) {
	r := numbers(4)
	for _, c := range []struct {
		name string
		m    Msg
	}{
		{"a frame that would be referenced", fresh(r, referTo)},
		{"the same behind small ones", fresh(r, 1, 2, referTo)},
		{"more than a slab together", fresh(r, slices.Repeat([]int{8000}, 9)...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, ok := encodeSmall(nil, c.m.Frames); ok {
				t.Errorf("encodeSmall takes %d bytes in %d frames", c.m.Size(), len(c.m.Frames))
			}
		})
	}
}

// mixed is a run of messages of every kind that covers some slabs.
func mixed(seed uint64, n int) []Msg {
	r := numbers(seed)
	sizes := []int{0, 1, 16, 255, 256, 1000, 5000, referTo - 1, referTo, referTo + 1, 20_000}
	ms := make([]Msg, n)
	for i := range ms {
		frames := make([]int, 1+r.IntN(4))
		for k := range frames {
			frames[k] = sizes[r.IntN(len(sizes))]
		}
		ms[i] = fresh(r, frames...)
	}
	return ms
}

func TestBatchRecyclesEachSlabOnce(t *testing.T) {
	r := numbers(5)
	for _, c := range []struct {
		name     string
		messages []Msg
		slabs    int
	}{
		{"small messages", []Msg{fresh(r, 5), fresh(r, 6)}, 1},
		{"a reference at the end", []Msg{fresh(r, referTo)}, 1},
		{
			"a slab in four segments",
			[]Msg{fresh(r, 5), fresh(r, referTo), fresh(r, referTo), fresh(r, 9, referTo), fresh(r, 3)},
			1,
		},
		{"three slabs", []Msg{fresh(r, slices.Repeat([]int{6000}, 24)...)}, 3},
		{"a reference on the edge of a slab", []Msg{fresh(r, edge...)}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			taken, back := slabsBack(t, func() { batchOf(c.messages...).recycle() })
			wantBack(t, taken, back, c.slabs, c.slabs)

			taken, back = slabsBack(t, func() {
				b := batchOf(c.messages...)
				for !b.empty() {
					b.dropOldest()
				}
			})
			wantBack(t, taken, back, c.slabs, c.slabs)

			taken, back = slabsBack(t, func() {
				b := batchOf(c.messages...)
				b.dropOldest()
				b.recycle()
			})
			wantBack(t, taken, back, c.slabs, c.slabs)

			taken, back = slabsBack(t, func() { batchOf(c.messages...).undo(0, nil) })
			wantBack(t, taken, back, c.slabs, 0) // the messages lie in them

			taken, back = slabsBack(t, func() { batchOf(c.messages...).reset() })
			wantBack(t, taken, back, c.slabs, 0)
		})
	}
}

func TestBatchShift(t *testing.T) {
	for _, keep := range []bool{true, false} {
		t.Run(fmt.Sprint("keep ", keep), func(t *testing.T) {
			ms := mixed(6, 40)
			b := batchOf(ms...)
			for i, m := range ms {
				frames, wire := b.shift(keep)
				if keep && !sameMessages([]Msg{{Frames: frames}}, []Msg{m}) {
					t.Fatalf("message %d comes back as %.100s", i, Msg{Frames: frames})
				}
				if want := len(encoded(m)); wire != want {
					t.Fatalf("message %d took up %d bytes, want %d", i, wire, want)
				}
				if i < len(ms)-1 {
					checkBatch(t, b, ms[i+1:])
				}
			}
			if b.count != (Count{}) {
				t.Errorf("%v is left", b.count)
			}
		})
	}
}

// Messages that were taken off keep their bytes, whatever the batch does next.
func TestBatchShiftKeepsWhatItReturns(t *testing.T) {
	ms := mixed(7, 40)
	b := batchOf(ms...)
	got := make([]Msg, 0, len(ms))
	for range ms {
		frames, _ := b.shift(true)
		got = append(got, Msg{Frames: frames})
	}
	b.reset()
	for _, m := range mixed(8, 40) {
		b.add(m.Frames, m.Size())
	}
	if !sameMessages(got, ms) {
		t.Error("messages changed after they had been taken off")
	}
	for i, m := range got {
		for k, f := range m.Frames {
			if len(f) < referTo && cap(f) != len(f) {
				t.Fatalf("frame %d of message %d has a capacity of %d for %d bytes: an append would run into the next one",
					k, i, cap(f), len(f))
			}
		}
	}
}

func TestBatchDropOldest(t *testing.T) {
	// A sliding window over the messages: the batch never gets empty, and goes through many slabs.
	ms := mixed(9, 150)
	b := new(batch)
	const window = 7
	for i, m := range ms {
		b.add(m.Frames, m.Size())
		from := max(0, i-window+1)
		if i >= window {
			if got, want := b.dropOldest(), countAll(ms[from-1:from]); got != want {
				t.Fatalf("drop %d counts %v, want %v", i, got, want)
			}
		}
		checkBatch(t, b, ms[from:i+1])
	}
	for !b.empty() {
		b.dropOldest()
	}
	checkBatch(t, b, nil)
}

func TestBatchVectorsAfterShift(t *testing.T) {
	ms := []Msg{Text("one"), Text("two"), Text("three")}
	b := batchOf(ms...)
	b.shift(true)
	vec := b.vectors([][]byte{[]byte("first")})
	if got, want := string(bytes.Join(vec, nil)), "first"+string(encodedAll(ms[1:])); got != want {
		t.Errorf("vectors are %q, want %q", got, want)
	}
}
