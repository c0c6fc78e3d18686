package disk_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/disk"
)

// A call is one system call that changes the spool's files, or a line that the child said.
type call struct {
	name string // of the system call, or "say"
	file string // the file's name, "." for the directory; or what was said
}

func (c call) String() string { return c.name + " " + c.file }

var (
	// With -f and -o a line begins with the thread's number, with -y a descriptor has its path behind it.
	straced = regexp.MustCompile(`^\d+ +(\w+)\((\w+)<([^>]*)>(?:, "([^"]*)")?(.*)$`)
	resumed = regexp.MustCompile(`^\d+ +<\.\.\. `)
)

// traced runs a child under strace and returns what it did in the directory, in the order in which it was begun.
func traced(t *testing.T, child, dir string) []call {
	t.Helper()
	disk.Require(t, "strace")
	log := filepath.Join(t.TempDir(), "strace")
	runChild(t, child, dir, "strace", "-f", "-y", "-o", log, "-e", "signal=none", "-e",
		"trace=write,pwritev,pwritev2,pwrite64,fdatasync,fsync,fallocate,unlink,unlinkat,rename,renameat,renameat2")
	text, err := os.ReadFile(log)
	must(t, err)
	var calls []call
	for line := range strings.Lines(string(text)) {
		m := straced.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil || resumed.MatchString(line) {
			continue
		}
		name, path := m[1], m[3]
		if m[4] != "" && strings.HasPrefix(m[4], dir) { // unlinkat and its like name the file behind AT_FDCWD
			path = m[4]
		}
		switch {
		case name == "write" && m[2] == "1":
			calls = append(calls, call{"say", strings.TrimSuffix(m[4], `\n`)})
		case path == dir:
			calls = append(calls, call{name, "."})
		case strings.HasPrefix(path, dir+"/"):
			calls = append(calls, call{name, strings.TrimPrefix(path, dir+"/")})
		}
	}
	return calls
}

// without leaves out the calls on a file.
func without(calls []call, file string) (rest []call) {
	for _, c := range calls {
		if c.file != file {
			rest = append(rest, c)
		}
	}
	return rest
}

func names(calls []call) string {
	var all []string
	for _, c := range calls {
		all = append(all, c.name)
	}
	return strings.Join(all, " ")
}

// TestSystemCallsOfACommit: a commit is one pwritev and one fdatasync of the newest segment, and only then does Append
// return; a new segment is allocated, written, synced, and its directory synced, before anything else is written to it;
// a segment is removed only when the settle that frees it is synced.
func TestSystemCallsOfACommit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	calls := without(without(traced(t, "commit", dir), "spare"), "LOCK")
	newest, births, plain, removed := "", 0, 0, 0
	last := 0 // the call behind the last line that was said
	for i, c := range calls {
		switch {
		case c.name == "fallocate":
			births++
			at := birth(t, calls[i:], newest)
			newest = c.file
			if strings.Contains(names(calls[i+1:i+at]), "say") {
				t.Errorf("the child went on while %s was born: %v", c.file, calls[i:i+at])
			}
		case c.name == "say" && strings.HasPrefix(c.file, "ok "):
			did := without(calls[last:i], ".") // the janitor syncs the directory too, when it has made the spare
			if got := names(did); got == "pwritev fdatasync" {
				plain++
			} else if !strings.HasSuffix(got, "fallocate pwritev pwritev fdatasync pwritev fdatasync") {
				t.Errorf("before %q: %v", c.file, did)
			}
			if end := did[max(len(did)-2, 0):]; len(end) < 2 || end[0].file != newest || end[1].file != newest {
				t.Errorf("before %q: %v, the newest segment is %s", c.file, did, newest)
			}
		case strings.HasPrefix(c.name, "unlink"):
			if removed++; !settledBefore(calls[:i]) {
				t.Errorf("%v before the settle was durable", c)
			}
		case c.name == "pwrite64" || c.name == "write" || strings.HasPrefix(c.name, "rename"):
			t.Errorf("%v: segments are written by pwritev alone, and keep their names", c)
		}
		if c.name == "say" {
			last = i + 1
		}
	}
	if births < 3 || plain < commits-births || removed == 0 {
		t.Errorf("%d births, %d commits of one write and one sync, %d segments removed, of %d commits", births, plain,
			removed, commits)
	}
}

