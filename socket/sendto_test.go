package socket_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// A sendTo is what a Dealer and a Router have.
type sendTo interface {
	socket.Sender
	socket.Receiver
	SendTo(ctx context.Context, p *socket.Peer, m socket.Msg) error
	TrySendTo(p *socket.Peer, m socket.Msg) error
}

var sendTos = map[string]func() sendTo{
	"DEALER": func() sendTo { return socket.NewDealer() },
	"ROUTER": func() sendTo { return socket.NewRouter() },
}

// TestSendTo: the peer that is named gets the message, and no other.
func TestSendTo(t *testing.T) {
	for name, make := range sendTos {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				s := closing(t, make())
				at := bind(t, s, endpoint)
				peers := map[string]*socket.Peer{}
				dealers := map[string]*socket.Dealer{}
				for _, id := range []string{"a", "b", "c"} {
					d := closing(t, socket.NewDealer())
					connect(t, d, at)
					send(t, d, id)
					m := recv(t, s)
					dealers[id], peers[id] = d, m.From
				}
				for i := range 30 {
					for id, p := range peers {
						if i%2 == 0 {
							must(t, s.SendTo(within(t), p, socket.Text(id, fmt.Sprint(i))))
						} else {
							must(t, s.TrySendTo(p, socket.Text(id, fmt.Sprint(i))))
						}
					}
				}
				for id, d := range dealers {
					for i := range 30 {
						expect(t, d, id, fmt.Sprint(i))
					}
					nothing(t, d)
				}
			})
		})
	}
}

func TestSendToErrors(t *testing.T) {
	for name, make := range sendTos {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				s, d, other := closing(t, make()), closing(t, socket.NewDealer()), closing(t, make())
				link(t, s, d, endpoint)
				send(t, d, "hello")
				p := recv(t, s).From
				for what, c := range map[string]struct{ got, want error }{
					"no frames":        {s.SendTo(within(t), p, socket.Msg{}), socket.ErrNoFrames},
					"no peer":          {s.SendTo(within(t), nil, socket.Text("x")), socket.ErrPeerLost},
					"of another":       {other.SendTo(within(t), p, socket.Text("x")), socket.ErrPeerLost},
					"made by somebody": {s.TrySendTo(new(socket.Peer), socket.Text("x")), socket.ErrPeerLost},
				} {
					if !errors.Is(c.got, c.want) {
						t.Errorf("%s: %v, want %v", what, c.got, c.want)
					}
				}
				must(t, d.Close())
				peerOver(t, p)
				err := s.SendTo(within(t), p, socket.Text("x"))
				if pe, ok := errors.AsType[*socket.PeerError](err); !ok || !errors.Is(err, socket.ErrPeerLost) || pe.Peer != p {
					t.Errorf("a peer that has gone: %v, want a PeerError of it that matches ErrPeerLost", err)
				}
				must(t, s.Close())
				if err := s.SendTo(within(t), p, socket.Text("x")); !errors.Is(err, socket.ErrClosed) {
					t.Errorf("a closed socket: %v, want ErrClosed", err)
				}
			})
		})
	}
}

// TestSendToWaitsForItsPeer alone: that another has room is of no use.
func TestSendToWaitsForItsPeer(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		s := closing(t, socket.NewDealer(socket.WithSendHWM(1)))
		at := bind(t, s, endpoint)
		full, idle := closing(t, socket.NewDealer(socket.WithRecvHWM(1))), closing(t, socket.NewDealer())
		connect(t, full, at)
		send(t, full, "hello")
		p := recv(t, s).From
		connect(t, idle, at)
		waitPeers(t, s, 2)
		body := strings.Repeat("x", 1<<20)
		ended, cancel := contextEnded()
		defer cancel()
		for what, try := range map[string]func() error{ // until there is no room, though the kernel may take some more
			"TrySendTo":                       func() error { return s.TrySendTo(p, socket.Text(body)) },
			"SendTo, whose context has ended": func() error { return s.SendTo(ended, p, socket.Text(body)) },
		} {
			var err error
			for err == nil {
				err = try()
			}
			if !errors.Is(err, socket.ErrWouldBlock) {
				t.Errorf("%s: %v, want ErrWouldBlock", what, err)
			}
		}
		sent := make(chan error, 1)
		go func() { sent <- s.SendTo(within(t), p, socket.Text("last")) }()
		for m := recv(t, full); m.Size() > len("last"); m = recv(t, full) {
		}
		must(t, <-sent)
		nothing(t, idle)
	})
}

