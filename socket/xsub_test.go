package socket_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

func TestXSubSubscribesByMessages(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		pub, xsub := closing(t, socket.NewPub()), closing(t, socket.NewXSub(socket.WithSubscription("from the start")))
		link(t, pub, xsub, endpoint)
		send(t, xsub, "\x01a")
		must(t, xsub.Subscribe("b"))
		waitSubs(t, pub, "a", 1)
		waitSubs(t, pub, "b", 1)
		waitSubs(t, pub, "from the start", 1)
		topics := xsub.Topics()
		slices.Sort(topics)
		if want := []string{"a", "b", "from the start"}; !slices.Equal(topics, want) {
			t.Fatalf("topics %q, want %q", topics, want)
		}
		send(t, pub, "ab", "1")
		send(t, pub, "c", "for nobody")
		send(t, pub, "b", "2")
		expect(t, xsub, "ab", "1")
		expect(t, xsub, "b", "2")

		send(t, xsub, "\x00a")
		send(t, xsub, "\x00a")             // not subscribed any more: nothing happens
		send(t, xsub, "\x00never had it")  // nor here
		send(t, xsub, "\x01the mark", "…") // two frames: a message, which Pub discards
		must(t, xsub.Unsubscribe("b"))
		if err := xsub.Unsubscribe("b"); !errors.Is(err, socket.ErrState) {
			t.Fatalf("Unsubscribe: %v, want ErrState", err)
		}
		send(t, xsub, "\x01mark")
		waitSubs(t, pub, "mark", 1)
		send(t, pub, "ab")
		send(t, pub, "b")
		if got := pub.Stats().Dropped[socket.NoSubscriber].Messages; got != 3 {
			t.Fatalf("dropped %v, want 3 that nobody subscribed to", pub.Stats().Dropped)
		}
		nothing(t, xsub)
	})
}

// TestXSubCountsSubscriptions: what was subscribed twice ends with the second cancellation. That it is subscribed
// again is passed on, as libzmq does.
func TestXSubCountsSubscriptions(t *testing.T) {
	xpub, xsub := closing(t, socket.NewXPub(socket.WithVerbosity(socket.EveryChange))), closing(t, socket.NewXSub())
	link(t, xpub, xsub, "inproc://"+t.Name())
	for _, m := range []string{"\x01a", "\x01a", "\x00a", "\x01b", "\x00a", "\x00b"} {
		send(t, xsub, m)
	}
	for _, want := range []string{"\x01a", "\x01a", "\x01b", "\x00a", "\x00b"} {
		expect(t, xpub, want)
	}
	nothing(t, xpub)
}

func TestXSubSendsUpstream(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		xsub := closing(t, socket.NewXSub())
		at := bind(t, xsub, endpoint)
		send(t, xsub, "to nobody")
		if got := xsub.Stats().Dropped[socket.NoSubscriber].Messages; got != 1 {
			t.Fatalf("dropped %v", xsub.Stats().Dropped)
		}
		a, b := closing(t, socket.NewXPub()), closing(t, socket.NewXPub())
		pub := closing(t, socket.NewPub())
		for i, s := range []socket.Socket{a, b, pub} {
			connect(t, s, at)
			waitPeers(t, xsub, i+1)
		}
		for i := range 10 {
			send(t, xsub, fmt.Sprint(i), "to all")
		}
		for i := range 10 {
			expect(t, a, fmt.Sprint(i), "to all")
			expect(t, b, fmt.Sprint(i), "to all")
		}
		waitUntil(t, "the PUB has discarded all ten", func() bool {
			return pub.Stats().Discarded[socket.Unexpected] == socket.Count{Messages: 10, Bytes: 70}
		})
		waitUntil(t, "one is delivered for each peer", func() bool { return xsub.Stats().Delivered.Messages == 30 })
	})
}

func TestXSubUpstreamToAFullPeer(t *testing.T) {
	xsub := closing(t, socket.NewXSub(socket.WithSendHWM(1)))
	at := bind(t, xsub, "inproc://"+t.Name())
	full, roomy := closing(t, socket.NewXPub(socket.WithRecvHWM(1))), closing(t, socket.NewXPub(socket.WithRecvHWM(100)))
	connect(t, full, at)
	connect(t, roomy, at)
	waitPeers(t, xsub, 2)
	for i := range 10 {
		send(t, xsub, fmt.Sprint(i)) // never waits
	}
	for i := range 10 {
		expect(t, roomy, fmt.Sprint(i))
	}
	expect(t, full, "0")
	expect(t, full, "1")
	nothing(t, full)
	if got := xsub.Stats().Dropped[socket.QueueFull].Messages; got != 8 {
		t.Fatalf("dropped %v, want 8", xsub.Stats().Dropped)
	}
	event(t, xsub, socket.SlowPeer)
}

