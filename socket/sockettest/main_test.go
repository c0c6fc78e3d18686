package sockettest_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

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
	code := m.Run()
	if n := pyzmq.Running(); n != 0 {
		fmt.Fprintf(os.Stderr, "%d pyzmq processes were not stopped\n", n)
		code = 1
	}
	if n := processes.Load(); n != 0 {
		fmt.Fprintf(os.Stderr, "%d processes were not stopped\n", n)
		code = 1
	}
	if stacks := leaked(); code == 0 && stacks != "" {
		fmt.Fprintf(os.Stderr, "goroutines leaked:\n\n%s\n", stacks)
		code = 1
	}
	os.Exit(code)
}

// leaked waits up to three seconds for all goroutines but this one to go and returns the stacks of those that stay.
func leaked() (stacks string) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 300 {
		buf := make([]byte, 4<<20)
		buf = buf[:runtime.Stack(buf, true)]
		_, others, found := strings.Cut(string(buf), "\n\n")
		if !found {
			return ""
		}
		stacks = others
		<-tick.C
	}
	return stacks
}
