package socket_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestXPubShowsSubscriptions goes through the three verbosities with one and with two subscribers. Each step says
// what the application is then told: "+a" and "-a".
func TestXPubShowsSubscriptions(t *testing.T) {
	type step struct {
		who     int    // 0 or 1
		does    string // "+a", "-a" or "leaves"
		first   string // what FirstAndLast tells
		every   string // EverySubscription
		changes string // EveryChange
	}
	for name, steps := range map[string][]step{
		"one subscriber": {
			{0, "+a", "+a", "+a", "+a"},
			{0, "+b", "+b", "+b", "+b"},
			{0, "+a", "", "+a", "+a"}, // again
			{0, "-a", "-a", "-a", "-a"},
			{0, "-a", "", "", ""}, // it has it no more
			{0, "+", "+", "+", "+"},
			{0, "leaves", "- -b", "- -b", "- -b"},
		},
		"two subscribers": {
			{0, "+a", "+a", "+a", "+a"},
			{1, "+a", "", "+a", "+a"},
			{1, "+b", "+b", "+b", "+b"},
			{0, "-b", "", "", ""}, // it never had it
			{0, "-a", "", "", "-a"},
			{1, "-a", "-a", "-a", "-a"},
			{0, "+b", "", "+b", "+b"},
			{0, "leaves", "", "", "-b"},
			{1, "leaves", "-b", "-b", "-b"},
		},
	} {
		for verbosity, of := range map[socket.Verbosity]func(step) string{
			socket.FirstAndLast:      func(s step) string { return s.first },
			socket.EverySubscription: func(s step) string { return s.every },
			socket.EveryChange:       func(s step) string { return s.changes },
		} {
			t.Run(fmt.Sprintf("%s/verbosity %d", name, verbosity), func(t *testing.T) {
				xpub := closing(t, socket.NewXPub(socket.WithVerbosity(verbosity)))
				at := bind(t, xpub, "tcp://127.0.0.1:*")
				peers := []*rawSub{newRawSub(t, at), newRawSub(t, at)}
				waitPeers(t, xpub, 2)
				left := 0
				for i, s := range steps {
					if s.does != "leaves" {
						peers[s.who].change(s.does)
						peers[s.who].write(frames("mark")) // an upstream message, which comes behind it
					} else {
						must(t, peers[s.who].Close())
						left++
						waitUntil(t, "it is gone", func() bool { return len(xpub.Stats().Peers) == 2-left })
					}
					told := toldUntilMark(t, xpub, s.does != "leaves")
					if got, want := fmt.Sprint(told), "["+of(s)+"]"; got != want {
						t.Fatalf("step %d, subscriber %d %s: told %s, want %s", i, s.who, s.does, got, want)
					}
				}
			})
		}
	}
}

// A rawSub is a subscriber made by hand, which can also do what ours would not, such as subscribe twice.
type rawSub struct {
	net.Conn
	t testing.TB
}

func newRawSub(t testing.TB, at string) *rawSub {
	t.Helper()
	return &rawSub{rawPeer(t, at, "XSUB"), t}
}

func (r *rawSub) write(b []byte) {
	r.t.Helper()
	_, err := r.Write(b)
	must(r.t, err)
}

// change sends "+topic" or "-topic".
func (r *rawSub) change(topic string) {
	r.t.Helper()
	v := zmtp.Version{Major: 3, Minor: 1}
	if topic[0] == '+' {
		r.write(zmtp.AppendSubscribe(nil, v, []byte(topic[1:])))
	} else {
		r.write(zmtp.AppendCancel(nil, v, []byte(topic[1:])))
	}
}

// toldUntilMark receives subscriptions, in order of their text, up to an upstream message or else as many as there are.
func toldUntilMark(t testing.TB, xpub *socket.XPub, mark bool) (told []string) {
	t.Helper()
	ctx := within(t)
	if !mark {
		var cancel context.CancelFunc
		ctx, cancel = contextEnded()
		defer cancel()
	}
	for {
		m, err := xpub.Recv(ctx)
		if !mark && err != nil {
			break
		}
		must(t, err)
		sub, ok := socket.ParseSubscription(m)
		if !ok {
			break
		}
		told = append(told, map[bool]string{true: "+", false: "-"}[sub.Add]+sub.Topic)
	}
	slices.Sort(told)
	return told
}

