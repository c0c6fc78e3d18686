package spool_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

func TestTxIsOneCommit(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		b.append("in")
		synctest.Wait()
		before := b.fs.Changed()
		x := b.s.Begin()
		for _, s := range []string{"out 1", "out 2", "out 3"} {
			if err := x.Append(text(s)); err != nil {
				b.Fatal(err)
			}
		}
		x.Settle(b.c, spool.Range{From: 1, To: 2})
		if err := x.Set("read", []byte("17")); err != nil {
			b.Fatal(err)
		}
		first, err := x.Commit(b.Context())
		if err != nil || first != 2 {
			b.Errorf("commit says %d, %v", first, err)
		}
		if n := b.fs.Changed() - before; n != 2 { // one write, one sync
			b.Errorf("%d operations", n)
		}
		if _, err := x.Commit(b.Context()); !errors.Is(err, spool.ErrSettled) {
			b.Errorf("commit again says %v", err)
		}
		y := b.s.Begin()
		if err := y.Append(text("never")); err != nil {
			b.Fatal(err)
		}
		y.Discard()
		b.reopen()
		b.want("left", b.got(b.c), "out 1 out 2 out 3")
		v, ok := b.s.Value("read")
		b.want("value", fmt.Sprintf("%s %v", v, ok), "17 true")
		z := b.s.Begin()
		if err := z.Set("read", nil); err != nil {
			b.Fatal(err)
		}
		if _, err := z.Commit(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.reopen()
		if _, ok := b.s.Value("read"); ok {
			b.Error("the value is there still")
		}
	})
}

func TestValuesAreSmall(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{SegmentBytes: 4 << 20}, func(b *bench) {
		x := b.s.Begin()
		if err := x.Set(big("", spool.MaxKey+1), nil); !errors.Is(err, spool.ErrTooLarge) {
			b.Errorf("a long key: %v", err)
		}
		if err := x.Set("key", make([]byte, spool.MaxValue+1)); !errors.Is(err, spool.ErrTooLarge) {
			b.Errorf("a long value: %v", err)
		}
		for i := range 1<<20/spool.MaxValue + 1 {
			if err := x.Set(fmt.Sprint(i), make([]byte, spool.MaxValue)); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := x.Commit(b.Context()); !errors.Is(err, spool.ErrTooLarge) {
			b.Errorf("all of them: %v", err)
		}
	})
}

func TestTake(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		from, epoch := spool.ID{1, 2, 3}, uint64(1)
		take := func(keep bool, low uint64, seqs ...uint64) {
			b.Helper()
			var ms []spool.Message
			for _, seq := range seqs {
				m := text(fmt.Sprint("m", seq))
				m.Origin.Seq = seq
				ms = append(ms, m)
			}
			sender := spool.Sender{Stream: from, Epoch: epoch, Nonce: 10 * epoch}
			if err := b.s.Take(b.Context(), sender, low, ms, keep); err != nil {
				b.Fatal(err)
			}
		}
		taken := func() string { return fmt.Sprint(b.s.Taken(from)) }
		b.want("at first", taken(), "0 [] false")
		take(true, 1, 1, 2, 4)
		b.want("three", taken(), "3 [{4 5}] true")
		take(true, 1, 2, 3, 4, 5) // two of them again
		b.want("five", taken(), "6 [] true")
		heard := func() string { return fmt.Sprint(b.s.Heard(from)) }
		b.want("the first incarnation", heard(), fmt.Sprint(spool.Sender{Stream: from, Epoch: 1, Nonce: 10}, true))
		epoch = 3
		take(false, 9, 10)
		epoch = 2 // a late one of an earlier incarnation
		take(false, 9)
		b.want("told that below 9 nothing comes", taken(), "9 [{10 11}] true")
		b.reopen()
		b.want("after opening it again", taken(), "9 [{10 11}] true")
		b.want("the third incarnation", heard(), fmt.Sprint(spool.Sender{Stream: from, Epoch: 3, Nonce: 30}, true))
		ms, err := drain(b.Context(), b.c)
		if err != nil || len(ms) != 5 || ms[3].Origin != (spool.Origin{Stream: from, Seq: 3}) {
			b.Errorf("%v, %v", ms, err)
		}
		time.Sleep(time.Hour)
		if n, err := b.s.Forget(b.Context(), 2*time.Hour); n != 0 || err != nil {
			b.Errorf("forgot %d, %v", n, err)
		}
		if n, err := b.s.Forget(b.Context(), time.Minute); n != 1 || err != nil {
			b.Errorf("forgot %d, %v", n, err)
		}
		b.reopen()
		b.want("forgotten", taken(), "0 [] false")
	})
}

func TestSyncEvery(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{SyncEvery: 20 * time.Millisecond, SegmentBytes: 1 << 20}, func(b *bench) {
		b.sync()
		before := b.fs.Changed()
		for i := range 100 {
			if seq, err := b.s.Append(b.Context(), text("m")); err != nil || seq != uint64(i+1) {
				b.Fatal(seq, err)
			}
		}
		time.Sleep(15 * time.Millisecond)
		synctest.Wait()
		if n := b.fs.Changed() - before; n != 0 {
			b.Errorf("%d operations after 15 ms", n)
		}
		b.want("before it is synced", b.got(b.c), "")
		time.Sleep(5 * time.Millisecond)
		synctest.Wait()
		if n := b.fs.Changed() - before; n != 2 {
			b.Errorf("%d operations after 21 ms", n)
		}
		b.append("more")
		b.sync()
		if n := b.fs.Changed() - before; n != 4 {
			b.Errorf("%d operations after Sync", n)
		}
		b.append("at the end")
		b.reopen()
		if ms, err := drain(b.Context(), b.c); len(ms) != 102 || err != nil {
			b.Errorf("%d messages, %v", len(ms), err)
		}
		// What nobody waited for is told by Sync.
		b.fs.Fail(memfs.Fault{On: memfs.Changes, Nth: 1, Times: -1})
		b.append("lost")
		time.Sleep(time.Second)
		b.fs.Heal()
		if err := b.s.Sync(b.Context()); !errors.Is(err, spool.ErrUncertain) {
			b.Errorf("sync says %v", err)
		}
		if err := b.s.Sync(b.Context()); err != nil {
			b.Errorf("sync again says %v", err)
		}
	})
}

// Those who wait for a commit share it.
func TestGroupCommit(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{SegmentBytes: 1 << 20}, func(b *bench) {
		b.s.Close()
		b.opts.FS = slowFS{b.fs}
		b.open()
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				for range 20 {
					if _, err := b.s.Append(b.Context(), text("m")); err != nil {
						b.Error(err)
					}
				}
			})
		}
		all.Wait()
		st := b.s.Stats()
		if st.Commits > 64*20/16 || st.Live.Messages != 64*20 {
			b.Errorf("%d commits of %d messages", st.Commits, st.Live.Messages)
		}
	})
}

// A Tx settles what there is, not what comes later, as Settle does.
func TestTxSettlesNothingThatComesLater(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		b.append("in")
		x := b.s.Begin()
		must(b.T, x.Append(text("out")))
		x.Settle(b.c, spool.Range{From: 1, To: 1 << 40})
		_, err := x.Commit(b.Context())
		must(b.T, err)
		b.append("later")
		b.want("left", b.got(b.c), "out later")
		b.reopen()
		b.append("later still")
		b.want("left then", b.got(b.c), "out later later still")
		if next := b.s.Stats().Next; next != 5 {
			b.Errorf("the next seq is %d", next)
		}
	})
}
