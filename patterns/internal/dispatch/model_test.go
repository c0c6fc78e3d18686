package dispatch

import (
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
)

// How many schedules the model check tries; .ci/run has 100,000.
var schedules = flag.Int("schedules", 1000, "random schedules of the model check")

func run(seed uint64, broken rule) []string {
	rnd := rand.New(rand.NewPCG(seed, 13))
	w := newWorld(rnd.IntN, 12+rnd.IntN(20), broken)
	for range 150 + rnd.IntN(150) {
		if w.step(); len(w.faults) > 0 {
			return w.faults
		}
	}
	return w.verdict()
}

// TestModel: whatever workers do, no job is lost, none is over twice, the jobs of a key follow each other, and all else
// that the package says.
func TestModel(t *testing.T) {
	for seed := range uint64(*schedules) {
		if faults := run(seed, 0); len(faults) > 0 {
			t.Fatalf("schedule %d:\n%s", seed, strings.Join(faults, "\n"))
		}
	}
	t.Logf("%d schedules", *schedules)
}

// TestRules: to break any rule breaks a promise, and the model check sees it. Without that it might be green because it
// looks at nothing.
func TestRules(t *testing.T) {
	for _, tt := range []struct {
		name   string
		broken rule
		fault  string
	}{
		{"two jobs of a key are out", keyOneAtATime, "key order"},
		{"behind a job that is over its key stands still", keyGoesOn, "idle"},
		{"anybody can end a job", holderSettles, "by a stranger"},
		{"what a dead worker had is forgotten", lostComesAgain, "idle"},
		{"a stuck worker keeps its jobs for ever", leaseRunsOut, "lost"},
		{"attempts are not counted", attemptsCount, "unflagged"},
		{"attempts never end", attemptsEnd, "too often"},
		{"what comes again waits behind all others", oldestFirst, "not the oldest"},
		{"credit is not looked at", withinCredit, "credit"},
		{"what has run out uses no credit", lapsedUsesCredit, "credit"},
		{"a stuck worker gets more", stuckGetsNone, "stuck"},
		{"a worker that leaves gets more", drainedGetsNone, "astray"},
		{"jobs for one worker go to any", onlyTo, "astray"},
		{"delays are not waited for", delayHolds, "early"},
		{"jobs whose time is up are given out", timeIsUp, "late"},
		{"a unique key is never free again", uniqueUntilOver, "unique"},
		{"credit that is given changes nothing", creditIsUsed, "idle"},
		{"a worker that comes back loses what it has", resumeKeeps, "taken away"},
		{"what it does not have is forgotten", resumeReturns, "idle"},
		{"what a worker has can be cancelled", takenIsNotCancelled, "taken"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(1000) {
				for _, f := range run(seed, tt.broken) {
					if strings.HasPrefix(f, tt.fault+":") {
						t.Logf("schedule %d: %s", seed, f)
						return
					}
				}
			}
			t.Errorf("no schedule shows that: %s", tt.fault)
		})
	}
}

// FuzzMachine lets the input choose what happens.
func FuzzMachine(f *testing.F) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 4 {
		seed := make([]byte, 400)
		for i := range seed {
			seed[i] = byte(rnd.Uint32())
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		at := 0
		w := newWorld(func(n int) int {
			if at >= len(data) {
				return 0
			}
			v := int(data[at])
			if at++; n > 256 && at < len(data) {
				v = v<<8 | int(data[at])
				at++
			}
			return v % n
		}, 30, 0)
		for n := 0; at < len(data) && n < 1000; n++ {
			w.step()
		}
		if faults := w.verdict(); len(faults) > 0 {
			t.Fatal(strings.Join(faults, "\n"))
		}
	})
}
