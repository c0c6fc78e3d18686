package socket_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/proxy"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A forwarder passes subscriptions upstream and messages down, as package proxy does, or made by hand.
type forwarder struct {
	name string
	opts []socket.XPubOption
	run  func(ctx context.Context, xsub *socket.XSub, xpub *socket.XPub) error
}

func forwarders() []forwarder {
	byProxy := func(ctx context.Context, xsub *socket.XSub, xpub *socket.XPub) error {
		return proxy.Run(ctx, xsub, xpub)
	}
	return []forwarder{
		{"default", nil, byProxy},
		{"EverySubscription", []socket.XPubOption{socket.WithVerbosity(socket.EverySubscription)}, byProxy},
		{"EveryChange", []socket.XPubOption{socket.WithVerbosity(socket.EveryChange)}, byProxy},
		{"WithManual", []socket.XPubOption{socket.WithManual()}, forwardByHand},
		{
			"WithManual and EveryChange",
			[]socket.XPubOption{socket.WithManual(), socket.WithVerbosity(socket.EveryChange)},
			forwardByHand,
		},
	}
}

// forwardByHand gives each peer what it asks for and passes that on.
func forwardByHand(ctx context.Context, xsub *socket.XSub, xpub *socket.XPub) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for m, err := range xsub.Messages(ctx) {
			if err != nil || xpub.Send(ctx, m) != nil {
				return
			}
		}
	})
	for m, err := range xpub.Messages(ctx) {
		if err != nil {
			return err
		}
		if sub, ok := socket.ParseSubscription(m); ok && sub.Add {
			_ = xpub.Subscribe(sub.Peer, sub.Topic) // it may have left meanwhile
		} else if ok {
			_ = xpub.Unsubscribe(sub.Peer, sub.Topic)
		}
		if err := xsub.Send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// forward runs a forwarder to the publisher at an endpoint, and returns where it is bound.
func (f forwarder) forward(t testing.TB, upstream string) (at string, xpub *socket.XPub) {
	t.Helper()
	xsub, xpub := closing(t, socket.NewXSub()), closing(t, socket.NewXPub(f.opts...))
	connect(t, xsub, upstream)
	at = bind(t, xpub, "tcp://127.0.0.1:*")
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = f.run(ctx, xsub, xpub) }) // ends with its context or its sockets
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return at, xpub
}

// TestForwardedSubscriptionsBalance: whatever peers do, and whatever a forwarder is told of it, the publisher sends
// it what one of them wants, and nothing else, also behind a second forwarder.
func TestForwardedSubscriptionsBalance(t *testing.T) {
	type step struct {
		who  int
		does string // "+a", "-a" or "leaves"
		want string // the topics that the publisher has then
	}
	for name, steps := range map[string][]step{
		"three leave": {
			{0, "+a", "a"}, {1, "+a", "a"}, {2, "+a", "a"}, {1, "leaves", "a"}, {0, "leaves", "a"}, {2, "leaves", ""},
		},
		"subscribes twice, leaves":       {{0, "+a", "a"}, {0, "+a", "a"}, {0, "leaves", ""}},
		"subscribes twice, cancels once": {{0, "+a", "a"}, {0, "+a", "a"}, {0, "-a", ""}},
		"subscribes twice, cancels twice": {
			{0, "+a", "a"}, {0, "+a", "a"}, {0, "-a", ""}, {0, "-a", ""}, {1, "+b", "b"}, {0, "+a", "a b"},
		},
		"cancels what another has": {{0, "+a", "a"}, {1, "-a", "a"}, {1, "-a", "a"}, {0, "leaves", ""}},
		"subscribes twice beside another": {
			{0, "+a", "a"}, {1, "+a", "a"}, {0, "+a", "a"}, {0, "-a", "a"}, {0, "-a", "a"}, {1, "-a", ""},
		},
		"subscribes again after the others": {
			{0, "+a", "a"}, {1, "+a", "a"}, {0, "-a", "a"}, {1, "-a", ""}, {1, "+a", "a"}, {0, "leaves", "a"}, {1, "leaves", ""},
		},
		"leaves twice as often as it comes": {
			{0, "+a", "a"}, {0, "-a", ""}, {0, "+a", "a"}, {0, "+a", "a"}, {0, "leaves", ""},
		},
		"everything and a part of it": {
			{0, "+", ""}, {1, "+a", " a"}, {0, "+", " a"}, {0, "-", "a"}, {1, "leaves", ""},
		},
		"the first to come is the last to go": {
			{0, "+a", "a"}, {1, "+a", "a"}, {1, "+a", "a"}, {1, "leaves", "a"}, {0, "-a", ""},
		},
	} {
		for _, f := range forwarders() {
			for _, hops := range []int{1, 2} {
				t.Run(fmt.Sprintf("%s/%s/%d hops", name, f.name, hops), func(t *testing.T) {
					pub := closing(t, socket.NewPub())
					at := bind(t, pub, "tcp://127.0.0.1:*")
					for range hops {
						at, _ = f.forward(t, at)
					}
					peers := make(map[int]*rawSub)
					for i, s := range steps {
						peer := peers[s.who]
						if peer == nil {
							peer = newRawSub(t, at)
							peers[s.who] = peer
						}
						mark := fmt.Sprintf("mark %d", i)
						if s.does == "leaves" {
							must(t, peer.Close())
							delete(peers, s.who)
						} else {
							peer.change(s.does)
							peer.change("+" + mark) // comes behind it all the way
							waitSubs(t, pub, mark, 1)
							peer.change("-" + mark)
						}
						want := topicsOf(s.want, s.does)
						waitUntil(t, fmt.Sprintf("after step %d, %v, the publisher has %q", i, s, want), func() bool {
							got := pub.Topics()
							slices.Sort(got)
							return slices.Equal(got, want)
						})
					}
				})
			}
		}
	}
}

