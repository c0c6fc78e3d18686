package socket_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// peerOver waits until the connection to a peer is over.
func peerOver(t *testing.T, p *socket.Peer) {
	t.Helper()
	select {
	case <-p.Done():
	case <-within(t).Done():
		t.Fatalf("the connection to %s is not over", p)
	}
}

func notOver(t *testing.T, p *socket.Peer) {
	t.Helper()
	select {
	case <-p.Done():
		t.Fatalf("the connection to %s is over", p)
	default:
	}
}

// toldOf reports whether an event of a kind about a peer is remembered.
func toldOf(s socket.Socket, kind socket.EventKind, p *socket.Peer) bool {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for ev := range s.Events(ended) {
		if ev.Kind == kind && ev.Peer == p {
			return true
		}
	}
	return false
}

// TestPeerDone: a peer's Done is closed when its connection is over, whoever ended it, and not before an event has
// told so.
func TestPeerDone(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(t *testing.T, pull *socket.Pull, push *socket.Push, at string, p *socket.Peer)
	}{
		{
			"the peer closes",
			func(t *testing.T, _ *socket.Pull, push *socket.Push, _ string, _ *socket.Peer) { must(t, push.Close()) },
		},
		{"the peer disconnects", func(t *testing.T, _ *socket.Pull, push *socket.Push, at string, _ *socket.Peer) {
			must(t, push.Disconnect(at))
		}},
		{"this side unbinds", func(t *testing.T, pull *socket.Pull, _ *socket.Push, at string, _ *socket.Peer) {
			must(t, pull.Unbind(at))
		}},
		{"this side disconnects the peer", func(t *testing.T, pull *socket.Pull, _ *socket.Push, _ string, p *socket.Peer) {
			must(t, pull.DisconnectPeer(p))
		}},
		{
			"this side closes",
			func(t *testing.T, pull *socket.Pull, _ *socket.Push, _ string, _ *socket.Peer) { must(t, pull.Close()) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				pull, push := closing(t, socket.NewPull()), closing(t, socket.NewPush())
				at := link(t, pull, push, endpoint)
				send(t, push, "a")
				p := recv(t, pull).From
				notOver(t, p)
				c.end(t, pull, push, at, p)
				peerOver(t, p)
				if !toldOf(pull, socket.PeerDown, p) {
					t.Error("it is over before PeerDown")
				}
			})
		})
	}
	t.Run("no peer", func(t *testing.T) {
		if (*socket.Peer)(nil).Done() != nil || new(socket.Peer).Done() != nil {
			t.Error("a peer that was never connected is done some time")
		}
	})
}

// TestPeerDoneOfARefusedPeer: whoever keeps a peer that was refused learns that it is gone.
func TestPeerDoneOfARefusedPeer(t *testing.T) {
	for _, c := range []struct {
		name string
		make func() (refuses, first, second socket.Socket)
		kind socket.EventKind
	}{
		{"a second peer of a Pair", func() (socket.Socket, socket.Socket, socket.Socket) {
			return socket.NewPair(), socket.NewPair(), socket.NewPair()
		}, socket.HandshakeFailed},
		{"a second peer of a name", func() (socket.Socket, socket.Socket, socket.Socket) {
			return socket.NewRouter(), socket.NewDealer(socket.WithIdentity("me")), socket.NewDealer(socket.WithIdentity("me"))
		}, socket.DuplicateIdentity},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				s, first, second := c.make()
				closing(t, s)
				closing(t, first)
				closing(t, second)
				connect(t, second, link(t, s, first, endpoint))
				peerOver(t, event(t, s, c.kind).Peer)
				for _, p := range s.Stats().Peers {
					notOver(t, p.Peer)
				}
			})
		})
	}
}