func TestParseSubscription(t *testing.T) {
	from := &socket.Peer{Type: "SUB"}
	for _, c := range []struct {
		name string
		m    socket.Msg
		want socket.Subscription
		ok   bool
	}{
		{"subscribe", socket.Text("\x01topic"), socket.Subscription{Topic: "topic", Add: true, Peer: from}, true},
		{"cancel", socket.Text("\x00topic"), socket.Subscription{Topic: "topic", Peer: from}, true},
		{"everything", socket.Text("\x01"), socket.Subscription{Add: true, Peer: from}, true},
		{"another byte", socket.Text("\x02topic"), socket.Subscription{}, false},
		{"empty", socket.Text(""), socket.Subscription{}, false},
		{"two frames", socket.Text("\x01topic", ""), socket.Subscription{}, false},
		{"none", socket.Msg{}, socket.Subscription{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.m.From = from
			if got, ok := socket.ParseSubscription(c.m); ok != c.ok || ok && got != c.want {
				t.Fatalf("got %+v, %v", got, ok)
			}
		})
	}
}

func TestXPubReceivesWhatIsSentUpstream(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		xpub, xsub := closing(t, socket.NewXPub()), closing(t, socket.NewXSub())
		link(t, xpub, xsub, endpoint)
		send(t, xsub, "\x01topic") // a command, which may overtake messages
		m := recv(t, xpub)
		if sub, ok := socket.ParseSubscription(m); !ok || sub.Topic != "topic" || !sub.Add || sub.Peer.Type != "XSUB" {
			t.Fatalf("received %s: %+v", m, sub)
		}
		send(t, xsub, "hello", "")
		send(t, xsub, "\x01not a subscription", "for it has two frames")
		expect(t, xpub, "hello", "")
		expect(t, xpub, "\x01not a subscription", "for it has two frames")
		send(t, xpub, "topic", "news")
		expect(t, xsub, "topic", "news")
	})
}

// TestXPubOfOldPeers: a ZMTP 3.0 peer subscribes by messages.
func TestXPubOfOldPeers(t *testing.T) {
	xpub := closing(t, socket.NewXPub())
	peer := newRawSub(t, bind(t, xpub, "tcp://127.0.0.1:*"))
	peer.write(append(frames("\x01a"), append(frames("\x01b"), frames("\x00a")...)...))
	expect(t, xpub, "\x01a")
	expect(t, xpub, "\x01b")
	expect(t, xpub, "\x00a")
	must(t, xpub.WaitSubscribers(within(t), "b", 1))
	send(t, xpub, "a", "for nobody")
	if got := xpub.Stats().Dropped[socket.NoSubscriber].Messages; got != 1 {
		t.Fatalf("dropped %v", xpub.Stats().Dropped)
	}
}

