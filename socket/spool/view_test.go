package spool_test

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

func inspect(t *testing.T, m spool.FS) *spool.View {
	t.Helper()
	v, err := spool.InspectFS(m)
	must(t, err)
	return v
}

// browsed is what a spool or a view shows: seqs and contents.
func browsed(t *testing.T, b interface {
	Browse(ctx context.Context, from uint64) iter.Seq2[spool.Entry, error]
}, from uint64,
) (all []string) {
	t.Helper()
	for e, err := range b.Browse(t.Context(), from) {
		must(t, err)
		all = append(all, fmt.Sprintf("%d %.10s", e.Seq, e.Frames[0]))
	}
	return all
}

func seqsOf(t *testing.T, v *spool.View) (all []uint64) {
	t.Helper()
	for e, err := range v.Browse(t.Context(), 0) {
		must(t, err)
		all = append(all, e.Seq)
	}
	return all
}

// filled makes a spool of several segments: n messages with the seqs from 1 on, of which the first quarter is settled.
func filled(t *testing.T, m spool.FS, n int) (*spool.Spool, *spool.Cursor) {
	t.Helper()
	s := mustOpen(t, m, spool.Options{SegmentBytes: 16 << 10, MaxDeliveries: 2})
	c, err := s.Cursor("", spool.CursorOptions{})
	must(t, err)
	for i := range n {
		_, err := s.Append(t.Context(), text(fmt.Sprintf("m%d %s", i+1, strings.Repeat("x", i%500))))
		must(t, err)
	}
	_, err = c.Next(t.Context(), n/2, 0)
	must(t, err)
	c.Settle(spool.Range{From: 1, To: uint64(n/4) + 1})
	must(t, s.Sync(t.Context()))
	return s, c
}

// A view beside the owner sees what the owner sees, and goes on to do so.
func TestViewBesideTheOwner(t *testing.T) {
	m := memfs.New(memfs.Config{})
	s, c := filled(t, m, 200)
	v := inspect(t, m)
	defer v.Close()
	same := func() {
		t.Helper()
		want, got := browsed(t, s, 0), browsed(t, v, 0)
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("the view has %d messages, the owner %d", len(got), len(want))
		}
		st, err := v.Stats()
		must(t, err)
		own := s.Stats()
		if st.Live.Messages != own.Live.Messages || st.Dead != own.Dead || st.First != own.First || st.Next != own.Next ||
			!st.Oldest.Equal(own.Oldest) || st.Segments != own.Segments || len(st.Cursors) != len(own.Cursors) ||
			st.Cursors[0].Low != own.Cursors[0].Low {
			t.Errorf("the view says %+v, the owner %+v", st, own)
		}
	}
	same()
	must(t, c.Bury(t.Context(), 60, "no good"))
	c.Settle(spool.Range{From: 70, To: 80})
	must(t, s.Sync(t.Context()))
	_, err := s.Append(t.Context(), text("one more"))
	must(t, err)
	same()
	var dead []spool.Dead
	for d, err := range v.DeadLetters(t.Context()) {
		must(t, err)
		dead = append(dead, d)
	}
	if len(dead) != 1 || dead[0].Seq != 60 || dead[0].Reason != "no good" {
		t.Errorf("the dead letters are %+v", dead)
	}
	if from := browsed(t, v, 150); !strings.HasPrefix(from[0], "150 ") {
		t.Errorf("browsing from 150 begins with %s", from[0])
	}
	if id, err := v.ID(); err != nil || id != s.ID() {
		t.Errorf("the ID is %v, %v, want %v", id, err, s.ID())
	}
	must(t, s.Close())
	if got := browsed(t, v, 0); len(got) == 0 {
		t.Error("without an owner nothing is seen")
	}
}

// How often a message was tried, and when it is due, is on disk.
func TestViewKnowsAttempts(t *testing.T) {
	m := memfs.New(memfs.Config{})
	s, c := filled(t, m, 20)
	c.Return(7, time.Hour, os.ErrDeadlineExceeded)
	must(t, s.Sync(t.Context()))
	v := inspect(t, m)
	defer v.Close()
	for e, err := range v.Browse(t.Context(), 0) {
		must(t, err)
		wantState, wantAttempts := spool.Queued, 0
		if e.Seq == 7 {
			wantState, wantAttempts = spool.Delayed, 1
		}
		if e.State != wantState || e.Attempts != wantAttempts || e.NotBefore.IsZero() != (e.Seq != 7) {
			t.Errorf("%d is %v after %d attempts, not before %v", e.Seq, e.State, e.Attempts, e.NotBefore)
		}
	}
}

