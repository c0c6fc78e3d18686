package socket

import (
	"net"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestRivals: of two processes that receive by one name the one that came last is served, and the other is refused for
// as long as that is there; however many there are, nothing of them stays but the last few that were taken over from.
func TestRivals(t *testing.T) {
	push := NewPush(WithReliable(), WithReassign(-1))
	defer push.Close()
	ln := newPipeListener()
	if _, err := push.BindListener(ln); err != nil {
		t.Fatal(err)
	}
	come := func(process byte, want string) net.Conn {
		t.Helper()
		conn, got := rivalComes(t, ln.dial(), process)
		if got != want {
			t.Fatalf("process %d hears %s, want %s", process, got, want)
		}
		if want == zmtp.CommandOpen {
			push.awaitPeer(t, process)
		}
		return conn
	}
	first := come(1, zmtp.CommandOpen)
	defer first.Close()
	second := come(2, zmtp.CommandOpen)
	for range 3 {
		_ = come(1, "ERROR").Close()
	}
	second.Close()
	push.awaitPeer(t, 0)
	defer come(1, zmtp.CommandOpen).Close()
	for process := byte(3); process < 100; process++ {
		defer come(process, zmtp.CommandOpen).Close()
	}
	_ = come(98, "ERROR").Close()
	push.out.mu.Lock()
	defer push.out.mu.Unlock()
	if n := len(push.out.sessions); n != 1 {
		t.Errorf("there are %d sessions, want that of the name", n)
	}
	for _, s := range push.out.sessions {
		if n := len(s.had.losers); n != maxLosers {
			t.Errorf("%d are remembered that were taken over from, want %d", n, maxLosers)
		}
	}
}

// rivalComes connects as a process that receives by the name that all of them have, and returns what it hears first.
func rivalComes(t *testing.T, conn net.Conn, process byte) (net.Conn, string) {
	t.Helper()
	yodel := zmtp.Yodel{Features: zmtp.FeatureReliable, Node: [16]byte{process}, Receiver: receiverID("one")}
	sess, err := zmtp.Handshake(t.Context(), conn, zmtp.Config{
		SocketType: zmtp.Pull,
		Properties: zmtp.Metadata{{Name: zmtp.PropertyYodel, Value: zmtp.AppendYodel(nil, &yodel)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var heard commandCatcher
	if _, err := zmtp.NewReader(conn, sess.Rest, zmtp.Limits{MaxCommand: 4096}).Next(&heard); heard == "" {
		t.Fatal(err)
	}
	if heard == zmtp.CommandOpen {
		o := zmtp.Opened{Receiver: yodel.Receiver, Next: 1, Floor: 1}
		c := o.Commands()[0]
		if _, err := conn.Write(zmtp.AppendCommand(nil, c.Name, c.Data)); err != nil {
			t.Fatal(err)
		}
	}
	return conn, string(heard)
}

// awaitPeer waits until the only peer is that process; 0 for none.
func (c *core) awaitPeer(t *testing.T, process byte) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		links := c.snapshot()
		if len(links) == 0 && process == 0 || len(links) == 1 && links[0].peer.Node[0] == process && process > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("there are %d peers, and process %d is not the only one", len(links), process)
		}
	}
}
