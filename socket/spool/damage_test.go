package spool_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

// A damagedLog is a log in which each kind of record stands somewhere ahead of its end, and what it is to hold.
type damagedLog struct {
	fs     *memfs.FS
	size   int64
	live   map[string]map[uint64]bool // by cursor, what it has not settled
	dead   uint64
	epoch  uint64
	stream spool.ID
}

// kindNames are those of doc.go.
var kindNames = []string{
	"header of a batch", "MESSAGE", "SETTLED", "ATTEMPT", "DEAD", "UNDEAD", "CURSOR", "TAKEN", "EPOCH", "COPY", "REPLY",
	"INDEX", "VALUE", "VOID", "PLACES",
}

func (l *damagedLog) open(fs *memfs.FS, seed uint64, events func(spool.Event)) (*spool.Spool, error) {
	return spool.OpenEnv("mem", spool.Options{FS: fs, SegmentBytes: l.size, Events: events}, now, locked(seed), 0)
}

// newDamagedLog makes a log with segments of a size. Of the fillers, which stand first, all but a few are settled.
func newDamagedLog(t *testing.T, size int64, fillers int) *damagedLog {
	ctx := t.Context()
	l := &damagedLog{
		fs: memfs.New(memfs.Config{}), size: size, stream: spool.ID{7},
		live: map[string]map[uint64]bool{"": {}, "durable": {}},
	}
	s, err := l.open(l.fs, 1, nil)
	must(t, err)
	c, durable, gone := l.cursors(t, s)
	put := func(what string) uint64 {
		seq, err := s.Append(ctx, text(what))
		must(t, err)
		l.live[""][seq], l.live["durable"][seq] = true, true
		return seq
	}
	settle := func(c *spool.Cursor, seqs ...uint64) {
		for _, seq := range seqs {
			c.Settle(spool.Range{From: seq, To: seq + 1})
			delete(l.live[c.Name()], seq)
		}
	}
	synctest.Wait() // for the spare, which is synced too
	l.fs.Fail(memfs.Fault{On: memfs.Sync, Nth: 1, Times: 3})
	_, err = s.Append(ctx, text("of unknown outcome"))
	wantIs(t, "Append", err, spool.ErrUncertain)
	for i := range fillers {
		seq := put(big("filler", 1000))
		settle(c, seq)
		settle(gone, seq)
		if i%20 != 0 {
			settle(durable, seq)
		}
	}
	must(t, s.Sync(ctx))
	synctest.Wait()
	var q []uint64
	for i := range 12 {
		q = append(q, put(big(fmt.Sprint("message", i), 200)))
	}
	x := s.Begin()
	must(t, x.Set("key", []byte("value")))
	_, err = x.Commit(ctx)
	must(t, err)
	_, err = drain(ctx, c)
	must(t, err)
	c.Return(q[4], 0, errors.New("for a test"))
	settle(durable, q[2], q[5])
	for _, seq := range []uint64{q[2], q[5]} {
		must(t, c.Bury(ctx, seq, "for a test"))
		delete(l.live[""], seq)
	}
	l.dead = q[2]
	again, err := s.Requeue(ctx, q[5])
	must(t, err)
	l.live[""][again], l.live["durable"][again] = true, true
	settle(c, q[7])
	must(t, s.Sync(ctx))
	settle(durable, q[8], q[9])
	must(t, s.Sync(ctx))
	for seq := range uint64(3) {
		m := text(fmt.Sprint("taken", seq))
		m.Origin.Seq = seq + 1
		must(t, s.Take(ctx, spool.Sender{Stream: l.stream, Epoch: 1, Nonce: 1}, 1, []spool.Message{m}, true))
		taken := s.Stats().Next - 1
		l.live[""][taken], l.live["durable"][taken] = true, true
	}
	must(t, s.Close())
	s, err = l.open(l.fs, 2, nil)
	must(t, err)
	c, durable, gone = l.cursors(t, s)
	l.epoch, _ = s.Incarnation()
	put("of another life")
	must(t, s.Sync(ctx))
	settle(durable, q[0], q[1], q[3])
	settle(c, q[0], q[1], q[3])
	gone.Settle(spool.Range{From: 1, To: s.Stats().Next})
	must(t, s.DropCursor(ctx, "gone"))
	put("last but one")
	put("last")
	must(t, s.Close())
	l.fs = l.fs.Cut(memfs.Synced, 1)
	return l
}

func (l *damagedLog) cursors(t *testing.T, s *spool.Spool) (c, durable, gone *spool.Cursor) {
	opts := spool.CursorOptions{Start: spool.Start{At: spool.Earliest}}
	c, err1 := s.Cursor("", opts)
	durable, err2 := s.Cursor("durable", opts)
	gone, err3 := s.Cursor("gone", opts)
	must(t, errors.Join(err1, err2, err3))
	return c, durable, gone
}

