package spool_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

func TestACursorStarts(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		b.append("a", "b")
		time.Sleep(time.Hour)
		at := now()
		b.append("c", "d")
		b.settle(1)
		tests := []struct {
			name  string
			start spool.Start
			want  string
		}{
			{"new", spool.Start{}, "e"},
			{"earliest", spool.Start{At: spool.Earliest}, "b c d e"},
			{"at a seq", spool.Start{At: spool.AtSeq, Seq: 4}, "d e"},
			{"at a seq that is gone", spool.Start{At: spool.AtSeq, Seq: 1}, "b c d e"},
			{"at a seq to come", spool.Start{At: spool.AtSeq, Seq: 99}, "e"},
			{"at a time", spool.Start{At: spool.AtTime, Time: at}, "c d e"},
			{"at a time before all", spool.Start{At: spool.AtTime, Time: at.Add(-2 * time.Hour)}, "b c d e"},
			{"at a time to come", spool.Start{At: spool.AtTime, Time: at.Add(time.Hour)}, "e"},
		}
		for _, test := range tests {
			o := spool.CursorOptions{Start: test.start, Data: []byte("data of " + test.name)}
			if _, err := b.s.Cursor(test.name, o); err != nil {
				b.Fatal(err)
			}
		}
		b.append("e")
		b.reopen()
		for _, test := range tests {
			c, err := b.s.Cursor(test.name, spool.CursorOptions{Start: spool.Start{At: spool.Earliest}}) // it is there
			if err != nil {
				b.Fatal(err)
			}
			b.want(test.name, b.got(c), test.want)
			b.want("data", string(c.Data()), "data of "+test.name)
		}
	})
}

func TestNextHandsOutOnce(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		b.append("a", "b", "c", "d", "e")
		ms, err := b.c.Next(b.Context(), 2, 0)
		if err != nil || len(ms) != 2 {
			b.Fatal(len(ms), err)
		}
		if ms, err = b.c.Next(b.Context(), 10, 1); err != nil || len(ms) != 1 { // one may be larger than the bytes asked for
			b.Fatal(len(ms), err)
		}
		if st := b.s.Stats().Cursors[0]; st.InFlight != 3 || st.Lag.Messages != 5 || st.Low != 1 {
			b.Errorf("%+v", st)
		}
		b.c.Release(spool.Range{From: 2, To: 3})
		b.want("after a release", b.got(b.c), "b d e")
		b.c.Return(3, 0, errors.New("no"))
		b.c.Return(1, time.Minute, errors.New("not now"))
		b.want("after a return", b.got(b.c), "c")
		if st := b.s.Stats().Cursors[0]; st.InFlight != 4 {
			b.Errorf("%+v", st)
		}
		began := time.Now()
		if ms, err = b.c.Next(b.Context(), 10, 0); err != nil || len(ms) != 1 || ms[0].Seq != 1 || ms[0].Attempts != 1 {
			b.Errorf("%v, %v", ms, err)
		}
		if d := time.Since(began); d > time.Minute || d < 59*time.Second {
			b.Errorf("it came after %v", d)
		}
		b.reopen() // what is not settled comes again, and attempts are known still
		ms, err = b.c.Next(b.Context(), 10, 0)
		if err != nil || len(ms) != 5 || ms[0].Attempts != 1 || ms[1].Attempts != 0 || ms[2].Attempts != 1 {
			b.Errorf("%v, %v", ms, err)
		}
	})
}

func TestNextWaits(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		ctx, cancel := context.WithCancelCause(b.Context())
		why := errors.New("enough")
		cancel(why)
		if _, err := b.c.Next(ctx, 1, 0); !errors.Is(err, why) {
			b.Errorf("with a context that has ended: %v", err)
		}
		got := make(chan string)
		go func() {
			ms, err := b.c.Next(b.Context(), 10, 0)
			got <- fmt.Sprint(len(ms), err)
		}()
		synctest.Wait()
		b.append("a")
		b.want("woken", <-got, "1 <nil>")
		go func() {
			_, err := b.c.Next(b.Context(), 10, 0)
			got <- fmt.Sprint(errors.Is(err, spool.ErrClosed))
		}()
		synctest.Wait()
		b.s.Close()
		b.want("closed", <-got, "true")
	})
}