func TestXPubManual(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		xpub := closing(t, socket.NewXPub(socket.WithManual()))
		sub := socket.NewSub(socket.WithSubscription("A", "XA"))
		must(t, sub.Unsubscribe("XA"))
		at := link(t, xpub, sub, endpoint)
		m := recv(t, xpub)
		asked, ok := socket.ParseSubscription(m)
		if !ok || asked.Topic != "A" || !asked.Add || asked.Peer == nil {
			t.Fatalf("received %s", m)
		}
		send(t, xpub, "A", "not yet")
		if got := xpub.Stats().Dropped[socket.NoSubscriber].Messages; got != 1 {
			t.Fatalf("a subscription took effect by itself: %+v", xpub.Stats().Ledger)
		}
		must(t, xpub.Subscribe(asked.Peer, "A/b"))
		send(t, xpub, "A", "too short")
		send(t, xpub, "A/bc", "yes")
		expect(t, sub, "A/bc", "yes")

		must(t, sub.Subscribe("C"))
		expect(t, xpub, "\x01C")
		must(t, sub.Unsubscribe("C"))
		expect(t, xpub, "\x00C") // told, though it never had it
		must(t, xpub.Unsubscribe(asked.Peer, "A/b"))
		send(t, xpub, "A/bc", "no more")
		if got := xpub.Stats().Dropped[socket.NoSubscriber].Messages; got != 3 {
			t.Fatalf("dropped %v, want 3", xpub.Stats().Dropped)
		}
		must(t, xpub.Subscribe(asked.Peer, "A/b"))

		must(t, sub.Close())
		expect(t, xpub, "\x00A") // what it had asked for, not what it was given
		waitUntil(t, "it is gone", func() bool { return len(xpub.Stats().Peers) == 0 })
		nothing(t, xpub)
		for _, err := range []error{
			xpub.Subscribe(asked.Peer, "A"), xpub.Unsubscribe(asked.Peer, "A"), xpub.SetOverflow(asked.Peer, socket.Block),
		} {
			if !errors.Is(err, socket.ErrPeerLost) {
				t.Fatalf("for a peer that left: %v, want ErrPeerLost", err)
			}
		}
		next := closing(t, socket.NewSub(socket.WithSubscription("A")))
		connect(t, next, at)
		expect(t, xpub, "\x01A")
		send(t, xpub, "A/bc", "for nobody")
		if got := xpub.Stats().Dropped[socket.NoSubscriber].Messages; got != 4 {
			t.Fatalf("what the first peer was given is left: dropped %v", xpub.Stats().Dropped)
		}
	})
}

// TestXPubManualByPeer: the same request of two peers is answered differently.
func TestXPubManualByPeer(t *testing.T) {
	xpub := closing(t, socket.NewXPub(socket.WithManual()))
	at := bind(t, xpub, "inproc://"+t.Name())
	subs := make([]*socket.Sub, 2)
	for i := range subs {
		subs[i] = closing(t, socket.NewSub(socket.WithSubscription("news")))
		connect(t, subs[i], at)
		asked, _ := socket.ParseSubscription(recv(t, xpub))
		must(t, xpub.Subscribe(asked.Peer, fmt.Sprintf("news/%d", i)))
	}
	send(t, xpub, "news/0")
	send(t, xpub, "news/1")
	expect(t, subs[0], "news/0")
	expect(t, subs[1], "news/1")
	nothing(t, subs[0])
	nothing(t, subs[1])
}

// TestXPubThatNeverLooks publishes like a Pub to those who subscribe, and cuts off a peer that goes on changing its
// mind.
func TestXPubThatNeverLooks(t *testing.T) {
	limits := socket.WithLimits(socket.Limits{MaxSubscriptions: 10})
	xpub := closing(t, socket.NewXPub(limits, socket.WithVerbosity(socket.EveryChange), socket.WithRecvHWM(1)))
	at := bind(t, xpub, "tcp://127.0.0.1:*")
	sub := closing(t, socket.NewSub(socket.WithSubscription("a", "b", "c", "d", "e")))
	connect(t, sub, at)
	for _, topic := range sub.Topics() {
		must(t, xpub.WaitSubscribers(within(t), topic, 1))
	}
	send(t, xpub, "e", "first")
	expect(t, sub, "e", "first")
	fickle := newRawSub(t, at)
	go func() {
		v := zmtp.Version{Major: 3, Minor: 1}
		b := zmtp.AppendCancel(zmtp.AppendSubscribe(nil, v, []byte("x")), v, []byte("x"))
		for {
			if _, err := fickle.Write(b); err != nil {
				return
			}
		}
	}()
	if ev := event(t, xpub, socket.LimitHit); !errors.Is(ev.Err, socket.ErrLimit) ||
		ev.Peer.Address != fickle.LocalAddr().String() {
		t.Fatalf("event %v", ev)
	}
	send(t, xpub, "e", "second")
	expect(t, sub, "e", "second")
}

