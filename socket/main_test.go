package socket_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestMain fails the run when a goroutine outlives the tests, and shows all goroutines when anything failed: what hangs
// on is often the cause.
func TestMain(m *testing.M) {
	makeReserve()
	before := runtime.NumGoroutine()
	code := m.Run()
	// The fuzzing engine keeps goroutines of its own; -fuzz is not set in plain runs of the seeds.
	fuzzing := flag.Lookup("test.fuzz").Value.String() != ""
	left, fell := settled(before)
	switch {
	case fuzzing:
	case !fell && code == 0:
		fmt.Fprintf(os.Stderr, "leak: %d goroutines before the tests, %d after\n%s\n", before, left, stacks())
		code = 1
	case code != 0:
		fmt.Fprintf(os.Stderr, "failed; %d goroutines before the tests, %d after\n%s\n", before, left, stacks())
	}
	os.Exit(code)
}

// makeReserve brings the reserve of package zmtp about, by receiving much, before any test looks at the heap: it
// counts as in use.
func makeReserve() {
	const size = 64 << 10
	frame := append(zmtp.AppendHeader(nil, 0, size), make([]byte, size)...)
	r := zmtp.NewReader(bytes.NewReader(bytes.Repeat(frame, 300)), nil, zmtp.Limits{})
	for {
		if _, err := r.Next(nil); err != nil {
			return
		}
	}
}

// settled gives goroutines that are just ending three seconds to bring the count down to what it was.
func settled(before int) (left int, ok bool) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(3 * time.Second); ; <-tick.C {
		left = runtime.NumGoroutine()
		if left <= before {
			return left, true
		}
		if time.Now().After(deadline) {
			return left, false
		}
	}
}

func stacks() []byte {
	buf := make([]byte, 1<<20)
	return buf[:runtime.Stack(buf, true)]
}
