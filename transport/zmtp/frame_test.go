package zmtp

import (
	"math"
	"strings"
	"testing"
)

func TestHeaderBytes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		flags byte
		size  int
		want  string
	}{
		{"empty last frame", 0, 0, "00 00"},
		{"one byte, more", FlagMore, 1, "01 01"},
		{"command", FlagCommand, 41, "04 29"},
		{"longest short", 0, 255, "00 FF"},
		{"shortest long", 0, 256, "02 00 00 00 00 00 00 01 00"},
		{"long, more", FlagMore, 65536, "03 00 00 00 00 00 01 00 00"},
		{"long command", FlagCommand, 1 << 20, "06 00 00 00 00 00 10 00 00"},
		{"largest on every machine", 0, math.MaxInt32, "02 00 00 00 00 7F FF FF FF"},
		{"FlagLong asked for in vain", FlagLong, 3, "00 03"},
		{"reserved bits not sent", 0xF8, 3, "00 03"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := AppendHeader(nil, tt.flags, tt.size)
			wantBytes(t, got, wire(tt.want))
			h, n, err := ParseHeader(got)
			if want := (Header{tt.flags & (FlagMore | FlagCommand), uint64(tt.size)}); err != nil || n != len(got) || h != want {
				t.Errorf("parsed back %+v, %d, %v; want %+v, %d", h, n, err, want, len(got))
			}
			if h.More() != (tt.flags&FlagMore != 0) || h.Command() != (tt.flags&FlagCommand != 0) {
				t.Errorf("More %v, Command %v of flags %#x", h.More(), h.Command(), tt.flags)
			}
			for k := range len(got) {
				if _, n, err := ParseHeader(got[:k]); n != 0 || err != nil {
					t.Errorf("of %d bytes: n %d, %v; want to be asked for more", k, n, err)
				}
			}
			wantKeepsPrefix(t, func(b []byte) []byte { return AppendHeader(b, tt.flags, tt.size) })
		})
	}
}

func TestParseHeader(t *testing.T) {
	for _, tt := range []struct {
		name string
		b    string
		want Header
		n    int
		err  error
	}{
		{"nothing", "", Header{}, 0, nil},
		{"flags only", "01", Header{}, 0, nil},
		{"long cut short", "02 00 00 00 00 00 00 01", Header{}, 0, nil},
		{"bytes follow", "00 03 'abc'", Header{0, 3}, 2, nil},
		{"long form of a small size", "02 00 00 00 00 00 00 00 05", Header{0, 5}, 9, nil},
		{"reserved bits ignored", "F9 05", Header{FlagMore, 5}, 2, nil},
		{"reserved bits ignored, long", "FE 00 00 00 00 00 00 00 05", Header{FlagCommand, 5}, 9, nil},
		{"more on a command", "05 05", Header{FlagMore | FlagCommand, 5}, 2, nil},
		{"2^50", "02 00 04 00 00 00 00 00 00", Header{0, 1 << 50}, 9, nil},
		{"2^63-1", "02 7F FF FF FF FF FF FF FF", Header{0, math.MaxInt64}, 9, nil},
		{"2^63", "02 80 00 00 00 00 00 00 00", Header{}, 0, ErrMalformed},
		{"2^64-1", "02 FF FF FF FF FF FF FF FF", Header{}, 0, ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, n, err := ParseHeader(wire(tt.b))
			wantError(t, err, tt.err)
			if h != tt.want || n != tt.n {
				t.Errorf("got %+v, %d; want %+v, %d", h, n, tt.want, tt.n)
			}
		})
	}
}

func TestHeaderAllocatesNothing(t *testing.T) {
	b := make([]byte, 0, 2*MaxHeaderSize)
	if n := testing.AllocsPerRun(100, func() {
		b = AppendHeader(b[:0], FlagMore, 7)
		b = AppendHeader(b, 0, 1<<20)
		if _, n, _ := ParseHeader(b); n != 2 {
			t.Error("short header not found")
		}
		if _, n, _ := ParseHeader(b[2:]); n != 9 {
			t.Error("long header not found")
		}
	}); n != 0 {
		t.Errorf("%v allocations; want none", n)
	}
}

func TestParseCommand(t *testing.T) {
	for _, tt := range []struct {
		name       string
		body       []byte
		want, data string
		err        error
		words      []string
	}{
		{"known", wire("04 'PING' 00 0A"), "PING", "\x00\x0a", nil, nil},
		{"unknown", wire("05 'YODEL' 'data'"), "YODEL", "data", nil, nil},
		{"no data", wire("04 'PONG'"), "PONG", "", nil, nil},
		{"one byte name", wire("01 'A'"), "A", "", nil, nil},
		{"longest name", join(wire("FF"), []byte(strings.Repeat("N", 255))), strings.Repeat("N", 255), "", nil, nil},
		{"empty body", nil, "", "", ErrMalformed, []string{"empty body"}},
		{"empty name", wire("00 'PING'"), "", "", ErrMalformed, []string{"empty name"}},
		{"name past the end", wire("05 'PING'"), "", "", ErrMalformed, []string{"5 bytes", "4 left"}},
		{"name of 255 past the end", wire("FF 'PING'"), "", "", ErrMalformed, []string{"255 bytes"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name, data, err := ParseCommand(tt.body)
			wantError(t, err, tt.err, tt.words...)
			if name != tt.want || string(data) != tt.data {
				t.Errorf("got %q, %q; want %q, %q", name, data, tt.want, tt.data)
			}
			if err == nil {
				wantBytes(t, AppendCommand(nil, name, data), join(AppendHeader(nil, FlagCommand, len(tt.body)), tt.body))
			}
		})
	}
}

func TestAppendCommand(t *testing.T) {
	t.Run("parts", func(t *testing.T) {
		wantBytes(t, AppendCommand(nil, "YODEL", []byte("ab"), nil, []byte("c")), wire("04 09 05 'YODEL' 'abc'"))
	})
	t.Run("long form", func(t *testing.T) {
		data := make([]byte, 250)
		wantBytes(t, AppendCommand(nil, "YODEL", data), join(wire("06 00 00 00 00 00 00 01 00 05 'YODEL'"), data))
	})
	for _, name := range []string{"", strings.Repeat("N", 256)} {
		t.Run("name of impossible length panics", func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Errorf("no panic for a name of %d bytes", len(name))
				}
			}()
			AppendCommand(nil, name)
		})
	}
	t.Run("known names cost no allocation", func(t *testing.T) {
		for _, known := range []string{
			CommandReady, CommandError, CommandSubscribe, CommandCancel, CommandPing, CommandPong,
		} {
			body := AppendCommand(nil, known, []byte("data"))[2:]
			if n := testing.AllocsPerRun(100, func() {
				if name, _, _ := ParseCommand(body); name != known {
					t.Errorf("got %q; want %q", name, known)
				}
			}); n != 0 {
				t.Errorf("%s: %v allocations; want none", known, n)
			}
		}
	})
}
