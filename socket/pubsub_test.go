package socket_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

func waitSubs(t testing.TB, pub *socket.Pub, topic string, n int) {
	t.Helper()
	must(t, pub.WaitSubscribers(within(t), topic, n))
}

func TestTopicsAreMatchedByPrefix(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		pub := closing(t, socket.NewPub())
		at := bind(t, pub, endpoint)
		all := closing(t, socket.NewSub(socket.WithSubscription("")))
		ab := closing(t, socket.NewSub(socket.WithSubscription("ab", "a", "ab")))
		x := closing(t, socket.NewSub(socket.WithSubscription("x")))
		for _, s := range []*socket.Sub{all, ab, x} {
			connect(t, s, at)
		}
		waitSubs(t, pub, "a", 2)
		waitSubs(t, pub, "abc", 2)
		waitSubs(t, pub, "x", 2)
		topics := []string{"", "a", "ab", "abc", "b", "x", "xy"}
		for _, topic := range topics {
			send(t, pub, topic, "body of "+topic)
		}
		for _, topic := range topics {
			expect(t, all, topic, "body of "+topic)
		}
		for _, topic := range []string{"a", "ab", "abc"} {
			expect(t, ab, topic, "body of "+topic) // once, though two subscriptions match
		}
		for _, topic := range []string{"x", "xy"} {
			expect(t, x, topic, "body of "+topic)
		}
		for _, s := range []*socket.Sub{all, ab, x} {
			nothing(t, s)
		}
		if got := pub.Stats().Accepted.Messages; got != 12 {
			t.Errorf("accepted %d, want one for each delivery: 12", got)
		}
		send(t, pub, "to everybody")
		expect(t, all, "to everybody")
	})
}

func TestNobodySubscribedIsCounted(t *testing.T) {
	pub := closing(t, socket.NewPub())
	bind(t, pub, "inproc://"+t.Name())
	send(t, pub, "x", "12345")
	want := socket.Count{Messages: 1, Bytes: 6}
	if got := pub.Stats().Dropped[socket.NoSubscriber]; got != want {
		t.Fatalf("dropped %v, want %v", got, want)
	}
}

func TestSubscriptionsAreCounted(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		pub, sub := closing(t, socket.NewPub()), closing(t, socket.NewSub())
		link(t, pub, sub, endpoint)
		must(t, sub.Subscribe("a"))
		must(t, sub.Subscribe("a"))
		waitSubs(t, pub, "a", 1)
		must(t, sub.Unsubscribe("a"))
		must(t, sub.Subscribe("mark 1"))
		waitSubs(t, pub, "mark 1", 1) // what came before it has arrived too
		send(t, pub, "a", "still")
		expect(t, sub, "a", "still")
		must(t, sub.Unsubscribe("a"))
		must(t, sub.Subscribe("mark 2"))
		waitSubs(t, pub, "mark 2", 1)
		send(t, pub, "a", "no more")
		if got := pub.Stats().Dropped[socket.NoSubscriber].Messages; got != 1 {
			t.Fatalf("%d dropped for want of a subscriber, want 1", got)
		}
		if err := sub.Unsubscribe("a"); !errors.Is(err, socket.ErrState) {
			t.Fatalf("one Unsubscribe too many: %v, want ErrState", err)
		}
	})
}

func TestUnsubscribeDiscardsWhatIsUnread(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		pub, sub := closing(t, socket.NewPub()), closing(t, socket.NewSub(socket.WithSubscription("a", "b")))
		link(t, pub, sub, endpoint)
		waitSubs(t, pub, "b", 1)
		waitSubs(t, pub, "a", 1)
		send(t, pub, "a")
		send(t, pub, "b")
		waitUnread(t, sub, 2)
		must(t, sub.Unsubscribe("a"))
		expect(t, sub, "b")
		if got := sub.Stats().Discarded[socket.NotSubscribed].Messages; got != 1 {
			t.Fatalf("discarded %d, want 1", got)
		}
	})
}

// TestEverythingAndThenLess: who takes back "" gets only what else was asked for, and what is there already is looked
// at again.
func TestEverythingAndThenLess(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		pub := closing(t, socket.NewPub())
		sub := closing(t, socket.NewSub(socket.WithSubscription(""), socket.WithSubscription("a")))
		link(t, pub, sub, endpoint)
		waitSubs(t, pub, "", 1)
		waitSubs(t, pub, "a", 1)
		send(t, pub, "b0")
		expect(t, sub, "b0")
		for _, topic := range []string{"b1", "a1", "b2", "a2"} {
			send(t, pub, topic)
		}
		waitUntil(t, "they are there", func() bool { return sub.Stats().Received.Messages == 5 })
		must(t, sub.Unsubscribe(""))
		waitUntil(t, "its cancellation has arrived", func() bool { return !slices.Contains(pub.Topics(), "") })
		expect(t, sub, "a1")
		expect(t, sub, "a2")
		nothing(t, sub)
		if n := sub.Stats().Discarded[socket.NotSubscribed].Messages; n != 2 {
			t.Errorf("%d messages discarded, want 2", n)
		}
		must(t, sub.Subscribe(""))
		waitSubs(t, pub, "", 1)
		send(t, pub, "b3")
		expect(t, sub, "b3")
	})
}

