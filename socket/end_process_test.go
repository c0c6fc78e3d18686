//go:build unix

package socket_test

import (
	"errors"
	"strconv"
	"syscall"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// A receiver that is stopped for longer than the sender bears silence finds all that it was sent when it goes on:
// what had been delivered on the connection that was given up, and the rest on the next one. Nothing is lost, nothing
// comes twice.
func TestStoppedReceiverGetsAll(t *testing.T) {
	byWire(t, func(t *testing.T, endpoint string) {
		push := closing(t, socket.NewPush(impatient(), socket.WithSendHWM(0)))
		at := bind(t, push, endpoint)
		c := startChild(t, "pull", at, "stopped")
		waitPeers(t, push, 1)
		must(t, c.cmd.Process.Signal(syscall.SIGSTOP))
		const count = 30_000
		sent := make(chan error, 1)
		go func() { // it waits for the receiver to come back
			for n := range count {
				if err := push.Send(t.Context(), socket.NewMsg(paddedNumber(n))); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		eventWhere(t, push, "the silent peer is given up", func(ev socket.Event) bool {
			return ev.Kind == socket.PeerDown && errors.Is(ev.Err, socket.ErrHeartbeat)
		})
		must(t, c.cmd.Process.Signal(syscall.SIGCONT))
		c.command(t, count)
		must(t, <-sent)
		got := make(map[string]bool, count)
		for range count {
			line, ok := c.readLine()
			if !ok || got[line] {
				t.Fatalf("after %d of %d messages the child says %.20q again, or nothing: %v; %+v", len(got), count, line, ok,
					push.Stats())
			}
			got[line] = true
		}
		for n := range count {
			if !got[string(paddedNumber(n))] {
				t.Fatalf("message %s is lost", strconv.Itoa(n))
			}
		}
		c.finish(t)
	})
}
