package prefix

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	// The fuzzing engine keeps goroutines of its own; -fuzz is not set in plain runs of the seeds.
	if code == 0 && flag.Lookup("test.fuzz").Value.String() == "" && leaked(before) {
		fmt.Fprintln(os.Stderr, "goroutines leaked:")
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
		code = 1
	}
	os.Exit(code)
}

// leaked gives goroutines that are just ending three seconds.
func leaked(before int) bool {
	for range 300 {
		if runtime.NumGoroutine() <= before {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true
}
