package zmtp

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestGreetingBytes(t *testing.T) {
	zeros := func(n int) []byte { return make([]byte, n) }
	for _, tt := range []struct {
		name string
		g    Greeting
		want []byte
	}{
		{
			"3.1 NULL",
			Greeting{Version{3, 1}, "NULL", false},
			join(wire("FF 00 00 00 00 00 00 00 00 7F 03 01 'NULL'"), zeros(16), zeros(32)),
		},
		{
			"3.0 PLAIN server",
			Greeting{Version{3, 0}, "PLAIN", true},
			join(wire("FF 00 00 00 00 00 00 00 00 7F 03 00 'PLAIN'"), zeros(15), wire("01"), zeros(31)),
		},
		{
			"3.1 CURVE client",
			Greeting{Version{3, 1}, "CURVE", false},
			join(wire("FF 00 00 00 00 00 00 00 00 7F 03 01 'CURVE'"), zeros(15), zeros(32)),
		},
		{
			"mechanism of 20 bytes",
			Greeting{Version{3, 1}, "ABCDEFGHIJ-_.+012345", false},
			join(wire("FF 00 00 00 00 00 00 00 00 7F 03 01 'ABCDEFGHIJ-_.+012345'"), zeros(32)),
		},
		{
			"4.7",
			Greeting{Version{4, 7}, "NULL", false},
			join(wire("FF 00 00 00 00 00 00 00 00 7F 04 07 'NULL'"), zeros(16), zeros(32)),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := AppendGreeting(nil, tt.g)
			wantBytes(t, got, tt.want)
			back, err := ParseGreeting(got)
			if err != nil || back != tt.g {
				t.Errorf("parsed back %+v, %v; want %+v", back, err, tt.g)
			}
			wantKeepsPrefix(t, func(b []byte) []byte { return AppendGreeting(b, tt.g) })
		})
	}
	t.Run("zero value is 3.1 NULL", func(t *testing.T) {
		wantBytes(t, AppendGreeting(nil, Greeting{}), AppendGreeting(nil, Greeting{Version{3, 1}, "NULL", false}))
	})
}

func TestAppendGreetingPanics(t *testing.T) {
	for _, mechanism := range []string{"null", "A B", "NULL\x00", strings.Repeat("A", 21)} {
		t.Run(mechanism, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic for a mechanism that cannot be sent")
				}
			}()
			AppendGreeting(nil, Greeting{Mechanism: mechanism})
		})
	}
}

// altered returns greetingNull with some bytes changed.
func altered(changes map[int]byte) []byte {
	b := bytes.Clone(greetingNull)
	for at, v := range changes {
		b[at] = v
	}
	return b
}

func TestParseGreeting(t *testing.T) {
	for _, tt := range []struct {
		name  string
		b     []byte
		want  Greeting
		err   error
		words []string
	}{
		{name: "libzmq 4.3", b: greetingNull, want: Greeting{Version{3, 1}, "NULL", false}},
		{name: "more bytes follow", b: join(greetingNull, readyDealer), want: Greeting{Version{3, 1}, "NULL", false}},
		{name: "any padding", b: altered(map[int]byte{1: 0xAA, 8: 0x55}), want: Greeting{Version{3, 1}, "NULL", false}},
		{name: "any filler", b: altered(map[int]byte{33: 1, 63: 0xFF}), want: Greeting{Version{3, 1}, "NULL", false}},
		{name: "as server", b: altered(map[int]byte{32: 1}), want: Greeting{Version{3, 1}, "NULL", true}},
		{name: "minor 255", b: altered(map[int]byte{11: 255}), want: Greeting{Version{3, 255}, "NULL", false}},
		{name: "major 255", b: altered(map[int]byte{10: 255, 11: 0}), want: Greeting{Version{255, 0}, "NULL", false}},
		{name: "empty", b: nil, err: ErrMalformed, words: []string{"0 bytes", "64"}},
		{name: "63 bytes", b: greetingNull[:63], err: ErrMalformed, words: []string{"63 bytes"}},
		{name: "no mechanism", b: altered(map[int]byte{12: 0, 13: 0, 14: 0, 15: 0}), err: ErrMalformed},
		{name: "mechanism after a zero", b: altered(map[int]byte{17: 'X'}), err: ErrMalformed},
		{name: "lower case mechanism", b: altered(map[int]byte{12: 'n'}), err: ErrMalformed},
		{name: "padded by spaces", b: altered(map[int]byte{16: ' '}), err: ErrMalformed},
		{name: "ZMTP 2.0", b: altered(map[int]byte{10: 1}), err: ErrVersion, words: []string{"ZMTP 2.0", "3.0 or later"}},
		{name: "HTTP", b: []byte("GET / HTTP/1.1\r\n\r\n"), err: ErrNotZMTP, words: []string{"HTTP request"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, err := ParseGreeting(tt.b)
			wantError(t, err, tt.err, tt.words...)
			if g != tt.want {
				t.Errorf("got %+v; want %+v", g, tt.want)
			}
		})
	}
}

