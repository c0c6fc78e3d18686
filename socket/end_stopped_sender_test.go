//go:build unix

package socket_test

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// A sender that is stopped for longer than the receiver bears silence loses nothing by that: what it had delivered is
// received, and so is what it writes when it goes on, before it has seen that it was given up.
func TestStoppedSenderLosesNothing(t *testing.T) {
	byWire(t, func(t *testing.T, endpoint string) {
		const stops = 8
		pull := closing(t, socket.NewPull(impatient(), socket.WithRecvHWM(0)))
		c := startChild(t, "push", bind(t, pull, endpoint))
		waitPeers(t, pull, 1)
		for stop := range stops {
			must(t, c.cmd.Process.Signal(syscall.SIGSTOP))
			waitUntil(t, "the silent peer is given up", func() bool { return len(pull.Stats().Peers) == 0 })
			if stop%2 == 0 { // once it can be known to the peer, and once at about the same time
				time.Sleep(50 * time.Millisecond)
			}
			must(t, c.cmd.Process.Signal(syscall.SIGCONT))
			waitPeers(t, pull, 1)
		}
		c.command(t, "end")
		line, ok := c.readLine()
		if !ok {
			t.Fatal("the child has ended")
		}
		sent, delivered, _ := strings.Cut(line, " ")
		if delivered != sent {
			t.Errorf("the sender says that %s of %s messages are delivered", delivered, sent)
		}
		count, err := strconv.Atoi(sent)
		must(t, err)
		got := make(map[string]bool, count)
		for range count {
			m, err := pull.Recv(within(t))
			if err != nil {
				t.Fatalf("%d of %d messages are lost: %v; %+v", count-len(got), count, err, pull.Stats())
			}
			if body := string(m.Frames[0]); got[body] {
				t.Fatalf("%.6s came twice", body)
			} else {
				got[body] = true
			}
		}
		c.finish(t)
	})
}