// TestDisconnectPeer ends one connection of two.
func TestDisconnectPeer(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		push := closing(t, socket.NewPush())
		at := bind(t, push, endpoint)
		pulls := make([]*socket.Pull, 2)
		for i := range pulls {
			pull := closing(t, socket.NewPull(socket.WithoutReconnect()))
			pulls[i] = pull
			connect(t, pull, at)
			waitPeers(t, push, i+1)
			waitPeers(t, pull, 1)
		}
		for i := range 20 { // in turn
			send(t, push, fmt.Sprint(i))
		}
		waitUntil(t, "all is delivered", func() bool { return push.Stats().Delivered.Messages == 20 })
		p := push.Stats().Peers[0].Peer
		must(t, push.DisconnectPeer(p))
		peerOver(t, p)
		down := eventWhere(t, push, "the end", func(ev socket.Event) bool {
			return ev.Kind == socket.PeerDown && ev.Peer == p
		})
		if !errors.Is(down.Err, socket.ErrDisconnected) {
			t.Errorf("%v, want ErrDisconnected", down.Err)
		}
		if err := push.DisconnectPeer(p); !errors.Is(err, socket.ErrPeerLost) {
			t.Errorf("once more: %v, want ErrPeerLost", err)
		}
		for _, pull := range pulls { // neither has lost anything
			for range 10 {
				recv(t, pull)
			}
		}
		if n := len(push.Stats().Peers); n != 1 {
			t.Errorf("%d peers are left, want 1", n)
		}
		send(t, push, "to the other")
		got := make(chan string, 2)
		for _, pull := range pulls {
			go func() {
				m, _ := pull.Recv(within(t))
				got <- string(m.Bytes())
			}()
		}
		if m := <-got; m != "to the other" {
			t.Errorf("received %q", m)
		}
		for _, pull := range pulls {
			must(t, pull.Close())
		}
		<-got
	})
}

// TestDisconnectPeerIsConnectedToAnew: the endpoint that Connect was given stays one.
func TestDisconnectPeerIsConnectedToAnew(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		push, pull := closing(t, socket.NewPush(quick())), closing(t, socket.NewPull())
		at := link(t, pull, push, endpoint)
		p := push.Stats().Peers[0].Peer
		must(t, push.DisconnectPeer(p))
		peerOver(t, p)
		must(t, push.WaitConnected(within(t), at))
		send(t, push, "again")
		expect(t, pull, "again")
	})
}

// TestDisconnectPeerWithAQueue: what is queued for the peer is accounted for by the role's rules.
func TestDisconnectPeerWithAQueue(t *testing.T) {
	router := closing(t, socket.NewRouter())
	dealer := closing(t, socket.NewDealer(socket.WithIdentity("me"), socket.WithRecvHWM(1)))
	link(t, router, dealer, "tcp://127.0.0.1:*")
	body := string(make([]byte, 1<<20))
	for router.Stats().Queued.Messages < 3 { // the kernel is full
		send(t, router, "me", body)
	}
	p := router.Stats().Peers[0].Peer
	must(t, router.DisconnectPeer(p))
	if n := router.Stats().Queued.Messages; n != 0 {
		t.Errorf("%d messages are queued for nobody", n)
	}
	if n := router.Stats().Dropped[socket.PeerGone].Messages; n == 0 {
		t.Error("nothing is counted as dropped")
	}
	balanced(t, router)
}

func TestDisconnectPeerThatIsNone(t *testing.T) {
	pull, push, other := closing(t, socket.NewPull()), closing(t, socket.NewPush()), closing(t, socket.NewPull())
	link(t, pull, push, "inproc://"+t.Name())
	send(t, push, "a")
	for name, p := range map[string]*socket.Peer{
		"nil": nil, "one of its own": new(socket.Peer), "another socket's": recv(t, pull).From,
	} {
		if err := other.DisconnectPeer(p); !errors.Is(err, socket.ErrPeerLost) {
			t.Errorf("%s: %v, want ErrPeerLost", name, err)
		}
	}
}
