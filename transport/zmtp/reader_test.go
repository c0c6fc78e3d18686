package zmtp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// traffic is what a Reader made of a stream.
type traffic struct {
	messages [][]string // each a list of frames
	commands []string   // number of messages ahead of it, name and data
	err      error      // what ended it
}

// collect reads r to its end. It keeps the frames as they were handed out and copies them only at the end, so that a
// Reader that writes to them later is found out. check, if set, is called after every step.
func collect(r *Reader, check func() error) traffic { return collectWith(r, check, nil) }

// collectWith is collect with what is to become of each command.
func collectWith(r *Reader, check func() error, answer error) (got traffic) {
	var kept [][][]byte
	h := HandlerFunc(func(name string, data []byte, after int) error {
		got.commands = append(got.commands, fmt.Sprintf("%d %s %s", len(kept)+after, name, data))
		return answer
	})
	for got.err == nil {
		var batch [][][]byte
		before := len(got.commands)
		batch, got.err = r.Next(h)
		kept = append(kept, batch...)
		if got.err == ErrPause { // and answer is that
			if len(got.commands) != before+1 {
				got.err = fmt.Errorf("%d commands until one pause", len(got.commands)-before)
				break
			}
			got.err = nil
		}
		if check != nil {
			if err := check(); err != nil {
				got.err = err
			}
		}
	}
	for _, m := range kept {
		frames := make([]string, len(m))
		for i, f := range m {
			frames[i] = string(f)
		}
		got.messages = append(got.messages, frames)
	}
	return got
}

// oneByOne decodes a stream the plain way: what a Reader should make of it.
func oneByOne(in []byte, lim Limits) (want traffic) {
	var open []string
	size := uint64(0)
	for {
		h, n, err := ParseHeader(in)
		if n == shortHeader && h.Command() && h.Size == 0 { // the long header that libzmq 4.3.4 forgets to flag
			if len(in) < MaxHeaderSize {
				want.err = io.EOF
				return want
			}
			if size := binary.BigEndian.Uint64(in[1:]); size >= 256 && size <= 265 {
				h.Size, n = size, MaxHeaderSize
			}
		}
		switch {
		case err != nil:
			want.err = err
			return want
		case n == 0:
			want.err = io.EOF
			return want
		case h.Command() && h.Size > uint64(commandLimit(lim)),
			!h.Command() && lim.MaxMessage > 0 && size+h.Size > uint64(lim.MaxMessage),
			!h.Command() && lim.MaxFrames > 0 && len(open) >= lim.MaxFrames:
			want.err = ErrTooLarge
			return want
		case uint64(len(in)-n) < h.Size:
			want.err = io.EOF
			return want
		}
		body := in[n : n+int(h.Size)]
		in = in[n+int(h.Size):]
		if h.Command() {
			name, data, err := ParseCommand(body)
			if err != nil {
				want.err = err
				return want
			}
			want.commands = append(want.commands, fmt.Sprintf("%d %s %s", len(want.messages), name, data))
			continue
		}
		open, size = append(open, string(body)), size+h.Size
		if !h.More() {
			want.messages = append(want.messages, open)
			open, size = nil, 0
		}
	}
}

// same compares what two ways of reading gave; the wording of errors may differ.
func same(a, b traffic) error {
	for i := range max(len(a.messages), len(b.messages)) {
		if i >= len(a.messages) || i >= len(b.messages) || !slices.Equal(a.messages[i], b.messages[i]) {
			return fmt.Errorf("messages differ from number %d on, of %d and %d (%v and %v)", i, len(a.messages), len(b.messages),
				a.err, b.err)
		}
	}
	if !slices.Equal(a.commands, b.commands) {
		return fmt.Errorf("commands differ: %d of them and %d", len(a.commands), len(b.commands))
	}
	for _, s := range append([]error{io.EOF}, sentinels...) {
		if errors.Is(a.err, s) != errors.Is(b.err, s) {
			return fmt.Errorf("errors differ: %v and %v", a.err, b.err)
		}
	}
	return nil
}

