package spool_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

// How much the tests do is set in the environment: .ci/run asks for more than there is time for otherwise.
var (
	crashImages = setting("SPOOL_IMAGES", 1000)    // how many images of crashes the spool is opened from
	crashSeed   = uint64(setting("SPOOL_SEED", 1)) // where the crash test begins
)

func setting(name string, usual int) int {
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		return usual
	}
	return n
}

var (
	errStopped = memfs.ErrStopped
	errFault   = syscall.EIO
)

// A run is a spool that dies several times. All that is left to chance in it comes from its seed.
type run struct {
	seed     uint64
	rng      *rand.Rand
	mutation spool.Mutation
	model    *model
	fs       *memfs.FS
	opts     spool.Options
	hurt     func(*memfs.FS) // what happens to the medium in a life
	steps    int             // of a life; 0: any number
	strict   bool            // no call may return an error
	images   int

	mu      sync.Mutex
	log     []string      // of the life at hand
	dropped []spool.Range // what the spool at hand has told of
}

// stuckAfter is how long a call may wait. At that moment no timer of the spool ends, or it would be left to chance
// which of them is first.
const stuckAfter = 9*time.Second + 777*time.Nanosecond

// lives is how often a spool dies in a run.
const lives = 4

func newRun(seed uint64, m spool.Mutation) *run { return newTracedRun(seed, m, false) }

func newTracedRun(seed uint64, m spool.Mutation, traced bool) *run {
	rng := rand.New(rand.NewPCG(seed, 2))
	r := &run{seed: seed, rng: rng, mutation: m, model: newModel()}
	r.opts = spool.Options{SegmentBytes: int64(16+16*rng.IntN(3)) << 10, Overflow: spool.Reject}
	if rng.IntN(4) == 0 {
		r.opts.SyncEvery = 5 * time.Millisecond
	}
	config := memfs.Config{Seed: seed, Grow: rng.IntN(6) == 0, Trace: traced}
	switch rng.IntN(6) {
	case 0:
		r.opts.MaxBytes, r.opts.DeadBytes = 10*r.opts.SegmentBytes, -1
	case 1:
		config.Capacity = 10 * r.opts.SegmentBytes
	case 2:
		r.opts.MaxMessages = int64(12 + rng.IntN(50)) // a Tx has up to eleven
	}
	switch rng.IntN(4) {
	case 0, 1:
		r.opts.Overflow = spool.DropOldest
	case 2:
		r.opts.Overflow = spool.Block
	}
	r.fs = memfs.New(config)
	r.hurt = r.anyHurt
	return r
}

// anyHurt has a life end early, or go on with a medium that fails now and then, or both.
func (r *run) anyHurt(fs *memfs.FS) {
	switch r.rng.IntN(3) {
	case 0:
		fs.StopAt(1 + r.rng.IntN(20))
	case 1:
		fs.StopAt(1 + r.rng.IntN(300))
	}
	if r.rng.IntN(3) == 0 {
		fs.FailRate(memfs.Changes&^memfs.Allocate, []float64{0.01, 0.05, 0.2}[r.rng.IntN(3)])
	}
}

// now is a clock that is past the beginning of 2026.
func now() time.Time { return time.Now().AddDate(30, 0, 0) }

func (r *run) open(fs *memfs.FS) (*spool.Spool, error) {
	opts := r.opts
	opts.FS = fs
	opts.Events = func(e spool.Event) {
		if fs == r.fs {
			r.note("  event %v", e)
		}
		if e.Kind == spool.Dropped {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.dropped = append(r.dropped, e.Seqs)
		}
	}
	return spool.OpenInTurns("mem", opts, now, locked(r.rng.Uint64()), r.mutation)
}

// lose tells a model what the spool has dropped by itself.
func (r *run) lose(m *model) {
	synctest.Wait() // it may be about to tell
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, lost := range r.dropped {
		for seq := range m.seqs() {
			if lost.From <= seq && seq < lost.To {
				m.mayGo(seq)
			}
		}
	}
	r.dropped = nil
}

// locked is a source of random numbers for several goroutines.
func locked(seed uint64) func() uint64 {
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, 3))
	return func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		return rng.Uint64()
	}
}

