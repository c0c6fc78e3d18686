package socket_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A road is a transport as the matrix uses it: what to bind, and what the sockets need for it.
type road struct {
	endpoint string
	options  []socket.Option
}

func roads(t testing.TB) map[string]road {
	all := make(map[string]road)
	for name, endpoint := range transports(t) {
		if name != "tcp" { // a wildcard of ipc cannot be bound again
			endpoint = unused(t, endpoint)
		}
		all[name] = road{endpoint: endpoint}
	}
	all["tls"] = road{anyTLS, []socket.Option{overTLS()}}
	all["simnet"] = road{"sim://host:0", []socket.Option{socket.WithTransport(simnet.New(simnet.Config{}))}}
	return all
}

// TestMatrix takes every compatible pair through its life, over every transport and with either side bound: connect,
// exchange, reconnect, exchange again, close.
func TestMatrix(t *testing.T) {
	for a, newA := range everyRole() {
		for _, b := range fits[a] {
			for name := range roads(t) {
				t.Run(fmt.Sprintf("%s/%s binds, %s connects", name, a, b), func(t *testing.T) {
					way := roads(t)[name]
					opts := func(id string) []socket.Option {
						return append([]socket.Option{quick(), socket.WithIdentity(id)}, way.options...)
					}
					binds, connects := closing(t, newA(opts("A")...)), closing(t, everyRole()[b](opts("B")...))
					at := link(t, binds, connects, way.endpoint)
					converse(t, binds, connects)

					must(t, binds.Unbind(at))
					event(t, binds.(eventer), socket.PeerDown)
					event(t, connects.(eventer), socket.PeerDown)
					for _, s := range []socket.Socket{binds, connects} {
						if x, ok := s.(*socket.XPub); ok {
							expect(t, x, "\x00")
						}
					}
					bind(t, binds, at)
					waitPeers(t, binds, 1)
					waitPeers(t, connects, 1)
					converse(t, binds, connects)
					for _, s := range []socket.Socket{binds, connects} {
						if n := len(s.Stats().Dropped); n != 0 {
							t.Errorf("%s dropped %v", s.Type(), s.Stats().Dropped)
						}
					}
				})
			}
		}
	}
}

// TestMatrixOfTheRefused takes every pair that does not fit over every transport: both sides say why, naming both
// types, neither has a peer, and the one that connects converses as soon as a peer that fits is there in the other's
// place.
func TestMatrixOfTheRefused(t *testing.T) {
	for a, newA := range everyRole() {
		for b, newB := range everyRole() {
			if slices.Contains(fits[a], b) {
				continue
			}
			for name := range roads(t) {
				t.Run(fmt.Sprintf("%s/%s binds, %s connects", name, a, b), func(t *testing.T) {
					way := roads(t)[name]
					opts := func(id string) []socket.Option {
						return append([]socket.Option{quick(), socket.WithIdentity(id)}, way.options...)
					}
					binds, connects := closing(t, newA(opts("A")...)), closing(t, newB(opts("B")...))
					at := bind(t, binds, way.endpoint)
					connect(t, connects, at)
					for _, s := range []socket.Socket{binds, connects} {
						ev := event(t, s.(eventer), socket.HandshakeFailed)
						if !errors.Is(ev.Err, zmtp.ErrSocketType) || !strings.Contains(ev.Err.Error(), a) ||
							!strings.Contains(ev.Err.Error(), b) || ev.Endpoint != at {
							t.Errorf("%s: event %v, want both types named", s.Type(), ev)
						}
						if len(s.Stats().Peers) != 0 || len(events(t, s.(eventer), socket.PeerUp)) != 0 {
							t.Errorf("%s has had a peer", s.Type())
						}
					}
					must(t, binds.Unbind(at))
					right := closing(t, everyRole()[fits[b][0]](opts("A")...))
					bind(t, right, at)
					waitPeers(t, right, 1)
					waitPeers(t, connects, 1)
					converse(t, right, connects)
				})
			}
		}
	}
}