// topicsOf makes a list of "a b", of which " a" has the empty topic too; so has "" right after "+".
func topicsOf(s, does string) []string {
	switch {
	case s == "" && does == "+":
		return []string{""}
	case s == "":
		return nil
	case s[0] == ' ':
		return []string{"", s[1:]}
	case len(s) == 3:
		return []string{s[:1], s[2:]}
	}
	return []string{s}
}

// TestForwarderPassesEachSubscriptionOn: a cache behind forwarders hears of each of three subscribers, and of the end
// of the last.
func TestForwarderPassesEachSubscriptionOn(t *testing.T) {
	for _, f := range forwarders()[1:] {
		t.Run(f.name, func(t *testing.T) {
			app := closing(t, socket.NewXPub(socket.WithVerbosity(socket.EverySubscription)))
			at := bind(t, app, "tcp://127.0.0.1:*")
			for range 2 {
				at, _ = f.forward(t, at)
			}
			var subs []*socket.Sub
			for range 3 {
				sub := closing(t, socket.NewSub(socket.WithSubscription("A")))
				connect(t, sub, at)
				subs = append(subs, sub)
				expect(t, app, "\x01A")
				send(t, app, "A", "for all") // as a cache does
				for _, s := range subs {
					expect(t, s, "A", "for all")
				}
			}
			for _, sub := range subs {
				must(t, sub.Close())
			}
			expect(t, app, "\x00A")
			nothing(t, app)
			if left := app.Topics(); len(left) != 0 {
				t.Errorf("nobody is left, and the publisher has %q", left)
			}
		})
	}
}

