package socket_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// A peer over ipc that is no Yodel may throw away what it has not read when the other end is closed, as libzmq does: a
// Shutdown without a deadline returns only once it has read everything.
func TestShutdownUntilAForeignPeerHasRead(t *testing.T) {
	const count, size = 200, 1000
	push := closing(t, socket.NewPush())
	at := bind(t, push, "ipc://"+t.TempDir()+"/s")
	conn, err := net.Dial("unix", strings.TrimPrefix(at, "ipc://"))
	must(t, err)
	r := newRaw(t, conn)
	r.shake("PULL")
	must(t, push.WaitPeers(within(t), 1))
	for n := range count {
		must(t, push.Send(within(t), numbered(n, size)))
	}
	over := inBackground(func() error { return push.Shutdown(t.Context()) })
	read := 0
	for b := make([]byte, 500); read < count*size; {
		select {
		case err := <-over:
			t.Fatalf("Shutdown returned %v when %d of %d bytes were read", err, read, count*size)
		case <-time.After(100 * time.Microsecond):
		}
		n, err := r.Read(b)
		must(t, err)
		read += n
	}
	go drain(r)
	must(t, <-over)
}
