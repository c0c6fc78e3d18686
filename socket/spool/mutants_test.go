package spool_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

const mutantRuns = 400 // how many runs the crash test has to find a mutant

// Each mistake that a store of this kind can have is found: by the crash test, or where that would take too long, by a
// case of its own. A case finds nothing where there is no mistake.
func TestMutantsAreFound(t *testing.T) {
	cases := map[spool.Mutation]func(context.Context, spool.Mutation) error{
		4:  onlyInTheCache,
		8:  settleFails,
		11: bitFlips,
		12: blocksOfAnotherFile,
		13: noSegmentAfterFailure,
		14: segmentWithoutContent,
		15: shorterAfterTorn,
	}
	for m := spool.Mutation(1); m <= spool.LastMutation; m++ {
		t.Run(fmt.Sprint(int(m)), func(t *testing.T) {
			if f := cases[m]; f != nil {
				if err := bubble(t, f, 0); err != nil {
					t.Errorf("without a mistake: %v", err)
				}
				err := bubble(t, f, m)
				if err == nil {
					t.Error("not found")
				}
				t.Log(err)
				return
			}
			for run := range mutantRuns {
				if _, err := crash(t, crashSeed+uint64(run), m); err != nil {
					first, _, _ := strings.Cut(err.Error(), "\n")
					t.Logf("found in run %d: %s", run+1, first)
					return
				}
			}
			t.Errorf("not found in %d runs", mutantRuns)
		})
	}
}

func bubble(t *testing.T, f func(context.Context, spool.Mutation) error, m spool.Mutation) (err error) {
	synctest.Test(t, func(t *testing.T) { err = f(t.Context(), m) })
	return err
}

// openFor opens a spool on fs with a mistake in it.
func openFor(fs *memfs.FS, seed uint64, m spool.Mutation, events func(spool.Event)) (*spool.Spool, error) {
	opts := spool.Options{FS: fs, SegmentBytes: 16 << 10, Events: events}
	return spool.OpenEnv("mem", opts, now, locked(seed), m)
}

// holds returns what a fresh cursor gets from a spool, one text after the other.
func holds(ctx context.Context, s *spool.Spool) (string, error) {
	c, err := s.Cursor("", spool.CursorOptions{})
	if err != nil {
		return "", err
	}
	ms, err := drain(ctx, c)
	var all []string
	for _, m := range ms {
		all = append(all, string(m.Frames[0]))
	}
	if err == nil && s.Stats().Damaged.Messages > 0 {
		err = errors.New("damage is reported")
	}
	return strings.Join(all, " "), err
}

