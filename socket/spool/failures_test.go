package spool_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

// TestFailure has what can fail under a spool, each under the name by which users and the documentation speak of it:
// what is told, and what is kept. That it is so wherever the failure hits is for the crash test.
func TestFailure(t *testing.T) {
	for _, row := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"sender kill -9", failureKill},
		{"sender's machine loses power", failurePower},
		{"sender's machine loses power, SyncEvery", failurePowerLater},
		{"receiver kill -9, inbox", failureInbox},
		{"receiver's state directory deleted", failureStateLost},
		{"disk full, Reject", func(t *testing.T) { failureFull(t, spool.Reject) }},
		{"disk full, Block", func(t *testing.T) { failureFull(t, spool.Block) }},
		{"write EIO once", func(t *testing.T) { failureOnce(t, memfs.Write) }},
		{"sync EIO once", func(t *testing.T) { failureOnce(t, memfs.Sync) }},
		{"disk dead", failureDead},
		{"one bit flipped, at rest", failureBit},
		{"one bit flipped, in the last commit", failureLastBit},
		{"a sector gone", func(t *testing.T) { failureGone(t, 512) }},
		{"a page gone", func(t *testing.T) { failureGone(t, 4096) }},
		{"a whole segment gone", func(t *testing.T) { failureGone(t, 0) }},
		{"newest segment's header torn at birth", func(t *testing.T) { failureBirth(t, 0) }},
		{"newest segment's checkpoint torn at birth", func(t *testing.T) { failureBirth(t, 4096) }},
		{"LOCK held", failureLock},
		{"spool directory copied or rolled back", failureCopied},
		{"clock jumps", failureClock},
		{"poison message", failurePoison},
		{"laggard durable subscriber at its cap", failureLaggard},
		{"spool of a newer format", failureNewer},
	} {
		t.Run(row.name, row.run)
	}
}

// cut ends the process or the machine, and opens what is left. What was told before is forgotten.
func (b *bench) cut(p memfs.Policy, seed uint64) {
	b.Helper()
	b.goOn(b.fs.Cut(p, seed))
}

// goOn ends the process, and opens another medium. What was told before is forgotten.
func (b *bench) goOn(fs *memfs.FS) {
	b.Helper()
	b.fs.Stop()
	b.s.Close()
	b.fs, b.opts.FS = fs, fs
	b.forget()
	b.open()
}

// forget drops the events so far.
func (b *bench) forget() {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = nil
}

// quiet looks for events that nobody should be bothered with.
func (b *bench) quiet(kinds ...spool.EventKind) {
	b.Helper()
	for _, kind := range kinds {
		if es := b.told(kind); len(es) > 0 {
			b.Errorf("told: %v", es)
		}
	}
}

func failureKill(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		b.append("a", "b", "c")
		b.settle(1)
		b.sync()
		id := b.s.ID()
		epoch, _ := b.s.Incarnation()
		b.settle(2) // nobody has waited for this
		b.cut(memfs.Kill, 1)
		b.want("left", b.got(b.c), "b c")
		b.quiet(spool.Torn, spool.Damaged, spool.Failing)
		if e, _ := b.s.Incarnation(); b.s.ID() != id || e != epoch+1 {
			b.Errorf("%v in its life %d, want %v in %d", b.s.ID(), e, id, epoch+1)
		}
		if seq, err := b.s.Append(b.Context(), text("d")); seq != 4 || err != nil {
			b.Errorf("the next seq is %d, %v", seq, err)
		}
	})
}

func failurePower(t *testing.T) {
	torn := 0
	virtually(t, memfs.Config{}, spool.Options{SegmentBytes: 4 << 20}, func(b *bench) {
		for seed := range uint64(60) {
			kept := big(fmt.Sprint("kept", seed), 2000)
			b.append(kept)
			b.fs.StopAt(1 + int(seed%2)) // in the write, or in the sync
			if _, err := b.s.Append(b.Context(), text(big("under way", 5000))); err == nil {
				b.Fatal("a dead process has accepted a message")
			}
			b.cut(memfs.Sectors, seed)
			b.quiet(spool.Damaged, spool.Failing)
			for _, e := range b.told(spool.Torn) {
				if torn++; e.Count.Bytes == 0 {
					b.Errorf("%v does not say how much", e)
				}
			}
			got := b.got(b.c)
			if got != kept && got != kept+" "+big("under way", 5000) {
				b.Errorf("seed %d: %d bytes are left, of %d", seed, len(got), len(kept))
			}
			b.c.Settle(spool.Range{From: 1, To: b.s.Stats().Next})
		}
	})
	if torn < 5 {
		t.Errorf("%d torn commits are told", torn)
	}
}