func TestSettleOutOfOrder(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		for i := range 50 {
			b.append(fmt.Sprint(i + 1))
		}
		var left []string
		for seq := uint64(1); seq <= 50; seq++ {
			if seq%3 == 0 {
				b.settle(seq)
			} else {
				left = append(left, fmt.Sprint(seq))
			}
		}
		if b.c.Low() != 1 || !b.c.Settled(3) || b.c.Settled(4) {
			b.Errorf("low is %d", b.c.Low())
		}
		b.want("left", b.got(b.c), strings.Join(left, " "))
		b.reopen()
		b.want("left after opening it again", b.got(b.c), strings.Join(left, " "))
		b.c.Settle(spool.Range{From: 1, To: 45})
		b.reopen()
		b.want("left at last", b.got(b.c), "46 47 49 50")
	})
}

// What is settled is on disk 100 ms later, or with the next message; an idle spool does nothing.
func TestSettlesAreCommittedByThemselves(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		b.append("a", "b", "c")
		synctest.Wait()
		before := b.fs.Changed()
		b.settle(1)
		time.Sleep(99 * time.Millisecond)
		synctest.Wait()
		if n := b.fs.Changed() - before; n != 0 {
			b.Errorf("%d operations after 99 ms", n)
		}
		b.settle(2)
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if n := b.fs.Changed() - before; n != 2 { // one write, one sync
			b.Errorf("%d operations after 101 ms", n)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := b.fs.Changed() - before; n != 2 {
			b.Errorf("%d operations after an hour", n)
		}
		b.settle(3)
		b.append("d")
		if n := b.fs.Changed() - before; n != 4 {
			b.Errorf("%d operations with one more message", n)
		}
		b.fs = b.fs.Cut(memfs.Synced, 1)
		b.s.Close()
		b.opts.FS = b.fs
		b.open()
		b.want("left", b.got(b.c), "d")
	})
}

func TestFilterAndTwoCursors(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		only := func(m *spool.Message) bool { return strings.HasPrefix(string(m.Frames[0]), "x") }
		c, err := b.s.Cursor("durable", spool.CursorOptions{Filter: only})
		if err != nil {
			b.Fatal(err)
		}
		b.append("x1", "y2", "x3", "y4")
		b.want("filtered", b.got(c), "x1 x3")
		b.want("all", b.got(b.c), "x1 y2 x3 y4")
		b.c.Settle(spool.Range{From: 1, To: 5})
		c.Settle(spool.Range{From: 1, To: 2})
		if st := b.s.Stats(); st.Live.Messages != 1 || st.First != 3 {
			b.Errorf("%+v", st)
		}
		b.reopen()
		b.want("all, then", b.got(b.c), "")
		if c, err = b.s.Cursor("durable", spool.CursorOptions{}); err != nil {
			b.Fatal(err)
		}
		b.want("filtered, then", b.got(c), "x3") // y2 and y4 were passed
	})
}

func TestDropCursor(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		c, err := b.s.Cursor("durable", spool.CursorOptions{})
		if err != nil {
			b.Fatal(err)
		}
		b.append("a", "b")
		b.c.Settle(spool.Range{From: 1, To: 3})
		if n := b.s.Stats().Live.Messages; n != 2 {
			b.Errorf("%d live", n)
		}
		if err := b.s.DropCursor(b.Context(), "durable"); err != nil {
			b.Fatal(err)
		}
		if n := b.s.Stats().Live.Messages; n != 0 {
			b.Errorf("%d live when it is gone", n)
		}
		if _, err := c.Next(b.Context(), 1, 0); !errors.Is(err, spool.ErrNoCursor) {
			b.Errorf("Next says %v", err)
		}
		c.Settle(spool.Range{From: 1, To: 2}) // is of no effect
		if err := b.s.DropCursor(b.Context(), "durable"); !errors.Is(err, spool.ErrNoCursor) {
			b.Errorf("dropping it again says %v", err)
		}
		// With nobody left, what is there has nobody to wait for; what comes is kept.
		if err := b.s.DropCursor(b.Context(), ""); err != nil {
			b.Fatal(err)
		}
		b.append("c")
		b.reopen()
		b.want("for a new one", b.got(b.c), "c")
	})
}

