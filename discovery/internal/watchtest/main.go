package watchtest

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"
)

// Main is a TestMain that fails the run when a goroutine outlives the tests by more than grace.
func Main(m *testing.M, grace time.Duration) {
	before := runtime.NumGoroutine()
	code := m.Run()
	// The fuzzing engine keeps goroutines of its own; -fuzz is not set in plain runs of the seeds.
	if code == 0 && flag.Lookup("test.fuzz").Value.String() == "" && leaked(before, grace) {
		fmt.Fprintln(os.Stderr, "goroutines leaked:")
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
		code = 1
	}
	os.Exit(code)
}

func leaked(before int, grace time.Duration) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(grace); time.Now().Before(end); <-tick.C {
		if runtime.NumGoroutine() <= before {
			return false
		}
	}
	return true
}
