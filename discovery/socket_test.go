package discovery

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/discovery/internal/ifaces"
	"github.com/yodel-mq/yodel/socket"
)

// The sockets of this module have all that is asked of sockets.
var (
	_ Announceable = socket.Socket(nil)
	_ Connector    = socket.Socket(nil)
	_ connWaiter   = socket.Socket(nil)
)

func TestRealSockets(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	e := newEther(t)
	node := func() *Node { return NewNode(port{e, home[0].Addrs[0].Addr()}, withWorld(here, ifaces.System)) }
	server, client := node(), node()
	pull, push := socket.NewPull(), socket.NewPush()
	defer pull.Close()
	defer push.Close()
	must(t, client.Connect("work", push))
	must(t, server.Announce(ctx, "work", pull))
	const text = "found"
	at, err := pull.Bind(ctx, "tcp://127.0.0.1:0") // after Announce: the node sees it
	must(t, err)
	must(t, push.WaitPeers(ctx, 1))
	must(t, push.Send(ctx, socket.Text(text)))
	m, err := pull.Recv(ctx)
	must(t, err)
	if string(m.Bytes()) != text {
		t.Errorf("received %q", m.Bytes())
	}
	// The same node has another endpoint: the connection ends with the first, and goes to the second.
	must(t, pull.Unbind(at))
	must(t, push.WaitDisconnected(ctx, at))
	at, err = pull.Bind(ctx, "tcp://127.0.0.1:0")
	must(t, err)
	must(t, push.WaitPeers(ctx, 1))
	must(t, push.WaitConnected(ctx, at))
	must(t, client.Shutdown(ctx))
	if err := push.WaitConnected(ctx, at); !errors.Is(err, socket.ErrNoEndpoint) {
		t.Error("the node is closed, and the socket still connects:", err)
	}
	must(t, server.Shutdown(ctx))
}

// What a socket says of a wildcard is what a Node makes of it.
func TestRealWildcards(t *testing.T) {
	for _, tc := range []struct{ bind, want string }{
		{"tcp://*:0", "tcp://*:"},
		{"tcp://0.0.0.0:0", "tcp://*:"},
		{"tcp://127.0.0.1:0", "tcp://127.0.0.1:"},
	} {
		t.Run(tc.bind, func(t *testing.T) {
			pull := socket.NewPull()
			defer pull.Close()
			_, err := pull.Bind(t.Context(), tc.bind)
			must(t, err)
			s, ok := offered{"work", pull}.record()
			if !ok || s.Type != "PULL" || len(s.Endpoints) != 1 || !strings.HasPrefix(s.Endpoints[0], tc.want) {
				t.Errorf("%+v, want an endpoint that begins with %s", s, tc.want)
			}
		})
	}
}

// elsewhere is a socket that shows another id than it announces.
type elsewhere struct{ *socket.Pull }

func (elsewhere) NodeID() [16]byte { return [16]byte{1} }

// The sockets of this module are told apart by who answers: nobody but the node that was announced gets a message.
func TestRealSocketsOfAnotherNode(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	e := newEther(t)
	node := func(o ...NodeOption) *Node {
		return NewNode(port{e, home[0].Addrs[0].Addr()}, append(o, withWorld(here, ifaces.System))...)
	}
	wrong, right, client := node(), node(), node()
	stranger, pull, push := socket.NewPull(), socket.NewPull(), socket.NewPush()
	defer stranger.Close()
	defer pull.Close()
	defer push.Close()
	for s, n := range map[Announceable]*Node{elsewhere{stranger}: wrong, pull: right} {
		_, err := s.(socket.Socket).Bind(ctx, "tcp://127.0.0.1:0")
		must(t, err)
		must(t, n.Announce(ctx, "work", s))
	}
	failed := make(chan Change, 16)
	must(t, client.Connect("work", push, WithPolicy(Policy{OnChange: func(c Change) {
		if c.Kind == PeerFailed {
			failed <- c
		}
	}})))
	select {
	case c := <-failed:
		if !errors.Is(c.Err, ErrWrongNode) || c.Record.ID != wrong.ID() {
			t.Errorf("%v failed: %v", c.Record.ID, c.Err)
		}
	case <-ctx.Done():
		t.Fatal("nobody says that another node answers")
	}
	refused := false
	for ev := range push.Events(ctx) {
		refused = ev.Kind == socket.HandshakeFailed && errors.Is(ev.Err, socket.ErrWrongNode) &&
			errors.Is(ev.Err, ErrWrongNode)
		if refused {
			break
		}
	}
	if !refused {
		t.Error("the socket has no event that says so")
	}
	must(t, push.WaitPeers(ctx, 1))
	must(t, push.Send(ctx, socket.Text("for the right one")))
	m, err := pull.Recv(ctx)
	must(t, err)
	if string(m.Bytes()) != "for the right one" {
		t.Errorf("received %q", m.Bytes())
	}
	must(t, client.Shutdown(ctx))
	if got := stranger.Stats().Received.Messages; got != 0 {
		t.Errorf("the other got %d messages", got)
	}
	must(t, wrong.Shutdown(ctx))
	must(t, right.Shutdown(ctx))
}

func TestEachRoleAsksWhoAnswers(t *testing.T) {
	for _, s := range []socket.Socket{
		socket.NewPush(), socket.NewPull(), socket.NewPub(), socket.NewSub(), socket.NewReq(), socket.NewRep(),
		socket.NewDealer(), socket.NewRouter(), socket.NewPair(), socket.NewXPub(), socket.NewXSub(),
	} {
		_, asks := s.(checker)
		m, tells := s.(member)
		if !asks || !tells || m.NodeID() != [16]byte(socket.ThisNode()) {
			t.Errorf("%s: asks who answers: %t, tells who it is: %t", s.Type(), asks, tells)
		}
		must(t, s.Close())
	}
}
