//go:build unix

package interop

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// topics have the lengths around the step from short frames to long ones, with and without the byte that marks a
// subscription before ZMTP 3.1, and the longest allowed. No one but the empty topic is a prefix of another.
func topics() []string {
	var ts []string
	for i, n := range []int{0, 1, 254, 255, 256, 1024} {
		ts = append(ts, strings.Repeat(string(rune('a'+i)), n))
	}
	return ts
}

// TestSubscribeToLibzmq looks at the subscriptions of a Sub through an XPUB, which shows each of them.
func TestSubscribeToLibzmq(t *testing.T) {
	z := sharedPeer(t)
	eachSide(t, func(t *testing.T, s side) {
		sub := closing(t, socket.NewSub())
		xpub := z.socket(t, "XPUB", nil)
		link(t, sub, xpub, s)
		for _, topic := range topics() {
			must(t, sub.Subscribe(topic))
			must(t, sub.Subscribe(topic)) // counted, so that nothing is said about it
			wantFrames(t, xpub.recv(), "\x01"+topic)

			xpub.send(topic+"!", "body")
			if got := recv(t, sub); string(got.Frames[0]) != topic+"!" {
				t.Errorf("got %v under a topic of %d bytes", got, len(topic))
			}

			must(t, sub.Unsubscribe(topic))
			must(t, sub.Subscribe("next"))
			wantFrames(t, xpub.recv(), "\x01next") // and no cancel before it
			must(t, sub.Unsubscribe(topic))
			wantFrames(t, xpub.recv(), "\x00"+topic)
			must(t, sub.Unsubscribe("next"))
			wantFrames(t, xpub.recv(), "\x00next")
		}
		if err := sub.Unsubscribe("next"); err == nil {
			t.Error("what is not subscribed was unsubscribed")
		}
		if err := sub.Subscribe(strings.Repeat("x", 1025)); err == nil {
			t.Error("a topic over the limit was accepted")
		}
		steady(t, sub)
	})
}

// TestSubscribeFromLibzmq subscribes a libzmq SUB to a Pub.
func TestSubscribeFromLibzmq(t *testing.T) {
	z := sharedPeer(t)
	eachSide(t, func(t *testing.T, s side) {
		pub := closing(t, socket.NewPub())
		sub := z.socket(t, "SUB", nil)
		link(t, pub, sub, s)
		published, lost := 0, uint64(0)
		for _, topic := range topics() {
			switch {
			case topic == "":
				continue // would cover all others; it has its turn at the end
			case brokenTopic(topic):
				topic = topic[:245]
			}
			sub.subscribe(topic, topic)
			subscribed(t, pub, sub, topic)
			send(t, pub, socket.Text("other "+topic))
			send(t, pub, socket.Text(topic[:len(topic)-1]))
			send(t, pub, socket.Text(topic, "body"))
			send(t, pub, socket.Text(topic+"!", "body"))
			published, lost = published+2, lost+2
			wantFrames(t, sub.recv(), topic, "body")
			wantFrames(t, sub.recv(), topic+"!", "body")

			// libzmq counts as well: the first cancel must not reach us. What comes after it shows that it did not.
			sub.unsubscribe(topic)
			mark(t, pub, sub, "1 "+topic[:1])
			send(t, pub, socket.Text(topic))
			published++
			wantFrames(t, sub.recv(), topic)
			sub.unsubscribe(topic)
			mark(t, pub, sub, "2 "+topic[:1])
			send(t, pub, socket.Text(topic))
			lost++
		}
		sub.subscribe("")
		subscribed(t, pub, sub, "anything")
		send(t, pub, socket.Text(""))
		wantFrames(t, sub.recv(), "")
		published++
		steady(t, pub)
		l := delivered(t, pub)
		if l.Delivered.Messages != uint64(published) || l.Dropped[socket.NoSubscriber].Messages != lost {
			t.Errorf("delivered %v, dropped %v; want %d and %d", l.Delivered, l.Dropped, published, lost)
		}
	})
}

// brokenTopic reports whether libzmq 4.3.3 and 4.3.4 send a broken frame to subscribe to the topic: the LONG flag is
// missing (libzmq issue 4367, fixed in 4.3.5).
func brokenTopic(topic string) bool { return len(topic) >= 246 && len(topic) <= 255 }

// TestLibzmqLongTopics: libzmq 4.3.3 and 4.3.4 send SUBSCRIBE for topics of 246 to 255 bytes, and CANCEL for 249 to
// 255, without the flag that announces the long size (libzmq #4367). They are understood all the same.
func TestLibzmqLongTopics(t *testing.T) {
	z := sharedPeer(t)
	for _, n := range []int{245, 246, 248, 249, 254, 255, 256, 1024} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			pub := closing(t, socket.NewPub())
			endpoint := bind(t, pub, fresh(t, "tcp"))
			sub := z.socket(t, "SUB", nil)
			topic := strings.Repeat("t", n)
			sub.subscribe(topic)
			sub.connect(endpoint)
			subscribed(t, pub, sub, topic)
			send(t, pub, socket.Text(topic))
			wantFrames(t, sub.recv(), topic)
			sub.unsubscribe(topic)
			mark(t, pub, sub, "after the cancel")
			if got := pub.Topics(); slices.Contains(got, topic) {
				t.Errorf("still subscribed after the cancel: %d topics", len(got))
			}
			for ev := range pub.Events(lasting(t, 0)) {
				if ev.Kind == socket.ProtocolError || ev.Kind == socket.LimitHit {
					t.Errorf("event %v", ev)
				}
			}
		})
	}
}

