package zmtp

import (
	"slices"
	"testing"
)

// FuzzReader cuts the same stream differently: messages, commands and the kind of error must be those of the plain
// decoder, and what is held must stay within its bound. The seeds are files in testdata/fuzz.
func FuzzReader(f *testing.F) {
	limits := []Limits{
		{},
		{MaxMessage: 1 << 20, MaxFrames: 1024, MaxCommand: 4096},
		{MaxMessage: 100, MaxFrames: 3, MaxCommand: 16},
		{MaxMessage: 20_000, MaxFrames: 5, MaxCommand: 300},
	}
	f.Fuzz(func(t *testing.T, in []byte, repeat, lim, given byte, a, b uint16) {
		// Streams longer than a fuzzer likes to make: the same again and again, up to what is read in no time.
		stream := slices.Clone(in)
		for n := int(repeat) % 64; n > 0 && len(stream)+len(in) <= 100_000; n-- {
			stream = append(stream, in...)
		}
		limit := limits[int(lim)%len(limits)]
		want := oneByOne(stream, limit)
		rest := min(int(given), len(stream))
		ways := [][]int{nil, {int(a), int(b)}, {3, 700}}
		if len(stream) <= 4096 {
			ways = append(ways, []int{1})
		}
		for _, sizes := range ways {
			if len(stream) > 4096 && len(sizes) > 0 && slices.Max(sizes) < 64 {
				continue
			}
			src := &cuts{in: stream[rest:], sizes: sizes}
			r := NewReader(src, stream[:rest], limit)
			got := collect(r, bounded(r, src, rest))
			if err := same(got, want); err != nil {
				t.Fatalf("in pieces of %v, %d given to begin with: %v", sizes, rest, err)
			}
			two := &twoCuts{cuts: &cuts{in: stream[rest:], sizes: sizes}}
			r = NewReader(two, stream[:rest], limit)
			if err := same(collect(r, bounded(r, two.cuts, rest)), want); err != nil {
				t.Fatalf("two buffers at once, in pieces of %v, %d given to begin with: %v", sizes, rest, err)
			}
			if got.err == nil || got.err.Error() == "" {
				t.Fatalf("ended without a reason: %v", got.err)
			}
		}
		sizes := ways[1]
		if len(stream) > 4096 && slices.Max(sizes) < 64 {
			sizes = nil
		}
		r := NewReader(&cuts{in: stream[rest:], sizes: sizes}, stream[:rest], limit)
		if err := same(collectWith(r, nil, ErrPause), want); err != nil {
			t.Fatalf("with pauses, in pieces of %v, %d given to begin with: %v", sizes, rest, err)
		}
		plain, sealed := sealFrames(stream)
		rest = min(rest, len(sealed))
		src := &cuts{in: sealed[rest:], sizes: sizes}
		r = NewReader(src, slices.Clone(sealed[:rest]), limit)
		r.SetOpener(&toyOpener{})
		if err := same(collect(r, bounded(r, src, rest)), oneByOne(plain, limit)); err != nil {
			t.Fatalf("encrypted, in pieces of %v, %d given to begin with: %v", sizes, rest, err)
		}
	})
}
