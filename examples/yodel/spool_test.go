package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
)

// spooled makes a spool of ten messages, "m1" to "m10", of two frames each: of these 1 and 2 are settled and 3 is a
// dead letter. It is open.
func spooled(t *testing.T) (dir string, s *spool.Spool) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "spool")
	s, err := spool.Open(dir, spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c, err := s.Cursor("", spool.CursorOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		m := spool.Message{Frames: [][]byte{[]byte("topic"), fmt.Appendf(nil, "m%d", i+1)}}
		if _, err := s.Append(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Next(t.Context(), 3, 0); err != nil {
		t.Fatal(err)
	}
	c.Settle(spool.Range{From: 1, To: 3})
	if err := c.Bury(t.Context(), 3, "no good"); err != nil {
		t.Fatal(err)
	}
	return dir, s
}

// tooled runs the tool and returns what it printed.
func tooled(t *testing.T, status int, args ...string) (stdout, stderr string) {
	t.Helper()
	p := startInput(t, "", args...)
	p.exit(status)
	return p.stdout.String(), p.stderr.String()
}

func decode[T any](t *testing.T, line string) (v T) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return v
}

// All that looks into a spool works beside its owner, and says the same when there is none.
func TestSpoolLooksBesideTheOwner(t *testing.T) {
	dir, s := spooled(t)
	look := func(inUse string) {
		t.Helper()
		want := fmt.Sprintf("%s  7 messages  ", dir)
		if out, _ := tooled(t, 0, "spool", "ls", dir); !strings.HasPrefix(out, want) ||
			!strings.Contains(out, "  1 dead  ") || !strings.Contains(out, "oldest ") ||
			!strings.HasSuffix(out, inUse+"\n") || strings.Count(out, "\n") != 1 {
			t.Errorf("ls: %q, want %q first and %q last", out, want, inUse)
		}
		out, _ := tooled(t, 0, "spool", "show", dir)
		for _, want := range []string{
			inUse, "from 4, the next is 11", `"" waits at 4: 7 messages`, "1 segment", s.ID().String(),
		} {
			if !strings.Contains(out, want) {
				t.Errorf("show lacks %q:\n%s", want, out)
			}
		}
		if out, _ := tooled(t, 0, "spool", "browse", dir); out != "topic\tm4\ntopic\tm5\ntopic\tm6\ntopic\tm7\ntopic\tm8\n"+
			"topic\tm9\ntopic\tm10\n" {
			t.Errorf("browse: %q", out)
		}
		if out, _ := tooled(t, 0, "spool", "dead", dir); out != "3 \"no good\" \"\" topic\tm3\n" {
			t.Errorf("dead: %q", out)
		}
		if out, _ := tooled(t, 0, "spool", "verify", dir); !strings.HasPrefix(out, "10 messages in 1 segment, ") ||
			!strings.HasSuffix(out, " checked: good\n") {
			t.Errorf("verify: %q", out)
		}
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	look(fmt.Sprintf("in use by pid %d on %s", os.Getpid(), host))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	look("not in use")
}

func TestSpoolBrowseFormats(t *testing.T) {
	dir, _ := spooled(t)
	for _, tc := range []struct{ flags, want string }{
		{"--count 2", "topic\tm4\ntopic\tm5\n"},
		{"--from 9", "topic\tm9\ntopic\tm10\n"},
		{"--from 9 --delim |", "topic|m9\ntopic|m10\n"},
		{"--from 10 --format quoted", "\"topic\"\t\"m10\"\n"},
		{"--from 10 --format hex", "746f706963\t6d3130\n"},
		{"--from 9 --format raw", "topicm9topicm10"},
		{"--from 11", ""},
	} {
		args := append([]string{"spool", "browse", dir}, strings.Fields(tc.flags)...)
		if out, _ := tooled(t, 0, args...); out != tc.want {
			t.Errorf("browse %s: %q, want %q", tc.flags, out, tc.want)
		}
	}
}

func TestSpoolAsJSON(t *testing.T) {
	dir, s := spooled(t)
	out, _ := tooled(t, 0, "spool", "ls", "--json", dir)
	j := decode[spoolJSON](t, out)
	if j.Dir != dir || j.ID != s.ID().String() || j.Owner == nil || j.Owner.PID != os.Getpid() || j.Messages != 7 ||
		j.Bytes == 0 || j.Oldest == nil || j.First != 4 || j.Next != 11 || j.Dead != 1 || j.DeadBytes == 0 ||
		j.Segments != 1 || j.FileBytes < 1<<20 || len(j.Cursors) != 1 || j.Cursors[0].Low != 4 || j.Cursors[0].Messages != 7 {
		t.Errorf("ls: %+v", j)
	}
	if again, _ := tooled(t, 0, "--json", "spool", "show", dir); decode[spoolJSON](t, again).ID != j.ID {
		t.Errorf("show: %s", again)
	}
	out, _ = tooled(t, 0, "spool", "browse", "--json", "--count", "1", dir)
	m := decode[spooledJSON](t, out)
	if m.Seq != 4 || string(m.Frames[1]) != "m4" || m.State != "queued" || time.Since(m.Enqueued) > time.Hour {
		t.Errorf("browse: %+v", m)
	}
	out, _ = tooled(t, 0, "spool", "dead", "--json", dir)
	m = decode[spooledJSON](t, out)
	if m.Seq != 3 || string(m.Frames[1]) != "m3" || m.Reason != "no good" || m.Last == nil {
		t.Errorf("dead: %+v", m)
	}
	out, _ = tooled(t, 0, "spool", "verify", "--json", dir)
	if v := decode[verifyJSON](t, out); v.Messages != 10 || v.Damage == nil || len(v.Damage) != 0 || v.Bytes == 0 {
		t.Errorf("verify: %+v", v)
	}
}

// What changes a spool fails while a process has it, and names the process.
func TestSpoolInUse(t *testing.T) {
	t.Parallel()
	dir, s := spooled(t)
	want := fmt.Sprintf("in use by pid %d", os.Getpid())
	for _, args := range [][]string{{"purge", "--all", dir}, {"requeue", dir, "3"}, {"unsubscribe", dir, "ann"}} {
		out, said := tooled(t, 1, append([]string{"spool"}, args...)...)
		if !strings.Contains(said, want) || out != "" {
			t.Errorf("%v: %q, %q, want %q", args, out, said, want)
		}
	}
	if n := s.Stats().Live.Messages; n != 7 {
		t.Errorf("%d messages are left", n)
	}
}

func TestSpoolPurge(t *testing.T) {
	for _, tc := range []struct {
		flags, says, left string
		dead              uint64
	}{
		{"--to 6", "purged 2 messages, 14 B\n", "6 7 8 9 10", 1},
		{"--all", "purged 7 messages, 50 B\n", "", 1},
		{"--before 1h", "purged 0 messages, 0 B\n", "4 5 6 7 8 9 10", 1},
		{"--before 2100-01-01T00:00:00Z --to 5", "purged 1 message, 7 B\n", "5 6 7 8 9 10", 1},
		{"--dead --all", "purged 1 message, 7 B\n", "4 5 6 7 8 9 10", 0},
		{"--all --json", `{"messages":7,"bytes":50}` + "\n", "", 1},
	} {
		t.Run(tc.flags, func(t *testing.T) {
			dir, s := spooled(t)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if out, _ := tooled(t, 0, append([]string{"spool", "purge", dir}, strings.Fields(tc.flags)...)...); out != tc.says {
				t.Errorf("it says %q, want %q", out, tc.says)
			}
			v, err := spool.Inspect(dir)
			if err != nil {
				t.Fatal(err)
			}
			var left []string
			for e, err := range v.Browse(t.Context(), 0) {
				if err != nil {
					t.Fatal(err)
				}
				left = append(left, fmt.Sprint(e.Seq))
			}
			st, err := v.Stats()
			if err != nil || strings.Join(left, " ") != tc.left || st.Dead.Messages != tc.dead {
				t.Errorf("left are %v and %d dead letters (%v), want %s and %d", left, st.Dead.Messages, err, tc.left, tc.dead)
			}
		})
	}
}

func TestSpoolRequeue(t *testing.T) {
	dir, s := spooled(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, said := tooled(t, 1, "spool", "requeue", dir, "4"); !strings.Contains(said, "there is no dead letter 4") {
		t.Errorf("it says %q", said)
	}
	if out, _ := tooled(t, 0, "spool", "requeue", dir, "--all"); out != "3 11\n" {
		t.Errorf("it prints %q", out)
	}
	if out, _ := tooled(t, 0, "spool", "dead", dir); out != "" {
		t.Errorf("dead: %q", out)
	}
	if out, _ := tooled(t, 0, "spool", "browse", dir, "--from", "11"); out != "topic\tm3\n" {
		t.Errorf("browse: %q", out)
	}
}

// A subscription that is dropped is gone with what waits for it alone; of several names all must be there.
func TestSpoolUnsubscribe(t *testing.T) {
	dir, s := spooled(t)
	for _, name := range []string{"ann", "bob", "eve"} {
		o := spool.CursorOptions{Start: spool.Start{At: spool.Earliest}}
		if _, err := s.Cursor(subscriberCursor+name, o); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, said := tooled(t, 1, "spool", "unsubscribe", dir, "ann", "dan"); !strings.Contains(said, `subscription "dan"`) {
		t.Errorf("it says %q", said)
	}
	out, _ := tooled(t, 0, "spool", "unsubscribe", dir, "ann", "bob")
	if want := "\"ann\" 7 messages\n\"bob\" 7 messages\n"; out != want {
		t.Errorf("it prints %q", out)
	}
	out, _ = tooled(t, 0, "spool", "unsubscribe", "--json", dir, "eve")
	type dropped struct {
		Name     string
		Messages uint64
		Bytes    uint64
	}
	if d := decode[dropped](t, out); d.Name != "eve" || d.Messages != 7 || d.Bytes == 0 {
		t.Errorf("it prints %q", out)
	}
	out, _ = tooled(t, 0, "spool", "show", dir)
	if strings.Contains(out, "subscriber/") || !strings.Contains(out, `cursor     "" waits at 4: 7 messages`) {
		t.Errorf("show: %s", out)
	}
}

// Damage is told to the message, and the status is 1.
func TestSpoolVerifyFindsDamage(t *testing.T) {
	dir, s := spooled(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	p, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	p[strings.Index(string(p), "m7")] ^= 1
	if err := os.WriteFile(files[0], p, 0o600); err != nil {
		t.Fatal(err)
	}
	out, said := tooled(t, 1, "spool", "verify", dir)
	if !strings.Contains(out, "damaged: "+filepath.Base(files[0])+" at ") || !strings.Contains(out, "; lost: 7\n") ||
		!strings.Contains(said, "1 place damaged; 1 message lost") {
		t.Errorf("%q, %q", out, said)
	}
	out, _ = tooled(t, 1, "spool", "verify", "--json", dir)
	if v := decode[verifyJSON](t, out); len(v.Damage) != 1 || v.Damage[0].Live != 1 ||
		!slices.Equal(v.Damage[0].Seqs, [][2]uint64{{7, 7}}) {
		t.Errorf("%+v", v)
	}
	if out, _ := tooled(t, 0, "spool", "browse", dir, "--from", "6", "--count", "2"); out != "topic\tm6\ntopic\tm8\n" {
		t.Errorf("browse: %q", out)
	}
}

func TestSpoolUsage(t *testing.T) {
	dir, _ := spooled(t)
	none := filepath.Join(t.TempDir(), "none")
	for _, tc := range []struct {
		args   string
		status int
		says   string
	}{
		{"", 2, "browse, dead, ls, purge, requeue, show, unsubscribe, verify"},
		{"shred", 2, `unknown command "shred"`},
		{"ls", 2, "at least 1 arg"},
		{"verify", 2, "accepts 1 arg"},
		{"browse DIR --format xml", 2, "line, quoted, hex, json, raw"},
		{"browse DIR --json --format raw", 2, "contradict"},
		{"browse DIR --count -1", 2, "--count is negative"},
		{`browse DIR --delim \q`, 2, `--delim "\\q"`},
		{"purge DIR", 2, "--before, --to or --all"},
		{"purge DIR --all --to 3", 2, "exclude each other"},
		{"purge DIR --to 0", 2, "begin at 1"},
		{"purge DIR --before yesterday", 2, "2026-11-30T12:00:00Z"},
		{"purge DIR --before -1h", 2, "negative"},
		{"requeue DIR", 2, "--all"},
		{"requeue DIR x", 2, `"x"`},
		{"requeue DIR 1 --all", 2, "exclude each other"},
		{"ls NONE", 1, none},
		{"show NONE", 1, none},
		{"browse NONE", 1, none},
		{"verify NONE", 1, none},
		{"purge NONE --all", 1, none},
		{"requeue NONE --all", 1, none},
		{"unsubscribe DIR", 2, "at least 2 arg"},
		{"unsubscribe NONE ann", 1, none},
		{"--help", 0, ""},
		{"purge --help", 0, ""},
	} {
		t.Run(tc.args, func(t *testing.T) {
			args := strings.Fields("spool " + strings.NewReplacer("DIR", dir, "NONE", none).Replace(tc.args))
			out, said := tooled(t, tc.status, args...)
			if !strings.Contains(said, tc.says) || tc.status != 0 && out != "" {
				t.Errorf("%q, %q, want %q", out, said, tc.says)
			}
		})
	}
	if _, err := os.Stat(none); !errors.Is(err, os.ErrNotExist) {
		t.Error("looking for a spool has made one")
	}
}

func TestSizeOf(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_949: "999.9 kB", 999_950: "1.0 MB", 1_500_000_000: "1.5 GB",
		1<<64 - 1: "18.4 EB",
	} {
		if got := sizeOf(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
