package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// A View looks into a spool beside its owner, or when it has none: it takes no lock, keeps nobody out, and cannot
// write. Each call sees what is on disk when it is made, or a moment later. All methods may be called by any number of
// goroutines.
type View struct {
	dir    string
	fs     FS
	env    env
	closed atomic.Bool
}

// Inspect opens the spool in a directory for looking into it. Errors: ErrNotSpool, ErrFormat, and what the disk says;
// that of a directory that is not there matches [fs.ErrNotExist].
func Inspect(dir string) (*View, error) {
	d, err := readDirectory(dir)
	if err != nil {
		return nil, fmt.Errorf("spool: inspect %s: %w", dir, err)
	}
	return inspect(dir, d, systemEnv())
}

func inspect(dir string, d FS, e env) (*View, error) {
	v := &View{dir: dir, fs: d, env: e}
	s, _, err := v.snapshot()
	if err != nil {
		return nil, v.wrap("inspect", err)
	}
	s.letGo()
	return v, nil
}

func (v *View) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("spool: %s %s: %w", op, v.dir, err)
}

// Close ends the view. Calls that are under way go on.
func (v *View) Close() error {
	v.closed.Store(true)
	return nil
}

// Owner returns the process that has the spool open, if there is one that says so.
func (v *View) Owner() (pid int, host string, ok bool) {
	d := v.fs
	if r, wrapped := d.(readOnly); wrapped {
		d = r.FS
	}
	if o, asks := d.(interface{ Owner() (int, string, bool) }); asks {
		return o.Owner()
	}
	return 0, "", false
}

// Browse is that of Spool. What the owner has handed out is Queued here: only the owner knows.
func (v *View) Browse(ctx context.Context, from uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		s, _, err := v.snapshot()
		if err != nil {
			yield(Entry{}, v.wrap("browse", err))
			return
		}
		defer s.letGo()
		for e, err := range s.Browse(ctx, from) {
			if err == nil {
				s.st.told(&e, v.env)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// told adds to an entry what the state on disk has of it.
func (st *state) told(e *Entry, env env) {
	for id, c := range st.cursors {
		if c.set.Contains(e.Seq) {
			continue
		}
		a := st.attempts[attemptKey{id, e.Seq}]
		e.Attempts = max(e.Attempts, a.count)
		if a.notBefore.After(env.now()) {
			e.State, e.NotBefore = Delayed, a.notBefore
		}
	}
}

// DeadLetters is that of Spool.
func (v *View) DeadLetters(ctx context.Context) iter.Seq2[Dead, error] {
	return func(yield func(Dead, error) bool) {
		s, _, err := v.snapshot()
		if err != nil {
			yield(Dead{}, v.wrap("read", err))
			return
		}
		defer s.letGo()
		for d, err := range s.DeadLetters(ctx) {
			if !yield(d, err) {
				return
			}
		}
	}
}

// Stats is that of Spool, as far as it is on disk: what is counted while a spool is open is 0 here, and so is MaxBytes.
func (v *View) Stats() (Stats, error) {
	s, _, err := v.snapshot()
	if err != nil {
		return Stats{}, v.wrap("read", err)
	}
	defer s.letGo()
	return s.Stats(), nil
}

// ID is the stream's name.
func (v *View) ID() (ID, error) {
	s, _, err := v.snapshot()
	if err != nil {
		return ID{}, v.wrap("read", err)
	}
	defer s.letGo()
	return s.st.id, nil
}

// snapshotTries is how often a snapshot is begun again because the owner has removed a file of it.
const snapshotTries = 100

// snapshot reads what the directory holds, as a Spool that nothing can be appended to. All its files are open, so that
// they can be read when the owner has removed them. It must be let go.
func (v *View) snapshot() (*Spool, *image, error) {
	for try := 1; ; try++ {
		if v.closed.Load() {
			return nil, nil, ErrClosed
		}
		s, im, err := v.once()
		if err == nil || !errors.Is(err, fs.ErrNotExist) || try == snapshotTries {
			return s, im, err
		}
	}
}

func (v *View) once() (*Spool, *image, error) {
	im, err := load(v.fs, &v.env)
	if err != nil {
		return nil, nil, err
	}
	if len(im.segs) == 0 {
		return nil, nil, fmt.Errorf("%w: there are no messages and never were", ErrNotSpool)
	}
	newest := im.segs[len(im.segs)-1]
	s := &Spool{
		dir: v.dir, fs: v.fs, env: v.env, st: im.st, segs: im.segs, newest: newest, header: im.id,
		written: max(im.written, newest.first),
	}
	for _, seg := range s.segs {
		s.used += seg.size
		if _, err := s.hold(seg); err != nil {
			s.letGo()
			return nil, nil, err
		}
	}
	return s, im, nil
}

// letGo closes the files of a snapshot.
func (s *Spool) letGo() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range s.segs {
		seg.shut()
	}
}

// A Report is what Verify found.
type Report struct {
	Segments, Batches, Records, Messages int
	Bytes                                int64 // that were read and have checksums
	// Torn is the size of a commit at the end that is not whole. It was never acknowledged: the owner is writing it, or
	// was killed in the middle of it.
	Torn   int64
	Damage []Damage
}

// Damage is a place that is not as it was written.
type Damage struct {
	Path string  // the file; of one that is gone what is known of its name
	Off  int64   // where it begins
	Size int64   // 0: there is nothing where something should be
	Seqs []Range // the messages that are lost by it, but for those that an owner has found lost and counted already
	Live uint64  // of these, those that somebody still waits for
	Dead bool    // Seqs are dead letters
}

// Verify reads everything and checks every checksum. Damage is in the report, not an error. Beside an owner that
// writes, a place counts as damaged if it is so twice.
func (v *View) Verify(ctx context.Context) (Report, error) {
	r, err := v.verify(ctx)
	if err != nil || len(r.Damage) == 0 {
		return r, v.wrap("verify", err)
	}
	again, err := v.verify(ctx)
	if err != nil {
		return r, v.wrap("verify", err)
	}
	again.Damage = slices.DeleteFunc(again.Damage, func(d Damage) bool {
		return !slices.ContainsFunc(r.Damage, func(e Damage) bool { return d.Path == e.Path && d.Off == e.Off })
	})
	return again, nil
}

func (v *View) verify(ctx context.Context) (Report, error) {
	s, im, err := v.snapshot()
	if err != nil {
		return Report{}, err
	}
	defer s.letGo()
	c := checker{s: s, report: Report{Segments: len(s.segs), Torn: im.tornSize}}
	err = c.run(ctx)
	return c.report, err
}

// lives is how many of some seqs somebody waits for.
func (st *state) lives(rs []ranges.Range) (n uint64) {
	for _, r := range rs {
		for _, l := range st.live(r) {
			n += l.Len()
		}
	}
	return n
}
