package spool_test

import (
	"fmt"
	"hash/fnv"
	"testing"
	"testing/synctest"
)

// A seed gives the same run again.
func TestCrashIsReproducible(t *testing.T) {
	for seed := crashSeed; seed < crashSeed+10; seed++ {
		var was string
		for range 3 {
			var now string
			synctest.Test(t, func(t *testing.T) {
				r := newRun(seed, 0)
				sum := fnv.New64()
				for range lives {
					if err := r.live(t.Context()); err != nil {
						t.Fatal(err)
					}
					_, _ = fmt.Fprint(sum, r.fs.Changed(), r.model.highest, r.model.nextID)
					if err := r.die(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				now = fmt.Sprintf("%x", sum.Sum(nil))
			})
			if was != "" && was != now {
				t.Fatalf("seed %d gives another run", seed)
			}
			was = now
		}
	}
}