// check opens what a crash has left, and holds it against a copy of the model; then it must go on working.
func (r *run) check(ctx context.Context, fs *memfs.FS) error {
	r.images++
	m := r.model.clone()
	s, err := r.open(fs)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer s.Close()
	synctest.Wait() // one operation after the other, so that a seed gives the same run again
	if err := m.observe(ctx, s); err != nil {
		return err
	}
	m.nextID += 1 << 32
	seq, err := s.TryAppend(content(m.nextID))
	if err == nil {
		brief, cancel := context.WithTimeout(ctx, stuckAfter) // or it waits for room that nobody makes
		defer cancel()
		err = s.Sync(brief)
	}
	waits := errors.Is(err, context.DeadlineExceeded)
	switch {
	case waits:
		err = errStopped // Close ends it one way or the other
	case err != nil && !errors.Is(err, spool.ErrFull):
		return fmt.Errorf("after it was opened: %w", err)
	}
	if err := m.done(try{ids: []uint64{m.nextID}}, seq, err); err != nil {
		return err
	}
	if err := s.Close(); err != nil && !errors.Is(err, spool.ErrFull) && (!waits || !errors.Is(err, spool.ErrClosed)) {
		return fmt.Errorf("close: %w", err)
	}
	r.lose(m)
	if r.rng.IntN(8) > 0 {
		return nil
	}
	if s, err = r.open(fs); err != nil {
		return fmt.Errorf("open again: %w", err)
	}
	defer s.Close()
	return m.observe(ctx, s)
}

// all runs the lives.
func (r *run) all(ctx context.Context) error {
	for life := range lives {
		r.log = r.log[:0]
		if err := r.live(ctx); err != nil {
			return fmt.Errorf("life %d: %w", life, err)
		}
		if err := r.die(ctx, memfs.Policies[:]...); err != nil {
			return fmt.Errorf("life %d, %w", life, err)
		}
	}
	return nil
}

// die ends a life, checks what it leaves under some policies, and goes on with one of them.
func (r *run) die(ctx context.Context, policies ...memfs.Policy) error {
	if !r.fs.Stopped() {
		r.fs.Stop()
	}
	r.fs.Heal()
	seed := r.rng.Uint64()
	next := memfs.Policies[r.rng.IntN(len(memfs.Policies))]
	for _, p := range policies {
		if err := r.check(ctx, r.fs.Cut(p, seed)); err != nil {
			return fmt.Errorf("cut %v: %w", p, err)
		}
	}
	r.fs = r.fs.Cut(next, seed)
	return nil
}

// live opens the spool and works with it until it dies.
func (r *run) live(ctx context.Context) error {
	r.hurt(r.fs)
	s, err := r.open(r.fs)
	if err != nil {
		if r.fs.Stopped() || errors.Is(err, errFault) {
			return nil
		}
		return fmt.Errorf("open: %w", err)
	}
	defer r.lose(r.model) // also what Close has dropped
	defer s.Close()
	synctest.Wait()
	if err := r.model.observe(ctx, s); err != nil {
		if r.fs.Stopped() {
			return nil
		}
		return err
	}
	if r.model.cursors[""] == nil {
		if _, err := s.Cursor("", spool.CursorOptions{}); err != nil {
			if r.fs.Stopped() || errors.Is(err, errFault) {
				return nil
			}
			return err
		}
		r.model.cursors[""] = &cursorModel{told: map[uint64]bool{}, tried: map[uint64]bool{}}
	}
	w := &work{run: r, s: s}
	steps := r.steps
	if steps == 0 {
		steps = 20 + r.rng.IntN(60)
	}
	for range steps {
		if err := w.step(ctx); err != nil {
			return err
		}
		r.lose(r.model)
		if r.fs.Stopped() {
			break
		}
	}
	if r.rng.IntN(2) == 0 {
		if err := s.Close(); err == nil && !r.fs.Stopped() {
			w.settled()
		}
	}
	return nil
}

// crash runs one seed in a bubble.
func crash(t *testing.T, seed uint64, m spool.Mutation) (images int, err error) {
	synctest.Test(t, func(t *testing.T) {
		r := newRun(seed, m)
		err = r.all(t.Context())
		images = r.images
		if err != nil {
			err = fmt.Errorf("seed %d: %w\n%s", seed, err, lines(r.log))
		}
	})
	return images, err
}

func lines(log []string) string {
	var b []byte
	for _, l := range log[max(0, len(log)-90):] {
		b = append(append(b, l...), '\n')
	}
	return string(b)
}

func TestCrash(t *testing.T) {
	shards := min(runtime.GOMAXPROCS(0), 8)
	for shard := range shards {
		t.Run(fmt.Sprint("shard ", shard), func(t *testing.T) {
			t.Parallel()
			images := 0
			for seed := crashSeed + uint64(shard); images*shards < crashImages; seed += uint64(shards) {
				n, err := crash(t, seed, 0)
				images += n
				if err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("%d images", images)
		})
	}
}
