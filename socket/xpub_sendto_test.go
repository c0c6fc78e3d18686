package socket_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
)

// subscribed connects an XSub that is subscribed to a topic of its own and returns it with the Peer that the XPub knows
// it by.
func subscribed(
	t testing.TB, xpub *socket.XPub, at, topic string, opts ...socket.XSubOption,
) (*socket.XSub, *socket.Peer) {
	t.Helper()
	xsub := closing(t, socket.NewXSub(append(opts, socket.WithSubscription(topic))...))
	connect(t, xsub, at)
	for {
		if sub, ok := socket.ParseSubscription(recv(t, xpub)); ok && sub.Add && sub.Topic == topic {
			return xsub, sub.Peer
		}
	}
}

// TestXPubSendTo: the peers that are named get the message, each once, in order with what is published, and no other.
func TestXPubSendTo(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		xpub := closing(t, socket.NewXPub(socket.WithLastValue(10)))
		at := bind(t, xpub, endpoint)
		subs, peers := make([]*socket.XSub, 3), make([]*socket.Peer, 3)
		for i := range subs {
			subs[i], peers[i] = subscribed(t, xpub, at, fmt.Sprint("topic ", i))
		}
		for round := range 20 {
			n := fmt.Sprint(round)
			must(t, xpub.SendTo(within(t), socket.Text("one", n), peers[:1]))
			must(t, xpub.TrySendTo(socket.Text("two", n), []*socket.Peer{peers[0], peers[1], peers[0], nil}))
			send(t, xpub, "topic 0", n)
			must(t, xpub.SendTo(within(t), socket.Text("all", n), peers))
		}
		for round := range 20 {
			n := fmt.Sprint(round)
			expect(t, subs[0], "one", n)
			expect(t, subs[0], "two", n)
			expect(t, subs[0], "topic 0", n)
			expect(t, subs[0], "all", n)
			expect(t, subs[1], "two", n)
			expect(t, subs[1], "all", n)
			expect(t, subs[2], "all", n)
		}
		for _, s := range subs {
			nothing(t, s)
		}
		late := closing(t, socket.NewXSub(socket.WithSubscription("all", "mark")))
		connect(t, late, at)
		must(t, xpub.WaitSubscribers(within(t), "mark", 1))
		send(t, xpub, "mark")
		expect(t, late, "mark") // no last value of "all"
	})
}

// TestXPubSendToNobody: what no peer is there for is dropped, and counted, as what nobody is subscribed to.
func TestXPubSendToNobody(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		xpub, other := closing(t, socket.NewXPub()), closing(t, socket.NewXPub())
		at := bind(t, xpub, endpoint)
		xsub, gone := subscribed(t, xpub, at, "gone")
		must(t, xsub.Close())
		peerOver(t, gone)
		_, there := subscribed(t, xpub, at, "there")
		for i, c := range []struct {
			from  *socket.XPub
			peers []*socket.Peer
		}{
			{xpub, nil},
			{xpub, []*socket.Peer{gone}},
			{xpub, []*socket.Peer{nil, new(socket.Peer)}},
			{other, []*socket.Peer{there}},
		} {
			before := c.from.Stats().Dropped[socket.NoSubscriber].Messages
			must(t, c.from.SendTo(within(t), socket.Text("x"), c.peers))
			if n := c.from.Stats().Dropped[socket.NoSubscriber].Messages; n != before+1 {
				t.Errorf("case %d: %d messages for nobody, want %d", i, n, before+1)
			}
		}
		if err := xpub.SendTo(within(t), socket.Msg{}, []*socket.Peer{there}); !errors.Is(err, socket.ErrNoFrames) {
			t.Errorf("without frames: %v", err)
		}
		must(t, xpub.Close())
		if err := xpub.SendTo(within(t), socket.Text("x"), []*socket.Peer{there}); !errors.Is(err, socket.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

// TestXPubSendToWithoutRoom: each policy does what it does for Send, and a peer that is not named is not looked at.
func TestXPubSendToWithoutRoom(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy socket.Overflow
		sends  int // of 5 that succeed
		left   []string
	}{
		{"DropNewest", socket.DropNewest, 5, []string{"0", "1"}},
		{"DropOldest", socket.DropOldest, 5, []string{"3", "4"}},
		{"Conflate", socket.Conflate, 5, []string{"4"}},
		{"Block", socket.Block, 2, []string{"0", "1"}},
		{"Reject", socket.Reject, 2, []string{"0", "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			xpub := closing(t, socket.NewXPub(socket.WithSendHWM(1)))
			at := bind(t, xpub, "inproc://"+t.Name())
			small, p := subscribed(t, xpub, at, "a", socket.WithRecvHWM(1))
			must(t, xpub.SetOverflow(p, c.policy))
			large, q := subscribed(t, xpub, at, "b", socket.WithRecvHWM(100))
			sent := 0
			for i := range 5 {
				must(t, xpub.TrySendTo(socket.Text("alone"), []*socket.Peer{q}))
				switch err := xpub.TrySendTo(socket.Text(fmt.Sprint(i)), []*socket.Peer{p, q}); {
				case err == nil:
					sent++
				case !errors.Is(err, socket.ErrWouldBlock):
					t.Fatal(err)
				}
			}
			if sent != c.sends {
				t.Fatalf("%d of 5 sends succeeded, want %d", sent, c.sends)
			}
			for _, want := range c.left {
				expect(t, small, want)
			}
			for i := range 5 {
				expect(t, large, "alone")
				if i < sent {
					expect(t, large, fmt.Sprint(i))
				}
			}
			nothing(t, small)
			nothing(t, large)
		})
	}
}

// TestXPubSendToWaits: under Block it waits for room, and goes on without a peer that is lost meanwhile.
func TestXPubSendToWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		space := socket.WithTransport(transport.NewInproc())
		xpub := closing(t, socket.NewXPub(space, socket.WithSendHWM(1), socket.WithOverflow(socket.Block)))
		at := bind(t, xpub, "inproc://x")
		xsub, p := subscribed(t, xpub, at, "", space, socket.WithRecvHWM(1))
		to := []*socket.Peer{p}
		must(t, xpub.SendTo(within(t), socket.Text("0"), to))
		must(t, xpub.SendTo(within(t), socket.Text("1"), to))
		ended, cancel := contextEnded()
		defer cancel()
		if err := xpub.SendTo(ended, socket.Text("2"), to); !errors.Is(err, context.Canceled) {
			t.Fatalf("without room: %v", err)
		}
		waits := func(free func()) {
			sent := make(chan error, 1)
			go func() { sent <- xpub.SendTo(within(t), socket.Text("2"), to) }()
			synctest.Wait()
			select {
			case err := <-sent:
				t.Fatalf("it did not wait: %v", err)
			default:
			}
			free()
			must(t, <-sent)
		}
		waits(func() {
			expect(t, xsub, "0")
			expect(t, xsub, "1")
		})
		must(t, xpub.TrySendTo(socket.Text("3"), to))
		waits(func() { must(t, xsub.Close()) })
		if n := xpub.Stats().Dropped[socket.NoSubscriber].Messages; n != 1 {
			t.Errorf("%d messages were for nobody, want the last", n)
		}
	})
}
