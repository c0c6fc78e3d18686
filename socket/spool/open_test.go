package spool_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

func TestOpenRefuses(t *testing.T) {
	header := make([]byte, 8192)
	for _, at := range []int{0, 2048} {
		copy(header[at:], "YSPOOL7\n")
	}
	for _, test := range []struct {
		name string
		with map[string][]byte
		want error
	}{
		{"a newer version", map[string][]byte{"0000000000000001-0000000000000002.seg": header}, spool.ErrFormat},
		{"something else", map[string][]byte{"letter.txt": []byte("hello")}, spool.ErrNotSpool},
	} {
		t.Run(test.name, func(t *testing.T) {
			fs := memfs.New(memfs.Config{})
			for name, data := range test.with {
				fs.WriteFile(name, data)
			}
			_, err := spool.Open("mem", spool.Options{FS: fs})
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), "mem") {
				t.Errorf("open says %v", err)
			}
			if n := fs.Changed(); n > 0 || len(fs.Handles()) > 0 {
				t.Errorf("%d changes were made; open are %v", n, fs.Handles())
			}
		})
	}
}

func TestOpenInUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s, err := spool.Open(dir, spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := spool.Open(dir, spool.Options{}); !errors.Is(err, spool.ErrInUse) {
		t.Errorf("the second says %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = spool.Open(dir, spool.Options{}); err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestIncarnation(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		id := b.s.ID()
		epoch, nonce := b.s.Incarnation()
		b.reopen()
		if e, n := b.s.Incarnation(); b.s.ID() != id || e != epoch+1 || n == nonce || id == (spool.ID{}) {
			b.Errorf("%v %d %d, then %v %d %d", id, epoch, nonce, b.s.ID(), e, n)
		}
		b.append("a")
		b.opts.Fork = true
		b.reopen()
		if b.s.ID() == id {
			b.Error("a fork has the same id")
		}
		fork := b.s.ID()
		b.opts.Fork = false
		b.reopen()
		b.want("left", b.got(b.c), "a")
		if b.s.ID() != fork {
			b.Error("the fork's id is forgotten")
		}
	})
}

func TestClosed(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{MaxMessages: 1}, func(b *bench) {
		b.append("a")
		done := make(chan error, 1)
		go func() {
			_, err := b.s.Append(b.Context(), text("b")) // it waits for room
			done <- err
		}()
		synctest.Wait()
		if err := b.s.Close(); err != nil {
			b.Error(err)
		}
		if err := <-done; !errors.Is(err, spool.ErrClosed) {
			b.Errorf("who waits gets %v", err)
		}
		ctx := b.Context()
		for name, f := range map[string]func() error{
			"append":  func() error { _, err := b.s.Append(ctx, text("c")); return err },
			"try":     func() error { _, err := b.s.TryAppend(text("c")); return err },
			"sync":    func() error { return b.s.Sync(ctx) },
			"cursor":  func() error { _, err := b.s.Cursor("x", spool.CursorOptions{}); return err },
			"next":    func() error { _, err := b.c.Next(ctx, 1, 0); return err },
			"take":    func() error { return b.s.Take(ctx, spool.Sender{Epoch: 1}, 1, nil, true) },
			"discard": func() error { return b.s.DropCursor(ctx, "") },
			"browse": func() (err error) {
				for _, err = range b.s.Browse(ctx, 0) {
				}
				return err
			},
			"tx": func() error {
				x := b.s.Begin()
				if err := x.Append(text("d")); err != nil {
					return err
				}
				_, err := x.Commit(ctx)
				return err
			},
		} {
			if err := f(); !errors.Is(err, spool.ErrClosed) {
				b.Errorf("%s says %v", name, err)
			}
		}
		if err := b.s.Close(); err != nil {
			b.Errorf("close again says %v", err)
		}
		b.settle(1) // is of no effect
		b.c.Release(spool.Range{From: 1, To: 2})
		_ = b.s.Stats()
	})
}