// cuts gives a stream in pieces of the given sizes, over and over, each read at most one piece.
type cuts struct {
	in    []byte
	sizes []int
	next  int
	given int
}

func (c *cuts) Read(b []byte) (int, error) {
	if len(c.in) == 0 {
		return 0, io.EOF
	}
	return copy(b, c.piece(len(b))), nil
}

// piece takes the next piece, or as much of it as there is room for.
func (c *cuts) piece(room int) []byte {
	n := len(c.in)
	if len(c.sizes) > 0 {
		n = max(1, c.sizes[c.next%len(c.sizes)])
		c.next++
	}
	p := c.in[:min(n, room, len(c.in))]
	c.in = c.in[len(p):]
	c.given += len(p)
	return p
}

// twoCuts is the same for two buffers at once: a piece may go over from the first into the second.
type twoCuts struct {
	*cuts
	reads int // of either kind
}

func (c *twoCuts) Read(b []byte) (int, error) {
	c.reads++
	return c.cuts.Read(b)
}

func (c *twoCuts) ReadTwo(first, second []byte) (int, error) {
	c.reads++
	if len(c.in) == 0 {
		return 0, io.EOF
	}
	p := c.piece(len(first) + len(second))
	copy(second, p[copy(first, p):])
	return len(p), nil
}

// held is what a Reader has allocated for bytes, now. Lists of frames come on top, in runs of at most maxArenaBlock.
func (r *Reader) held() int { return cap(r.slab) + len(r.bodyBytes()) }

// body is the buffer of the long body under way.
func (r *Reader) bodyBytes() []byte {
	if r.body == nil {
		return nil
	}
	return r.body[0]
}

// bounded checks that a Reader never holds more than twice the bytes received, plus the first buffer of a body and a
// slab. rest is what it was given to begin with.
func bounded(r *Reader, src *cuts, rest int) func() error {
	return func() error {
		if limit := 2*(src.given+rest) + firstBuffer + maxSlab; r.held() > limit {
			return fmt.Errorf("%d bytes held after %d received, want at most %d", r.held(), src.given+rest, limit)
		}
		return nil
	}
}

func frame(flags byte, size int) []byte {
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(i * 7)
	}
	return append(AppendHeader(nil, flags, size), body...)
}

