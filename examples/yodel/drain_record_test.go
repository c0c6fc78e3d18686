package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// TestPrintRecord: what a process that was killed has printed, by how far it had come.
func TestPrintRecord(t *testing.T) {
	before, batch := []socket.MessageID{{Seq: 1}}, []socket.MessageID{{Seq: 2}, {Seq: 3}}
	const earlier, text = "one\n", "two\nthree\n"
	for _, tc := range []struct {
		name    string
		written int  // of the text
		ended   bool // it was recorded that all was
		pipe    bool // standard output is no file
		other   bool // the next process has another one
		printed int
		file    string // what the file has then
	}{
		{"nothing written", 0, false, false, false, 1, earlier},
		{"all written", len(text), false, false, false, 3, earlier + text},
		{"torn", 5, false, false, false, 3, earlier + text},
		{"torn, another file", 5, false, false, true, 1, earlier + text[:5]},
		{"all written, another file", len(text), false, false, true, 3, earlier + text},
		{"done", len(text), true, false, false, 3, earlier + text},
		{"pipe", len(text), false, true, false, 1, earlier + text},
		{"pipe, done", len(text), true, true, false, 3, earlier + text},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			open := func(name string) *os.File {
				f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { f.Close() })
				return f
			}
			record := func() *printRecord {
				r, err := openPrintRecord(filepath.Join(dir, "record"))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(r.close)
				return r
			}
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			out, r := open("out"), record()
			if ids, err := r.recover(out); len(ids) != 0 || err != nil {
				t.Fatalf("a new record has %v, %v", ids, err)
			}
			_, err := out.WriteString(earlier)
			must(err)
			if tc.pipe {
				must(r.begin(newOutput(), before, batch, []byte(text)))
			} else {
				must(r.begin(out, before, batch, []byte(text)))
			}
			_, err = out.WriteString(text[:tc.written])
			must(err)
			if tc.ended {
				must(r.end())
			}
			next := open("out")
			if tc.other {
				next = open("other")
			}
			ids, err := record().recover(next)
			if len(ids) != tc.printed || err != nil {
				t.Errorf("%v are printed, %v; want %d", ids, err, tc.printed)
			}
			have, err := os.ReadFile(filepath.Join(dir, "out"))
			must(err)
			if string(have) != tc.file {
				t.Errorf("the file has %q, want %q", have, tc.file)
			}
		})
	}
}

// TestPrintRecordDamaged: of what is no record nothing is believed.
func TestPrintRecordDamaged(t *testing.T) {
	for _, text := range []string{"", "X", "I", "D{", "Dx", "X{}", "I{\"before\":7}"} {
		path := filepath.Join(t.TempDir(), "record")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := openPrintRecord(path)
		if err != nil {
			t.Fatal(err)
		}
		if ids, err := r.recover(newOutput()); len(ids) != 0 || err != nil {
			t.Errorf("%q: %v, %v", text, ids, err)
		}
		r.close()
	}
}
