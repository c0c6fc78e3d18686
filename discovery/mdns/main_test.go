package mdns

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"
)

// TestMain fails the run when a goroutine outlives the tests.
func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		os.Exit(child(what))
	}
	before := runtime.NumGoroutine()
	code := m.Run()
	// A fuzzing run leaves the testing package's own goroutines behind.
	if code == 0 && flag.Lookup("test.fuzz").Value.String() == "" && leaked(before) {
		fmt.Fprintln(os.Stderr, "goroutines leaked:")
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
		code = 1
	}
	os.Exit(code)
}

// leaked waits up to three seconds for the goroutines to go.
func leaked(before int) bool {
	for range 300 {
		if runtime.NumGoroutine() <= before {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true
}