// converse exchanges messages in the way of the pair: from a to b, and back where that is possible. Subscribers are
// subscribed to everything by it, once.
func converse(t *testing.T, a, b socket.Socket) {
	t.Helper()
	switch s := a.(type) {
	case *socket.Pull, *socket.Sub, *socket.XSub, *socket.Rep, *socket.Router: // the other one begins
		if _, both := b.(*socket.Router); !both {
			a, b = b, a
		}
	case *socket.Dealer:
		if _, ok := b.(*socket.Req); ok {
			a, b = b, s
		}
	}
	ahead, _ := a.(interface {
		socket.Sender
		socket.Receiver
	})
	back, _ := b.(interface {
		socket.Sender
		socket.Receiver
	})
	switch s := a.(type) {
	case *socket.Push:
		send(t, s, "one", "two")
		expect(t, b.(*socket.Pull), "one", "two")
	case *socket.Pub:
		subscribeAll(t, b)
		waitSubs(t, s, "x", 1)
		send(t, s, "x", "news")
		expect(t, b.(socket.Receiver), "x", "news")
	case *socket.XPub:
		subscribeAll(t, b)
		expect(t, s, "\x01")
		send(t, s, "x", "news")
		expect(t, b.(socket.Receiver), "x", "news")
		if up, ok := b.(*socket.XSub); ok {
			send(t, up, "upstream")
			expect(t, s, "upstream")
		}
	case *socket.Req:
		send(t, s, "question")
		m := recv(t, back)
		must(t, back.Send(within(t), m)) // of a Rep the body, of a Router the envelope too
		expect(t, s, "question")
	case *socket.Pair:
		send(t, s, "ping")
		expect(t, back, "ping")
		send(t, back, "pong")
		expect(t, s, "pong")
	case *socket.Dealer:
		send(t, s, "", "to and fro")
		m := recv(t, back)
		must(t, back.Send(within(t), m))
		expect(t, s, "", "to and fro")
	case *socket.Router: // both are
		id, other := "B", "A"
		if a.Stats().Peers[0].Peer.Identity[0] == 'A' {
			id, other = other, id
		}
		send(t, ahead, id, "ping")
		expect(t, back, other, "ping")
		send(t, back, other, "pong")
		expect(t, ahead, id, "pong")
	default:
		t.Fatalf("no way for %s and %s to converse", a.Type(), b.Type())
	}
}

// subscribeAll subscribes to everything, unless that is done already.
func subscribeAll(t *testing.T, s socket.Socket) {
	t.Helper()
	sub := s.(interface {
		Subscribe(topic string) error
		Topics() []string
	})
	if len(sub.Topics()) == 0 {
		must(t, sub.Subscribe(""))
	}
}

// TestRefusedPeerDelaysNobody: a socket that peers of every wrong type try to reach, over and over, serves the right
// one all the same.
func TestRefusedPeerDelaysNobody(t *testing.T) {
	for a, newA := range everyRole() {
		t.Run(a, func(t *testing.T) {
			s := closing(t, newA(quick(), socket.WithIdentity("A")))
			at := bind(t, s, "tcp://127.0.0.1:*")
			var wrong socket.Socket
			for b, newB := range everyRole() {
				if !slices.Contains(fits[a], b) {
					wrong = closing(t, newB(quick()))
					connect(t, wrong, at)
				}
			}
			right := closing(t, everyRole()[fits[a][0]](quick(), socket.WithIdentity("B")))
			connect(t, right, at)
			waitPeers(t, s, 1)
			waitPeers(t, right, 1)
			converse(t, s, right)
			event(t, wrong.(eventer), socket.HandshakeFailed)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if s.WaitPeers(ctx, 2) == nil {
				t.Fatal("a peer of the wrong type counts as one")
			}
		})
	}
}