func failurePowerLater(t *testing.T) {
	opts := spool.Options{SyncEvery: 20 * time.Millisecond}
	virtually(t, memfs.Config{}, opts, func(b *bench) {
		b.append("a", "b")
		time.Sleep(20 * time.Millisecond)
		synctest.Wait()
		b.append("within the last 20 ms")
		b.cut(memfs.Synced, 1)
		b.want("left", b.got(b.c), "a b")
		b.quiet(spool.Torn, spool.Damaged)
	})
}

// A message that is taken is in the inbox and in the set of those taken, or in neither, whenever the process ends.
func failureInbox(t *testing.T) {
	from := spool.ID{7}
	for n := 1; n <= 2; n++ {
		for seed := range uint64(20) {
			for _, p := range memfs.Policies {
				virtually(t, memfs.Config{Seed: seed}, spool.Options{}, func(b *bench) {
					take := func(seq uint64) error {
						m := text(big(fmt.Sprint("m", seq), 3000))
						m.Origin.Seq = seq
						return b.s.Take(b.Context(), spool.Sender{Stream: from, Epoch: 1}, 1, []spool.Message{m}, true)
					}
					must(b.T, take(1))
					synctest.Wait()
					b.fs.StopAt(n)
					if take(2) == nil {
						b.Fatal("a dead process has taken a message")
					}
					b.cut(p, seed)
					floor, above, known := b.s.Taken(from)
					count := len(strings.Fields(b.got(b.c)))
					if !known || len(above) > 0 || floor != uint64(count)+1 || count == 0 {
						b.Errorf("%v in operation %d: %d messages are there, taken are those below %d", p, n, count, floor)
					}
					must(b.T, take(2)) // it comes again
					b.reopen()
					if count := len(strings.Fields(b.got(b.c))); count != 2 {
						b.Errorf("%d messages in the end", count)
					}
				})
			}
		}
	}
}

func failureStateLost(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		from := spool.Sender{Stream: spool.ID{7}, Epoch: 3, Nonce: 4}
		m := text("m")
		m.Origin.Seq = 1
		must(b.T, b.s.Take(b.Context(), from, 1, []spool.Message{m}, true))
		b.reopen()
		if _, _, known := b.s.Taken(from.Stream); !known {
			b.Error("what was taken is forgotten")
		}
		b.s.Close()
		b.fs = memfs.New(memfs.Config{})
		b.opts.FS = b.fs
		b.open()
		if floor, above, known := b.s.Taken(from.Stream); known || floor != 0 || len(above) > 0 {
			b.Errorf("with nothing left, taken are %d %v", floor, above)
		}
	})
}

func failureFull(t *testing.T, overflow spool.Overflow) {
	config := memfs.Config{Capacity: 400 << 10}
	virtually(t, config, spool.Options{Overflow: overflow}, func(b *bench) {
		n := uint64(b.fill())
		began := time.Now()
		_, err := b.s.TryAppend(text(big("more", 1000)))
		wantIs(b.T, "TryAppend", err, spool.ErrFull)
		done := make(chan error, 1)
		go func() {
			_, err := b.s.Append(b.Context(), text(big("waits", 1000)))
			done <- err
		}()
		synctest.Wait()
		if overflow == spool.Reject {
			wantIs(b.T, "Append", <-done, spool.ErrFull)
		} else if len(done) > 0 {
			b.Errorf("Append does not wait: %v", <-done)
		}
		if took := time.Since(began); took > 100*time.Millisecond {
			b.Errorf("it took %v", took)
		}
		if es := b.told(spool.Full); len(es) != 1 {
			b.Errorf("Full was told so: %v", es)
		}
		b.quiet(spool.Failing, spool.Damaged)
		// All else goes on.
		ms, err := b.c.Next(b.Context(), 10, 0)
		if err != nil || len(ms) != 10 {
			b.Errorf("%d messages are handed out, %v", len(ms), err)
		}
		b.c.Release(spool.Range{From: 1, To: 11})
		browsed := uint64(0)
		for _, err := range b.s.Browse(b.Context(), 0) {
			must(b.T, err)
			browsed++
		}
		if browsed != n {
			b.Errorf("%d of %d messages are to be seen", browsed, n)
		}
		b.settle(n) // frees no segment
		b.sync()
		if overflow == spool.Reject {
			b.cut(memfs.Synced, 1)
			if ms, err := drain(b.Context(), b.c); err != nil || uint64(len(ms)) != n-1 {
				b.Errorf("after opening it on the full disk there are %d of %d, %v", len(ms), n-1, err)
			}
		}
		// Settling makes room, without another Open.
		b.c.Settle(spool.Range{From: 1, To: n / 2})
		b.sync()
		if overflow == spool.Reject {
			b.append(big("again", 1000))
		} else {
			must(b.T, <-done)
			if es := b.told(spool.Room); len(es) != 1 {
				b.Errorf("Room was told so: %v", es)
			}
		}
		if got := b.s.Stats().Live.Messages; got != n-n/2+1 {
			b.Errorf("%d messages wait, want %d", got, n-n/2+1)
		}
	})
}

