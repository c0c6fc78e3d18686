package spool_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

// dead lists the dead letters.
func (b *bench) dead() (all []spool.Dead) {
	b.Helper()
	for d, err := range b.s.DeadLetters(b.Context()) {
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

func TestTooManyDeliveries(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{MaxDeliveries: 3}, func(b *bench) {
		b.append("poison", "good")
		for range 3 {
			ms, err := b.c.Next(b.Context(), 1, 0)
			if err != nil || ms[0].Seq != 1 {
				b.Fatal(ms, err)
			}
			b.c.Return(1, 0, errors.New("it burns"))
		}
		b.want("what goes on", b.got(b.c), "good")
		if len(b.told(spool.Buried)) != 1 {
			b.Error("it was not told")
		}
		b.reopen()
		d := b.dead()
		if len(d) != 1 || d[0].Seq != 1 || string(d[0].Frames[0]) != "poison" || d[0].LastError != "it burns" ||
			d[0].Attempts != 3 || d[0].Reason == "" || d[0].Last.IsZero() || d[0].First.IsZero() {
			b.Errorf("%+v", d)
		}
		b.want("left", b.got(b.c), "good")
	})
}

func TestDeadLetters(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		ctx := b.Context()
		b.append("a", "b", "c", "d")
		for seq := uint64(1); seq <= 3; seq++ {
			if err := b.c.Bury(ctx, seq, fmt.Sprint("reason ", seq)); err != nil {
				b.Fatal(err)
			}
		}
		if err := b.c.Bury(ctx, 1, "again"); !errors.Is(err, spool.ErrSettled) {
			b.Errorf("burying it again says %v", err)
		}
		if err := b.c.Bury(ctx, 99, "never there"); !errors.Is(err, spool.ErrNoMessage) {
			b.Errorf("burying what was never there says %v", err)
		}
		if seq, err := b.s.Requeue(ctx, 2); err != nil || seq != 5 {
			b.Errorf("requeue says %d, %v", seq, err)
		}
		if _, err := b.s.Requeue(ctx, 2); !errors.Is(err, spool.ErrNoMessage) {
			b.Errorf("requeue again says %v", err)
		}
		if err := b.s.Discard(ctx, 3); err != nil {
			b.Error(err)
		}
		if err := b.s.Discard(ctx, 3); !errors.Is(err, spool.ErrNoMessage) {
			b.Errorf("discard again says %v", err)
		}
		b.reopen()
		if d := b.dead(); len(d) != 1 || d[0].Seq != 1 || d[0].Reason != "reason 1" {
			b.Errorf("%+v", d)
		}
		b.want("left", b.got(b.c), "d b")
		n, err := b.s.Purge(ctx, spool.Filter{Dead: true})
		if err != nil || n.Messages != 1 || len(b.dead()) != 0 {
			b.Errorf("purge says %v, %v", n, err)
		}
	})
}

func TestDeadBytes(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{DeadBytes: 5 << 10}, func(b *bench) {
		for i := range 20 {
			b.append(big(fmt.Sprint(i), 1000))
			if err := b.c.Bury(b.Context(), uint64(i+1), "full"); err != nil {
				b.Fatal(err)
			}
		}
		b.sync()
		d, st := b.dead(), b.s.Stats()
		if len(d) != 4 || d[0].Seq != 17 || st.Dead.Messages != 4 || st.Dropped.Messages != 16 {
			b.Errorf("%d dead letters, %+v", len(d), st)
		}
	})
}

// Dead letters and stragglers do not keep the segments they were in.
func TestCompaction(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		b.append("straggler", big("poison", 3000))
		if err := b.c.Bury(b.Context(), 2, "a reason"); err != nil {
			b.Fatal(err)
		}
		for i := range uint64(400) {
			b.append(big("passes", 1000))
			b.settle(i + 3)
		}
		time.Sleep(time.Second)
		b.sync()
		if st := b.s.Stats(); st.Segments > 6 || st.Live.Messages != 1 || st.Dead.Messages != 1 {
			b.Errorf("%+v", st)
		}
		if len(b.told(spool.Compacted)) == 0 {
			b.Error("it was not told")
		}
		for range 2 {
			b.want("left", b.got(b.c), "straggler")
			if d := b.dead(); len(d) != 1 || d[0].Reason != "a reason" || len(d[0].Frames[0]) != 3000 {
				b.Errorf("%+v", d)
			}
			b.reopen()
		}
		if d := b.s.Stats().Damaged; d.Messages > 0 {
			b.Errorf("damaged are %v", d)
		}
		b.settle(1)
		if err := b.s.Discard(b.Context(), 2); err != nil {
			b.Fatal(err)
		}
		b.append("next")
		b.sync()
		b.want("at last", b.got(b.c), "next")
	})
}

// A drained spool gives its room back.
func TestDrainedSpoolIsSmall(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		for range 500 {
			b.append(big("passes", 1000))
		}
		full := b.fs.Used()
		b.c.Settle(spool.Range{From: 1, To: 501})
		time.Sleep(time.Second)
		b.sync()
		if st := b.s.Stats(); st.Segments > 2 || b.fs.Used() > full/8 {
			b.Errorf("%d segments, %d bytes of %d", st.Segments, b.fs.Used(), full)
		}
	})
}

// A message that is given back too often is a dead letter, by one commit: it is never both, and never neither.
func failurePoison(t *testing.T) {
	for _, stop := range []int{0, 1, 2} {
		for _, p := range memfs.Policies {
			virtually(t, memfs.Config{Seed: 1}, spool.Options{MaxDeliveries: 2}, func(b *bench) {
				b.append("poison", "good")
				for n := range 2 {
					ms, err := b.c.Next(b.Context(), 1, 0)
					if err != nil || len(ms) != 1 || ms[0].Seq != 1 {
						b.Fatalf("%v, %v", ms, err)
					}
					b.sync()
					before := b.fs.Changed()
					if n == 1 && stop > 0 {
						b.fs.StopAt(stop)
					}
					b.c.Return(1, 0, fmt.Errorf("it burns %d", n+1))
					time.Sleep(time.Second)
					synctest.Wait()
					if got := b.fs.Changed() - before; n == 1 && stop == 0 && got != 2 { // one write, one sync
						b.Errorf("%d operations", got)
					}
				}
				if es := b.told(spool.Buried); stop == 0 && (len(es) != 1 || es[0].Seqs != (spool.Range{From: 1, To: 2})) {
					b.Errorf("told are %v", es)
				}
				b.cut(p, 1)
				left, dead := b.got(b.c), b.dead()
				switch {
				case len(dead) == 0 && stop > 0:
					b.want("left", left, "poison good")
				case len(dead) != 1:
					b.Errorf("%d dead letters, left is %q", len(dead), left)
				default:
					b.want("left", left, "good")
					if d := dead[0]; string(d.Frames[0]) != "poison" || d.LastError != "it burns 2" || d.Reason == "" {
						b.Errorf("%+v", d)
					}
				}
			})
		}
	}
}
