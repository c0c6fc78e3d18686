package zmtp

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
)

// A toyOpener undoes toySeal, in place as a real one would. It finds frames that were left out or come twice.
type toyOpener struct{ n byte }

const toyOverhead = 17

// toySeal is the body of the nth frame: a tag, the flags and the body, none of them as they were.
func toySeal(n byte, flags byte, body []byte) []byte {
	b := append(bytes.Repeat([]byte{n}, toyOverhead-1), flags)
	b = append(b, body...)
	for i := toyOverhead - 1; i < len(b); i++ {
		b[i] ^= n + 0x5A
	}
	return b
}

func (o *toyOpener) Overhead() int { return toyOverhead }

func (o *toyOpener) Open(_ byte, body []byte) (byte, []byte, error) {
	n := o.n
	o.n++
	if len(body) < toyOverhead || body[0] != n {
		return 0, nil, fail("toy frame", ErrMalformed, "frame %d is another", n)
	}
	for i := toyOverhead - 1; i < len(body); i++ {
		body[i] ^= n + 0x5A
	}
	return body[toyOverhead-1], body[toyOverhead:], nil
}

// sealFrames encrypts the whole frames at the start of a stream, every other as a command, and returns them as they
// were too.
func sealFrames(in []byte) (plain, sealed []byte) {
	left := in
	for n := byte(0); ; n++ {
		h, head, err := ParseHeader(left)
		if err != nil || head == 0 || h.Size > uint64(len(left)-head) || h.Command() && h.Size == 0 {
			return in[:len(in)-len(left)], sealed
		}
		body := left[head : head+int(h.Size)]
		left = left[head+int(h.Size):]
		b := toySeal(n, h.Flags, body)
		sealed = append(AppendHeader(sealed, n%2*FlagCommand, len(b)), b...)
	}
}

// TestReaderOpens: what comes encrypted comes out as if it had not been, whatever its size and however it is cut, and
// nothing that was handed out is written to.
func TestReaderOpens(t *testing.T) {
	sizes := []int{
		0, 1, 238, 239, 255, 256, maxSlabBody - toyOverhead, maxSlabBody, maxSlabBody + 1, maxSlab, firstBuffer, 300_000,
	}
	var in []byte
	for i, size := range sizes {
		in = slices.Concat(in, frame(0, size), AppendPing(nil, 0, []byte("between")), frame(FlagMore, size),
			AppendCommand(nil, "X", make([]byte, i*2000)), frame(FlagMore, 0), frame(0, sizes[len(sizes)-1-i]))
	}
	plain, sealed := sealFrames(in)
	want := oneByOne(plain, Limits{})
	if len(plain) != len(in) || len(want.commands) != 2*len(sizes) {
		t.Fatalf("the test encrypts %d of %d bytes, %d commands", len(plain), len(in), len(want.commands))
	}
	for _, pieces := range [][]int{nil, {65536}, {1000}, {70, 10, 1}, {8191, 3}} {
		for _, rest := range []int{0, 100} {
			for _, answer := range []error{nil, ErrPause} {
				r := NewReader(&cuts{in: sealed[rest:], sizes: pieces}, slices.Clone(sealed[:rest]), Limits{})
				if answer != nil {
					src := &twoCuts{cuts: &cuts{in: sealed[rest:], sizes: pieces}}
					r = NewReader(src, slices.Clone(sealed[:rest]), Limits{})
				}
				r.SetOpener(&toyOpener{})
				if err := same(collectWith(r, nil, answer), want); err != nil {
					t.Fatalf("in pieces of %v, %d given to begin with, %v to commands: %v", pieces, rest, answer, err)
				}
			}
		}
	}
}

