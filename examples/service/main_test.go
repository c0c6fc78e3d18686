package main

import (
	"os"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/examples/internal/clitest"
)

func TestMain(m *testing.M) { clitest.Main(m, main) }

// TestReplicaIsKilled: of three replicas that are found by name one is killed under load and one is told to end; no
// call fails, and all three have answered.
func TestReplicaIsKilled(t *testing.T) {
	start := func(args ...string) *clitest.Process {
		return clitest.Start(t, append([]string{"--interface", clitest.Loopback(t)}, args...)...)
	}
	group := "test-" + discovery.NewID().String()
	var replicas []*clitest.Process
	for range 3 {
		r := start("--group", group, "serve")
		r.Says("serving as ")
		replicas = append(replicas, r)
	}
	caller := start("--group", group, "--replicas", "3", "--calls", "12000", "call")
	caller.Says("3000 calls")
	replicas[0].Dies()
	caller.Says("6000 calls")
	replicas[1].Signal(os.Interrupt)
	replicas[1].Ends()
	caller.Says("12000 calls, 0 failed")
	caller.Ends()
	replicas[2].Signal(os.Interrupt)
	replicas[2].Ends()
	answered := 0
	for _, line := range caller.Lines() {
		if strings.Contains(line, " has answered ") {
			answered++
		}
	}
	if answered != 3 {
		t.Errorf("%d replicas have answered: %q", answered, caller.Lines())
	}
}

// TestUsage: without a word of what to do it says what there is, and fails.
func TestUsage(t *testing.T) {
	p := clitest.Start(t)
	if err := p.Fails(); !strings.Contains(err, "say serve or call") {
		t.Errorf("it says %q", err)
	}
}