func failureOnce(t *testing.T, kind memfs.Kind) {
	virtually(t, memfs.Config{Trace: true}, spool.Options{}, func(b *bench) {
		b.append("a")
		synctest.Wait()
		b.forget()
		b.fs.Fail(memfs.Fault{On: kind, Nth: 1})
		b.append("b", "c")
		synctest.Wait()
		b.mu.Lock()
		if len(b.events) != 2 || b.events[0].Kind != spool.Failing || b.events[1].Kind != spool.Healthy ||
			b.events[0].Err == nil || b.events[0].Path == "" {
			b.Errorf("told are %v, want that it fails and then that it does not", b.events)
		}
		b.mu.Unlock()
		if err := b.s.Stats().Failing; err != nil {
			b.Errorf("Stats say %v", err)
		}
		b.want("handed out", b.got(b.c), "a b c")
		b.cut(memfs.Synced, 1)
		b.want("after a power cut", b.got(b.c), "a b c")
		b.quiet(spool.Damaged, spool.Torn)
	})
}

func failureDead(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		b.append("a", "b", "c")
		synctest.Wait()
		b.fs.Fail(memfs.Fault{On: memfs.Changes, Nth: 1, Times: -1})
		_, err := b.s.Append(b.Context(), text("d"))
		wantIs(b.T, "the first append", err, spool.ErrUncertain)
		for range 3 {
			if _, err = b.s.Append(b.Context(), text("e")); err == nil || errors.Is(err, spool.ErrUncertain) {
				b.Errorf("a later append says %v", err)
			}
		}
		if es := b.told(spool.Failing); len(es) != 1 || b.s.Stats().Failing == nil {
			b.Errorf("Failing was told so: %v; Stats say %v", es, b.s.Stats().Failing)
		}
		b.settle(1) // counts in memory
		if !b.c.Settled(1) || b.c.Low() != 2 {
			b.Errorf("low is %d", b.c.Low())
		}
		b.want("handed out", b.got(b.c), "b c")
		b.c.Settle(spool.Range{From: 2, To: 4})
		if low := b.c.Low(); low != 4 { // or another life gives it to another message
			b.Errorf("low is %d, with the fourth seq not on disk", low)
		}
		b.cut(memfs.Synced, 1)
		b.quiet(spool.Healthy, spool.Damaged)
		if got := b.got(b.c); got != "a b c" && got != "a b c d" {
			b.Errorf("on the medium is %q", got)
		}
		b.c.Settle(spool.Range{From: 1, To: b.s.Stats().Next})
		if low, next := b.c.Low(), b.s.Stats().Next; low != next {
			b.Errorf("low is %d, of %d", low, next)
		}
	})
}

// kept is a spool of messages that nobody has read, closed, with their seqs from 1.
func (b *bench) kept(n int) (name func(seq uint64) string) {
	b.Helper()
	name = func(seq uint64) string { return fmt.Sprintf("message %d ", seq) }
	for i := range n {
		b.append(big(name(uint64(i+1)), 300))
	}
	must(b.T, b.s.Close())
	b.fs = b.fs.Cut(memfs.Synced, 1)
	b.opts.FS = b.fs
	b.forget()
	return name
}

// aheadOfText is what stands ahead of the text of such a message: the headers of batch and record, when it was
// appended, how many frames it has, and the length of that one.
const aheadOfText = 40 + 24 + 8 + 1 + 2

// toldExactly: what is handed out and what is reported as damaged are all that there were, and nothing is both.
func (b *bench) toldExactly(n uint64) (lost uint64) {
	b.Helper()
	ms, err := drain(b.Context(), b.c)
	must(b.T, err)
	var there, gone ranges.Set
	for _, m := range ms {
		there.AddRange(m.Seq, m.Seq+1)
		if want := fmt.Sprintf("message %d ", m.Seq); !strings.HasPrefix(string(m.Frames[0]), want) {
			b.Errorf("seq %d is not as it was", m.Seq)
		}
	}
	for _, e := range b.told(spool.Damaged) {
		if e.Count.Messages != e.Seqs.To-e.Seqs.From || e.Path == "" {
			b.Errorf("%v counts %d messages", e, e.Count.Messages)
		}
		gone.AddRange(e.Seqs.From, e.Seqs.To)
		lost += e.Count.Messages
	}
	for seq := uint64(1); seq <= n; seq++ {
		if there.Contains(seq) == gone.Contains(seq) {
			b.Errorf("seq %d is handed out: %v, reported: %v", seq, there.Contains(seq), gone.Contains(seq))
		}
	}
	if got := b.s.Stats().Damaged.Messages; got != lost {
		b.Errorf("Stats count %d damaged, the events %d", got, lost)
	}
	return lost
}

