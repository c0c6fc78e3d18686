package socket_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(shown{m})
}

// shown runs the tests and, when anything failed, shows all goroutines: what hangs on is often the cause.
type shown struct{ m *testing.M }

func (s shown) Run() int {
	code := s.m.Run()
	if code != 0 {
		stacks := make([]byte, 1<<20)
		fmt.Fprintf(os.Stderr, "failed; the goroutines now:\n%s\n", stacks[:runtime.Stack(stacks, true)])
	}
	return code
}
