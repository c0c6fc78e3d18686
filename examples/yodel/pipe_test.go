package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func TestFormats(t *testing.T) {
	const input = "one\ttwo\t\n\nd\xffad\tbeef\n"
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"line", nil, "one\ttwo\t\n\nd\xffad\tbeef\n"},
		{"line, delimiter", []string{"--delim", "|"}, "one|two|\n\nd\xffad|beef\n"},
		{"line, escape", []string{"--delim", `\x00`}, "one\x00two\x00\n\nd\xffad\x00beef\n"},
		{"line, no delimiter", []string{"--delim="}, "onetwo\n\nd\xffadbeef\n"},
		{"quoted", []string{"--format=quoted"}, "\"one\"\t\"two\"\t\"\"\n\"\"\n\"d\\xffad\"\t\"beef\"\n"},
		{"hex", []string{"--format", "hex", "--delim", ","}, "6f6e65,74776f,\n\n64ff6164,62656566\n"},
		{"raw", []string{"--format", "raw"}, "onetwod\xffadbeef"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at := ipcEndpoint(t)
			pull := startInput(t, "", append([]string{"pull", "--bind", at, "--count", "3"}, tc.args...)...)
			push := startInput(t, input, "push", "--connect", at)
			push.exit(0)
			pull.exit(0)
			pull.prints(tc.want)
		})
	}
	for _, flag := range []string{"--json", "--format=json"} {
		t.Run("json by "+flag, func(t *testing.T) {
			pull := startInput(t, "", "pull", "--bind", anyPort, "--count", "3", flag)
			push := startInput(t, input, "push", "--connect", pull.endpoint(), "--quiet")
			push.exit(0)
			pull.exit(0)
			var got [][][]byte
			for line := range strings.Lines(pull.stdout.String()) {
				var m struct {
					Frames [][]byte
					From   string
				}
				if err := json.Unmarshal([]byte(line), &m); err != nil {
					t.Fatalf("%q: %v", line, err)
				}
				if !strings.HasPrefix(m.From, "127.0.0.1:") {
					t.Errorf("from %q", m.From)
				}
				got = append(got, m.Frames)
			}
			if s := fmt.Sprintf("%q", got); s != `[["one" "two" ""] [""] ["d\xffad" "beef"]]` {
				t.Error(s)
			}
			if !strings.HasPrefix(pull.stdout.String(), `{"frames":["b25l","dHdv",""],"from":"127.0.0.1:`) {
				t.Errorf("stdout %q", pull.stdout)
			}
		})
	}
}