func TestCheckGreetingPrefix(t *testing.T) {
	for _, tt := range []struct {
		name  string
		b     []byte
		at    int // the number of bytes at which it must be refused
		err   error
		words []string
	}{
		{"HTTP request", []byte("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"), 1, ErrNotZMTP, []string{"HTTP request", "0xff"}},
		{"HTTP/2 preface", []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 1, ErrNotZMTP, []string{"HTTP/2"}},
		{"HTTP answer", []byte("HTTP/1.1 400 Bad Request\r\n"), 1, ErrNotZMTP, []string{"HTTP answer"}},
		{"TLS hello", wire("16 03 01 02 00 01 00 01 FC 03 03"), 1, ErrNotZMTP, []string{"TLS hello"}},
		{"SSH banner", []byte("SSH-2.0-OpenSSH_9.6\r\n"), 1, ErrNotZMTP, []string{"SSH banner"}},
		{"zeros", make([]byte, 64), 1, ErrNotZMTP, nil},
		{"ZMTP 1 anonymous", wire("01 00"), 1, ErrVersion, []string{"ZMTP 1.0"}},
		{"ZMTP 1 with identity", wire("04 00 'abc'"), 1, ErrVersion, []string{"ZMTP 1.0"}},
		{"ZMTP 1 long identity", wire("FF 00 00 00 00 00 00 01 01 00"), 10, ErrVersion, []string{"ZMTP 1.0"}},
		{"ZMTP 1 by revision", wire("FF 00 00 00 00 00 00 00 01 7F 00"), 11, ErrVersion, []string{"ZMTP 1.0"}},
		{"ZMTP 2", wire("FF 00 00 00 00 00 00 00 01 7F 01 05 00 00"), 11, ErrVersion, []string{"ZMTP 2.0"}},
		{"major 2", wire("FF 00 00 00 00 00 00 00 01 7F 02 00"), 11, ErrVersion, []string{"ZMTP 2.0"}},
		{"broken signature", wire("FF 00 00 00 00 00 00 00 01 7E 03 01"), 10, ErrNotZMTP, []string{"0x7e"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantError(t, CheckGreetingPrefix(tt.b), tt.err, tt.words...)
			for k := range len(tt.b) + 1 {
				if got := CheckGreetingPrefix(tt.b[:k]) != nil; got != (k >= tt.at) {
					t.Errorf("refused at %d bytes is %v; want refusal from %d on", k, got, tt.at)
				}
			}
		})
	}
	t.Run("good at every length", func(t *testing.T) {
		for k := range GreetingSize + 1 {
			if err := CheckGreetingPrefix(greetingNull[:k]); err != nil {
				t.Fatalf("at %d bytes: %v", k, err)
			}
		}
	})
	t.Run("all strangers differ in words", func(t *testing.T) {
		var seen []string
		for _, b := range [][]byte{[]byte("GET / HTTP/1.1"), wire("16 03 01"), wire("01 00"), altered(map[int]byte{10: 1})} {
			seen = append(seen, CheckGreetingPrefix(b).Error())
		}
		slices.Sort(seen)
		if len(slices.Compact(seen)) != 4 {
			t.Errorf("texts repeat: %q", seen)
		}
	})
}

func TestVersion(t *testing.T) {
	for _, tt := range []struct {
		v, common Version
		text      string
		commands  bool
	}{
		{Version{}, Version{}, "0.0", false},
		{Version{1, 0}, Version{}, "1.0", false},
		{Version{2, 9}, Version{}, "2.9", false},
		{Version{3, 0}, Version{3, 0}, "3.0", false},
		{Version{3, 1}, Version{3, 1}, "3.1", true},
		{Version{3, 2}, Version{3, 1}, "3.2", true},
		{Version{4, 0}, Version{3, 1}, "4.0", true},
		{Version{255, 255}, Version{3, 1}, "255.255", true},
	} {
		t.Run(tt.text, func(t *testing.T) {
			if got := tt.v.Common(); got != tt.common {
				t.Errorf("Common is %v; want %v", got, tt.common)
			}
			if got := tt.v.String(); got != tt.text {
				t.Errorf("String is %q; want %q", got, tt.text)
			}
			if got := tt.v.HasCommands(); got != tt.commands {
				t.Errorf("HasCommands is %v; want %v", got, tt.commands)
			}
		})
	}
}
