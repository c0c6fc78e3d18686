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

// TestMain fails the run when a goroutine or a process of pyzmq outlives the tests.
func TestMain(m *testing.M) {
	flag.Parse()
	// The behaviours wait more than they compute, so that more pairings may run at a time than there are processors.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("6")
	}
	code := m.Run()
	pyzmq.StopShared()
	if n := pyzmq.Running(); n != 0 {
		fmt.Fprintf(os.Stderr, "%d pyzmq processes were not stopped\n", n)
		code = 1
	}
	if stacks := leaked(); code == 0 && stacks != "" {
		fmt.Fprintf(os.Stderr, "goroutines leaked:\n\n%s\n", stacks)
		code = 1
	}
	os.Exit(code)
}

// leaked waits up to three seconds for all goroutines but this one to go and returns the stacks of those that stay. Those
// of go-zeromq are left out: it does not end all of its own.
func leaked() (stacks string) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 300 {
		buf := make([]byte, 4<<20)
		buf = buf[:runtime.Stack(buf, true)]
		var left []string
		for _, g := range strings.Split(string(buf), "\n\n")[1:] {
			if !strings.Contains(g, "github.com/go-zeromq/zmq4") {
				left = append(left, g)
			}
		}
		if len(left) == 0 {
			return ""
		}
		stacks = strings.Join(left, "\n\n")
		<-tick.C
	}
	return stacks
}