// TestSendToALostPeer: what was for it alone is dropped, and counted; what was for any goes to another.
func TestSendToALostPeer(t *testing.T) {
	s := closing(t, socket.NewDealer(socket.WithSendHWM(0)))
	at := bind(t, s, "tcp://127.0.0.1:*")
	lost := rawPeer(t, at, "DEALER") // reads nothing
	waitPeers(t, s, 1)
	p := s.Stats().Peers[0].Peer
	body := strings.Repeat("x", 1<<20)
	for s.Stats().Queued.Messages < 24 { // the kernel is full, though it may take some more
		must(t, s.SendTo(within(t), p, socket.Text("for it", body)))
	}
	for i := range 10 {
		send(t, s, "for any", fmt.Sprint(i))
		must(t, s.SendTo(within(t), p, socket.Text("for it", "")))
	}
	must(t, lost.Close())
	peerOver(t, p)
	if n := s.Stats().Dropped[socket.PeerGone].Messages; n < 10 {
		t.Errorf("%d messages are dropped, want those queued for the peer", n)
	}
	if n := s.Stats().Queued.Messages; n != 10 {
		t.Errorf("%d messages are queued, want those for any peer", n)
	}
	other := closing(t, socket.NewDealer())
	connect(t, other, at)
	for i := range 10 {
		expect(t, other, "for any", fmt.Sprint(i))
	}
	nothing(t, other)
	balanced(t, s)
}

// TestSendToCountsAsOutstanding: a peer that was sent something by name is behind those that were not.
func TestSendToCountsAsOutstanding(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		s := closing(t, socket.NewDealer(socket.WithLeastOutstanding()))
		at := bind(t, s, endpoint)
		busy, idle := closing(t, socket.NewDealer()), closing(t, socket.NewDealer())
		connect(t, busy, at)
		send(t, busy, "hello")
		p := recv(t, s).From
		connect(t, idle, at)
		waitPeers(t, s, 2)
		for range 3 {
			must(t, s.SendTo(within(t), p, socket.Text("work")))
		}
		for range 3 {
			send(t, s, "any")
		}
		for range 3 {
			expect(t, busy, "work")
			expect(t, idle, "any")
		}
	})
}

// TestRouterSendToThisConnection: whoever has taken over the identity does not get what is for the peer that had it.
func TestRouterSendToThisConnection(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		router := closing(t, socket.NewRouter(socket.WithHandover(), socket.WithDropUnroutable()))
		at := bind(t, router, endpoint)
		first := closing(t, socket.NewDealer(socket.WithIdentity("me")))
		second := closing(t, socket.NewDealer(socket.WithIdentity("me")))
		connect(t, first, at)
		send(t, first, "hello")
		p := recv(t, router).From
		must(t, router.SendTo(within(t), p, socket.Text("to the first")))
		expect(t, first, "to the first")
		must(t, first.Disconnect(at))
		connect(t, second, at)
		send(t, second, "hello")
		recv(t, router)
		if err := router.SendTo(within(t), p, socket.Text("x")); !errors.Is(err, socket.ErrPeerLost) {
			t.Errorf("%v, want ErrPeerLost", err)
		}
		nothing(t, second)
	})
}

// TestRouterSendToASilentPeer: a peer that has said nothing, and whose identity the application cannot know, is sent to
// by the Peer of its event, and answers.
func TestRouterSendToASilentPeer(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		router := closing(t, socket.NewRouter())
		at := bind(t, router, endpoint)
		for i := range 3 {
			silent := closing(t, socket.NewDealer())
			connect(t, silent, at)
			seen := 0
			up := eventWhere(t, router, "one more peer is up", func(ev socket.Event) bool {
				if ev.Kind == socket.PeerUp {
					seen++
				}
				return seen == i+1
			})
			if len(up.Peer.Identity) != 0 {
				t.Fatalf("the peer has the identity %q", up.Peer.Identity)
			}
			must(t, router.SendTo(within(t), up.Peer, socket.Text("who are you?")))
			expect(t, silent, "who are you?")
			send(t, silent, "me")
			if m := recv(t, router); m.From != up.Peer {
				t.Errorf("the answer came from %v, want %v", m.From, up.Peer)
			}
		}
	})
}