// TestReaderBytes: byte for byte, what comes of each kind of frame.
func TestReaderBytes(t *testing.T) {
	messages := func(m ...[]string) [][]string { return m }
	one := func(frames ...string) []string { return frames }
	for _, tt := range []struct {
		name     string
		in       []byte
		messages [][]string
		commands []string
		err      error
	}{
		{"nothing", nil, nil, nil, io.EOF},
		{"flags alone", wire("00"), nil, nil, io.EOF},
		{"empty message", wire("00 00"), messages(one("")), nil, io.EOF},
		{"one byte", wire("00 01 41"), messages(one("A")), nil, io.EOF},
		{"body cut short", wire("00 02 41"), nil, nil, io.EOF},
		{"two messages", wire("00 01 41 00 01 42"), messages(one("A"), one("B")), nil, io.EOF},
		{"two frames", wire("01 01 41 00 01 42"), messages(one("A", "B")), nil, io.EOF},
		{"empty frames", wire("01 00 01 00 00 00"), messages(one("", "", "")), nil, io.EOF},
		{"unfinished multipart", wire("00 01 41 01 01 42"), messages(one("A")), nil, io.EOF},
		{"unfinished multipart, then the header", wire("01 01 42 00"), nil, nil, io.EOF},
		{"long form of a small size", wire("02 00 00 00 00 00 00 00 01 41"), messages(one("A")), nil, io.EOF},
		{"long form of zero", wire("03 00 00 00 00 00 00 00 00 00 00"), messages(one("", "")), nil, io.EOF},
		{"long header cut short", wire("02 00 00 00 00 00 00 00"), nil, nil, io.EOF},
		{"reserved bits", wire("F8 01 41 F9 01 42 F8 01 43"), messages(one("A"), one("B", "C")), nil, io.EOF},
		{"PING", wire("04 07 04 'PING' 00 0A"), nil, []string{"0 PING \x00\x0a"}, io.EOF},
		{"SUBSCRIBE", wire("04 0B 09 'SUBSCRIBE' 41"), nil, []string{"0 SUBSCRIBE A"}, io.EOF},
		{"unknown command", wire("04 05 01 'X' 'abc'"), nil, []string{"0 X abc"}, io.EOF},
		{"command in the long form", wire("06 00 00 00 00 00 00 00 05 04 'PONG'"), nil, []string{"0 PONG "}, io.EOF},
		{"command with MORE", wire("05 05 04 'PONG' 00 01 41"), messages(one("A")), []string{"0 PONG "}, io.EOF},
		{
			"command between frames", wire("01 01 41 04 05 04 'PONG' 00 01 42"), messages(one("A", "B")),
			[]string{"0 PONG "},
			io.EOF,
		},
		{
			"commands around messages", wire("04 02 01 'a' 00 01 41 00 01 42 04 02 01 'b' 04 02 01 'c' 00 01 43 04 02 01 'd'"),
			messages(one("A"), one("B"), one("C")),
			[]string{"0 a ", "2 b ", "2 c ", "3 d "},
			io.EOF,
		},
		{
			"commands between frames", wire("00 01 41 01 01 42 04 02 01 'a' 00 01 43 04 02 01 'b' 00 01 44"),
			messages(one("A"), one("B", "C"), one("D")),
			[]string{"1 a ", "2 b "},
			io.EOF,
		},
		{"command without a body", wire("00 01 41 04 00 00 00 00 00 00 00 00"), messages(one("A")), nil, ErrMalformed},
		{"command without a body, then a message", wire("04 00 00 01 41 00 01 42 43"), nil, nil, ErrMalformed},
		{
			"command of a size without the flag",
			append(wire("04 00 00 00 00 00 00 01 00 09 'SUBSCRIBE'"), make([]byte, 246)...),
			nil,
			[]string{"0 SUBSCRIBE " + strings.Repeat("\x00", 246)},
			io.EOF,
		},
		{
			"command of 255 without the flag", append(wire("04 00 00 00 00 00 00 00 FF 09 'SUBSCRIBE'"), make([]byte, 245)...),
			nil, nil, ErrMalformed,
		},
		{
			"command of 266 without the flag", append(wire("04 00 00 00 00 00 00 01 0A 09 'SUBSCRIBE'"), make([]byte, 256)...),
			nil, nil, ErrMalformed,
		},
		{"command without a name", wire("04 01 00"), nil, nil, ErrMalformed},
		{"command whose name is cut", wire("04 05 05 'PONG'"), nil, nil, ErrMalformed},
		{"size of 2^64-1", wire("00 01 41 02 FF FF FF FF FF FF FF FF"), messages(one("A")), nil, ErrMalformed},
		{"size of 2^63", wire("02 80 00 00 00 00 00 00 00"), nil, nil, ErrMalformed},
		{"size of 2^63-1", wire("02 7F FF FF FF FF FF FF FF"), nil, nil, ErrTooLarge},
		{"command of 2^63-1", wire("06 7F FF FF FF FF FF FF FF"), nil, nil, ErrTooLarge},
		{"message over the limit", wire("02 00 00 00 00 00 10 00 01"), nil, nil, ErrTooLarge},
		{"message at the limit, cut short", wire("02 00 00 00 00 00 10 00 00"), nil, nil, io.EOF},
		{"frames that sum up over the limit", wire("01 01 41 02 00 00 00 00 00 10 00 00"), nil, nil, ErrTooLarge},
		{"command over the limit", wire("06 00 00 00 00 00 00 01 05"), nil, nil, ErrTooLarge},
		{"command over the limit, without the flag", wire("04 00 00 00 00 00 00 01 05"), nil, nil, ErrTooLarge},
		{"four frames", wire("01 00 01 00 01 00 00 00"), messages(one("", "", "", "")), nil, io.EOF},
		{"five frames", wire("00 00 01 00 01 00 01 00 01 00 00 00"), messages(one("")), nil, ErrTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lim := Limits{MaxMessage: 1 << 20, MaxFrames: 4, MaxCommand: 260}
			want := traffic{tt.messages, tt.commands, tt.err}
			if err := same(oneByOne(tt.in, lim), want); err != nil {
				t.Fatalf("the reference decoder: %v", err)
			}
			for piece := range min(len(tt.in), 40) + 1 {
				for rest := range min(len(tt.in), 40) + 1 {
					src := &cuts{in: tt.in[rest:], sizes: []int{piece}}
					r := NewReader(src, tt.in[:rest], lim)
					if err := same(collect(r, bounded(r, src, rest)), want); err != nil {
						t.Fatalf("in pieces of %d, %d given to begin with: %v", piece, rest, err)
					}
					r = NewReader(&cuts{in: tt.in[rest:], sizes: []int{piece}}, tt.in[:rest], lim)
					if err := same(collectWith(r, nil, ErrPause), want); err != nil {
						t.Fatalf("with pauses, in pieces of %d, %d given to begin with: %v", piece, rest, err)
					}
				}
			}
		})
	}
}

