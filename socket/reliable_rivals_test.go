package socket

import (
	"net"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestRivals: of two that receive by one name, in two processes or in one, the one that came last is served, and the
// other is refused for as long as that is there; however many there are, nothing of them stays but the last few that
// were taken over from.
func TestRivals(t *testing.T) {
	for name, who := range map[string]func(n byte) zmtp.Yodel{
		"of processes":   func(n byte) zmtp.Yodel { return zmtp.Yodel{Node: [16]byte{n}} },
		"of one process": func(n byte) zmtp.Yodel { return zmtp.Yodel{Node: [16]byte{1}, Endpoint: [8]byte{n}} },
	} {
		t.Run(name, func(t *testing.T) { rivalsOf(t, who) })
	}
}

func rivalsOf(t *testing.T, who func(n byte) zmtp.Yodel) {
	push := NewPush(WithReliable(), WithReassign(-1))
	defer push.Close()
	ln := newPipeListener()
	if _, err := push.BindListener(ln); err != nil {
		t.Fatal(err)
	}
	come := func(n byte, want string) net.Conn {
		t.Helper()
		conn, got := rivalComes(t, ln.dial(), who(n))
		if got != want {
			t.Fatalf("number %d hears %s, want %s", n, got, want)
		}
		if want == zmtp.CommandOpen {
			y := who(n)
			push.awaitPeer(t, &y)
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
	push.awaitPeer(t, nil)
	defer come(1, zmtp.CommandOpen).Close()
	for n := byte(3); n < 100; n++ {
		defer come(n, zmtp.CommandOpen).Close()
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

// rivalComes connects as one that receives by the name that all of them have, and returns what it hears first.
func rivalComes(t *testing.T, conn net.Conn, yodel zmtp.Yodel) (net.Conn, string) {
	t.Helper()
	yodel.Features, yodel.Receiver = zmtp.FeatureReliable, receiverID("one")
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

// awaitPeer waits until the only peer is one; nil for none.
func (c *core) awaitPeer(t *testing.T, one *zmtp.Yodel) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		links := c.snapshot()
		switch {
		case one == nil && len(links) == 0:
			return
		case one == nil || len(links) != 1:
		case links[0].peer.Node == one.Node && links[0].peer.by == one.Endpoint:
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("there are %d peers, and it is not %v alone", len(links), one)
		}
	}
}
