package spool_test

import (
	"testing"
	"testing/synctest"
)

// A seed gives the same run again: the same operations, also those that only look, in the same order and with the same
// end.
func TestCrashIsReproducible(t *testing.T) {
	seeds := []uint64{50253} // in which what was returned is in a write that is torn
	for n := range uint64(10) {
		seeds = append(seeds, crashSeed+n)
	}
	for _, seed := range seeds {
		was := operations(t, seed)
		for range 2 {
			now := operations(t, seed)
			for i := range max(len(was), len(now)) {
				if i == len(was) || i == len(now) || was[i] != now[i] {
					t.Fatalf("seed %d gives another run from operation %d of %d and %d on:\n%s\nwas\n%s", seed, i,
						len(now), len(was), lines(now[max(0, i-5):min(i+3, len(now))]), lines(was[max(0, i-5):min(i+3, len(was))]))
				}
			}
		}
	}
}

// Seeds that have failed once.
func TestCrashOfSeedsThatFailed(t *testing.T) {
	t.Parallel()
	for what, seed := range map[string]uint64{
		"of a purge that was torn some cursors know, of messages that are uncertain themselves": 436,
		"the seq of a message that was uncertain, purged and never there is given anew":         1178,
	} {
		if _, err := crash(t, seed, 0); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// operations runs all lives of a seed.
func operations(t *testing.T, seed uint64) (all []string) {
	synctest.Test(t, func(t *testing.T) {
		r := newTracedRun(seed, 0, true)
		for range lives {
			if err := r.live(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, op := range r.fs.Trace() {
				all = append(all, op.String())
			}
			if err := r.die(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
	return all
}