// Whoever looks never writes: not a byte, not a name, whatever state the spool is in.
func TestAViewNeverWrites(t *testing.T) {
	m := memfs.New(memfs.Config{})
	s, c := filled(t, m, 200)
	must(t, c.Bury(t.Context(), 60, "no good"))
	torn := m.Cut(memfs.Kill, 1)
	must(t, s.Close())
	damaged := m.Cut(memfs.Synced, 1)
	damageAt(t, damaged, 1, 6000)
	unborn := m.Cut(memfs.Synced, 1)
	unborn.WriteFile(fmt.Sprintf("%016x-%016x.seg", 1000, 1), nil)
	for name, m := range map[string]*memfs.FS{
		"closed": m.Cut(memfs.Synced, 1), "killed": torn, "damaged": damaged, "unborn": unborn,
	} {
		before := dump(t, m)
		changed := m.Changed()
		v := inspect(t, m)
		browsed(t, v, 0)
		for _, err := range v.DeadLetters(t.Context()) {
			must(t, err)
		}
		_, err := v.Stats()
		must(t, err)
		_, err = v.Verify(t.Context())
		must(t, err)
		must(t, v.Close())
		if m.Changed() != changed || !reflect.DeepEqual(dump(t, m), before) {
			t.Errorf("%s: looking has made %d changes", name, m.Changed()-changed)
		}
		if open := m.Handles(); len(open) > 0 {
			t.Errorf("%s: still open: %v", name, open)
		}
	}
}

func dump(t *testing.T, m *memfs.FS) map[string]string {
	t.Helper()
	names, err := m.List()
	must(t, err)
	all := make(map[string]string)
	for _, name := range names {
		p, err := m.ReadFile(name)
		must(t, err)
		all[name] = string(p)
	}
	return all
}

// segmentNames are the segments, the oldest first.
func segmentNames(t *testing.T, m *memfs.FS) []string {
	t.Helper()
	names, err := m.List()
	must(t, err)
	return slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, ".seg") })
}

// damageAt turns one bit of the n-th segment.
func damageAt(t *testing.T, m *memfs.FS, n, off int) {
	t.Helper()
	name := segmentNames(t, m)[n]
	p, err := m.ReadFile(name)
	must(t, err)
	p[off] ^= 1 << (off % 8)
	m.WriteFile(name, p)
}

// What the owner removes while somebody looks at it can be read to its end.
func TestBrowsingWhileTheOwnerRemoves(t *testing.T) {
	m := memfs.New(memfs.Config{})
	s, c := filled(t, m, 200)
	v := inspect(t, m)
	defer v.Close()
	want := s.Stats().Live.Messages
	before := s.Stats().Segments
	got := uint64(0)
	for _, err := range v.Browse(t.Context(), 0) {
		must(t, err)
		if got++; got == 1 {
			c.Settle(spool.Range{From: 1, To: 200})
			must(t, s.Sync(t.Context()))
			for s.Stats().Segments == before {
				_, err := s.Append(t.Context(), text("so that something moves"))
				must(t, err)
			}
		}
	}
	if got != want {
		t.Errorf("%d messages were seen, %d were there", got, want)
	}
}

func TestInspectErrors(t *testing.T) {
	dir := t.TempDir()
	_, err := spool.Inspect(filepath.Join(dir, "none"))
	wantIs(t, "no directory", err, fs.ErrNotExist)
	_, err = spool.Inspect(dir)
	wantIs(t, "an empty directory", err, spool.ErrNotSpool)
	must(t, os.WriteFile(filepath.Join(dir, "letter.txt"), nil, 0o600))
	_, err = spool.Inspect(dir)
	wantIs(t, "another directory", err, spool.ErrNotSpool)
	m := memfs.New(memfs.Config{})
	filled(t, m, 1)
	v := inspect(t, m)
	must(t, v.Close())
	_, err = v.Stats()
	wantIs(t, "a closed view", err, spool.ErrClosed)
	for _, err := range v.Browse(t.Context(), 0) {
		wantIs(t, "a closed view", err, spool.ErrClosed)
	}
}

