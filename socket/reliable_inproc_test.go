package socket_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A sameProcess is inproc by the name that the simulated network has.
type sameProcess struct{ *transport.Inproc }

func (sameProcess) Scheme() string { return "sim" }

// everywhere runs a test over a simulated network, with sockets on its hosts, and within the process.
func everywhere(t *testing.T, cfg simnet.Config, test func(t *testing.T, on func(host string) socket.Option)) {
	t.Run("over a network", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			cfg.Latency = time.Millisecond
			net := simnet.New(cfg)
			test(t, func(host string) socket.Option { return on(net, host) })
		})
	})
	t.Run("within the process", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			space := sameProcess{transport.NewInproc()}
			test(t, func(string) socket.Option { return socket.WithTransport(space) })
		})
	})
}

// TestReliableInprocPairs: within the process every message arrives once, in order, and is acknowledged, whichever side
// sends and whichever binds; and each knows the other for a socket of this process.
func TestReliableInprocPairs(t *testing.T) {
	for _, p := range reliablePairs {
		for _, binds := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/the sender binds %v", p.name, binds), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					at := socket.WithTransport(sameProcess{transport.NewInproc()})
					x, y := p.new(at, at)
					defer shut(t, x)
					defer shut(t, y)
					if binds {
						bindAt(t, x)
						must(t, y.Connect(server))
					} else {
						bindAt(t, y)
						must(t, x.Connect(server))
					}
					const total = 1000
					var all sync.WaitGroup
					all.Go(func() { trade(t, x, y, total) })
					if p.both {
						all.Go(func() { trade(t, y, x, total) })
					}
					all.Wait()
					for _, s := range []speaker{x, y} {
						for _, peer := range s.Stats().Peers {
							if peer.Peer.Node != socket.ThisNode() || peer.Peer.Endpoint != server {
								t.Errorf("the peer of %s is at %s of node %s", s.Type(), peer.Peer.Endpoint, peer.Peer.Node)
							}
						}
					}
					time.Sleep(time.Minute) // without a sign of life
					if up := len(x.Stats().Peers); up != 1 {
						t.Errorf("%d peers a minute later", up)
					}
				})
			})
		}
	}
}

// TestReliableInprocRequests: a request and its reply, and what a Router sends, are acknowledged within the process.
func TestReliableInprocRequests(t *testing.T) {
	at := "inproc://" + t.Name()
	req := closing(t, socket.NewReq(socket.WithReliable()))
	router := closing(t, socket.NewRouter(socket.WithReliable()))
	link(t, router, req, at)
	const total = 100
	for n := range total {
		send(t, req, fmt.Sprint(n))
		m := recv(t, router)
		must(t, router.Send(within(t), m))
		expect(t, req, fmt.Sprint(n))
	}
	for _, s := range []socket.Socket{req, router} {
		waitUntil(t, "all is acknowledged", func() bool { return s.Stats().Delivered.Messages == total })
		if st := s.Stats(); st.AtMostOnce.Messages != 0 {
			t.Errorf("%s counts %v as sent at most once", s.Type(), st.AtMostOnce)
		}
	}
}

// TestReliableInprocPublish: what was published to a subscriber of the process that takes its time is unacknowledged
// until it is received.
func TestReliableInprocPublish(t *testing.T) {
	at := "inproc://" + t.Name()
	pub := closing(t, socket.NewPub(socket.WithReliable()))
	sub := closing(t, socket.NewSub(socket.WithSubscription("")))
	link(t, pub, sub, at)
	must(t, pub.WaitSubscribers(within(t), "", 1))
	send(t, pub, "news")
	waitUntil(t, "it is sent", func() bool { return sub.Stats().Unread.Messages == 1 })
	if st := pub.Stats(); st.Unacknowledged.Messages != 1 {
		t.Errorf("before it is received PUB counts %v", st.Ledger)
	}
	expect(t, sub, "news")
	waitUntil(t, "it is acknowledged", func() bool { return pub.Stats().Delivered.Messages == 1 })
}

// TestReliableInprocPlain: where neither side is reliable messages move as values, and what is sent is in the peer's
// queue at once.
func TestReliableInprocPlain(t *testing.T) {
	at := "inproc://" + t.Name()
	push, pull := closing(t, socket.NewPush()), closing(t, socket.NewPull(socket.WithReliable()))
	link(t, push, pull, at)
	body := []byte("the very same")
	must(t, push.Send(within(t), socket.NewMsg(body)))
	if m := recv(t, pull); &m.Frames[0][0] != &body[0] {
		t.Error("the message was copied")
	}
	eventWhere(t, pull, "a foreign peer", func(ev socket.Event) bool { return ev.Kind == socket.PeerForeign })
}

// TestReliableInprocRefused: a handshake over bytes ends as one over values does.
func TestReliableInprocRefused(t *testing.T) {
	at := "inproc://" + t.Name()
	push := closing(t, socket.NewPush(socket.WithReliable()))
	sub := closing(t, socket.NewSub())
	bind(t, push, at)
	connect(t, sub, at)
	for _, s := range []eventer{push, sub} {
		ev := event(t, s, socket.HandshakeFailed)
		if !errors.Is(ev.Err, zmtp.ErrSocketType) {
			t.Errorf("refused with %v", ev.Err)
		}
	}
}