// expect opens what is on fs and looks for just these messages.
func expect(ctx context.Context, fs *memfs.FS, want string) error {
	s, err := openFor(fs, 99, 0, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	got, err := holds(ctx, s)
	if err == nil && got != want {
		err = fmt.Errorf("there is %q, not %q", got, want)
	}
	return err
}

// appendAll appends messages, and waits until the spool has done what it does by itself: the next fault then meets what
// it is meant for.
func appendAll(ctx context.Context, s *spool.Spool, texts ...string) error {
	for _, m := range texts {
		if _, err := s.Append(ctx, text(m)); err != nil {
			return err
		}
	}
	synctest.Wait()
	return nil
}

// settleFails settles a message while no file can be written to; then the disk recovers and the spool is closed, which
// says that all is well.
func settleFails(ctx context.Context, m spool.Mutation) error {
	fs := memfs.New(memfs.Config{})
	s, err := openFor(fs, 1, m, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	c, err := s.Cursor("", spool.CursorOptions{})
	if err != nil {
		return err
	}
	if err := appendAll(ctx, s, "a", "b"); err != nil {
		return err
	}
	fs.Fail(memfs.Fault{On: memfs.Write | memfs.Create, Nth: 1, Times: -1})
	c.Settle(spool.Range{From: 1, To: 2})
	time.Sleep(200 * time.Millisecond)
	synctest.Wait()
	fs.Heal()
	if err := s.Close(); err != nil {
		return err
	}
	return expect(ctx, fs.Cut(memfs.Synced, 1), "b")
}

// syncFails opens a spool and appends to it; of the second message the sync fails, and no other segment is to be had.
func syncFails(ctx context.Context, m spool.Mutation, seed uint64) (fs *memfs.FS, s *spool.Spool, err error) {
	fs = memfs.New(memfs.Config{Seed: seed})
	if s, err = openFor(fs, 1, m, nil); err != nil {
		return nil, nil, err
	}
	if err = appendAll(ctx, s, "a"); err == nil {
		fs.Fail(memfs.Fault{On: memfs.Sync, Nth: 1}, memfs.Fault{On: memfs.Create, Nth: 1, Times: 2})
		if err = appendAll(ctx, s, strings.Repeat("b", 3000)); errors.Is(err, spool.ErrUncertain) {
			return fs, s, nil
		}
		err = fmt.Errorf("append says %w", err)
	}
	s.Close()
	return nil, nil, err
}

// onlyInTheCache has a sync fail and the process end: what the next one finds in the page cache, and hands out, must
// be on the medium from then on.
func onlyInTheCache(ctx context.Context, m spool.Mutation) error {
	for seed := range uint64(40) {
		fs, s, err := syncFails(ctx, m, seed)
		if err != nil {
			return err
		}
		defer s.Close()
		fs.Stop()
		s.Close()
		fs = fs.Cut(memfs.Kill, seed)
		if s, err = openFor(fs, 2, m, nil); err != nil {
			return err
		}
		defer s.Close()
		want, err := holds(ctx, s)
		if err == nil {
			err = appendAll(ctx, s, "c")
		}
		if err == nil {
			err = expect(ctx, fs.Cut(memfs.Synced, seed), want+" c")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bitFlips changes one byte after the other of a message, while the spool is open.
func bitFlips(ctx context.Context, m spool.Mutation) error {
	fs := memfs.New(memfs.Config{})
	s, err := openFor(fs, 1, m, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := appendAll(ctx, s, "first", "second"); err != nil {
		return err
	}
	name := segments(fs)[0]
	data, _ := fs.ReadFile(name)
	data[strings.Index(string(data), "first")] ^= 1
	fs.WriteFile(name, data)
	c, err := s.Cursor("", spool.CursorOptions{})
	if err != nil {
		return err
	}
	ms, err := drain(ctx, c)
	for _, m := range ms {
		if got := string(m.Frames[0]); got != "second" {
			return fmt.Errorf("%q is handed out", got)
		}
	}
	if d := s.Stats().Damaged; err == nil && d.Messages != 1 {
		err = fmt.Errorf("damaged are %v", d)
	}
	return err
}

func segments(fs *memfs.FS) (names []string) {
	all, _ := fs.List()
	for _, name := range all {
		if strings.HasSuffix(name, ".seg") {
			names = append(names, name)
		}
	}
	return names
}

// blocksOfAnotherFile puts, behind the last batch, the one that another segment of the same number had there.
func blocksOfAnotherFile(ctx context.Context, m spool.Mutation) error {
	var images [2][]byte
	var last *memfs.FS
	for i, texts := range [][]string{{"a", "b"}, {"a"}} {
		fs := memfs.New(memfs.Config{})
		s, err := openFor(fs, uint64(i+1), m, nil)
		if err != nil {
			return err
		}
		if err := appendAll(ctx, s, texts...); err != nil {
			return err
		}
		if err := s.Close(); err != nil {
			return err
		}
		images[i], _ = fs.ReadFile(segments(fs)[0])
		last = fs
	}
	end := (len(strings.TrimRight(string(images[1]), "\x00")) + 7) &^ 7
	copy(images[1][end:], images[0][end:])
	last.WriteFile(segments(last)[0], images[1])
	s, err := openFor(last, 3, m, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	got, err := holds(ctx, s)
	if err == nil && got != "a" {
		err = fmt.Errorf("there is %q", got)
	}
	return err
}

// noSegmentAfterFailure has a sync fail and the disk recover; what is appended next must survive.
func noSegmentAfterFailure(ctx context.Context, m spool.Mutation) error {
	for seed := range uint64(40) {
		fs, s, err := syncFails(ctx, m, seed)
		if err != nil {
			return err
		}
		defer s.Close()
		fs.Heal()
		if err := appendAll(ctx, s, "c"); err != nil {
			return err
		}
		for _, name := range segments(fs)[:1] { // the file that has failed must be as it was
			before, _ := fs.ReadFile(name)
			if err := appendAll(ctx, s, "d"); err != nil {
				return err
			}
			after, _ := fs.ReadFile(name)
			if string(before) != string(after) {
				return fmt.Errorf("%s is written to after it has failed", name)
			}
		}
		if err := expect(ctx, fs.Cut(memfs.Synced, seed), "a c d"); err != nil {
			return err
		}
	}
	return nil
}

// segmentWithoutContent has a segment's name reach the disk, and nothing that is in it, when all before is settled.
func segmentWithoutContent(ctx context.Context, m spool.Mutation) error {
	fs := memfs.New(memfs.Config{})
	s, err := openFor(fs, 1, m, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	c, err := s.Cursor("", spool.CursorOptions{})
	if err != nil {
		return err
	}
	if err := appendAll(ctx, s, "a"); err != nil {
		return err
	}
	c.Settle(spool.Range{From: 1, To: 2})
	if err := s.Close(); err != nil {
		return err
	}
	f, err := fs.Create("0000000000000002-0000000000000077.seg")
	if err == nil {
		err = f.Allocate(16 << 10)
	}
	if err == nil {
		err = fs.SyncDir()
	}
	if err != nil {
		return err
	}
	damage := 0
	s, err = openFor(fs.Cut(memfs.Synced, 1), 2, m, func(e spool.Event) {
		if e.Kind == spool.Damaged {
			damage++
		}
	})
	if err != nil {
		return err
	}
	defer s.Close()
	if synctest.Wait(); damage > 0 {
		return errors.New("damage is reported")
	}
	if got, err := holds(ctx, s); err != nil || got != "" {
		return fmt.Errorf("there is %q, %w", got, err)
	}
	if seq, err := s.Append(ctx, text("b")); err != nil || seq != 2 {
		return fmt.Errorf("the next seq is %d, %w", seq, err)
	}
	return nil
}

// shorterAfterTorn has a commit torn, and a shorter one in its place: what is left of the first must not be found.
func shorterAfterTorn(ctx context.Context, m spool.Mutation) error {
	fs := memfs.New(memfs.Config{})
	torn := 0
	open := func() (*spool.Spool, error) {
		opts := spool.Options{FS: fs, SegmentBytes: 4 << 20, Events: func(e spool.Event) {
			if e.Kind == spool.Torn {
				torn++
			}
		}}
		return spool.OpenEnv("mem", opts, now, locked(1), m)
	}
	s, err := open()
	if err != nil {
		return err
	}
	large := strings.Repeat("a", 1100<<10)
	if err := appendAll(ctx, s, large, large); err != nil { // now the segment has 4 MiB
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	names := segments(fs)
	name := names[len(names)-1]
	data, _ := fs.ReadFile(name)
	end := len(strings.TrimRight(string(data), "\x00"))
	for i := end + 1200<<10; i < end+1300<<10; i++ { // of a long commit, the front is missing
		data[i] = 0xaa
	}
	fs.WriteFile(name, data)
	for range 2 {
		if s, err = open(); err != nil {
			return err
		}
		if err := s.Close(); err != nil {
			return err
		}
	}
	if torn != 1 {
		return fmt.Errorf("%d torn commits are reported", torn)
	}
	return nil
}
