package spool_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

// With SyncEvery a message has its seq before there is room for it. These tests are of what waits for room.

// TestVoidBehindWhatWaits: what nobody waits for any more is void on disk ahead of what was appended earlier and still
// waits, and a cursor may begin behind that. When the process dies then, what waited is gone, which is no damage, and
// its seqs are given to nobody else: they would count as void, or that cursor would pass whoever has them.
func TestVoidBehindWhatWaits(t *testing.T) {
	type row struct {
		name   string
		policy memfs.Policy
		cursor bool // one begins behind what waits
		torn   bool // the last commit, which makes the cursor and says what is void: each record of it is whole
	}
	rows := []row{
		{"the last commit torn", memfs.Synced, false, true},
		{"the last commit torn, a cursor", memfs.Synced, true, true},
	}
	for _, p := range memfs.Policies {
		rows = append(rows, row{p.String(), p, false, false}, row{p.String() + ", a cursor", p, true, false})
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			opts := spool.Options{SyncEvery: 5 * time.Millisecond, MaxMessages: 2}
			virtually(t, memfs.Config{Trace: true}, opts, func(b *bench) {
				cursors := func() []*spool.Cursor {
					if !row.cursor {
						return []*spool.Cursor{b.c}
					}
					c, err := b.s.Cursor("behind", spool.CursorOptions{})
					must(b.T, err)
					return []*spool.Cursor{b.c, c}
				}
				b.append("one", "two")
				b.sync()
				b.append("waits", "waits too")
				x := b.s.Begin()
				must(b.T, x.Append(text("gives up")))
				brief, cancel := context.WithTimeout(b.Context(), time.Second)
				defer cancel()
				_, err := x.Commit(brief)
				wantIs(b.T, "Commit", err, context.DeadlineExceeded)
				b.append("waits at last")
				cursors()
				time.Sleep(time.Second) // what is void is committed by itself
				fs := b.fs.Cut(row.policy, 1)
				if row.torn {
					last := lastWrite(b.fs)
					change(fs, last.Name, int(last.Off), 1, 1)
				}
				b.goOn(fs)
				b.want("left", b.got(b.c), "one two")
				b.quiet(spool.Damaged)
				b.settle(1, 2)
				b.sync()
				for _, text := range []string{"third", "fourth", "fifth", "sixth"} {
					b.append(text)
					b.sync()
					for _, c := range cursors() {
						b.want("the cursor "+c.Name(), b.got(c), text)
						c.Settle(spool.Range{From: 1, To: b.s.Stats().Next})
					}
				}
				b.reopen()
				b.quiet(spool.Damaged)
			})
		})
	}
}

// TestVoidBehindWhatWaitsForNobody: the same where there is no cursor at all when the process dies.
func TestVoidBehindWhatWaitsForNobody(t *testing.T) {
	opts := spool.Options{SyncEvery: 5 * time.Millisecond, MaxMessages: 2}
	virtually(t, memfs.Config{}, opts, func(b *bench) {
		must(b.T, b.s.DropCursor(b.Context(), ""))
		b.append("one", "two")
		b.sync()
		b.append("waits")
		x := b.s.Begin()
		must(b.T, x.Append(text("gives up")))
		brief, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		_, err := x.Commit(brief)
		wantIs(b.T, "Commit", err, context.DeadlineExceeded)
		time.Sleep(time.Second)
		b.opts.MaxMessages = 0
		b.cut(memfs.Kill, 1)
		b.append("three", "four", "five")
		b.sync()
		b.want("left", b.got(b.c), "one two three four five")
		b.quiet(spool.Damaged)
	})
}

// lastWrite is the last write to a file.
func lastWrite(fs *memfs.FS) (last memfs.Op) {
	for _, op := range fs.Trace() {
		if op.Kind == memfs.Write {
			last = op
		}
	}
	return last
}

// A roomFS calls a function when a segment is about to be made.
type roomFS struct {
	spool.FS
	making func()
}

func (f roomFS) Create(name string) (spool.File, error) {
	if strings.HasSuffix(name, ".seg") {
		f.making()
	}
	return f.FS.Create(name)
}

// TestTryAppendDoesNotPassWhatWaits: not even one that is small enough for the room that is left. Its seq is the higher
// one, so that who has read it would take the one that waits for lost.
func TestTryAppendDoesNotPassWhatWaits(t *testing.T) {
	opts := spool.Options{SyncEvery: 5 * time.Millisecond, DeadBytes: -1}
	virtually(t, memfs.Config{}, opts, func(b *bench) {
		b.append("first")
		b.sync()
		tried := make(chan error, 1)
		var once sync.Once
		b.s.Close()
		b.opts.FS = roomFS{b.fs, func() { // while it is found out that there is no room
			once.Do(func() {
				_, err := b.s.TryAppend(text("tries"))
				tried <- err
			})
		}}
		b.open()
		b.fs.SetCapacity(b.fs.Used())
		b.append(big("waits", 40<<10))
		time.Sleep(100 * time.Millisecond)
		must(b.T, <-tried) // it is accepted, as all are that do not wait for their commit
		b.want("left", b.got(b.c), "first")
		brief, cancel := context.WithTimeout(b.Context(), time.Second/2)
		defer cancel()
		wantIs(b.T, "Sync", b.s.Sync(brief), context.DeadlineExceeded)
		b.fs.SetCapacity(0)
		wantIs(b.T, "Sync with room", b.s.Sync(b.Context()), spool.ErrFull) // of the one that has tried
		b.want("then", b.got(b.c), big("waits", 40<<10))
		b.quiet(spool.Damaged)
		b.reopen()
		b.want("in the end", b.got(b.c), "first "+big("waits", 40<<10))
		b.quiet(spool.Damaged)
	})
}

// TestSyncEndsWithItsContext: also if that ends while it is found out that there is no room.
func TestSyncEndsWithItsContext(t *testing.T) {
	opts := spool.Options{SyncEvery: 5 * time.Millisecond, SegmentBytes: 64 << 10} // of a fourth is one commit at most
	virtually(t, memfs.Config{}, opts, func(b *bench) {
		for range 5 {
			b.append(big("is there", 10<<10))
		}
		b.sync()
		b.s.Close()
		ctx, cancel := context.WithCancel(b.Context())
		b.opts.FS = roomFS{b.fs, func() {
			cancel()
			synctest.Wait()
		}}
		b.open()
		b.fs.SetCapacity(b.fs.Used())
		b.append(big("waits", 10<<10))
		done := make(chan error, 1)
		go func() { done <- b.s.Sync(ctx) }()
		select {
		case err := <-done:
			wantIs(b.T, "Sync", err, context.Canceled)
		case <-time.After(time.Minute):
			b.Error("Sync has not ended a minute after its context")
			b.fs.SetCapacity(0)
			if err := <-done; err == nil {
				b.Error("and then it is no error")
			}
		}
		b.fs.SetCapacity(0)
		b.sync()
	})
}
