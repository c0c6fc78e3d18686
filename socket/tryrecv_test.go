package socket_test

import (
	"errors"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// TestTryRecv: on every role that receives, TryRecv returns what is there, and says when there is nothing or the socket
// is closed.
func TestTryRecv(t *testing.T) {
	for _, c := range []struct {
		name string
		make func() (receives socket.Receiver, sends socket.Sender)
		sent []string
		want []string // empty: not looked at
	}{
		{
			"PULL", func() (socket.Receiver, socket.Sender) { return socket.NewPull(), socket.NewPush() },
			[]string{"a", "b"},
			[]string{"a", "b"},
		},
		{"SUB", func() (socket.Receiver, socket.Sender) {
			return socket.NewSub(socket.WithSubscription("a")), socket.NewPub()
		}, []string{"a", "b"}, []string{"a", "b"}},
		{"XSUB", func() (socket.Receiver, socket.Sender) {
			return socket.NewXSub(socket.WithSubscription("a")), socket.NewXPub()
		}, []string{"a", "b"}, []string{"a", "b"}},
		{
			"XPUB", func() (socket.Receiver, socket.Sender) { return socket.NewXPub(), socket.NewXSub() },
			[]string{"a", "b"},
			[]string{"a", "b"},
		},
		{
			"PAIR", func() (socket.Receiver, socket.Sender) { return socket.NewPair(), socket.NewPair() },
			[]string{"a", "b"},
			[]string{"a", "b"},
		},
		{
			"DEALER", func() (socket.Receiver, socket.Sender) { return socket.NewDealer(), socket.NewDealer() },
			[]string{"a", "b"},
			[]string{"a", "b"},
		},
		{"ROUTER", func() (socket.Receiver, socket.Sender) {
			return socket.NewRouter(), socket.NewDealer(socket.WithIdentity("me"))
		}, []string{"a", "b"}, []string{"me", "a", "b"}},
		{
			"REP", func() (socket.Receiver, socket.Sender) { return socket.NewRep(), socket.NewReq() },
			[]string{"a", "b"},
			[]string{"a", "b"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				to, from := c.make()
				closing(t, to)
				closing(t, from)
				link(t, to, from, endpoint)
				nothingYet(t, to)
				if pub, ok := from.(interface{ Topics() []string }); ok && c.name != "XPUB" {
					waitUntil(t, "the subscription is there", func() bool { return len(pub.Topics()) == 1 })
				}
				send(t, from, c.sent...)
				arrives(t, to, c.want...)
				if rep, ok := to.(*socket.Rep); ok {
					if _, err := rep.TryRecv(); !errors.Is(err, socket.ErrState) {
						t.Errorf("before the reply: %v, want ErrState", err)
					}
					send(t, rep, "reply")
					arrives(t, from.(*socket.Req), "reply")
				}
				nothingYet(t, to)
				must(t, to.Close())
				if m, err := to.TryRecv(); !errors.Is(err, socket.ErrClosed) {
					t.Errorf("on a closed socket: %s, %v; want ErrClosed", m, err)
				}
			})
		})
	}
	t.Run("REQ without a request", func(t *testing.T) {
		req := closing(t, socket.NewReq())
		if _, err := req.TryRecv(); !errors.Is(err, socket.ErrState) {
			t.Errorf("%v, want ErrState", err)
		}
	})
}

// nothingYet checks that TryRecv finds nothing and says so.
func nothingYet(t *testing.T, s socket.Receiver) {
	t.Helper()
	m, err := s.TryRecv()
	if !errors.Is(err, socket.ErrWouldBlock) {
		t.Fatalf("%s, %v; want ErrWouldBlock", m, err)
	}
	if want := "socket: recv: no message has come"; err.Error() != want {
		t.Errorf("the error reads %q, want %q", err, want)
	}
}

// arrives looks by TryRecv alone until a message is there.
func arrives(t *testing.T, s socket.Receiver, frames ...string) {
	t.Helper()
	waitUntil(t, "a message is there", func() bool {
		m, err := s.TryRecv()
		if errors.Is(err, socket.ErrWouldBlock) {
			return false
		}
		must(t, err)
		if got, want := m.String(), socket.Text(frames...).String(); got != want {
			t.Fatalf("received %s, want %s", got, want)
		}
		return true
	})
}

// TestTryRecvInVainAllocatesNothing, as it may be called in a loop.
func TestTryRecvInVainAllocatesNothing(t *testing.T) {
	pull := closing(t, socket.NewPull())
	if n := testing.AllocsPerRun(100, func() { _, _ = pull.TryRecv() }); n != 0 {
		t.Errorf("%v allocations each time", n)
	}
}
