package spool_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

// A bench is a spool on a medium of its own, in virtual time.
type bench struct {
	*testing.T
	fs   *memfs.FS
	opts spool.Options
	s    *spool.Spool
	c    *spool.Cursor // ""

	mu     sync.Mutex
	events []spool.Event
}

// virtually runs a test in a bubble, with a spool that is open.
func virtually(t *testing.T, config memfs.Config, opts spool.Options, f func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, fs: memfs.New(config), opts: opts}
		b.opts.FS = b.fs
		if b.opts.SegmentBytes == 0 {
			b.opts.SegmentBytes = 16 << 10
		}
		b.opts.Events = func(e spool.Event) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.events = append(b.events, e)
		}
		b.open()
		f(b)
		b.s.Close()
		if open := b.fs.Handles(); len(open) > 0 {
			t.Errorf("files are open still: %v", open)
		}
	})
}

func (b *bench) open() {
	b.Helper()
	var err error
	if b.s, err = spool.OpenEnv("mem", b.opts, now, locked(1), 0); err != nil {
		b.Fatal(err)
	}
	if b.c, err = b.s.Cursor("", spool.CursorOptions{}); err != nil {
		b.Fatal(err)
	}
}

// reopen closes the spool and opens it again.
func (b *bench) reopen() {
	b.Helper()
	if err := b.s.Close(); err != nil {
		b.Fatal(err)
	}
	b.open()
}

func (b *bench) append(texts ...string) {
	b.Helper()
	for _, s := range texts {
		if _, err := b.s.Append(b.Context(), text(s)); err != nil {
			b.Fatal(err)
		}
	}
}

// got takes all that a cursor hands out.
func (b *bench) got(c *spool.Cursor) string {
	b.Helper()
	ms, err := drain(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	var all []string
	for _, m := range ms {
		all = append(all, string(m.Frames[0]))
	}
	return strings.Join(all, " ")
}

func (b *bench) want(what, got, want string) {
	b.Helper()
	if got != want {
		b.Errorf("%s: %q, want %q", what, got, want)
	}
}

// settle settles one message of "".
func (b *bench) settle(seqs ...uint64) {
	for _, seq := range seqs {
		b.c.Settle(spool.Range{From: seq, To: seq + 1})
	}
}

func (b *bench) sync() {
	b.Helper()
	if err := b.s.Sync(b.Context()); err != nil {
		b.Fatal(err)
	}
	synctest.Wait()
}

// told returns the events of a kind so far.
func (b *bench) told(kind spool.EventKind) (es []spool.Event) {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		if e.Kind == kind {
			es = append(es, e)
		}
	}
	return es
}

// big is a text of n bytes that begins with s.
func big(s string, n int) string { return s + strings.Repeat(".", n-len(s)) }

// fill appends messages of 1 KiB until there is no room, and returns how many that were.
func (b *bench) fill() (n int) {
	b.Helper()
	for {
		if _, err := b.s.TryAppend(text(big("fill", 1000))); err != nil {
			return n
		}
		if n++; n > 10000 {
			b.Fatal("it does not get full")
		}
	}
}

// A slowFS takes a millisecond for each sync.
type slowFS struct{ spool.FS }

func (s slowFS) Create(name string) (spool.File, error) { return slow(s.FS.Create(name)) }
func (s slowFS) Open(name string) (spool.File, error)   { return slow(s.FS.Open(name)) }

type slowFile struct{ spool.File }

func slow(f spool.File, err error) (spool.File, error) {
	if err != nil {
		return nil, err
	}
	return slowFile{f}, nil
}

func (f slowFile) Sync() error {
	time.Sleep(time.Millisecond)
	return f.File.Sync()
}