func TestSplitting(t *testing.T) {
	for _, tc := range []struct{ name, delim, line, want string }{
		{"tab", `\t`, "a\tb", `["a" "b"]`},
		{"none in line", `\t`, "ab", `["ab"]`},
		{"several bytes", "--", "a--b-c", `["a" "b-c"]`},
		{"nul", `\x00`, "a\x00\x00b", `["a" "" "b"]`},
		{"empty", "", "a\tb", `["a\tb"]`},
		{"empty line", `\t`, "", `[""]`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at := ipcEndpoint(t)
			pull := startInput(t, "", "pull", "--bind", at, "--count", "1", "--format", "quoted", "--delim", " ")
			push := startInput(t, tc.line+"\n", "push", "--connect", at, "--delim", tc.delim)
			push.exit(0)
			pull.exit(0)
			if got := "[" + strings.TrimSuffix(pull.stdout.String(), "\n") + "]"; got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestWhatIsSent(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("line 1\tx\nline 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		input string
		args  []string
		want  string
	}{
		{"data", "not read\n", []string{"--data", "a\tb"}, "\"a\"\t\"b\"\n"},
		{"data, several times", "", []string{"--data", "x", "--count", "3"}, "\"x\"\n\"x\"\n\"x\"\n"},
		{"empty data", "", []string{"--data", ""}, "\"\"\n"},
		{"file", "not read\n", []string{"--file", file}, `"line 1\tx\nline 2\n"` + "\n"},
		{"file, twice", "", []string{"--file", file, "--count", "2"}, strings.Repeat(`"line 1\tx\nline 2\n"`+"\n", 2)},
		{"count", "a\nb\nc\n", []string{"--count", "2"}, "\"a\"\n\"b\"\n"},
		{"count over the input", "a\n", []string{"--count", "2"}, "\"a\"\n"},
		{"no last newline", "a\nb", nil, "\"a\"\n\"b\"\n"},
		{"carriage return stays", "a\r\n", nil, "\"a\\r\"\n"},
		{"interval", "a\nb\nc\n", []string{"--interval", "1ms"}, "\"a\"\n\"b\"\n\"c\"\n"},
		{"high-water mark", "a\nb\nc\n", []string{"--hwm", "1"}, "\"a\"\n\"b\"\n\"c\"\n"},
		{"nothing", "", nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			pull := start(t, "pull", "--bind", anyPort, "--format", "quoted")
			startInput(t, tc.input, append([]string{"push", "--connect", pull.endpoint()}, tc.args...)...).exit(0)
			pull.prints(tc.want)
			pull.stop()
			pull.exit(0)
		})
	}
}

func TestLongLines(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 200_000) // 3.2 MB
	pull := startInput(t, "", "pull", "--bind", ipcEndpoint(t), "--count", "3")
	push := startInput(t, "short\n"+long+"\n"+long[:70_000], "push", "--connect", pull.endpoint())
	push.exit(0)
	pull.exit(0)
	if got, want := pull.stdout.String(), "short\n"+long+"\n"+long[:70_000]+"\n"; got != want {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
}

func TestReadLine(t *testing.T) {
	broken := errors.New("broken")
	for _, tc := range []struct {
		name string
		in   io.Reader
		want []string
		err  error
	}{
		{"empty", strings.NewReader(""), nil, io.EOF},
		{"lines", strings.NewReader("a\n\nb\n"), []string{"a", "", "b"}, io.EOF},
		{"unfinished", strings.NewReader("a\nb"), []string{"a", "b"}, io.EOF},
		{"byte by byte", iotest.OneByteReader(strings.NewReader("ab\nc\n")), []string{"ab", "c"}, io.EOF},
		{"failing", io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)), []string{"a"}, broken},
		{"at the limit", strings.NewReader(strings.Repeat("x", 100) + "\n"), []string{strings.Repeat("x", 100)}, io.EOF},
		{"over the limit", strings.NewReader("a\n" + strings.Repeat("x", 101) + "\n"), []string{"a"}, errLongLine},
		{"endless", io.MultiReader(strings.NewReader("a\n"), endless{}), []string{"a"}, errLongLine},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := bufio.NewReaderSize(tc.in, 16)
			var got []string
			var err error
			for err == nil {
				var line []byte
				if line, err = readLine(r, 100); line != nil {
					got = append(got, string(line))
				}
			}
			if !errors.Is(err, tc.err) || strings.Join(got, ";") != strings.Join(tc.want, ";") {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return copy(b, bytes.Repeat([]byte("x"), len(b))), nil }

// TestNothingIsHeldBack: a message is printed, and a line sent, before the next one comes.
func TestNothingIsHeldBack(t *testing.T) {
	pull := start(t, "pull", "--bind", anyPort)
	push := start(t, "push", "--connect", pull.endpoint(), "--confirm")
	for _, all := range []string{"one\n", "one\ntwo\n", "one\ntwo\nthree\nfour\n"} {
		push.types(strings.TrimPrefix(all, push.stdout.String()))
		push.prints(all)
		pull.prints(all)
	}
	push.stdin.Close()
	push.exit(0)
	pull.stop()
	pull.exit(0)
}

func TestConfirm(t *testing.T) {
	pull := startInput(t, "", "pull", "--bind", anyPort, "--count", "2")
	push := startInput(t, "a\tb\nc\n", "push", "--connect", pull.endpoint(), "--confirm", "--json")
	push.exit(0)
	push.stdout.waitFor(t, func(s string) bool {
		return strings.HasPrefix(s, `{"frames":["YQ==","Yg=="],"text":["a","b"]}`+"\n"+
			`{"frames":["Yw=="],"text":["c"]}`+"\n")
	})
	pull.exit(0)
}

func TestWait(t *testing.T) {
	push := startInput(t, "a\nb\nc\nd\n", "push", "--bind", anyPort, "--wait", "2")
	at := push.endpoint()
	one := startInput(t, "", "pull", "--connect", at, "--count", "2")
	two := startInput(t, "", "pull", "--connect", at, "--count", "2")
	push.exit(0)
	one.exit(0)
	two.exit(0)
	if got := one.stdout.String() + two.stdout.String(); len(got) != 8 {
		t.Errorf("got %q", got)
	}
}

// TestEndpoints: several of both kinds, in any order of starting.
func TestEndpoints(t *testing.T) {
	at := ipcEndpoint(t)
	push := startInput(t, "a\nb\n", "push", "--connect", at) // nobody is there yet
	pull := startInput(t, "", "pull", "--bind", at, "--bind", anyPort, "--count", "3")
	push.exit(0)
	pull.prints("a\nb\n")
	pull.says("listening on tcp://")
	_, rest, _ := strings.Cut(pull.stderr.String(), "listening on tcp://")
	port, _, _ := strings.Cut(rest, "\n")
	startInput(t, "", "push", "--connect", "tcp://"+port, "--data", "c").exit(0)
	pull.exit(0)
	pull.prints("a\nb\nc\n")
}

func TestPublish(t *testing.T) {
	for _, tc := range []struct {
		name     string
		pub, sub []string
		input    string
		want     string
	}{
		{"everything", nil, nil, "a\t1\na\t2\n", "a\t1\na\t2\n"},
		{"topic flag", []string{"--topic", "t"}, []string{"--topic", "t"}, "1\n2\t3\n", "t\t1\nt\t2\t3\n"},
		{"empty topic", []string{"--topic", ""}, nil, "1\n", "\t1\n"},
		{"prefix", nil, []string{"--topic", "wea"}, "weather\tfine\nsport\t1:0\nwearing\n", "weather\tfine\nwearing\n"},
		{"several", nil, []string{"--topic", "b", "--topic", "a"}, "a\t1\nc\t2\nb\t3\n", "a\t1\nb\t3\n"},
		{"comma", nil, []string{"--topic", "a,b"}, "a,b\t1\na\t2\n", "a,b\t1\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sub := startInput(t, "", append([]string{"sub", "--bind", anyPort}, tc.sub...)...)
			pub := startInput(t, tc.input, append([]string{"pub", "--connect", sub.endpoint()}, tc.pub...)...)
			pub.exit(0)
			sub.prints(tc.want)
			sub.stop()
			sub.exit(0)
		})
	}
}

// TestPublishWaits: without a sleep, all subscribers get the first message.
func TestPublishWaits(t *testing.T) {
	pub := startInput(t, "x\t1\nx\t2\n", "pub", "--bind", anyPort, "--wait", "3")
	at := pub.endpoint()
	var subs []*tool
	for range 3 {
		subs = append(subs, startInput(t, "", "sub", "--connect", at, "--count", "2"))
	}
	pub.exit(0)
	for _, sub := range subs {
		sub.exit(0)
		sub.prints("x\t1\nx\t2\n")
	}
}

func TestPublishWithoutSubscribers(t *testing.T) {
	pub := startInput(t, "a\nb\n", "pub", "--bind", anyPort, "--wait", "0")
	pub.exit(0)
	pub.says("pub: 0 of 2 messages delivered; 2 dropped (no subscriber)\n")
}