// TestReaderCuts: however a stream is cut, and wherever its frames fall in slabs and buffers, the same comes out.
func TestReaderCuts(t *testing.T) {
	var mixed []byte
	sizes := []int{
		0, 1, 2, 100, 253, 254, 255, 256, 257, 510, 511, 512, 1000, 4000, maxSlabBody - 10, maxSlabBody - 9, maxSlabBody - 1,
		maxSlabBody,
		maxSlabBody + 1, maxSlab - 10, maxSlab - 9, maxSlab - 1, maxSlab, maxSlab + 1,
		firstBuffer - 1, firstBuffer, firstBuffer + 1,
		2*firstBuffer + 1, 300_000,
	}
	for i, size := range sizes {
		mixed = append(mixed, frame(0, size)...)
		mixed = append(mixed, AppendPing(nil, 0, []byte("between"))...)
		mixed = append(mixed, frame(FlagMore, size)...)
		mixed = append(mixed, AppendCommand(nil, "X", bytes.Repeat([]byte{byte(i)}, i*100))...)
		mixed = append(mixed, frame(FlagMore, 0)...)
		mixed = append(mixed, frame(0, sizes[len(sizes)-1-i])...)
	}
	many := bytes.Repeat(append(frame(FlagMore, 5), frame(0, 3)...), 20_000)
	for name, in := range map[string][]byte{"mixed sizes": mixed, "many small": many, "none": nil} {
		t.Run(name, func(t *testing.T) {
			var lim Limits
			want := oneByOne(in, lim)
			rng := rand.New(rand.NewPCG(1, 2))
			for _, sizes := range [][]int{
				{},
				{1 << 20},
				{16384},
				{16383},
				{4096},
				{1000},
				{511},
				{7, 1, 1},
				{2, 16384, 9, 1},
				{8191, 3},
				{rng.IntN(3000), rng.IntN(30), rng.IntN(30000)},
				{rng.IntN(100), rng.IntN(100), rng.IntN(70000)},
			} {
				r := NewReader(&cuts{in: in, sizes: sizes}, nil, lim)
				if err := same(collectWith(r, nil, ErrPause), want); err != nil {
					t.Fatalf("with pauses, in pieces of %v: %v", sizes, err)
				}
				for _, rest := range []int{0, 1, min(100, len(in)), min(readSize, len(in))} {
					rest = min(rest, len(in))
					src := &cuts{in: in[rest:], sizes: sizes}
					r := NewReader(src, in[:rest], lim)
					if err := same(collect(r, bounded(r, src, rest)), want); err != nil {
						t.Fatalf("in pieces of %v, %d given to begin with: %v", sizes, rest, err)
					}
					two := &twoCuts{cuts: &cuts{in: in[rest:], sizes: sizes}}
					r = NewReader(two, in[:rest], lim)
					if err := same(collect(r, bounded(r, two.cuts, rest)), want); err != nil {
						t.Fatalf("two buffers at once, in pieces of %v, %d given to begin with: %v", sizes, rest, err)
					}
				}
			}
		})
	}
}

