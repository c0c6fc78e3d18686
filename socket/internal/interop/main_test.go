//go:build unix

package interop

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

func TestMain(m *testing.M) {
	flag.Parse()
	// Tests that run in parallel here watch connections for seconds in which nothing happens. They wait, not compute,
	// so that there may be more of them at a time than processors.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("100")
	}
	go thisProcess.run()
	code := m.Run()
	close(thisProcess.stop)
	<-thisProcess.done
	pyzmq.StopShared()
	if n := pyzmq.Running(); n != 0 {
		fmt.Fprintf(os.Stderr, "%d pyzmq peers were not stopped\n", n)
		code = 1
	}
	if stacks := leaked(); code == 0 && stacks != "" {
		fmt.Fprintf(os.Stderr, "goroutines leaked:\n\n%s\n", stacks)
		code = 1
	}
	os.Exit(code)
}

// leaked waits up to three seconds for all goroutines but this one to go and returns the stacks of those that stay.
//
// Goroutines of go-zeromq are left out: each of its PUB sockets keeps one for good (pubMWriter.run, which nothing
// stops), and a closed socket with unread messages keeps its readers.
func leaked() (stacks string) {
	for range 300 {
		buf := make([]byte, 1<<20)
		buf = buf[:runtime.Stack(buf, true)]
		var left []string
		for _, g := range strings.Split(string(buf), "\n\n")[1:] {
			if !strings.Contains(g, "github.com/go-zeromq/zmq4.") {
				left = append(left, g)
			}
		}
		if len(left) == 0 {
			return ""
		}
		stacks = strings.Join(left, "\n\n")
		time.Sleep(10 * time.Millisecond)
	}
	return stacks
}
