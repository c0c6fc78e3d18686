package sockettest_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/yodel-mq/yodel/socket/internal/pyzmq"
)

// TestMain fails the run when a goroutine or a process outlives the tests. In a process that is to serve sockets it
// does that instead.
func TestMain(m *testing.M) {
	if side := os.Getenv(childEnv); side != "" {
		serve(side, os.Stdin, os.Stdout)
	}
	flag.Parse()
	// The behaviours wait more than they compute, so that more pairings may run at a time than there are processors.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("10")
	}
	goleak.VerifyTestMain(counted{m})
}

// counted runs the tests, and fails when a process is left.
type counted struct{ m *testing.M }

func (c counted) Run() int {
	code := c.m.Run()
	if n := pyzmq.Running(); n != 0 {
		fmt.Fprintf(os.Stderr, "%d pyzmq processes were not stopped\n", n)
		code = 1
	}
	if n := processes.Load(); n != 0 {
		fmt.Fprintf(os.Stderr, "%d processes were not stopped\n", n)
		code = 1
	}
	return code
}
