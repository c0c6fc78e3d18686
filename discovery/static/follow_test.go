package static

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/internal/watchtest"
)

const quick = 20 * time.Millisecond

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peers")
	write(t, path, "orders tcp://a:1 tcp://b:1\n")
	b := File(path, WithInterval(quick))
	l := watchtest.Watch(t, b, discovery.Query{})
	l.Kind(discovery.Synced, 0)
	if got := endpointsOf(l.Events()); got != 2 {
		t.Fatalf("Synced came before what the file says: %s", l)
	}

	steps := []struct {
		name   string
		change func(t *testing.T)
		want   []string
	}{
		{
			"written over", func(t *testing.T) { write(t, path, "orders tcp://a:1 tcp://c:1\n") },
			[]string{"orders=tcp://a:1", "orders=tcp://c:1"},
		},
		{
			"same size", func(t *testing.T) { write(t, path, "orders tcp://a:1 tcp://d:1\n") },
			[]string{"orders=tcp://a:1", "orders=tcp://d:1"},
		},
		{
			"another service of a node", func(t *testing.T) { write(t, path, "orders tcp://a:1\nprices tcp://a:1\n") },
			[]string{"orders=tcp://a:1", "prices=tcp://a:1"},
		},
		{"renamed over", func(t *testing.T) {
			write(t, path+".new", "orders tcp://e:1\n")
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		}, []string{"orders=tcp://e:1"}},
		{"emptied", func(t *testing.T) { write(t, path, "") }, nil},
		{"there again", func(t *testing.T) { write(t, path, "orders tcp://e:1\n") }, []string{"orders=tcp://e:1"}},
	}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			s.change(t)
			l.Endpoints(s.want...)
		})
	}
	if n := l.Count(discovery.Expired); n > 0 {
		t.Errorf("%d expired, what is taken out has left: %s", n, l)
	}
	if n := l.Count(discovery.Trouble); n > 0 {
		t.Errorf("trouble: %s", l)
	}
}

func endpointsOf(events []discovery.Event) (n int) {
	for _, e := range events {
		if e.Kind == discovery.Synced {
			break
		}
		if e.Kind == discovery.Added {
			n++
		}
	}
	return n
}

// What has not changed is not told again.
func TestUnchangedNodesAreQuiet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peers")
	write(t, path, "orders tcp://a:1\n")
	l := watchtest.Watch(t, File(path, WithInterval(quick)), discovery.Query{})
	l.Kind(discovery.Synced, 0)
	write(t, path, "# more\norders tcp://a:1 tcp://b:1\n")
	l.Endpoints("orders=tcp://a:1", "orders=tcp://b:1")
	if a, u := l.Count(discovery.Added), l.Count(discovery.Updated); a != 2 || u != 0 {
		t.Errorf("%d added, %d updated, want 2 and 0: %s", a, u, l)
	}
}

func TestFileTrouble(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, path string)
		says  string
		is    error
	}{
		"bad line": {
			func(t *testing.T, path string) { write(t, path, "orders tcp://a:1\nprices\n") }, ":2: ", discovery.ErrRecord,
		},
		"gone": {func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, "peers", fs.ErrNotExist},
		"directory": {func(t *testing.T, path string) {
			if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
				t.Fatal(err)
			}
		}, "not a regular file", nil},
		"too large": {
			func(t *testing.T, path string) { write(t, path, strings.Repeat("# long\n", maxFile/7+1)) }, "larger than", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "peers")
			write(t, path, "orders tcp://a:1 tcp://b:1\n")
			l := watchtest.Watch(t, File(path, WithInterval(quick)), discovery.Query{})
			l.Kind(discovery.Synced, 0)
			c.spoil(t, path)
			e := l.Kind(discovery.Trouble, 0)
			if e.Err == nil || !strings.Contains(e.Err.Error(), path) || !strings.Contains(e.Err.Error(), c.says) ||
				c.is != nil && !errors.Is(e.Err, c.is) {
				t.Errorf("trouble says %v, want %s and %q", e.Err, path, c.says)
			}
			l.Endpoints("orders=tcp://a:1", "orders=tcp://b:1")
			if l.Count(discovery.Left) > 0 {
				t.Errorf("a broken file took nodes away: %s", l)
			}
			// Mended, it counts again; meanwhile the trouble was told only once.
			_ = os.RemoveAll(path)
			write(t, path+".new", "orders tcp://c:1\n")
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
			l.Endpoints("orders=tcp://c:1")
			for i, e := range l.Events() {
				for _, f := range l.Events()[:i] {
					if e.Kind == discovery.Trouble && f.Kind == discovery.Trouble && e.Err.Error() == f.Err.Error() {
						t.Errorf("told twice: %v", e.Err)
					}
				}
			}
		})
	}
}