func TestTopicLengths(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		pub := closing(t, socket.NewPub())
		at := bind(t, pub, endpoint)
		for i, n := range []int{0, 1, 254, 255, 256, 1024} {
			topic := strings.Repeat("t", n)
			sub := closing(t, socket.NewSub(socket.WithSubscription(topic)))
			connect(t, sub, at)
			waitSubs(t, pub, topic, i+1)
			send(t, pub, topic, "body")
			expect(t, sub, topic, "body")
			must(t, sub.Unsubscribe(topic))
			must(t, sub.Subscribe(topic))
		}
		sub := closing(t, socket.NewSub())
		if err := sub.Subscribe(strings.Repeat("t", 1025)); !errors.Is(err, socket.ErrTooLarge) {
			t.Fatalf("Subscribe with 1025 bytes: %v, want ErrTooLarge", err)
		}
	})
}

// TestSlowJoiner: after WaitSubscribers the first message arrives, every time.
func TestSlowJoiner(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		pub := closing(t, socket.NewPub())
		at := bind(t, pub, endpoint)
		ctx := within(t)
		rounds := 1000
		if testing.Short() {
			rounds = 100
		}
		for i := range rounds {
			topic := fmt.Sprintf("round %d.", i)
			sub := socket.NewSub(socket.WithSubscription(topic))
			must(t, sub.Connect(at))
			must(t, pub.WaitSubscribers(ctx, topic, 1))
			must(t, pub.Send(ctx, socket.Text(topic, "first")))
			m, err := sub.Recv(ctx)
			if err != nil || string(m.Frames[1]) != "first" {
				t.Fatalf("round %d: %s, %v", i, m, err)
			}
			must(t, sub.Close())
		}
		if n := len(pub.Stats().Dropped); n != 0 {
			t.Fatalf("dropped %v", pub.Stats().Dropped)
		}
	})
}

func TestResubscribesWholeAfterReconnect(t *testing.T) {
	const n = 6_000 // far more than the mark and a slab hold
	topics := make([]string, n)
	for i := range topics {
		topics[i] = fmt.Sprintf("topic/%05d", i)
	}
	eachTransport(t, func(t *testing.T, endpoint string) {
		at := unused(t, endpoint)
		sub := closing(t, socket.NewSub(socket.WithSubscription(topics...), socket.WithSendHWM(10)))
		connect(t, sub, at)
		for round := range 2 {
			pub := socket.NewPub(socket.WithSendHWM(0))
			bind(t, pub, at)
			for _, topic := range []string{topics[0], topics[n/2], topics[n-1]} {
				waitSubs(t, pub, topic, 1)
			}
			waitUntil(t, "all subscriptions", func() bool { return countTopics(pub, topics) == n })
			for _, topic := range topics {
				send(t, pub, topic)
			}
			for _, topic := range topics {
				expect(t, sub, topic)
			}
			if round == 0 {
				must(t, pub.Close())
				event(t, sub, socket.PeerDown)
			} else {
				closing(t, pub)
			}
		}
	})
}

// countTopics counts the topics that have a subscriber, by an ended context instead of a wait.
func countTopics(pub *socket.Pub, topics []string) (n int) {
	ctx, cancel := contextEnded()
	defer cancel()
	for _, topic := range topics {
		if pub.WaitSubscribers(ctx, topic, 1) != nil {
			return n
		}
		n++
	}
	return n
}

func TestStuckSubscriberDelaysNobody(t *testing.T) {
	pub := closing(t, socket.NewPub(socket.WithSendHWM(100)))
	at := bind(t, pub, "tcp://127.0.0.1:*")
	stuck := rawPeer(t, at, "SUB")
	_, err := stuck.Write(zmtp.AppendSubscribe(nil, zmtp.Version{Major: 3, Minor: 1}, nil))
	must(t, err)
	waitSubs(t, pub, "", 1)
	sub := closing(t, socket.NewSub(socket.WithSubscription("")))
	connect(t, sub, at)
	waitSubs(t, pub, "", 2)
	body := strings.Repeat("x", 64<<10)
	const n = 300 // far more than the kernel and the mark hold
	for i := range n {
		send(t, pub, fmt.Sprint(i), body)
		expect(t, sub, fmt.Sprint(i), body)
	}
	stats := pub.Stats()
	must(t, stats.Check())
	var drops []uint64
	for _, p := range stats.Peers {
		drops = append(drops, p.Dropped[socket.QueueFull].Messages)
	}
	slices.Sort(drops)
	if len(drops) != 2 || drops[0] != 0 || drops[1] == 0 {
		t.Fatalf("drops per peer %v: want some on the stuck one and none on the other", drops)
	}
	if got := stats.Dropped[socket.QueueFull].Messages; got != drops[1] {
		t.Fatalf("the socket counts %d drops, its peer %d", got, drops[1])
	}
	if ev := event(t, pub, socket.SlowPeer); ev.Peer.Address != stuck.LocalAddr().String() {
		t.Fatalf("event %v names the wrong peer", ev)
	}
}