// birth checks the calls from a fallocate on: the index of the segment before may come first. It returns how many of
// them are the birth.
func birth(t *testing.T, calls []call, before string) int {
	t.Helper()
	file := calls[0].file
	want := []call{{"fallocate", file}, {"pwritev", file}, {"fdatasync", file}, {"fsync", "."}}
	n := 0
	for i, c := range calls {
		switch {
		case c == want[n]:
			if n++; n == len(want) {
				return i + 1
			}
		case c.name == "pwritev" && c.file == before && n == 1: // the index
		case c.file == ".": // too early: the janitor's
		default:
			t.Errorf("%s was born by %v", file, calls[:i+1])
			return i + 1
		}
	}
	t.Errorf("%s was not born: %v", file, calls)
	return len(calls)
}

// settledBefore reports whether, since the child began to settle, a write was synced.
func settledBefore(calls []call) bool {
	for i, c := range calls {
		if c.name == "say" && c.file == "cursor" {
			got := names(calls[i:])
			return strings.Contains(got, "pwritev fdatasync")
		}
	}
	return false
}

// TestSystemCallsOfOpen: the last batch is written again and synced, and the directory too, before anything new.
func TestSystemCallsOfOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	disk.Require(t, "strace")
	runChild(t, "reopen", dir)
	calls := without(without(traced(t, "reopen", dir), "spare"), "LOCK")
	opened := slices.Index(calls, call{"say", "opened"})
	if opened < 0 {
		t.Fatalf("it was not opened: %v", calls)
	}
	got := names(slices.Concat(calls[:opened], without(calls[opened:], "."))) // the janitor makes the spare meanwhile
	if want := "pwritev fdatasync fsync pwritev fdatasync say pwritev fdatasync say"; !strings.HasPrefix(got, want) {
		t.Errorf("%v, want %s: what was found again, the new epoch, the message", calls, want)
	}
}

// syncsOf returns the syncs in a log of strace, in the order in which they ended: of which file, and whether it failed.
func syncsOf(log string) (all []synced) {
	path := make(map[string]string) // by thread, of a call that is told in two lines
	for line := range strings.Lines(log) {
		m := syncLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if m[2] != "" {
			path[m[1]] = m[2]
		}
		if !strings.Contains(line, "<unfinished") {
			all = append(all, synced{path[m[1]], strings.Contains(line, "(INJECTED)")})
		}
	}
	return all
}

type synced struct {
	path   string
	failed bool
}

var syncLine = regexp.MustCompile(`^(\d+) +(?:fdatasync\(\d+<([^>]*)>|<\.\.\. fdatasync resumed)`)

// outages returns how often the syncs of segments began to fail, or -1 if another file's failed.
func outages(all []synced) (n int) {
	failing := false
	for _, s := range all {
		if !strings.HasSuffix(s.path, ".seg") {
			if s.failed {
				return -1
			}
			continue
		}
		if s.failed && !failing {
			n++
		}
		failing = s.failed
	}
	return n
}

// TestFailingSync: not one of 200 messages is refused when a sync of a segment fails, wherever it is; an outage is told
// once, and that all is well again; and all are there afterwards.
func TestFailingSync(t *testing.T) {
	disk.Require(t, "strace")
	for _, when := range []string{"3", "8", "40"} {
		t.Run(when, func(t *testing.T) {
			var dir string
			var said []string
			want := 0
			// strace counts by thread, so several may fail. One of the file that is kept for a full disk is another test's.
			for try := 0; try < 50 && want <= 0; try++ {
				dir = filepath.Join(t.TempDir(), "spool")
				log := filepath.Join(t.TempDir(), "strace")
				said = runChild(t, "many", dir, "strace", "-f", "-y", "-o", log, "-e", "trace=fdatasync",
					"-e", "inject=fdatasync:error=EIO:when="+when)
				text, err := os.ReadFile(log)
				must(t, err)
				want = outages(syncsOf(string(text)))
			}
			if want <= 0 {
				t.Fatal("it never was the sync of a segment that failed")
			}
			var refused, failing, healthy int
			_, err := fmt.Sscanf(said[len(said)-1], "refused %d, failing %d, healthy %d", &refused, &failing, &healthy)
			// What succeeds between two commits, as the first sync of a new segment, does not end an outage.
			if err != nil || refused != 0 || failing < 1 || failing > want || healthy != failing {
				t.Errorf("the syncs of segments began to fail %d times, said: %v", want, said)
			}
			s, err := spool.Open(dir, spool.Options{})
			must(t, err)
			defer s.Close()
			n := 0
			for e, err := range s.Browse(t.Context(), 0) {
				must(t, err)
				if len(e.Frames[0]) != n {
					t.Fatalf("message %d has %d bytes, seq %d; said: %v", n, len(e.Frames[0]), e.Seq, said)
				}
				n++
			}
			if n != many || s.Stats().Damaged.Messages != 0 {
				t.Errorf("%d of %d messages are there: %+v", n, many, s.Stats())
			}
		})
	}
}