// TestCommandsToAPublisherThatDoesNotRead: subscriptions that come and go while a publisher does not read do not pile
// up for it, and when it reads again it hears what holds by then, and of the end of what it had heard before.
func TestCommandsToAPublisherThatDoesNotRead(t *testing.T) {
	const flaps, most = 20_000, 12 << 20 // bytes; the flaps would be 40 MB
	xsub := closing(t, socket.NewXSub(socket.WithSubscription("before", "stays"), socket.WithHeartbeat(0, 0, 0)))
	pub, err := net.Dial("tcp", strings.TrimPrefix(bind(t, xsub, "tcp://127.0.0.1:*"), "tcp://"))
	must(t, err)
	defer pub.Close()
	sess, err := zmtp.Handshake(t.Context(), pub, zmtp.Config{SocketType: zmtp.Pub})
	must(t, err)
	waitPeers(t, xsub, 1)
	topic := strings.Repeat("x", 1000)
	for range flaps {
		must(t, xsub.TrySend(socket.Text("\x01"+topic)))
		must(t, xsub.TrySend(socket.Text("\x00"+topic)))
	}
	must(t, xsub.Unsubscribe("before"))
	must(t, xsub.Subscribe("after"))
	holds := make(map[string]bool)
	read := 0
	from := bufio.NewReader(io.MultiReader(bytes.NewReader(sess.Rest), pub))
	for !holds["after"] {
		var head [2]byte
		readFull(t, from, head[:])
		size := int(head[1])
		if head[0]&zmtp.FlagLong != 0 {
			var long [7]byte
			readFull(t, from, long[:])
			for _, b := range long {
				size = size<<8 | int(b)
			}
		}
		body := make([]byte, size)
		readFull(t, from, body)
		name, data, err := zmtp.ParseCommand(body)
		must(t, err)
		holds[string(data)] = name == "SUBSCRIBE"
		if read += size; read > most {
			t.Fatalf("%d bytes of commands had piled up", read)
		}
	}
	maps.DeleteFunc(holds, func(_ string, h bool) bool { return !h })
	if len(holds) != 2 || !holds["stays"] {
		t.Errorf("the publisher has heard of %q", slices.Collect(maps.Keys(holds)))
	}
}

// TestSubscribersTogetherOverTheUpstreamLimit: what subscribers of a proxy want together is more than its publisher
// lets one peer have. What is too much is refused there, by name; the connection stays, and everybody else goes on.
func TestSubscribersTogetherOverTheUpstreamLimit(t *testing.T) {
	const limit, clients, each = 1000, 20, 60
	for _, c := range []struct {
		name, topic string
		pub         socket.Limits
	}{
		{"too many", "client %d topic %d", socket.Limits{MaxSubscriptions: limit}},
		{"too long", "client %d topic %d " + strings.Repeat("x", 100), socket.Limits{MaxTopic: 50}},
	} {
		for _, f := range forwarders() {
			t.Run(c.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				pub := closing(t, socket.NewPub(socket.WithLimits(c.pub)))
				at, xpub := f.forward(t, bind(t, pub, "tcp://127.0.0.1:*"))
				good := closing(t, socket.NewSub(socket.WithSubscription("good")))
				connect(t, good, at)
				waitSubs(t, pub, "good", 1)
				var subs []*socket.Sub
				for i := range clients {
					sub := closing(t, socket.NewSub())
					for k := range each {
						must(t, sub.Subscribe(fmt.Sprintf(c.topic, i, k)))
					}
					must(t, sub.Subscribe(fmt.Sprint("last of ", i)))
					connect(t, sub, at)
					subs = append(subs, sub)
					must(t, xpub.WaitSubscribers(within(t), fmt.Sprint("last of ", i), 1))
					send(t, pub, "good", fmt.Sprint(i))
					expect(t, good, "good", fmt.Sprint(i))
				}
				ev := event(t, pub, socket.SubscriptionRefused)
				if !errors.Is(ev.Err, socket.ErrLimit) || ev.Peer.Type != "XSUB" {
					t.Errorf("event %v", ev)
				}
				half := len(subs) / 2
				for _, sub := range subs[:half] {
					must(t, sub.Close())
				}
				if c.pub.MaxSubscriptions > 0 { // what was refused of the others is taken
					want := 1 + (clients-half)*(each+1)
					waitUntil(t, "the other half have all they want", func() bool { return len(pub.Topics()) == want })
					last := fmt.Sprintf(c.topic, clients-1, each-1)
					send(t, pub, last, "at last")
					expect(t, subs[clients-1], last, "at last")
				}
				for _, sub := range subs[half:] {
					must(t, sub.Close())
				}
				waitUntil(t, "all have gone", func() bool { return slices.Equal(pub.Topics(), []string{"good"}) })
				late := closing(t, socket.NewSub(socket.WithSubscription("there is room again")))
				connect(t, late, at)
				waitSubs(t, pub, "there is room again", 1)
				send(t, pub, "good", "end")
				expect(t, good, "good", "end")
				ctx, cancel := contextEnded()
				defer cancel()
				for ev := range pub.Events(ctx) {
					if ev.Kind == socket.PeerDown || ev.Kind == socket.LimitHit {
						t.Errorf("event %v", ev)
					}
				}
			})
		}
	}
}