func TestXPubPeersLimits(t *testing.T) {
	for name, manual := range map[string]bool{"plain": false, "manual": true} {
		t.Run(name, func(t *testing.T) {
			opts := []socket.XPubOption{socket.WithLimits(socket.Limits{MaxSubscriptions: 3, MaxTopic: 5})}
			if manual {
				opts = append(opts, socket.WithManual())
			}
			xpub := closing(t, socket.NewXPub(opts...))
			at := bind(t, xpub, "tcp://127.0.0.1:*")
			greedy := newRawSub(t, at)
			for i := range 4 {
				greedy.change(fmt.Sprint("+", i))
			}
			if ev := event(t, xpub, socket.SubscriptionRefused); !errors.Is(ev.Err, socket.ErrLimit) ||
				!strings.Contains(ev.Err.Error(), `"3"`) {
				t.Fatalf("event %v", ev)
			}
			greedy.change("-0")
			greedy.change("+4") // there is room again
			long := newRawSub(t, at)
			long.change("+123456")
			refused := 0
			eventWhere(t, xpub, "a second refusal", func(ev socket.Event) bool {
				if ev.Kind == socket.SubscriptionRefused {
					refused++
				}
				return refused == 2
			})
			told := make(map[string]bool)
			for len(told) != 3 || !told["4"] {
				sub, _ := socket.ParseSubscription(recv(t, xpub))
				if told[sub.Topic] = sub.Add; !sub.Add {
					delete(told, sub.Topic)
				}
			}
			if peers := xpub.Stats().Peers; len(peers) != 2 {
				t.Errorf("%d peers are left, want both", len(peers))
			}
		})
	}
}

func TestSetOverflowOfOnePeer(t *testing.T) {
	type publisher interface {
		socket.Socket
		socket.Sender
		TrySend(m socket.Msg) error
		SetOverflow(p *socket.Peer, policy socket.Overflow) error
		WaitSubscribers(ctx context.Context, topic string, n int) error
	}
	for _, c := range []struct {
		policy socket.Overflow
		sends  int // of 5 that succeed
		left   []string
	}{
		{socket.DropNewest, 5, []string{"0", "1"}},
		{socket.DropOldest, 5, []string{"3", "4"}},
		{socket.Conflate, 5, []string{"4"}},
		{socket.Block, 2, []string{"0", "1"}},
		{socket.Reject, 2, []string{"0", "1"}},
	} {
		for _, pub := range []publisher{socket.NewPub(socket.WithSendHWM(1)), socket.NewXPub(socket.WithSendHWM(1))} {
			t.Run(fmt.Sprintf("%s/policy %d", pub.Type(), c.policy), func(t *testing.T) {
				closing(t, pub)
				at := bind(t, pub, "inproc://"+t.Name())
				special := closing(t, socket.NewSub(socket.WithRecvHWM(1), socket.WithSubscription("")))
				connect(t, special, at)
				waitPeers(t, pub, 1)
				must(t, pub.WaitSubscribers(within(t), "", 1))
				must(t, pub.SetOverflow(pub.Stats().Peers[0].Peer, c.policy))
				normal := closing(t, socket.NewSub(socket.WithRecvHWM(100), socket.WithSubscription("")))
				connect(t, normal, at)
				must(t, pub.WaitSubscribers(within(t), "", 2))
				sent := 0
				for i := range 5 {
					switch err := pub.TrySend(socket.Text(fmt.Sprint(i))); {
					case err == nil:
						sent++
					case !errors.Is(err, socket.ErrWouldBlock):
						t.Fatal(err)
					}
				}
				if sent != c.sends {
					t.Fatalf("%d of 5 sends succeeded, want %d", sent, c.sends)
				}
				for i := range sent {
					expect(t, normal, fmt.Sprint(i))
				}
				for _, want := range c.left {
					expect(t, special, want)
				}
				nothing(t, normal)
				nothing(t, special)
			})
		}
	}
}

// TestSetOverflowFreesThoseWhoWait: a Send that waits for a peer whose policy is changed goes on.
func TestSetOverflowFreesThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		space := socket.WithTransport(transport.NewInproc())
		pub := closing(t, socket.NewPub(space, socket.WithSendHWM(1), socket.WithOverflow(socket.Block)))
		sub := closing(t, socket.NewSub(space, socket.WithRecvHWM(1), socket.WithSubscription("")))
		link(t, pub, sub, "inproc://x")
		waitSubs(t, pub, "", 1)
		send(t, pub, "0")
		send(t, pub, "1")
		done := make(chan error, 1)
		go func() { done <- pub.Send(within(t), socket.Text("2")) }()
		synctest.Wait()
		must(t, pub.SetOverflow(pub.Stats().Peers[0].Peer, socket.DropNewest))
		must(t, <-done)
		expect(t, sub, "0")
		expect(t, sub, "1")
		nothing(t, sub)
	})
}