// mark waits until everything that a SUB has said so far is known to the Pub: its subscriptions keep their order.
func mark(t *testing.T, pub *socket.Pub, sub *zsock, name string) {
	t.Helper()
	sub.subscribe("mark " + name)
	subscribed(t, pub, sub, "mark "+name)
	sub.unsubscribe("mark " + name)
}

// subscribed waits until the Pub knows a subscription of a SUB. A libzmq socket looks at its commands only when its
// application calls it, and the pipe of a new connection, through which subscriptions go, begins with a command.
func subscribed(t *testing.T, pub *socket.Pub, sub *zsock, topic string) {
	t.Helper()
	for ctx := within(t); ; {
		sub.readable(0)
		if pub.WaitSubscribers(lasting(t, 5*time.Millisecond), topic, 1) == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("no subscriber to %.40q (%d bytes); events: %v", topic, len(topic), eventsOf(pub))
		}
	}
}

// TestSubscribe30 looks at the bytes of subscriptions to and from a ZMTP 3.0 peer, which knows them only as messages.
func TestSubscribe30(t *testing.T) {
	for _, tr := range []string{"tcp", "ipc"} {
		t.Run(tr, func(t *testing.T) {
			t.Run("to/yodel-binds", func(t *testing.T) {
				sub := closing(t, socket.NewSub())
				raw := dialRaw30(t, bind(t, sub, fresh(t, tr)), zmtp.Pub)
				subscribeTo30(t, sub, raw)
			})
			t.Run("to/yodel-connects", func(t *testing.T) {
				sub := closing(t, socket.NewSub())
				endpoint, accept := listenRaw30(t, tr, zmtp.XPub)
				connect(t, sub, endpoint)
				subscribeTo30(t, sub, accept())
			})
			t.Run("from/yodel-binds", func(t *testing.T) {
				pub := closing(t, socket.NewPub())
				raw := dialRaw30(t, bind(t, pub, fresh(t, tr)), zmtp.Sub)
				subscribeFrom30(t, pub, raw)
			})
			t.Run("from/yodel-connects", func(t *testing.T) {
				pub := closing(t, socket.NewPub())
				endpoint, accept := listenRaw30(t, tr, zmtp.XSub)
				connect(t, pub, endpoint)
				subscribeFrom30(t, pub, accept())
			})
		})
	}
}

func subscribeTo30(t *testing.T, sub *socket.Sub, raw *raw30) {
	waitPeers(t, sub, 1)
	for _, topic := range topics() {
		var long byte
		if 1+len(topic) > 255 {
			long = zmtp.FlagLong
		}
		must(t, sub.Subscribe(topic))
		must(t, sub.Subscribe(topic))
		if got, want := raw.next(), (frame{long, "\x01" + topic}); got != want {
			t.Fatalf("got %v; want %v", got, want)
		}
		raw.send(topic + "!")
		if got := recv(t, sub); string(got.Bytes()) != topic+"!" {
			t.Errorf("got %v under a topic of %d bytes", got, len(topic))
		}
		must(t, sub.Unsubscribe(topic))
		must(t, sub.Unsubscribe(topic))
		if got, want := raw.next(), (frame{long, "\x00" + topic}); got != want {
			t.Fatalf("got %v; want %v", got, want)
		}
	}
	steady(t, sub)
}

func subscribeFrom30(t *testing.T, pub *socket.Pub, raw *raw30) {
	lost := func() uint64 { return checked(t, pub).Dropped[socket.NoSubscriber].Messages }
	for _, topic := range topics() {
		raw.send("\x01" + topic)
		waitSubscribers(t, pub, topic, 1)
		send(t, pub, socket.Text(topic+"!"))
		if got := raw.next(); got.flags&zmtp.FlagCommand != 0 || got.body != topic+"!" {
			t.Fatalf("got %v under a topic of %d bytes", got, len(topic))
		}
		raw.send("\x00" + topic)
		if topic == "" { // it covers the mark as well, so that there is nothing to wait for
			for ctx := within(t); lost() == 0; {
				send(t, pub, socket.Text("!"))
				if ctx.Err() != nil {
					t.Fatal("the cancel of the empty topic had no effect")
				}
			}
			l := checked(t, pub).Ledger // some may have found the queue full
			for range l.Delivered.Messages + l.Queued.Messages - 1 {
				raw.next()
			}
			continue
		}
		mark := "mark " + topic[:1]
		raw.send("\x01" + mark)
		waitSubscribers(t, pub, mark, 1)
		before := lost()
		send(t, pub, socket.Text(topic+"!"))
		if lost() != before+1 {
			t.Errorf("a topic of %d bytes still has a subscriber after the cancel", len(topic))
		}
		raw.send("\x00" + mark)
	}
	steady(t, pub)
}

// TestNoPingTo30 lets heartbeats run out several times over: a 3.0 peer must not see any, nor be dropped for silence.
func TestNoPingTo30(t *testing.T) {
	t.Parallel()
	pull := closing(t, socket.NewPull(socket.WithHeartbeat(20*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond)))
	raw := dialRaw30(t, bind(t, pull, fresh(t, "tcp")), zmtp.Push)
	raw.silent(300 * time.Millisecond)
	raw.send("still here")
	if got := recv(t, pull); string(got.Bytes()) != "still here" {
		t.Errorf("got %v", got)
	}
	steady(t, pull)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantFrames(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\x00|\x00") != strings.Join(want, "\x00|\x00") {
		t.Fatalf("got %.60q; want %.60q", got, want)
	}
}