// look looks at a medium in every way there is, and says where these ways differ.
func (l *damagedLog) look(ctx context.Context, fs *memfs.FS) error {
	v, err := spool.InspectFS(fs)
	if err != nil {
		return err
	}
	report, err := v.Verify(ctx)
	if err != nil {
		return err
	}
	viewed, err := seqsIn(v.Browse(ctx, 0))
	if err != nil {
		return err
	}
	told, lost := 0, make(map[uint64]int)
	s, err := l.open(fs, 3, func(e spool.Event) {
		if e.Kind == spool.Damaged {
			told++
			for seq := e.Seqs.From; seq < e.Seqs.To; seq++ {
				lost[seq]++
			}
		}
	})
	if err != nil {
		return err
	}
	defer s.Close()
	browsed, err := seqsIn(s.Browse(ctx, 0))
	if err != nil {
		return err
	}
	dead := make(map[uint64]bool)
	for d, err := range s.DeadLetters(ctx) {
		if err != nil {
			return err
		}
		dead[d.Seq] = true
	}
	stats := s.Stats()
	got, changed := make(map[uint64]bool), false
	for _, cs := range stats.Cursors {
		c, err := s.Cursor(cs.Name, spool.CursorOptions{})
		if err != nil {
			return err
		}
		ms, err := drain(ctx, c)
		if err != nil {
			return err
		}
		synctest.Wait()
		mine := make(map[uint64]bool)
		for _, m := range ms {
			mine[m.Seq], got[m.Seq] = true, true
		}
		for seq := range l.live[cs.Name] {
			if !mine[seq] && lost[seq] != 1 {
				return fmt.Errorf("seq %d of cursor %q is not handed out, and is told as lost %d times", seq, cs.Name, lost[seq])
			}
		}
		changed = changed || !maps.Equal(mine, l.live[cs.Name])
		if n := c.Lag().Messages; n != uint64(len(ms)) {
			return fmt.Errorf("cursor %q has %d messages, and hands out %d", cs.Name, n, len(ms))
		}
	}
	names := len(stats.Cursors)
	epoch, _ := s.Incarnation()
	value, _ := s.Value("key")
	floor, above, _ := s.Taken(l.stream)
	now := s.Stats()
	union := slices.Sorted(maps.Keys(got))
	switch {
	case !slices.Equal(browsed, union):
		return fmt.Errorf("Browse has %v, the cursors hand out %v", browsed, union)
	case !slices.Equal(viewed, union):
		return fmt.Errorf("Browse of a View has %v, the cursors hand out %v", viewed, union)
	case now.Live.Messages != uint64(len(union)) || len(union) > 0 && now.First > union[0]:
		return fmt.Errorf("Stats have %d messages from %d on, the cursors hand out %v", now.Live.Messages, now.First, union)
	case names != 2:
		return fmt.Errorf("there are %d cursors: %+v", names, stats.Cursors)
	case epoch <= l.epoch:
		return fmt.Errorf("it is its life %d again", epoch)
	case string(value) != "value":
		return fmt.Errorf("the value is %q", value)
	case floor != 4 || len(above) > 0:
		return fmt.Errorf("of the other stream all below %d was taken, and %v", floor, above)
	case !dead[l.dead] && !got[l.dead] && lost[l.dead] != 1:
		return fmt.Errorf("the dead letter is gone, and is told as lost %d times", lost[l.dead])
	case (changed || len(dead) != 1) && told == 0:
		return errors.New("something has changed, and no damage was told")
	case told > 0 && len(report.Damage) == 0:
		return errors.New("damage is told that Verify does not find")
	}
	return nil
}

func seqsIn(entries iter.Seq2[spool.Entry, error]) (seqs []uint64, err error) {
	for e, err := range entries {
		if err != nil {
			return nil, err
		}
		seqs = append(seqs, e.Seq)
	}
	return seqs, nil
}

// Damage to any record ahead of the last commit, whatever it says, has nothing look settled that is not, or be hidden:
// all ways to look at a spool agree, what is lost is told by its seq, a message is handed out once more at worst, and
// then some damage was told.
func TestDamageInTheMiddle(t *testing.T) {
	for _, of := range []struct {
		name     string
		size     int64
		fillers  int
		expected []int // kinds that must be there
	}{
		{"one segment", 64 << 10, 0, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13}},
		{"compacted", 16 << 10, 120, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14}},
	} {
		t.Run(of.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newDamagedLog(t, of.size, of.fillers)
				if err := l.look(t.Context(), l.fs.Cut(memfs.Synced, 1)); err != nil {
					t.Fatalf("without damage: %v", err)
				}
				rng := rand.New(rand.NewPCG(crashSeed, 7))
				hit := make(map[int]int)
				files := segments(l.fs)
				for i, file := range files {
					all, err := spool.RecordsOf(l.fs, file)
					must(t, err)
					last := int64(1 << 62) // where the last commit begins
					for _, r := range all {
						if i == len(files)-1 && r.Kind == 0 {
							last = r.Off
						}
					}
					for _, r := range all {
						if r.Off >= last {
							break
						}
						if hit[r.Kind]++; hit[r.Kind] > 4 && rng.IntN(hit[r.Kind]) > 0 {
							continue
						}
						at := rng.Int64N(r.Size)
						fs := l.fs.Cut(memfs.Synced, 1)
						change(fs, file, int(r.Off+at), 1, 1<<rng.IntN(8))
						if err := l.look(t.Context(), fs); err != nil {
							t.Errorf("%s of seq %d, at %d of %s, byte %d: %v", kindNames[r.Kind], r.Seq, r.Off, file, at, err)
						}
					}
				}
				for _, kind := range of.expected {
					if hit[kind] == 0 {
						t.Errorf("there is no %s", kindNames[kind])
					}
				}
				t.Logf("%d segments, records by kind: %v", len(files), hit)
			})
		})
	}
}