// TestReaderOpensWithinLimits: limits hold for what is inside. An encrypted command is bounded by what a message may
// have before it is opened, and by what a command may have after that.
func TestReaderOpensWithinLimits(t *testing.T) {
	lim := Limits{MaxMessage: 20_000, MaxFrames: 2, MaxCommand: 100}
	x := func(n int) []byte { return AppendCommand(nil, "X", make([]byte, n-2)) }
	for _, tt := range []struct {
		name     string
		in       []byte
		messages int
		commands int
		err      error
	}{
		{"message at the limit", frame(0, 20_000), 1, 0, io.EOF},
		{"message over it", frame(0, 20_001), 0, 0, ErrTooLarge},
		{"frames at the limit", slices.Concat(frame(FlagMore, 5_000), frame(0, 15_000)), 1, 0, io.EOF},
		{"frames over it", slices.Concat(frame(FlagMore, 5_000), frame(0, 15_001)), 0, 0, ErrTooLarge},
		{"a third frame", slices.Concat(frame(FlagMore, 1), frame(FlagMore, 1), frame(0, 1)), 0, 0, ErrTooLarge},
		{"a command in place of a third frame", slices.Concat(frame(FlagMore, 1), x(50), frame(0, 1)), 1, 1, io.EOF},
		{
			"a command behind a whole message's bytes", slices.Concat(frame(FlagMore, 20_000), x(100), frame(0, 0)), 1, 1,
			io.EOF,
		},
		{"command at the limit", x(100), 0, 1, io.EOF},
		{"command over it", x(101), 0, 0, ErrTooLarge},
		{"command over it, with a buffer of its own", x(9_000), 0, 0, ErrTooLarge},
		{"command without a name", wire("00 01 41 04 01 00"), 1, 0, ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plain, sealed := sealFrames(tt.in)
			if len(plain) != len(tt.in) {
				t.Fatal("the test does not encrypt all")
			}
			r := NewReader(bytes.NewReader(sealed), nil, lim)
			r.SetOpener(&toyOpener{})
			got := collect(r, nil)
			if len(got.messages) != tt.messages || len(got.commands) != tt.commands || !errors.Is(got.err, tt.err) {
				t.Errorf("%d messages, %d commands, %v", len(got.messages), len(got.commands), got.err)
			}
		})
	}
	t.Run("a claim over all limits costs nothing", func(t *testing.T) {
		r := NewReader(bytes.NewReader(claimOf(20_001+toyOverhead)), nil, lim)
		r.SetOpener(&toyOpener{})
		if got := collect(r, nil); !errors.Is(got.err, ErrTooLarge) {
			t.Errorf("got %v", got.err)
		}
		r = NewReader(bytes.NewReader(claimOf(20_000+toyOverhead)), nil, lim)
		r.SetOpener(&toyOpener{})
		if got := collect(r, nil); got.err != io.EOF {
			t.Errorf("a claim within them: %v", got.err)
		}
	})
}

// TestReaderOpenFails: a frame that does not open ends the reading; what came before it is handed out.
func TestReaderOpenFails(t *testing.T) {
	one := func(n byte, size int) []byte {
		b := toySeal(n, 0, make([]byte, size))
		return append(AppendHeader(nil, 0, len(b)), b...)
	}
	for _, tt := range []struct {
		name string
		in   []byte
	}{
		{"too short", slices.Concat(one(0, 3), frame(0, toyOverhead-1), one(1, 3))},
		{"again", slices.Concat(one(0, 3), one(0, 3), one(1, 3))},
		{"left out", slices.Concat(one(0, 3), one(2, 9_000), one(3, 3))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewReader(bytes.NewReader(tt.in), nil, Limits{})
			r.SetOpener(&toyOpener{})
			if got := collect(r, nil); len(got.messages) != 1 || !errors.Is(got.err, ErrMalformed) {
				t.Errorf("%d messages, %v; want 1 and %v", len(got.messages), got.err, ErrMalformed)
			}
		})
	}
}

// TestReaderOpenTakesRoom: a message under way that comes encrypted asks for room as any other, and gives it back, also
// where it was a command after all.
func TestReaderOpenTakesRoom(t *testing.T) {
	in := slices.Concat(frame(0, 200_000), AppendCommand(nil, "X", make([]byte, 200_000)), frame(FlagMore, 70_000),
		AppendCommand(nil, "X", make([]byte, 70_000)), frame(0, 70_000), frame(0, 10))
	plain, sealed := sealFrames(in)
	var given int64
	asked, over := 0, 0
	lim := Limits{MaxCommand: 1 << 20, Room: func(total int64) bool {
		if total == 0 {
			given = 0
			over++
			return true
		}
		if asked++; asked%2 == 1 {
			return false
		}
		given = total
		return true
	}}
	r := NewReader(&cuts{in: sealed, sizes: []int{5000}}, nil, lim)
	r.SetOpener(&toyOpener{})
	var got traffic
	for got.err == nil {
		step := collect(r, nil)
		got.messages = append(got.messages, step.messages...)
		for range step.commands {
			got.commands = append(got.commands, "")
		}
		if got.err = step.err; got.err == ErrNoRoom {
			got.err = nil
		}
	}
	want := oneByOne(plain, Limits{MaxCommand: 1 << 20})
	if len(got.messages) != len(want.messages) || len(got.commands) != len(want.commands) || got.err != io.EOF {
		t.Errorf("%d messages, %d commands, %v", len(got.messages), len(got.commands), got.err)
	}
	if given != 0 || over != 3 || asked < 6 {
		t.Errorf("%d bytes kept, asked %d times, given back %d times", given, asked, over)
	}
}