// Of a spool in which nothing is wrong nothing is reported, whatever has happened to it.
func TestVerifyRaisesNoFalseAlarm(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := memfs.New(memfs.Config{Seed: seed})
		for range 4 { // lives
			s := mustOpen(t, m, spool.Options{SegmentBytes: 16 << 10, MaxDeliveries: 2})
			c, err := s.Cursor("", spool.CursorOptions{})
			must(t, err)
			for range 40 {
				act(t, r, s, c)
			}
			if r.IntN(2) == 0 {
				m.FailRate(memfs.Write|memfs.Sync|memfs.SyncDir|memfs.Create, 0.1)
				for range 10 {
					_, _ = s.TryAppend(text("perhaps"))
				}
				m.Heal()
			}
			clean(t, fmt.Sprintf("seed %d, running", seed), inspect(t, m))
			p := memfs.Policies[r.IntN(len(memfs.Policies))]
			next := m.Cut(p, seed)
			must(t, s.Close())
			m = next
			clean(t, fmt.Sprintf("seed %d, after %v", seed, p), inspect(t, m))
		}
	}
}

// act does something to a spool.
func act(t *testing.T, r *rand.Rand, s *spool.Spool, c *spool.Cursor) {
	t.Helper()
	ctx := t.Context()
	switch r.IntN(6) {
	case 0:
		_, err := s.Append(ctx, text("for Next to have one"))
		must(t, err)
		ms, err := c.Next(ctx, 1+r.IntN(20), 0)
		must(t, err)
		for _, m := range ms {
			switch r.IntN(5) {
			case 0:
				c.Return(m.Seq, 0, os.ErrInvalid)
			case 1:
				must(t, c.Bury(ctx, m.Seq, "no good"))
			default:
				c.Settle(spool.Range{From: m.Seq, To: m.Seq + 1})
			}
		}
	case 1:
		tx := s.Begin()
		for range r.IntN(10) {
			must(t, tx.Append(text(strings.Repeat("t", r.IntN(1000)))))
		}
		_, err := tx.Commit(ctx)
		must(t, err)
	default:
		_, err := s.Append(ctx, text(strings.Repeat("a", r.IntN(3000))))
		must(t, err)
	}
}

func clean(t *testing.T, what string, v *spool.View) {
	t.Helper()
	defer v.Close()
	r, err := v.Verify(t.Context())
	must(t, err)
	if len(r.Damage) > 0 {
		t.Fatalf("%s: damage that is none: %+v", what, r.Damage)
	}
	if r.Segments == 0 || r.Batches == 0 || r.Records == 0 || r.Bytes == 0 {
		t.Fatalf("%s: nothing was looked at: %+v", what, r)
	}
}

// Every bit counts: one that is turned is reported, with the very seqs that cannot be read any more.
func TestVerifyFindsEveryBit(t *testing.T) {
	m := memfs.New(memfs.Config{})
	s, c := filled(t, m, 150)
	must(t, c.Bury(t.Context(), 60, "no good"))
	_, err := s.Append(t.Context(), text("the last"))
	must(t, err)
	must(t, s.Close())
	intact := m.Cut(memfs.Synced, 1)
	v := inspect(t, intact)
	all := seqsOf(t, v)
	r, err := v.Verify(t.Context())
	must(t, err)
	clean(t, "intact", v)
	rnd := rand.New(rand.NewPCG(1, 2))
	found, harmless, torn, with := 0, 0, 0, 0
	for n := range segmentNames(t, intact) {
		p, err := intact.ReadFile(segmentNames(t, intact)[n])
		must(t, err)
		for range 250 {
			off := rnd.IntN(len(p))
			m := intact.Cut(memfs.Synced, 1)
			damageAt(t, m, n, off)
			v := inspect(t, m)
			left := seqsOf(t, v)
			got, err := v.Verify(t.Context())
			must(t, err)
			must(t, v.Close())
			lost := slices.DeleteFunc(slices.Clone(all), func(seq uint64) bool { return slices.Contains(left, seq) })
			var live []uint64
			told := uint64(0)
			for _, d := range got.Damage {
				for _, r := range d.Seqs {
					for seq := r.From; seq < r.To && !d.Dead; seq++ {
						if slices.Contains(all, seq) {
							live = append(live, seq)
						}
					}
				}
				if !d.Dead {
					told += d.Live
				}
			}
			slices.Sort(live)
			if got.Torn == 0 && (!slices.Equal(live, lost) || told != uint64(len(lost))) {
				t.Fatalf("segment %d, byte %d: %v are lost, %v (%d) reported: %+v", n, off, lost, live, told, got.Damage)
			}
			switch {
			case len(got.Damage) > 0:
				found++
				with += len(lost)
			case got.Torn > 0:
				torn++
			case off >= 64 && off < 2048 || off >= 2048+64 && off < 4096 || p[off] == 0:
				harmless++
			default:
				t.Fatalf("segment %d, byte %d: not found", n, off)
			}
		}
	}
	if found < 100 || with < 50 || harmless == 0 {
		t.Errorf("of %d bytes: %d found, with %d messages; %d harmless, %d torn", r.Bytes, found, with, harmless, torn)
	}
}

