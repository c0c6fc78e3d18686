package spool_test

import (
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
