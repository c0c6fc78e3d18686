package main

import (
	"bytes"
	"strings"
	"syscall"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// A limitedWriter takes so many bytes and then fails.
type limitedWriter struct{ left int }

func (l *limitedWriter) Write(b []byte) (int, error) {
	if n := l.left; len(b) > n {
		l.left = 0
		return n, syscall.ENOSPC
	}
	l.left -= len(b)
	return len(b), nil
}

// TestUnprinted: messages that were not written whole are counted, whatever their sizes and however they were flushed.
func TestUnprinted(t *testing.T) {
	big := strings.Repeat("x", 100_000) // larger than the buffer
	for _, tc := range []struct {
		name   string
		format string
		msgs   []string
		room   int
		want   uint64
	}{
		{"all", "line", []string{"a", "b", "c"}, 100, 0},
		{"all, to the byte", "line", []string{"a", "b", "c"}, 6, 0},
		{"the last newline", "line", []string{"a", "b", "c"}, 5, 1},
		{"none", "line", []string{"a", "b", "c"}, 0, 3},
		{"one of three", "line", []string{"a", "b", "c"}, 2, 2},
		{"large", "line", []string{"a", big, "c"}, 100_003, 1},
		{"large, cut", "line", []string{"a", big, "c"}, 70_000, 2},
		{"raw", "raw", []string{"aa", "bb", "cc"}, 5, 1},
		{"raw, large", "raw", []string{big, "b"}, 70_000, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPrinter(&limitedWriter{tc.room}, tc.format, nil)
			for _, m := range tc.msgs {
				_ = p.print(socket.Text(m)) // which may fail, or leave that to flush
			}
			_ = p.flush()
			if got := p.unprinted(); got != tc.want {
				t.Errorf("%d unprinted, want %d", got, tc.want)
			}
		})
	}
	t.Run("confirmations are no messages", func(t *testing.T) {
		p := newPrinter(&limitedWriter{1}, "line", nil)
		_ = p.printLine(item{line: []byte("sent")})
		_ = p.print(socket.Text("received"))
		_ = p.flush()
		if got := p.unprinted(); got != 1 {
			t.Errorf("%d unprinted, want 1", got)
		}
	})
	t.Run("many without a flush", func(t *testing.T) {
		var out bytes.Buffer
		p := newPrinter(&out, "line", nil)
		for range 1_000_000 {
			if err := p.print(socket.Text("x")); err != nil {
				t.Fatal(err)
			}
		}
		if n := cap(p.w.ends); n > 1<<17 {
			t.Errorf("it remembers %d messages", n)
		}
		if err := p.flush(); err != nil || p.unprinted() != 0 {
			t.Errorf("%v, %d unprinted", err, p.unprinted())
		}
	})
}

// TestUnprintedIsReported: a message that a receiver took and could not print is not lost without a word, also with
// --quiet.
func TestUnprintedIsReported(t *testing.T) {
	for _, tc := range []struct{ receiver, sender string }{
		{"pull", "push"}, {"sub", "pub"}, {"dealer", "dealer"}, {"pair", "pair"}, {"router", "dealer"},
	} {
		t.Run(tc.receiver, func(t *testing.T) {
			at := ipcEndpoint(t)
			p := startWith(t, strings.NewReader(""), failing{}, tc.receiver, "--bind", at, "--quiet")
			startInput(t, "", tc.sender, "--connect", at, "--data", "x")
			p.exit(1)
			p.says(tc.receiver + ": 1 message received and not printed")
			p.says("no space left on device")
		})
	}
	t.Run("req", func(t *testing.T) {
		rep := start(t, "rep", "--bind", anyPort)
		p := startWith(t, strings.NewReader("a\n"), failing{}, "req", "--connect", rep.endpoint(), "--quiet")
		p.exit(1)
		p.says("req: 1 message received and not printed")
	})
}

// TestClean: what a terminal would obey is shown, and everything else stays as it is.
func TestClean(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"text", "héllo\tworld, 你好 🙂", "héllo\tworld, 你好 🙂"},
		{"escape", "\x1b[2J", `\x1b[2J`},
		{"newlines", "a\nb\r\nc", `a\nb\r\nc`},
		{"bell, backspace, delete", "\a\b\x7f", `\a\b\x7f`},
		{"nul", "\x00", `\x00`},
		{"C1", "\u009b31m", `\u009b31m`},
		{"C1 as a byte", "\x9b31m", `\x9b31m`},
		{"no UTF-8", "\xff\xc3", `\xff\xc3`},
		{"other direction", "a\u202eb", `a\u202eb`},
		{"separators", "a\u2028b", `a\u2028b`},
		{"replacement character", "\ufffd", "\ufffd"},
		{"family", "👨\u200d👩", "👨\u200d👩"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := clean(tc.in); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// TestPipesGetBytes: what is not a terminal gets frames as they are, and JSON that no terminal obeys either.
func TestPipesGetBytes(t *testing.T) {
	m := socket.Msg{Frames: [][]byte{[]byte("\x1b[2J\n\x9b")}, From: &socket.Peer{Identity: []byte("\u009b\x7f\x1bé")}}
	for _, tc := range []struct{ format, want string }{
		{"line", "\x1b[2J\n\x9b\n"},
		{"raw", "\x1b[2J\n\x9b"},
		{"json", `{"frames":["G1sySgqb"],"from":"\u009b\u007f\u001bé"}` + "\n"},
	} {
		t.Run(tc.format, func(t *testing.T) {
			var out bytes.Buffer
			p := newPrinter(&out, tc.format, []byte("\t"))
			if err := p.print(m); err != nil {
				t.Fatal(err)
			}
			if err := p.flush(); err != nil || out.String() != tc.want {
				t.Errorf("got %q, %v, want %q", out.String(), err, tc.want)
			}
		})
	}
}