// TestSetOverflowRejectsAtOnce: also in Send, and also where the socket itself would drop.
func TestSetOverflowRejectsAtOnce(t *testing.T) {
	pub := closing(t, socket.NewPub(socket.WithSendHWM(1)))
	sub := closing(t, socket.NewSub(socket.WithRecvHWM(1), socket.WithSubscription("")))
	link(t, pub, sub, "inproc://"+t.Name())
	waitSubs(t, pub, "", 1)
	must(t, pub.SetOverflow(pub.Stats().Peers[0].Peer, socket.Reject))
	send(t, pub, "0")
	send(t, pub, "1")
	ctx, cancel := contextEnded()
	defer cancel()
	if err := pub.Send(ctx, socket.Text("2")); !errors.Is(err, socket.ErrWouldBlock) || errors.Is(err, context.Canceled) {
		t.Fatalf("Send: %v, want ErrWouldBlock without a wait", err)
	}
}

// What a peer was refused because it had too many subscriptions is taken, in the order in which it asked, as soon as it
// cancels others, and not if it has taken it back meanwhile.
func TestRefusedSubscriptionsAreTakenOnceThereIsRoom(t *testing.T) {
	limits := socket.WithLimits(socket.Limits{MaxSubscriptions: 3})
	type publisher interface {
		socket.Socket
		Topics() []string
	}
	for _, p := range []struct {
		name  string
		open  func() publisher
		gives bool // the application gives what is asked for; elsewhere it would give what was cancelled meanwhile
	}{
		{"PUB", func() publisher { return socket.NewPub(limits) }, false},
		{"XPUB", func() publisher { return socket.NewXPub(limits) }, false},
		{"XPUB that shows each change", func() publisher {
			return socket.NewXPub(limits, socket.WithVerbosity(socket.EveryChange))
		}, false},
		{"manual XPUB", func() publisher { return socket.NewXPub(limits, socket.WithManual()) }, true},
	} {
		for _, endpoint := range []string{"tcp://127.0.0.1:*", "inproc://"} {
			t.Run(p.name+"/"+endpoint[:3], func(t *testing.T) {
				t.Parallel()
				pub := closing(t, p.open())
				x, shows := pub.(*socket.XPub)
				sub := closing(t, socket.NewSub())
				if endpoint == "inproc://" {
					endpoint += t.Name()
				}
				connect(t, sub, bind(t, pub, endpoint))
				waitPeers(t, pub, 1)
				wants := func(topics ...string) {
					t.Helper()
					waitUntil(t, fmt.Sprintf("the peer has %q", topics), func() bool {
						for shows {
							m, err := x.TryRecv()
							if err != nil {
								break
							}
							change, _ := socket.ParseSubscription(m)
							switch {
							case !p.gives:
							case change.Add:
								must(t, x.Subscribe(change.Peer, change.Topic))
							default:
								must(t, x.Unsubscribe(change.Peer, change.Topic))
							}
						}
						got := pub.Topics()
						slices.Sort(got)
						return slices.Equal(got, topics)
					})
				}
				for _, topic := range []string{"a", "b", "c", "d", "e", "f", "g"} {
					must(t, sub.Subscribe(topic))
				}
				wants("a", "b", "c")
				must(t, sub.Unsubscribe("e"))
				must(t, sub.Unsubscribe("a"))
				wants("b", "c", "d")
				must(t, sub.Unsubscribe("c"))
				must(t, sub.Unsubscribe("b"))
				wants("d", "f", "g")
				must(t, sub.Unsubscribe("g"))
				wants("d", "f")
				must(t, sub.Subscribe("a"))
				wants("a", "d", "f")
			})
		}
	}
}
