package socket_test

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"testing"

	"go.uber.org/goleak"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

func TestMain(m *testing.M) {
	makeReserve()
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
