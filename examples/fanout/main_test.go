package main

import (
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/examples/internal/clitest"
)

func TestMain(m *testing.M) { clitest.Main(m, main) }

// TestTwentySubscribers: twenty processes find the publisher by its name, and each gets all that matches its pattern,
// in order; some are there before the publisher and some come after it.
func TestTwentySubscribers(t *testing.T) {
	group := "test-" + discovery.NewID().String()
	start := func(args ...string) *clitest.Process {
		return clitest.Start(t, append([]string{"--interface", clitest.Loopback(t), "--group", group}, args...)...)
	}
	patterns := []string{"ticks.>", "ticks.even", "ticks.*", "ticks.odd"}
	var subscribers []*clitest.Process
	subscribe := func() {
		subscribers = append(subscribers, start("subscribe", patterns[len(subscribers)%4]))
	}
	for range 10 {
		subscribe()
	}
	for _, s := range subscribers {
		s.Says("waiting")
	}
	publisher := start("--subscribers", "20", "--ticks", "600", "publish")
	publisher.Says("waiting for 20")
	for range 10 {
		subscribe()
	}
	publisher.Says("published 600")
	publisher.Ends()
	for i, s := range subscribers {
		want := "received 600, missed 0"
		if p := patterns[i%4]; strings.HasSuffix(p, "even") || strings.HasSuffix(p, "odd") {
			want = "received 300, missed 0"
		}
		if got := s.Says("received"); got != want {
			t.Errorf("of %s %s, want %s", patterns[i%4], got, want)
		}
		s.Ends()
	}
}