// Each place is told with its own messages.
func TestVerifyTellsPlacesApart(t *testing.T) {
	m := memfs.New(memfs.Config{})
	s, _ := filled(t, m, 150)
	must(t, s.Close())
	m = m.Cut(memfs.Synced, 1)
	name := segmentNames(t, m)[1]
	p, err := m.ReadFile(name)
	must(t, err)
	at := func(n int) int { return strings.Index(string(p), fmt.Sprintf("m%d ", n)) }
	var here []int // the messages in this segment
	for n := range 150 {
		if at(n+1) > 0 {
			here = append(here, n+1)
		}
	}
	first, later := here[0], here[3]
	for _, off := range []int{64 + 4096, at(first), at(later)} { // the checkpoint, two messages
		p[off] ^= 1
	}
	m.WriteFile(name, p)
	v := inspect(t, m)
	defer v.Close()
	r, err := v.Verify(t.Context())
	must(t, err)
	var got []string
	for _, d := range r.Damage {
		got = append(got, fmt.Sprint(d.Path == name, d.Seqs, d.Live, d.Dead))
	}
	want := []string{
		"true [] 0 false", fmt.Sprintf("true [{%d %d}] 1 false", first, first+1),
		fmt.Sprintf("true [{%d %d}] 1 false", later, later+1),
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// What the owner has found lost, and counted, is not lost once more; the place stays damaged.
func TestVerifyAfterTheOwnerHasNotedALoss(t *testing.T) {
	m := memfs.New(memfs.Config{})
	s, _ := filled(t, m, 150)
	must(t, s.Close())
	m = m.Cut(memfs.Synced, 1)
	for _, name := range segmentNames(t, m) {
		p, err := m.ReadFile(name)
		must(t, err)
		if i := strings.Index(string(p), "m60 "); i > 0 {
			p[i] ^= 1
			m.WriteFile(name, p)
		}
	}
	verify := func(want string) {
		t.Helper()
		v := inspect(t, m)
		defer v.Close()
		r, err := v.Verify(t.Context())
		must(t, err)
		if len(r.Damage) != 1 || fmt.Sprint(r.Damage[0].Seqs, r.Damage[0].Live) != want {
			t.Errorf("%+v, want %s", r.Damage, want)
		}
	}
	verify("[{60 61}] 1")
	s = mustOpen(t, m, spool.Options{SegmentBytes: 16 << 10})
	browsed(t, s, 0)
	if n := s.Stats().Damaged.Messages; n != 1 {
		t.Errorf("the owner has counted %d", n)
	}
	must(t, s.Sync(t.Context()))
	verify("[] 0")
}

// A segment that is gone is told by its neighbours, to the message.
func TestVerifyMissesASegment(t *testing.T) {
	m := memfs.New(memfs.Config{})
	s, _ := filled(t, m, 300)
	must(t, s.Close())
	segs := segmentNames(t, m)
	if len(segs) < 4 {
		t.Fatalf("only %d segments", len(segs))
	}
	for i := range segs[:len(segs)-1] {
		image := m.Cut(memfs.Synced, 1)
		all := seqsOf(t, inspect(t, image))
		must(t, image.Remove(segs[i]))
		v := inspect(t, image)
		left := seqsOf(t, v)
		r, err := v.Verify(t.Context())
		must(t, err)
		if len(r.Damage) == 0 || r.Damage[0].Live != uint64(len(all)-len(left)) || len(all) == len(left) {
			t.Errorf("without segment %d: %d of %d messages are left, reported: %+v", i, len(left), len(all), r.Damage)
		}
	}
}
