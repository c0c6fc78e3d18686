package socket_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// stuckListener accepts connections whose Write, once stuck is set, returns only when released is closed: Close does
// not end it.
type stuckListener struct {
	net.Listener
	stuck    atomic.Bool
	writes   chan struct{} // gets one value for each Write that is stuck
	released chan struct{}
}

func (l *stuckListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return stuckConn{conn, l}, nil
}

type stuckConn struct {
	net.Conn
	of *stuckListener
}

func (c stuckConn) Write(b []byte) (int, error) {
	if c.of.stuck.Load() {
		c.of.writes <- struct{}{}
		<-c.of.released
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

// TestShutdownNamesWhatIsStillQueued: a connection that does not end even when it is closed has messages queued when
// the time of Shutdown is up. They are not delivered, so they count as dropped and the result says how many there are.
func TestShutdownNamesWhatIsStillQueued(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ln := &stuckListener{Listener: inner, writes: make(chan struct{}, 1), released: make(chan struct{})}
	push := socket.NewPush(socket.WithHeartbeat(0, 0, 0))
	at, err := push.BindListener(ln)
	must(t, err)
	rawPeer(t, at, "PULL")
	waitPeers(t, push, 1)
	ln.stuck.Store(true)
	for range 3 {
		send(t, push, "12345")
	}
	<-ln.writes
	ctx, cancel := contextEnded()
	defer cancel()
	err = push.Shutdown(ctx)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "3 messages (15 bytes) not delivered") {
		t.Errorf("Shutdown: %v, want it to name 3 messages of 15 bytes", err)
	}
	balanced(t, push)
	if s := push.Stats(); s.Dropped[socket.SocketClosed].Messages != 3 || s.Queued.Messages != 0 {
		t.Errorf("ledger %v", s)
	}
	close(ln.released)
}
