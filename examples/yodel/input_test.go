package main

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// TestInputs: what each --input makes of a line.
func TestInputs(t *testing.T) {
	for _, tc := range []struct{ name, input, delim, line, want string }{
		{"line", "line", "\t", "a\t\tb", `["a" "" "b"]`},
		{"quoted", "quoted", "\t", `"a"` + "\t" + `"\x00\xff\t\"é"`, `["a" "\x00\xff\t\"é"]`},
		{"quoted, delimiter in a frame", "quoted", ",", `"a,b","c"`, `["a,b" "c"]`},
		{"quoted, no delimiter", "quoted", "", `"a""b"`, `["a" "b"]`},
		{"quoted, empty frame", "quoted", "\t", `""`, `[""]`},
		{"quoted, empty line", "quoted", "\t", "", "bad"},
		{"quoted, last frame missing", "quoted", "\t", `"a"` + "\t", "bad"},
		{"quoted, unfinished", "quoted", "\t", `"a`, "bad"},
		{"quoted, other quotes", "quoted", "\t", "`a`", "bad"},
		{"quoted, more after", "quoted", "\t", `"a" b`, "bad"},
		{"hex", "hex", "\t", "00fF\t\t61", `["\x00\xff" "" "a"]`},
		{"hex, empty line", "hex", "\t", "", `[""]`},
		{"hex, odd", "hex", "\t", "616", "bad"},
		{"hex, no digit", "hex", "\t", "6g", "bad"},
		{"json", "json", "\t", `{"frames":["YQ==",""],"from":"x"}`, `["a" ""]`},
		{"json, no frames", "json", "\t", `{"frames":[]}`, "bad"},
		{"json, other", "json", "\t", `[]`, "bad"},
		{"json, text", "json", "\t", `{"frames":["a b"]}`, "bad"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := socketFlags{verb: &verb{}, input: tc.input, delim: []byte(tc.delim)}
			frames, err := f.split([]byte(tc.line))
			if got := fmt.Sprintf("%q", frames); (tc.want == "bad") != isBadLine(err) || tc.want != "bad" && got != tc.want {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
}

// TestInputsReadFormats: what --format prints, --input of the same name reads, whatever the bytes.
func TestInputsReadFormats(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	frames := [][]byte{{0, '\t', '\n', 1, 2}, {}, all, []byte("plain"), []byte("é\xff|\"")}
	for _, format := range []string{"quoted", "hex", "json"} {
		for _, delim := range []string{"\t", "|", ", "} {
			t.Run(format+" "+delim, func(t *testing.T) {
				var out bytes.Buffer
				p := newPrinter(&out, format, []byte(delim))
				if err := p.print(socket.Msg{Frames: frames}); err != nil {
					t.Fatal(err)
				}
				if err := p.flush(); err != nil {
					t.Fatal(err)
				}
				line, found := bytes.CutSuffix(out.Bytes(), []byte("\n"))
				if !found || bytes.Contains(line, []byte("\n")) {
					t.Fatalf("printed %q, want one line", out.Bytes())
				}
				f := socketFlags{verb: &verb{}, input: format, delim: []byte(delim)}
				got, err := f.split(line)
				if err != nil || !slices.EqualFunc(got, frames, bytes.Equal) {
					t.Errorf("%q became %q, %v", line, got, err)
				}
			})
		}
	}
}