// What a commit and the birth of a segment ask of the file system, in order: the crash test shows that it is enough,
// this that it is no more.
func TestOperations(t *testing.T) {
	virtually(t, memfs.Config{Trace: true}, spool.Options{}, func(b *bench) {
		b.append("a")
		synctest.Wait()
		from := len(b.fs.Trace())
		b.append("b")
		b.want("a commit", kinds(b.fs.Trace()[from:]), "Write Sync")
		for range 8 {
			b.append(big("c", 3000))
		}
		trace := b.fs.Trace()[from:]
		for i, op := range trace {
			if op.Kind == memfs.Create {
				const birth = "Create Allocate Size Write Write Sync SyncDir Write Sync" // index, segment; then the commit
				b.want("a birth", kinds(trace[i:i+9]), birth)
				return
			}
		}
		b.Error("no segment was made")
	})
}

func kinds(ops []memfs.Op) string {
	var names []string
	for _, op := range ops {
		names = append(names, op.Kind.String())
	}
	return strings.Join(names, " ")
}

func TestBrowseAndPurge(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		for i := range 6 {
			b.append(fmt.Sprint("m", i+1))
		}
		b.settle(2)
		if _, err := b.c.Next(b.Context(), 2, 0); err != nil { // 1 and 3
			b.Fatal(err)
		}
		b.c.Return(3, 1<<40, errors.New("later"))
		browse := func(from uint64) string {
			var all []string
			for e, err := range b.s.Browse(b.Context(), from) {
				if err != nil {
					b.Fatal(err)
				}
				all = append(all, fmt.Sprintf("%s %v", e.Frames[0], e.State))
			}
			return strings.Join(all, ", ")
		}
		b.want("browse", browse(0), "m1 in flight, m3 delayed, m4 queued, m5 queued, m6 queued")
		b.want("browse from 5", browse(5), "m5 queued, m6 queued")
		b.want("it takes nothing", b.got(b.c), "m4 m5 m6")
		n, err := b.s.Purge(b.Context(), spool.Filter{To: 5, Match: func(m *spool.Message) bool {
			return string(m.Frames[0]) != "m3"
		}})
		if err != nil || n != (spool.Count{Messages: 2, Bytes: 4}) {
			b.Errorf("purge says %v, %v", n, err)
		}
		b.reopen()
		b.want("left", b.got(b.c), "m3 m5 m6")
		if n, err = b.s.Purge(b.Context(), spool.Filter{}); err != nil || n.Messages != 3 {
			b.Errorf("purging all says %v, %v", n, err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		cancel()
		b.append("m7")
		for _, err := range b.s.Browse(ctx, 0) {
			if !errors.Is(err, context.Canceled) {
				b.Errorf("with a context that has ended browse says %v", err)
			}
		}
	})
}

// A directory to which a later version has written is refused whole, the older segments in it too.
func failureNewer(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		b.kept(200)
		intact := b.fs
		for i := range segments(intact) {
			fs := intact.Cut(memfs.Synced, 1)
			name := segments(fs)[i]
			data, _ := fs.ReadFile(name)
			data[6], data[2048+6] = '2', '2'
			fs.WriteFile(name, data)
			before := fs.Cut(memfs.Synced, 1)
			_, err := spool.OpenEnv("mem", spool.Options{FS: fs}, now, locked(1), 0)
			wantIs(b.T, fmt.Sprint("Open, segment ", i), err, spool.ErrFormat)
			if _, err = spool.InspectFS(fs); err == nil {
				b.Errorf("segment %d: Inspect says nothing", i)
			}
			was, _ := before.List()
			is, _ := fs.List()
			if fs.Changed() != 0 || !slices.Equal(was, is) || len(fs.Handles()) > 0 {
				b.Errorf("%d changes, there are %v, were %v", fs.Changed(), is, was)
			}
			for _, name := range was {
				x, _ := before.ReadFile(name)
				y, _ := fs.ReadFile(name)
				if string(x) != string(y) {
					b.Errorf("%s was changed", name)
				}
			}
		}
		b.open()
	})
}