func TestCursorLimits(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		slow, err := b.s.Cursor("slow", spool.CursorOptions{MaxBytes: 20 << 10})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := b.s.Cursor("away", spool.CursorOptions{Expiry: time.Hour}); err != nil {
			b.Fatal(err)
		}
		for i := range 100 {
			b.append(big(fmt.Sprint(i), 1000))
		}
		ms, err := drain(b.Context(), slow)
		if err != nil || len(ms) < 10 || len(ms) > 25 || ms[len(ms)-1].Seq != 100 {
			b.Errorf("the slow one gets %d, %v", len(ms), err)
		}
		var dropped uint64
		for _, e := range b.told(spool.Dropped) {
			dropped += e.Count.Messages
		}
		if dropped != uint64(100-len(ms)) || b.s.Stats().Dropped.Messages != dropped {
			b.Errorf("%d are reported as dropped of %d", dropped, 100-len(ms))
		}
		b.want("the other one", fmt.Sprint(len(strings.Fields(b.got(b.c)))), "100")
		time.Sleep(2 * time.Hour)
		b.reopen()
		synctest.Wait()
		if e := b.told(spool.CursorExpired); len(e) != 1 || e[0].Path != "away" {
			b.Errorf("expired are %v", e)
		}
	})
}

func TestExpiry(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{MaxAge: time.Hour}, func(b *bench) {
		for _, m := range []spool.Message{
			{Frames: [][]byte{[]byte("soon")}, Expires: now().Add(time.Minute)},
			{Frames: [][]byte{[]byte("late")}, Expires: now().Add(24 * time.Hour)},
			text("by default"),
		} {
			if _, err := b.s.Append(b.Context(), m); err != nil {
				b.Fatal(err)
			}
		}
		time.Sleep(59 * time.Second)
		b.want("before", b.got(b.c), "soon late by default")
		b.c.Release(spool.Range{From: 1, To: 4})
		time.Sleep(2 * time.Second)
		b.want("after a minute", b.got(b.c), "late by default")
		b.c.Release(spool.Range{From: 1, To: 4})
		b.reopen()
		time.Sleep(time.Hour)
		b.want("after an hour", b.got(b.c), "late")
		if n := len(b.told(spool.Expired)); n != 2 {
			b.Errorf("%d are reported as expired", n)
		}
	})
}

// What has expired makes room, whether anybody reads or not.
func TestExpiredMessagesMakeRoom(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{MaxBytes: maxBytes, MaxAge: time.Minute}, func(b *bench) {
		n := b.fill()
		time.Sleep(2 * time.Minute)
		b.append("more")
		if st := b.s.Stats(); st.Expired.Messages == 0 || st.Expired.Messages > uint64(n) {
			b.Errorf("%+v", st)
		}
		b.want("left", b.got(b.c), "more")
	})
}

// What is given back while Next reads is handed out again, whatever Next was reading.
func TestReleaseDuringNext(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		b.append("a", "b", "c", "d", "e", "f")
		meanwhile := func(uint64) {}
		c, err := b.s.Cursor("", spool.CursorOptions{Filter: func(m *spool.Message) bool { meanwhile(m.Seq); return true }})
		if err != nil {
			b.Fatal(err)
		}
		b.want("first", b.got(c), "a b c d e f")
		c.Release(spool.Range{From: 3, To: 6})
		meanwhile = func(seq uint64) {
			switch seq {
			case 4:
				c.Release(spool.Range{From: 1, To: 4})
			case 2:
				c.Release(spool.Range{From: 6, To: 7})
			}
		}
		b.want("again", b.got(c), "c d a b c e f")
	})
}