// TestReaderGrows: a long body is read into a buffer that doubles as bytes arrive, to its size and not beyond; the next
// one as long needs no growing.
func TestReaderGrows(t *testing.T) {
	const size = 1_000_000
	in := bytes.Repeat(frame(0, size), 2)
	src := &cuts{in: in, sizes: []int{10_000}}
	r := NewReader(src, nil, Limits{})
	var steps [][]int // sizes of the buffer, for each message
	steps = append(steps, nil)
	for n := 0; n < 2; {
		batch, err := r.Next(nil)
		if err != nil {
			t.Fatal(err)
		}
		if last := steps[len(steps)-1]; r.body != nil && (len(last) == 0 || last[len(last)-1] != len(r.bodyBytes())) {
			steps[len(steps)-1] = append(last, len(r.bodyBytes()))
		}
		if len(batch) > 0 {
			if len(batch) != 1 || len(batch[0][0]) != size || cap(batch[0][0]) != size {
				t.Fatalf("%d messages, the first with %d bytes of %d", len(batch), len(batch[0][0]), cap(batch[0][0]))
			}
			n++
			steps = append(steps, nil)
		}
	}
	want := [][]int{{65536, 131072, 262144, 524288, size}, {size}}
	for i, w := range want {
		if !slices.Equal(steps[i], w) {
			t.Errorf("message %d grew by %v, want %v", i, steps[i], w)
		}
	}
}

// TestReaderReadsTwo: a stream of long bodies takes one read each, which brings the next one's header along.
func TestReaderReadsTwo(t *testing.T) {
	const n = 100
	src := &twoCuts{cuts: &cuts{in: bytes.Repeat(frame(0, firstBuffer), n)}}
	if got := collect(NewReader(src, nil, Limits{}), nil); len(got.messages) != n || got.err != io.EOF {
		t.Fatalf("%d messages, %v", len(got.messages), got.err)
	}
	if most := n + 5; src.reads > most { // a few to begin with, and the end
		t.Errorf("%d messages took %d reads, want at most %d", n, src.reads, most)
	}
}

// TestReaderClaims: what a claim costs before its bytes come, by what a Reader holds and by all it ever allocated.
func TestReaderClaims(t *testing.T) {
	for _, tt := range []struct {
		name  string
		in    []byte
		limit int // bytes allocated in all
	}{
		{"a body of 2^62", wire("02 40 00 00 00 00 00 00 00"), firstBuffer + maxSlab},
		{"a body of 64 MiB", wire("02 00 00 00 00 04 00 00 00 'some'"), firstBuffer + maxSlab},
		{"a body of 10 KiB", wire("02 00 00 00 00 00 00 28 00 'some'"), 10<<10 + maxSlab},
		{"a body of 8 KiB, which fits a slab", wire("02 00 00 00 00 00 00 20 00"), maxSlab},
		{"a command of 64 KiB", wire("06 00 00 00 00 00 01 00 00 05"), maxSlab},
		{
			"many empty frames, then a body of 2^62",
			append(bytes.Repeat(wire("01 00"), 1000), wire("02 40 00 00 00 00 00 00 00")...),
			firstBuffer + 3*maxSlab + 4*24*1000,
		},
		{
			"100 kB of a body of 2^62", append(wire("02 40 00 00 00 00 00 00 00"), make([]byte, 100_000)...),
			3*firstBuffer + 2*maxSlab,
		},
		{
			"1 MB of a body of 2^62", append(wire("02 40 00 00 00 00 00 00 00"), make([]byte, 1_000_000)...),
			4_000_000 + 2*maxSlab,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const runs = 20
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range runs {
				src := &cuts{in: tt.in}
				r := NewReader(src, nil, Limits{})
				got := collect(r, bounded(r, src, 0))
				if got.err != io.EOF || got.messages != nil || got.commands != nil {
					t.Fatalf("came to %v", got)
				}
			}
			runtime.ReadMemStats(&after)
			// The Reader itself, its source and the test's own bookkeeping come on top.
			if each := int(after.TotalAlloc-before.TotalAlloc) / runs; each > tt.limit+2048 {
				t.Errorf("%d bytes allocated, want at most %d", each, tt.limit)
			}
		})
	}
}