// TestXSubHandsOverAllThatItsPublisherSends, whatever it has subscribed to, as libzmq's does; a Sub discards the rest.
func TestXSubHandsOverAllThatItsPublisherSends(t *testing.T) {
	t.Run("a peer that does not filter", func(t *testing.T) {
		xsub := closing(t, socket.NewXSub(socket.WithSubscription("a")))
		pub := rawPeer(t, bind(t, xsub, "tcp://127.0.0.1:*"), "XPUB")
		_, err := pub.Write(slices.Concat(frames("b"), frames("ab"), frames("")))
		must(t, err)
		for _, want := range []string{"b", "ab", ""} {
			expect(t, xsub, want)
		}
	})
	t.Run("what a publisher gives it", func(t *testing.T) {
		eachTransport(t, func(t *testing.T, endpoint string) {
			xpub, xsub := closing(t, socket.NewXPub(socket.WithManual())), closing(t, socket.NewXSub())
			sub := closing(t, socket.NewSub(socket.WithSubscription("A")))
			at := link(t, xpub, xsub, endpoint)
			send(t, xsub, "\x01A")
			connect(t, sub, at)
			for range 2 {
				asked, _ := socket.ParseSubscription(recv(t, xpub))
				must(t, xpub.Subscribe(asked.Peer, "tenant/"+asked.Topic))
				must(t, xpub.Subscribe(asked.Peer, asked.Topic))
			}
			send(t, xpub, "tenant/A", "hello")
			send(t, xpub, "A", "end")
			expect(t, xsub, "tenant/A", "hello")
			expect(t, xsub, "A", "end")
			expect(t, sub, "A", "end")
			if got := sub.Stats().Discarded[socket.NotSubscribed].Messages; got != 1 {
				t.Errorf("the SUB discarded %v, want 1", sub.Stats().Discarded)
			}
			send(t, xsub, "\x00A")
			expect(t, xpub, "\x00A") // what is unread by then is handed over all the same
		})
	})
}

func TestXSubSendChecksItsMessage(t *testing.T) {
	xsub := closing(t, socket.NewXSub(socket.WithLimits(socket.Limits{MaxTopic: 5, MaxMessage: 10})))
	for _, c := range []struct {
		name string
		m    socket.Msg
		want error
	}{
		{"no frames", socket.Msg{}, socket.ErrNoFrames},
		{"long topic", socket.Text("\x01123456"), socket.ErrTooLarge},
		{"long message", socket.Text(strings.Repeat("x", 11)), socket.ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := xsub.TrySend(c.m); !errors.Is(err, c.want) {
				t.Fatalf("TrySend: %v, want %v", err, c.want)
			}
		})
	}
	if len(xsub.Topics()) != 0 {
		t.Fatalf("topics %q", xsub.Topics())
	}
}

// TestXSubTellsANewPeerEverything, and cancels reach it in the form its version knows.
func TestXSubTellsANewPeerEverything(t *testing.T) {
	xsub := closing(t, socket.NewXSub())
	at := bind(t, xsub, "tcp://127.0.0.1:*")
	send(t, xsub, "\x01a")
	pub, err := net.Dial("tcp", strings.TrimPrefix(at, "tcp://"))
	must(t, err)
	defer pub.Close()
	sess, err := zmtp.Handshake(t.Context(), pub, zmtp.Config{SocketType: zmtp.Pub})
	must(t, err)
	from := io.MultiReader(bytes.NewReader(sess.Rest), pub)
	v := zmtp.Version{Major: 3, Minor: 1}
	for _, want := range [][]byte{zmtp.AppendSubscribe(nil, v, []byte("a")), zmtp.AppendCancel(nil, v, []byte("a"))} {
		got := make([]byte, len(want))
		readFull(t, from, got)
		if !bytes.Equal(got, want) {
			t.Fatalf("told %q, want %q", got, want)
		}
		send(t, xsub, "\x00a")
	}
}