// A cursor holds no file that was removed: the disk gets its room back whether anybody reads on or not.
func TestCursorsHoldNoRemovedFiles(t *testing.T) {
	fill := func(b *bench) {
		for i := range uint64(100) {
			b.append(big("passes", 1000))
			if i == 2 { // one is handed out, one again
				must(b.T, read(b, b.c, 2))
				b.c.Release(spool.Range{From: 1, To: 2})
				must(b.T, read(b, b.c, 1))
			}
		}
	}
	for _, test := range []struct {
		name string
		end  func(b *bench)
	}{
		{"nobody reads", func(b *bench) { b.c.Settle(spool.Range{From: 1, To: 101}) }},
		{"somebody waits", func(b *bench) {
			go func() { _ = read(b, b.c, 200) }() // all that there is, and then more
			synctest.Wait()
			go func() { _ = read(b, b.c, 1) }()
			synctest.Wait()
			b.c.Settle(spool.Range{From: 1, To: 101})
		}},
		{"it is dropped", func(b *bench) { must(b.T, b.s.DropCursor(b.Context(), "")) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
				fill(b)
				before := b.fs.Used()
				test.end(b)
				b.sync()
				time.Sleep(time.Second)
				synctest.Wait()
				if used := b.fs.Used(); used > before/2 {
					b.Errorf("%d bytes are taken, %d were before all was settled", used, before)
				}
				names, err := b.fs.List()
				must(b.T, err)
				for _, name := range b.fs.Handles() {
					if !slices.Contains(names, name) {
						b.Errorf("%s is removed, and held", name)
					}
				}
			})
		})
	}
}

func read(b *bench, c *spool.Cursor, n int) error {
	_, err := c.Next(b.Context(), n, 0)
	return err
}

// A cursor that is too far behind loses its oldest messages, which are told exactly; the others lose nothing.
func failureLaggard(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		const n = 100
		o := spool.CursorOptions{MaxBytes: 20 << 10, Start: spool.Start{At: spool.Earliest}}
		slow, err := b.s.Cursor("slow", o)
		must(b.T, err)
		for i := range n {
			b.append(big(fmt.Sprint(i+1), 1000))
		}
		b.sync()
		ms, err := drain(b.Context(), slow)
		must(b.T, err)
		var gone, there ranges.Set
		for _, e := range b.told(spool.Dropped) {
			gone.AddRange(e.Seqs.From, e.Seqs.To)
			if e.Count.Messages != e.Seqs.To-e.Seqs.From {
				b.Errorf("%v counts %d", e, e.Count.Messages)
			}
		}
		for _, m := range ms {
			there.AddRange(m.Seq, m.Seq+1)
		}
		for seq := uint64(1); seq <= n; seq++ {
			if there.Contains(seq) == gone.Contains(seq) {
				b.Errorf("seq %d is handed out: %v, told as dropped: %v", seq, there.Contains(seq), gone.Contains(seq))
			}
		}
		if len(ms) < 10 || len(ms) > 25 {
			b.Errorf("%d messages are left", len(ms))
		}
		if got := len(strings.Fields(b.got(b.c))); got != n {
			b.Errorf("the other one gets %d of %d", got, n)
		}
	})
}

// A commit that drops a cursor, and is torn, leaves nothing behind that some see and others do not: what a cursor hands
// out can be browsed and purged.
func TestTornDropOfACursor(t *testing.T) {
	half := 0 // of how many the cursor is gone and what the other has settled is lost
	for seed := range uint64(100) {
		virtually(t, memfs.Config{Seed: seed}, spool.Options{}, func(b *bench) {
			b.append("a", "b", "c")
			d, err := b.s.Cursor("d", spool.CursorOptions{Start: spool.Start{At: spool.Earliest}})
			if err != nil {
				b.Fatal(err)
			}
			synctest.Wait()
			both := spool.Range{From: 1, To: 3}
			d.Settle(both)
			b.c.Settle(both)
			b.fs.StopAt(1)
			_ = b.s.DropCursor(b.Context(), "d")
			b.s.Close()
			b.fs = b.fs.Cut(memfs.Kill, seed)
			b.opts.FS = b.fs
			b.open()
			var browsed []string
			for e, err := range b.s.Browse(b.Context(), 0) {
				if err != nil {
					b.Fatal(err)
				}
				browsed = append(browsed, string(e.Frames[0]))
			}
			got := b.got(b.c)
			if len(b.s.Stats().Cursors) == 1 {
				b.want("seed "+fmt.Sprint(seed), strings.Join(browsed, " "), got)
				if got == "a b c" {
					half++
				}
			}
		})
	}
	if half == 0 {
		t.Error("no commit was torn in the middle")
	}
}