// TestReaderBound: what is held stays within twice the bytes received, through bodies that pass a power of two by one
// byte, and where a claim follows on a large body.
func TestReaderBound(t *testing.T) {
	var in []byte
	for _, size := range []int{
		firstBuffer + 1, 2*firstBuffer + 1, 4*firstBuffer + 1, 9000, 8*firstBuffer + 1, 0, 16*firstBuffer + 1,
	} {
		in = append(in, frame(FlagMore, size)...)
	}
	in = append(in, claimOf(1<<40)...)
	for _, piece := range []int{0, 1 << 20, 65536, 4096, 1000} {
		src := &cuts{in: in}
		if piece > 0 {
			src.sizes = []int{piece}
		}
		r := NewReader(src, nil, Limits{})
		if got := collect(r, bounded(r, src, 0)); got.err != io.EOF {
			t.Errorf("in pieces of %d: %v", piece, got.err)
		}
	}
}

func claimOf(size uint64) []byte { return appendLongHeader(nil, 0, int(size)) }

// TestReaderKeepsOff: what was handed out is never written to again, and does not reach into its neighbours.
func TestReaderKeepsOff(t *testing.T) {
	in := bytes.Repeat(append(append(frame(FlagMore, 10), frame(0, 300)...), frame(0, 9000)...), 50)
	src := &cuts{in: in, sizes: []int{1000, 17}}
	r := NewReader(src, nil, Limits{})
	n := 0
	for {
		batch, err := r.Next(nil)
		for _, m := range batch {
			n++
			for i, f := range m {
				if cap(f) != len(f) {
					t.Fatalf("frame %d of message %d can be appended to in place: length %d, capacity %d", i, n, len(f), cap(f))
				}
				for k := range f {
					if f[k] != byte(k*7) {
						t.Fatalf("frame %d of message %d was changed at byte %d", i, n, k)
					}
				}
				clear(f) // it is ours: no other frame may notice
			}
			if cap(m) != len(m) {
				t.Fatalf("message %d can be appended to in place", n)
			}
			clear(m)
		}
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if n != 100 {
		t.Errorf("%d messages, want 100", n)
	}
}

// TestReaderStops: messages that came before an error come with it, and a command that is refused ends the reading.
func TestReaderStops(t *testing.T) {
	in := slices.Concat(frame(0, 3), AppendCommand(nil, "STOP"), frame(0, 4))
	stop := errors.New("refused")
	r := NewReader(bytes.NewReader(in), nil, Limits{})
	batch, err := r.Next(HandlerFunc(func(name string, data []byte, after int) error {
		if name != "STOP" || len(data) != 0 || after != 1 {
			t.Errorf("command %s %q after %d messages", name, data, after)
		}
		return stop
	}))
	if err != stop || len(batch) != 1 || len(batch[0][0]) != 3 {
		t.Errorf("%d messages and %v, want the one before and %v", len(batch), err, stop)
	}
}

// TestReaderPauses: behind a command that asks for it nothing is looked at until Next is called again, also when it has
// been read already.
func TestReaderPauses(t *testing.T) {
	in := slices.Concat(frame(0, 3), AppendCommand(nil, "STOP"), AppendCommand(nil, "STOP"), frame(0, 4), wire("04 01 00"))
	r := NewReader(bytes.NewReader(in), nil, Limits{})
	h := HandlerFunc(func(string, []byte, int) error { return ErrPause })
	for i, want := range []struct {
		messages int
		err      error
	}{{1, ErrPause}, {0, ErrPause}, {1, ErrMalformed}} {
		if batch, err := r.Next(h); !errors.Is(err, want.err) || len(batch) != want.messages {
			t.Fatalf("call %d: %d messages and %v, want %d and %v", i, len(batch), err, want.messages, want.err)
		}
	}
}

// TestReaderIgnoresCommands: no Handler is needed where commands are of no interest; malformed ones are still refused.
func TestReaderIgnoresCommands(t *testing.T) {
	in := slices.Concat(AppendCommand(nil, "X"), frame(0, 4), wire("04 01 00"))
	if batch, err := NewReader(bytes.NewReader(in), nil, Limits{}).Next(nil); !errors.Is(err, ErrMalformed) ||
		len(batch) != 1 {
		t.Errorf("%d messages and %v, want 1 and %v", len(batch), err, ErrMalformed)
	}
}

// TestReaderErrors: the source's error comes after what it brought, also when both came at once.
func TestReaderErrors(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name string
		in   string
		n    int
	}{
		{"nothing", "", 0},
		{"a message", "\x00\x01A", 1},
		{"a message and a half", "\x00\x01A\x00\x02B", 1},
		{"half a body", "\x02\x00\x00\x00\x00\x00\x01\x00\x00" + strings.Repeat("x", 1000), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := collect(NewReader(&atOnce{[]byte(tt.in), broken}, nil, Limits{}), nil)
			if got.err != broken || len(got.messages) != tt.n {
				t.Errorf("%d messages and %v, want %d and %v", len(got.messages), got.err, tt.n, broken)
			}
		})
	}
}