func failureBit(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		const n, hit = 1000, 500
		name := b.kept(n)
		for _, file := range segments(b.fs) {
			data, _ := b.fs.ReadFile(file)
			if at := strings.Index(string(data), name(hit)); at >= 0 {
				change(b.fs, file, at, 1, 4)
			}
		}
		v, err := spool.InspectFS(b.fs)
		must(b.T, err)
		r, err := v.Verify(b.Context())
		must(b.T, err)
		must(b.T, v.Close())
		if len(r.Damage) != 1 || r.Damage[0].Live != 1 ||
			!slices.Equal(r.Damage[0].Seqs, []spool.Range{{From: hit, To: hit + 1}}) {
			b.Errorf("verify says %+v", r.Damage)
		}
		b.open()
		if lost := b.toldExactly(n); lost != 1 || b.told(spool.Damaged)[0].Seqs.From != hit {
			b.Errorf("%d lost: %v", lost, b.told(spool.Damaged))
		}
	})
}

func failureLastBit(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		const n = 20
		name := b.kept(n)
		files := segments(b.fs)
		file := files[len(files)-1]
		data, _ := b.fs.ReadFile(file)
		at := strings.Index(string(data), name(n))
		intact := b.fs
		batch := at - aheadOfText
		for _, off := range []int{at, batch + 8, batch + 40 + 8} { // its bytes, the batch's number, the record's seq
			b.fs = intact.Cut(memfs.Synced, 1)
			b.opts.FS = b.fs
			b.forget()
			change(b.fs, file, off, 1, 1)
			b.open()
			ms, err := drain(b.Context(), b.c)
			if err != nil || len(ms) < n-1 {
				b.Errorf("%d of %d are left, %v", len(ms), n, err)
			}
			if len(ms) < n && len(b.told(spool.Torn))+len(b.told(spool.Damaged)) == 0 {
				b.Error("nothing was told")
			}
			must(b.T, b.s.Close())
		}
	})
}

// failureGone clears a part of a segment in the middle, or takes it away.
func failureGone(t *testing.T, size int) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		const n = 200
		name := b.kept(n)
		file := segments(b.fs)[1]
		data, _ := b.fs.ReadFile(file)
		var want []uint64 // what was hit
		for seq := uint64(1); seq <= n; seq++ {
			at := strings.Index(string(data), name(seq))
			if at >= 0 && (size == 0 || at+300 > 8192 && at-60 < 8192+size) {
				want = append(want, seq)
			}
		}
		if size == 0 {
			must(b.T, b.fs.Remove(file))
		} else {
			b.fs.WriteFile(file, slices.Concat(data[:8192], make([]byte, size), data[8192+size:]))
		}
		b.open()
		if lost := b.toldExactly(n); lost == 0 || lost > uint64(len(want)) {
			b.Errorf("%d are lost, %d were hit: %v", lost, len(want), b.told(spool.Damaged))
		}
	})
}

// failureBirth tears what the birth of a segment has written, from off on, at the moment when it is about to be synced.
func failureBirth(t *testing.T, off int) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		var images []*memfs.FS
		created := false
		b.fs.OnChange(func(op memfs.Op) {
			created = created || op.Kind == memfs.Create && strings.HasSuffix(op.Name, ".seg")
			if created && (op.Kind == memfs.Sync || op.Kind == memfs.SyncDir) {
				images = append(images, b.fs.Cut(memfs.Kill, 1))
				created = op.Kind == memfs.Sync
			}
		})
		var texts []string
		for len(images) == 0 {
			texts = append(texts, big(fmt.Sprint("m", len(texts)), 3000))
			b.append(texts[len(texts)-1])
		}
		b.fs.OnChange(nil)
		texts = texts[:len(texts)-1] // the last one was accepted later
		for _, image := range images {
			files := segments(image)
			file := files[len(files)-1]
			data, _ := image.ReadFile(file)
			for i := off; i < min(off+4096, len(data)); i++ {
				data[i] = 0
			}
			image.WriteFile(file, data)
			b.s.Close()
			b.fs, b.opts.FS = image, image
			b.forget()
			b.open()
			b.want("left", b.got(b.c), strings.Join(texts, " "))
			b.quiet(spool.Damaged, spool.Torn, spool.Failing)
			b.append("goes on")
			b.want("then", b.got(b.c), "goes on")
		}
		if len(images) < 2 {
			b.Errorf("%d moments only", len(images))
		}
	})
}

func failureLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	must(t, os.Mkdir(dir, 0o700))
	child, said := startChild(t, dir)
	if !strings.HasPrefix(said, "lock: <nil>") {
		t.Fatalf("the child has no lock: %s", said)
	}
	host, err := os.Hostname()
	must(t, err)
	took := time.Hour
	for try := 0; try < 10 && took > time.Second; try++ { // on a busy machine one may be held up by others
		began := time.Now()
		_, err = spool.Open(dir, spool.Options{})
		took = time.Since(began)
	}
	wantIs(t, "Open", err, spool.ErrInUse)
	if want := fmt.Sprintf("pid %d on %s", child.Process.Pid, host); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v, want %q in it", err, want)
	}
	if took > time.Second {
		t.Errorf("it took %v", took)
	}
	must(t, child.Process.Kill())
	_ = child.Wait()
	s, err := spool.Open(dir, spool.Options{})
	must(t, err)
	must(t, s.Close())
}

// A copy, and one that was put back to an earlier state, goes on under the same name and in the same life, with another
// nonce, by which it is known; if that is asked for, under a name of its own.
func failureCopied(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		b.append("a")
		b.s.Close()
		snapshot := b.fs.Cut(memfs.Synced, 1)
		open := func(fs *memfs.FS, seed uint64, fork bool) *spool.Spool {
			s, err := spool.OpenEnv("mem", spool.Options{FS: fs, Fork: fork}, now, locked(seed), 0)
			must(b.T, err)
			return s
		}
		original := open(b.fs, 11, false)
		epoch, nonce := original.Incarnation()
		id := original.ID()
		must(b.T, original.Close())
		back := open(snapshot, 12, false)
		if e, n := back.Incarnation(); back.ID() != id || e != epoch || n == nonce {
			b.Errorf("the copy is %v %d %d, the original %v %d %d", back.ID(), e, n, id, epoch, nonce)
		}
		must(b.T, back.Close())
		fork := open(snapshot, 13, true)
		if fork.ID() == id {
			b.Error("a fork has the same name")
		}
		if got, err := holds(b.Context(), fork); got != "a" || err != nil {
			b.Errorf("a fork holds %q, %v", got, err)
		}
		must(b.T, fork.Close())
		b.open()
	})
}

// A clock that jumps ahead has messages expire early, which is counted; one that jumps back, late. Nothing else depends
// on it from one life to the next.
func failureClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := memfs.New(memfs.Config{})
		expired := 0
		life := func(jump time.Duration, run func(s *spool.Spool)) {
			clock := func() time.Time { return now().Add(jump) }
			s, err := spool.OpenEnv("mem", spool.Options{FS: fs, Events: func(e spool.Event) {
				switch e.Kind {
				case spool.Expired:
					expired += int(e.Count.Messages)
				case spool.Damaged, spool.Torn, spool.Failing:
					t.Errorf("told: %v", e)
				}
			}}, clock, locked(1), 0)
			must(t, err)
			run(s)
			must(t, s.Close())
		}
		life(0, func(s *spool.Spool) {
			m := text("for an hour")
			m.Expires = now().Add(time.Hour)
			_, err := s.Append(t.Context(), m)
			must(t, err)
			must(t, appendAll(t.Context(), s, "for ever"))
		})
		life(-48*time.Hour, func(s *spool.Spool) {
			got, err := holds(t.Context(), s)
			if got != "for an hour for ever" || err != nil || expired != 0 {
				t.Errorf("two days back there is %q, %v; %d have expired", got, err, expired)
			}
			must(t, appendAll(t.Context(), s, "of the past"))
		})
		life(2*time.Hour, func(s *spool.Spool) {
			got, err := holds(t.Context(), s)
			synctest.Wait()
			if got != "for ever of the past" || err != nil || expired != 1 || s.Stats().Expired.Messages != 1 {
				t.Errorf("two hours ahead there is %q, %v; %d have expired", got, err, expired)
			}
		})
		life(-time.Hour, func(s *spool.Spool) {
			if got, err := holds(t.Context(), s); got != "for ever of the past" || err != nil {
				t.Errorf("an hour back there is %q, %v", got, err)
			}
		})
	})
}