func TestPubOverflow(t *testing.T) {
	// Over inproc nothing waits in a kernel: the peer's queue holds exactly the sum of both marks.
	for _, c := range []struct {
		name   string
		policy socket.Overflow
		sends  map[error]int // how the five sends end
		left   []string
	}{
		{"drop newest", socket.DropNewest, map[error]int{nil: 5}, []string{"0", "1"}},
		{"drop oldest", socket.DropOldest, map[error]int{nil: 5}, []string{"3", "4"}},
		{"conflate", socket.Conflate, map[error]int{nil: 5}, []string{"4"}},
		{"reject", socket.Reject, map[error]int{nil: 2, socket.ErrWouldBlock: 3}, []string{"0", "1"}},
		{"block", socket.Block, map[error]int{nil: 2, socket.ErrWouldBlock: 3}, []string{"0", "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			pub := closing(t, socket.NewPub(socket.WithSendHWM(1), socket.WithOverflow(c.policy)))
			sub := closing(t, socket.NewSub(socket.WithRecvHWM(1), socket.WithSubscription("")))
			link(t, pub, sub, "inproc://"+t.Name())
			waitSubs(t, pub, "", 1)
			ended := make(map[error]int)
			for i := range 5 {
				err := pub.TrySend(socket.Text(fmt.Sprint(i)))
				if errors.Is(err, socket.ErrWouldBlock) {
					err = socket.ErrWouldBlock
				}
				ended[err]++
			}
			if !maps.Equal(ended, c.sends) {
				t.Errorf("the sends ended %v, want %v", ended, c.sends)
			}
			for _, want := range c.left {
				expect(t, sub, want)
			}
			nothing(t, sub)
			balanced(t, pub)
			balanced(t, sub)
		})
	}
	t.Run("disconnect", func(t *testing.T) {
		pub := closing(t, socket.NewPub(socket.WithSendHWM(1), socket.WithOverflow(socket.Disconnect)))
		sub := closing(t, socket.NewSub(socket.WithRecvHWM(1), socket.WithSubscription("")))
		link(t, pub, sub, "inproc://"+t.Name())
		waitSubs(t, pub, "", 1)
		for i := range 3 {
			must(t, pub.TrySend(socket.Text(fmt.Sprint(i))))
		}
		if ev := event(t, pub, socket.PeerDown); !errors.Is(ev.Err, socket.ErrSlow) {
			t.Fatalf("event %v, want ErrSlow", ev)
		}
		expect(t, sub, "0")
		expect(t, sub, "1")
		waitSubs(t, pub, "", 1) // it came back
	})
}

func TestPublishedBytesAreNotShared(t *testing.T) {
	pub := closing(t, socket.NewPub())
	at := bind(t, pub, "inproc://"+t.Name())
	a := closing(t, socket.NewSub(socket.WithSubscription("")))
	b := closing(t, socket.NewSub(socket.WithSubscription("")))
	connect(t, a, at)
	connect(t, b, at)
	waitSubs(t, pub, "", 2)
	send(t, pub, "topic", "body")
	m := recv(t, a)
	m.Frames[0][0], m.Frames[1][0] = 'X', 'X'
	expect(t, b, "topic", "body")
}

func TestPubDiscardsWhatItDoesNotExpect(t *testing.T) {
	pub := closing(t, socket.NewPub())
	at := bind(t, pub, "tcp://127.0.0.1:*")
	xsub := rawPeer(t, at, "XSUB")
	b := zmtp.AppendHeader(nil, 0, 5)
	b = append(b, "hello"...)
	b = append(zmtp.AppendHeader(b, 0, 3), "\x01ab"...) // a subscription as a message
	_, err := xsub.Write(b)
	must(t, err)
	waitSubs(t, pub, "abc", 1)
	if got := pub.Stats().Discarded[socket.Unexpected]; got != (socket.Count{Messages: 1, Bytes: 5}) {
		t.Fatalf("discarded %v, want one message of 5 bytes", got)
	}
}
