package main

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestLingerUntilRead: messages that have left are not done before they are read; what is not known at the end is told.
func TestLingerUntilRead(t *testing.T) {
	t.Parallel()
	lines := strings.Repeat("x\n", 1000) // a kernel takes them all
	const unread = "peers may not have read all that was delivered to them"
	// begin starts a sender with a peer that does not read by itself.
	begin := func(t *testing.T, args ...string) (push *tool, peer net.Conn) {
		t.Helper()
		push = startInput(t, lines, append([]string{"push", "--bind", anyPort, "--confirm"}, args...)...)
		peer = rawPeer(t, push.endpoint(), zmtp.Config{SocketType: zmtp.Pull})
		push.stdout.waitFor(t, func(s string) bool { return len(s) == len(lines) }) // all accepted
		return push, peer
	}
	t.Run("read late", func(t *testing.T) {
		push, peer := begin(t)
		if _, err := io.Copy(io.Discard, peer); err != nil { // to the end, which push says when all has left
			t.Error(err)
		}
		peer.Close()
		push.exit(0)
		if s := push.stderr.String(); strings.Contains(s, unread) {
			t.Errorf("stderr %q", s)
		}
	})
	t.Run("not read", func(t *testing.T) {
		push, _ := begin(t, "--linger", "1s")
		push.exit(1)
		push.says(unread)
		push.says("--linger passed")
	})
	t.Run("not read, and interrupted", func(t *testing.T) {
		push, _ := begin(t)
		push.stop()
		push.exit(0) // they have left
		push.says(unread)
	})
	t.Run("not read, and no patience", func(t *testing.T) {
		push, _ := begin(t, "--timeout", "1s")
		push.exit(1)
		push.says(unread)
		push.says("--timeout passed")
	})
}
