package socket_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// matchers are the sockets that ask a Matcher.
func matchers(m socket.Matcher) map[string]publishes {
	return map[string]publishes{
		"PUB":  socket.NewPub(socket.WithMatcher(m), socket.WithOverflow(socket.Block)),
		"XPUB": socket.NewXPub(socket.WithMatcher(m), socket.WithOverflow(socket.Block)),
	}
}

type publishes interface {
	socket.Sender
	WaitSubscribers(ctx context.Context, topic string, n int) error
	Topics() []string
	Subscribers(topic string) []*socket.Peer
}

// TestMatcher: a subscription is what the Matcher makes of it, and each peer gets a message once.
func TestMatcher(t *testing.T) {
	for _, role := range []string{"PUB", "XPUB"} {
		t.Run(role, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				g := globs{}
				pub := closing(t, matchers(g)[role])
				at := bind(t, pub, endpoint)
				one, both := closing(t, socket.NewXSub()), closing(t, socket.NewXSub())
				must(t, one.Subscribe("a/*/c"))
				must(t, both.Subscribe("a/*/c"))
				must(t, both.Subscribe("a/b/*"))
				connect(t, one, at)
				connect(t, both, at)
				must(t, pub.WaitSubscribers(within(t), "a/b/c", 2))
				waitUntil(t, "all subscriptions are there", func() bool {
					return len(pub.Topics()) == 2 && len(pub.Subscribers("a/b/x")) == 1
				})
				for topic, n := range map[string]int{"a/b/c": 2, "a/x/c": 2, "a/b/x": 1, "a/b": 0, "a/b/c/d": 0, "": 0} {
					if got := len(pub.Subscribers(topic)); got != n {
						t.Errorf("%q has %d subscribers, want %d", topic, got, n)
					}
					send(t, pub, topic)
				}
				send(t, pub, "a/b/c", "last")
				count := func(s *socket.XSub) (n int) {
					for m := recv(t, s); len(m.Frames) == 1; m = recv(t, s) {
						n++
					}
					return n
				}
				if n := count(one); n != 2 {
					t.Errorf("one pattern brings %d messages, want 2", n)
				}
				if n := count(both); n != 3 {
					t.Errorf("two patterns bring %d messages, want 3", n)
				}
				if n := pub.Stats().Dropped[socket.NoSubscriber].Messages; n != 3 {
					t.Errorf("%d messages were for nobody, want 3", n)
				}
				must(t, both.Unsubscribe("a/*/c"))
				waitUntil(t, "it is cancelled", func() bool { return len(pub.Subscribers("a/x/c")) == 1 })
				must(t, both.Close())
				must(t, one.Close())
				waitUntil(t, "nobody is left", func() bool { return len(pub.Topics()) == 0 })
				if len(g) != 0 {
					t.Errorf("the matcher is left with %v", g)
				}
			})
		})
	}
}

// group is a Matcher of which one peer gets each message, in turn.
type group struct {
	peers []*socket.Peer
	next  int
}

func (g *group) Add(_ string, p *socket.Peer) { g.peers = append(g.peers, p) }
func (g *group) Remove(string, *socket.Peer)  {}

func (g *group) Match(_ []byte, visit func(p *socket.Peer)) {
	if len(g.peers) > 0 {
		g.next++
		visit(g.peers[g.next%len(g.peers)])
	}
}

// TestMatcherOfAGroup: each message goes to one of several peers, and is encoded and counted once.
func TestMatcherOfAGroup(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		pub := closing(t, socket.NewPub(socket.WithMatcher(new(group))))
		at := bind(t, pub, endpoint)
		subs := make([]*socket.XSub, 3)
		for i := range subs {
			subs[i] = closing(t, socket.NewXSub(socket.WithSubscription("the group")))
			connect(t, subs[i], at)
			waitUntil(t, "it has subscribed", func() bool {
				seen := map[*socket.Peer]bool{}
				for range 3 * len(subs) {
					for _, p := range pub.Subscribers("any") {
						seen[p] = true
					}
				}
				return len(seen) == i+1
			})
		}
		const n = 30
		for i := range n {
			send(t, pub, "work", fmt.Sprint(i))
		}
		for _, s := range subs {
			for range n / len(subs) {
				recv(t, s)
			}
			nothing(t, s)
		}
		if got := pub.Stats().Accepted.Messages; got != n {
			t.Errorf("accepted %d, want each once: %d", got, n)
		}
	})
}

// everybody is a Matcher that visits whatever it is given.
type everybody []*socket.Peer

func (everybody) Add(string, *socket.Peer)    {}
func (everybody) Remove(string, *socket.Peer) {}
func (e everybody) Match(_ []byte, visit func(p *socket.Peer)) {
	for _, p := range e {
		visit(p)
		visit(p)
	}
}

// TestMatcherVisitsStrangers: who is no peer of this socket, or not any more, gets nothing.
func TestMatcherVisitsStrangers(t *testing.T) {
	e := make(everybody, 4)
	e[1] = new(socket.Peer)
	pub, other := closing(t, socket.NewPub(socket.WithMatcher(e))), closing(t, socket.NewPub())
	sub := closing(t, socket.NewXSub())
	link(t, pub, sub, "inproc://"+t.Name()+"/1")
	e[0] = pub.Stats().Peers[0].Peer
	stranger := closing(t, socket.NewXSub())
	link(t, other, stranger, "inproc://"+t.Name()+"/2")
	e[2] = other.Stats().Peers[0].Peer
	gone := socket.NewXSub()
	connect(t, gone, pub.Endpoints()[0])
	waitPeers(t, pub, 2)
	for _, p := range pub.Stats().Peers {
		if p.Peer != e[0] {
			e[3] = p.Peer
		}
	}
	must(t, gone.Close())
	peerOver(t, e[3])
	send(t, pub, "news")
	expect(t, sub, "news")
	nothing(t, sub)
	nothing(t, stranger)
	if n := pub.Stats().Accepted.Messages; n != 1 {
		t.Errorf("accepted %d, want 1", n)
	}
}

// TestSubscribers: with the rule of ZMTP, those who have subscribed to a prefix, and each once.
func TestSubscribers(t *testing.T) {
	for _, role := range []string{"PUB", "XPUB"} {
		t.Run(role, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				pub := closing(t, matchers(nil)[role])
				at := bind(t, pub, endpoint)
				all := closing(t, socket.NewSub(socket.WithSubscription("")))
				some := closing(t, socket.NewSub(socket.WithSubscription("a", "ab")))
				connect(t, all, at)
				must(t, pub.WaitSubscribers(within(t), "a", 1))
				first := pub.Subscribers("")[0]
				connect(t, some, at)
				must(t, pub.WaitSubscribers(within(t), "ab", 2))
				waitUntil(t, "all subscriptions are there", func() bool { return len(pub.Topics()) == 3 })
				for topic, n := range map[string]int{"": 1, "x": 1, "a": 2, "abc": 2} {
					peers := pub.Subscribers(topic)
					if len(peers) != n {
						t.Errorf("%q has %d subscribers, want %d", topic, len(peers), n)
					}
					if n == 1 && peers[0] != first {
						t.Errorf("%q has %v, want %v", topic, peers[0], first)
					}
				}
				must(t, all.Close())
				peerOver(t, first)
				if n := len(pub.Subscribers("x")); n != 0 {
					t.Errorf("%d are left", n)
				}
			})
		})
	}
}