func TestNoFileYet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peers")
	l := watchtest.Watch(t, File(path, WithInterval(quick)), discovery.Query{})
	l.Kind(discovery.Synced, 0)
	if e := l.Kind(discovery.Trouble, 0); !errors.Is(e.Err, fs.ErrNotExist) {
		t.Errorf("trouble is %v", e.Err)
	}
	write(t, path, "orders tcp://a:1\n")
	l.Endpoints("orders=tcp://a:1")
}

// Whoever writes in place truncates first: neither the empty file nor a part of it must count.
func TestHalfWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peers")
	write(t, path, "orders tcp://a:1 tcp://b:1\n")
	s := newSession(&Backend{})
	defer s.Close(t.Context())
	f := &follower{session: s, path: path, interval: time.Hour}
	f.look(true)
	known := func() int { return len(s.table.Records(discovery.Query{})) }
	if known() != 2 {
		t.Fatalf("%d nodes at first", known())
	}
	for _, text := range []string{"", "orders tcp://a:1", "orders tcp://a:1 tcp://b:1 tc"} {
		write(t, path, text)
		if wait := f.look(false); wait > f.interval || known() != 2 {
			t.Errorf("after %q: %d nodes, next look after %v", text, known(), wait)
		}
	}
	write(t, path, "orders tcp://c:1\n")
	if wait := f.look(false); wait <= 0 || wait > settle || known() != 2 {
		t.Fatalf("next look after %v, want at most %v; %d nodes", wait, settle, known())
	}
	f.since = f.since.Add(-settle)
	if f.look(false); known() != 1 {
		t.Errorf("%d nodes once it has settled, want 1", known())
	}
	write(t, path, "")
	f.look(false)
	f.since = f.since.Add(-settle)
	if f.look(false); known() != 1 {
		t.Error("an empty file counts as soon as any other")
	}
	f.since = f.since.Add(-f.interval)
	if f.look(false); known() != 0 {
		t.Error("an empty file never counts")
	}
}

// A file that has not changed for a while is not read.
func TestQuietFileIsNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peers")
	write(t, path, "orders tcp://a:1\n")
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	s := newSession(&Backend{})
	defer s.Close(t.Context())
	f := &follower{session: s, path: path, interval: time.Hour}
	f.look(true)
	read := f.readAt
	f.look(false)
	if !f.readAt.Equal(read) {
		t.Error("read again, though time and size are the same")
	}
	write(t, path, "orders tcp://b:1\n") // of the same size
	f.look(false)
	if f.readAt.Equal(read) {
		t.Error("not read again, though the time is another")
	}
}

func TestWatchesShareAndEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peers")
	write(t, path, "orders tcp://a:1\n")
	b := File(path, WithInterval(quick))
	one, two := watchtest.Watch(t, b, discovery.Query{}), watchtest.Watch(t, b, discovery.Query{})
	one.Kind(discovery.Synced, 0)
	two.Kind(discovery.Synced, 0)
	one.Stop()
	write(t, path, "orders tcp://b:1\n")
	two.Endpoints("orders=tcp://b:1")
	two.Stop()
	if _, ok := b.shared.Current(); ok {
		t.Error("the file is still followed when the last watch has ended")
	}
	again := watchtest.Watch(t, b, discovery.Query{})
	again.Endpoints("orders=tcp://b:1")
}