// faulty fails every other read, without bytes.
type faulty struct {
	src  io.Reader
	next bool
}

func (f *faulty) Read(b []byte) (int, error) {
	if f.next = !f.next; f.next {
		return 0, os.ErrDeadlineExceeded
	}
	return f.src.Read(b)
}

// TestReaderGoesOn: an error of the source, such as a deadline, loses nothing wherever it comes.
func TestReaderGoesOn(t *testing.T) {
	in := slices.Concat(frame(0, 3), AppendPing(nil, 0, nil), frame(FlagMore, 300_000), frame(0, 70_000),
		frame(0, 10_000), frame(0, 1))
	for _, pieces := range [][]int{nil, {1000}, {70_000, 1}} {
		r := NewReader(&faulty{src: &cuts{in: in, sizes: pieces}}, nil, Limits{})
		want := oneByOne(in, Limits{})
		var got traffic
		for got.err == nil {
			step := collect(r, nil)
			got.messages = append(got.messages, step.messages...)
			got.commands = append(got.commands, step.commands...)
			if got.err = step.err; got.err == os.ErrDeadlineExceeded {
				got.err = nil
			}
		}
		want.commands[0] = "0" + want.commands[0][1:] // counted from where collect began
		got.commands[0] = "0" + got.commands[0][1:]
		if err := same(got, want); err != nil {
			t.Errorf("in pieces of %v: %v", pieces, err)
		}
	}
}

// atOnce returns its error along with the last bytes, as a Reader may.
type atOnce struct {
	in  []byte
	err error
}

func (r *atOnce) Read(b []byte) (n int, err error) {
	n = copy(b, r.in)
	if r.in = r.in[n:]; len(r.in) == 0 {
		err = r.err
	}
	return n, err
}
