package spool_test

import (
	"testing"
	"testing/synctest"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

var crashPairs = setting("SPOOL_PAIRS", 150) // how many of the pairs of operations are failed; 0: all

// fixed runs the same life again and again, hurt in another way each time, and checks what it leaves.
func fixed(t *testing.T, strict bool, hurt func(*memfs.FS), policies ...memfs.Policy) (changes int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRun(crashSeed, 0)
		r.opts = spool.Options{SegmentBytes: 16 << 10, Overflow: spool.Reject}
		r.fs = memfs.New(memfs.Config{Seed: 1})
		r.steps = 70
		r.hurt, r.strict = hurt, strict
		ctx := t.Context()
		err := r.live(ctx)
		changes = r.fs.Changed()
		if err == nil {
			err = r.die(ctx, policies...)
		}
		if err == nil { // and once more, from what is left
			r.hurt = func(*memfs.FS) {}
			r.steps, r.strict = 10, true
			if err = r.live(ctx); err == nil {
				err = r.die(ctx, memfs.Synced)
			}
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, lines(r.log))
		}
	})
	return changes
}

func TestCutAtEveryOperation(t *testing.T) {
	total := fixed(t, true, func(*memfs.FS) {}, memfs.Synced)
	for n := 1; n <= total; n++ {
		fixed(t, false, func(fs *memfs.FS) { fs.StopAt(n) }, memfs.Policies[:]...)
		if t.Failed() {
			t.Fatalf("cut at %d of %d", n, total)
		}
	}
	t.Logf("%d operations", total)
}

// Whichever one operation fails, nobody who uses an open spool gets an error.
func TestEveryOperationFailsOnce(t *testing.T) {
	total := fixed(t, true, func(*memfs.FS) {}, memfs.Synced)
	for n := 1; n <= total; n++ {
		fixed(t, true, func(fs *memfs.FS) { fs.Fail(memfs.Fault{On: memfs.Changes, Nth: n}) }, memfs.Policies[:]...)
		if t.Failed() {
			t.Fatalf("failed: %d of %d", n, total)
		}
	}
}

func TestEveryPairOfOperationsFails(t *testing.T) {
	total := fixed(t, true, func(*memfs.FS) {}, memfs.Synced)
	pairs := total * (total - 1) / 2
	step := 1
	if crashPairs > 0 {
		step = max(1, pairs/crashPairs)
	}
	at := 0
	for a := 1; a <= total; a++ {
		for b := a + 1; b <= total; b++ {
			if at++; at%step != 0 {
				continue
			}
			fixed(t, false, func(fs *memfs.FS) {
				fs.Fail(memfs.Fault{On: memfs.Changes, Nth: a}, memfs.Fault{On: memfs.Changes, Nth: b})
			}, memfs.Policies[at/step%len(memfs.Policies)])
			if t.Failed() {
				t.Fatalf("failed: %d and %d of %d", a, b, total)
			}
		}
	}
	t.Logf("%d of %d pairs", at/step, pairs)
}
