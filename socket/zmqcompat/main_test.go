package zmqcompat_test

import (
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails the run when a goroutine of ours outlives the tests.
func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // where the original's proxy writes what it could not forward as the sockets closed
	code := m.Run()
	if stacks := leaked(); code == 0 && stacks != "" {
		fmt.Fprintf(os.Stderr, "goroutines leaked:\n\n%s\n", stacks)
		code = 1
	}
	os.Exit(code)
}

// leaked gives goroutines that are just ending three seconds to go and returns the stacks of those that stay. Those of
// go-zeromq alone are left out: each of its PUB sockets keeps one for good.
func leaked() (stacks string) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(3 * time.Second); ; <-tick.C {
		buf := make([]byte, 1<<20)
		buf = buf[:runtime.Stack(buf, true)]
		var left []string
		for _, g := range strings.Split(string(buf), "\n\n")[1:] {
			if !strings.Contains(g, "github.com/go-zeromq/zmq4.") || strings.Contains(g, "yodel-mq") {
				left = append(left, g)
			}
		}
		stacks = strings.Join(left, "\n\n")
		if stacks == "" || time.Now().After(deadline) {
			return stacks
		}
	}
}
