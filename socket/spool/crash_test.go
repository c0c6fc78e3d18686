package spool_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
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

	mu  sync.Mutex
	log []string // of the life at hand
}

// lives is how often a spool dies in a run.
const lives = 4

func newRun(seed uint64, m spool.Mutation) *run {
	rng := rand.New(rand.NewPCG(seed, 2))
	r := &run{seed: seed, rng: rng, mutation: m, model: newModel()}
	r.opts = spool.Options{SegmentBytes: int64(16+16*rng.IntN(3)) << 10, Overflow: spool.Reject}
	if rng.IntN(4) == 0 {
		r.opts.SyncEvery = 5 * time.Millisecond
	}
	config := memfs.Config{Seed: seed, Grow: rng.IntN(6) == 0}
	switch rng.IntN(6) {
	case 0:
		r.opts.MaxBytes, r.opts.DeadBytes = 10*r.opts.SegmentBytes, -1
	case 1:
		config.Capacity = 10 * r.opts.SegmentBytes
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
	if fs == r.fs {
		opts.Events = func(e spool.Event) { r.note("  event %v", e) }
	}
	return spool.OpenEnv("mem", opts, now, locked(r.rng.Uint64()), r.mutation)
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
	seq, err := s.Append(ctx, content(m.nextID))
	if err == nil {
		err = s.Sync(ctx)
	}
	if err != nil && !errors.Is(err, spool.ErrFull) {
		return fmt.Errorf("after it was opened: %w", err)
	}
	if err := m.done(try{ids: []uint64{m.nextID}}, seq, err); err != nil {
		return err
	}
	if err := s.Close(); err != nil && !errors.Is(err, spool.ErrFull) {
		return fmt.Errorf("close: %w", err)
	}
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
		synctest.Wait()
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
			for seed := crashSeed + uint64(shard); images < crashImages/shards; seed += uint64(shards) {
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

// work is what a life does.
type work struct {
	*run
	s     *spool.Spool
	owed  []func() // what is settled once a commit has succeeded
	later []try    // with SyncEvery: appended and not synced
	first []uint64
}

func (r *run) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

// settled notes that all that was settled before is on disk.
func (w *work) settled() {
	for _, f := range w.owed {
		f()
	}
	w.owed = nil
}

// end notes how a commit ended.
func (w *work) end(what string, t try, first uint64, err error) error {
	w.note("%s -> %d %v", what, first, err)
	if err != nil && (w.strict || !tolerable(err)) {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err == nil {
		w.settled()
	}
	return w.model.done(t, first, err)
}

// tolerable reports whether a call may return an error on a medium that is hurt.
func tolerable(err error) bool {
	for _, may := range []error{spool.ErrUncertain, errStopped, errFault, spool.ErrFull} {
		if errors.Is(err, may) {
			return true
		}
	}
	return false
}

func (w *work) id() uint64 {
	w.model.nextID++
	return w.model.nextID
}

func (w *work) step(ctx context.Context) error {
	switch n := w.rng.IntN(20); {
	case n < 6:
		return w.append(ctx)
	case n < 9:
		return w.tx(ctx)
	case n < 13:
		return w.settle()
	case n < 14:
		return w.take(ctx)
	case n < 15:
		return w.bury(ctx)
	case n < 16:
		return w.revive(ctx)
	case n < 17:
		return w.sync(ctx)
	case n < 18:
		return w.cursor(ctx)
	case n < 19:
		time.Sleep(150 * time.Millisecond) // what was settled is committed by itself
		w.note("sleep")
	default:
		return w.giveBack(ctx)
	}
	return nil
}

func (w *work) append(ctx context.Context) error {
	if w.opts.SyncEvery > 0 {
		return w.appendLater(ctx)
	}
	id := w.id()
	seq, err := w.s.Append(ctx, content(id))
	return w.end(fmt.Sprintf("append %d", id), try{ids: []uint64{id}}, seq, err)
}

// appendLater appends some that share a commit.
func (w *work) appendLater(ctx context.Context) error {
	n := w.rng.IntN(12)
	for range n {
		id := w.id()
		seq, err := w.s.Append(ctx, content(id))
		w.note("append %d for later -> %d %v", id, seq, err)
		synctest.Wait() // what shares a commit is not to depend on who is faster
		if errors.Is(err, spool.ErrFull) {
			w.model.never[id] = true
			continue
		}
		if err != nil {
			return err
		}
		w.later, w.first = append(w.later, try{ids: []uint64{id}}), append(w.first, seq)
	}
	return w.sync(ctx)
}

func (w *work) sync(ctx context.Context) error {
	err := w.s.Sync(ctx)
	later, first := w.later, w.first
	w.later, w.first = nil, nil
	if err != nil || len(later) == 0 {
		for i, t := range later {
			t.maybe = true
			w.note("later %v -> %d %v", t.ids, first[i], err)
			w.model.highest = max(w.model.highest, first[i])
			if err := w.model.done(t, first[i], errStopped); err != nil {
				return err
			}
		}
		return w.end("sync", try{}, 0, err)
	}
	w.note("sync of %d", len(later))
	w.settled()
	w.model.settleTries()
	for i, t := range later {
		if err := w.model.happened(t, first[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) tx(ctx context.Context) error {
	t := try{atomic: true}
	x := w.s.Begin()
	for range w.rng.IntN(12) {
		id := w.id()
		t.ids = append(t.ids, id)
		if err := x.Append(content(id)); err != nil {
			return err
		}
	}
	if w.rng.IntN(2) == 0 {
		t.key, t.value = fmt.Sprint("key ", w.rng.IntN(3)), fmt.Sprint("value ", w.id())
		if err := x.Set(t.key, []byte(t.value)); err != nil {
			return err
		}
	}
	var settled []uint64
	if len(t.ids) > 0 && w.rng.IntN(2) == 0 {
		c, _ := w.s.Cursor("", spool.CursorOptions{})
		settled = w.some(3)
		for _, seq := range settled {
			x.Settle(c, spool.Range{From: seq, To: seq + 1})
			w.model.cursors[""].tried[seq] = true
		}
	}
	first, err := x.Commit(ctx)
	if len(t.ids) == 0 && t.key == "" { // there was nothing to commit
		return err
	}
	if err == nil {
		for _, seq := range settled {
			w.model.cursors[""].told[seq] = true
		}
	}
	return w.end(fmt.Sprintf("tx of %v, settles %v, sets %q", t.ids, settled, t.value), t, first, err)
}

// some returns seqs that "" has not settled, in no order.
func (w *work) some(n int) (seqs []uint64) {
	c := w.model.cursors[""]
	for _, seq := range slices.Sorted(maps.Keys(w.model.bySeq)) {
		if !c.tried[seq] {
			seqs = append(seqs, seq)
		}
	}
	if w.rng.IntN(3) > 0 { // the oldest
		return seqs[:min(len(seqs), n)]
	}
	w.rng.Shuffle(len(seqs), func(i, j int) { seqs[i], seqs[j] = seqs[j], seqs[i] })
	return seqs[:min(len(seqs), n)]
}

func (w *work) settle() error {
	names := slices.Sorted(maps.Keys(w.model.cursors))
	name := names[w.rng.IntN(len(names))]
	c, err := w.s.Cursor(name, spool.CursorOptions{})
	if err != nil {
		return w.end("cursor", try{}, 0, err)
	}
	m := w.model.cursors[name]
	seqs := w.some(1 + w.rng.IntN(30))
	w.note("settle %v of %q", seqs, name)
	for _, seq := range seqs {
		c.Settle(spool.Range{From: seq, To: seq + 1})
		m.tried[seq] = true
	}
	w.owed = append(w.owed, func() {
		for _, seq := range seqs {
			m.told[seq] = true
		}
	})
	return nil
}

func (w *work) take(ctx context.Context) error {
	stream := spool.ID{byte(1 + w.rng.IntN(2))}
	t := try{atomic: true, stream: stream}
	var ms []spool.Message
	next := uint64(1)
	for n := range w.model.taken[stream] {
		next = max(next, n+1)
	}
	for range 1 + w.rng.IntN(5) {
		if next += uint64(w.rng.IntN(2)); next >= 390 {
			return nil
		}
		m := content(w.id())
		m.Origin.Seq = next
		t.ids, t.taken = append(t.ids, w.model.nextID), append(t.taken, next)
		ms = append(ms, m)
		next++
	}
	before := w.s.Stats().Next
	err := w.s.Take(ctx, stream, 1, 0, ms, true)
	if err == nil || errors.Is(err, spool.ErrUncertain) {
		return w.end(fmt.Sprintf("take %v of %v", t.taken, stream[0]), t, before, err)
	}
	return w.end("take", t, 0, err)
}

func (w *work) bury(ctx context.Context) error {
	seqs := w.some(1)
	if len(seqs) == 0 {
		return nil
	}
	c, err := w.s.Cursor("", spool.CursorOptions{})
	if err != nil {
		return w.end("cursor", try{}, 0, err)
	}
	w.model.cursors[""].tried[seqs[0]] = true
	err = c.Bury(ctx, seqs[0], "for a test")
	if err != nil && (w.strict || !errors.Is(err, spool.ErrUncertain)) && !errors.Is(err, errStopped) {
		delete(w.model.cursors[""].tried, seqs[0])
	}
	return w.end(fmt.Sprintf("bury %d", seqs[0]), try{bury: seqs[0]}, 0, err)
}

func (w *work) revive(ctx context.Context) error {
	dead := slices.Sorted(maps.Keys(w.model.dead))
	if len(dead) == 0 {
		return nil
	}
	seq := dead[w.rng.IntN(len(dead))]
	if w.rng.IntN(2) == 0 {
		return w.end(fmt.Sprintf("discard %d", seq), try{undead: seq}, 0, w.s.Discard(ctx, seq))
	}
	id := w.model.dead[seq]
	again, err := w.s.Requeue(ctx, seq)
	return w.end(fmt.Sprintf("requeue %d", seq), try{undead: seq, ids: []uint64{id}, atomic: true}, again, err)
}

// cursor makes a durable subscription, or ends one.
func (w *work) cursor(ctx context.Context) error {
	name := fmt.Sprint("durable ", w.rng.IntN(2))
	if w.model.cursors[name] == nil {
		_, err := w.s.Cursor(name, spool.CursorOptions{Start: spool.Start{At: spool.New}})
		return w.end("make "+name, try{make: name}, 0, err)
	}
	return w.end("drop "+name, try{drop: name}, 0, w.s.DropCursor(ctx, name))
}

// giveBack takes messages and returns them.
func (w *work) giveBack(ctx context.Context) error {
	c, err := w.s.Cursor("", spool.CursorOptions{})
	if err != nil {
		return w.end("cursor", try{}, 0, err)
	}
	ms, err := drain(ctx, c)
	if err != nil {
		return w.end("next", try{}, 0, err)
	}
	w.note("return %d", len(ms))
	for _, m := range ms {
		if w.rng.IntN(4) == 0 && m.Attempts < 10 {
			c.Return(m.Seq, 0, errors.New("for a test"))
		} else {
			c.Release(spool.Range{From: m.Seq, To: m.Seq + 1})
		}
	}
	return nil
}
