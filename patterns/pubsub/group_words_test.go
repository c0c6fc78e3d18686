package pubsub_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/pubsub"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// The last word of a member, of which there is no next one to make it good, is said again if it was lost for want of
// room, well before the lease has others get what it had.
func TestLastWordOfAMemberIsSaidAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond, Window: 64})
		p := closing(t, pubsub.NewPublisher[int](pubsub.WithXPub(socket.WithTransport(net.Host("srv")))))
		bound(t, p, server)
		s := member[int, int](t, p, server, "a", "g", pubsub.WithXSub(
			socket.WithTransport(net.Host("cli")), socket.WithSendHWM(1)))
		const events = 40
		for i := range events {
			must(t, p.Publish(t.Context(), "a", i))
		}
		time.Sleep(100 * time.Millisecond)
		net.PartitionOneWay("cli", "srv")
		for range events {
			take(t, s, 1) // says so each time
		}
		time.Sleep(300 * time.Millisecond)
		net.Heal()
		time.Sleep(4 * time.Second)
		if b := p.Bindings()[0]; b.Open != 0 || b.Sent != events {
			t.Errorf("%+v", b)
		}
	})
}

// A word that is on another connection, with another number, is on none of the events that this one has.
func TestWordOnAnotherConnection(t *testing.T) {
	p := closing(t, pubsub.NewPublisher[int]())
	raw := closing(t, socket.NewXSub(socket.WithMetadata("X-Yodel-Pattern", "sub/1")))
	must(t, raw.Subscribe(pubsub.GroupTopic("a", "g")))
	must(t, raw.Connect(bound(t, p, "tcp://127.0.0.1:*")))
	must(t, p.WaitSubscribers(within(t), "a", 1))
	must(t, p.Publish(within(t), "a", 1))
	next := func(kind patterns.Kind) patterns.Head {
		for {
			m, err := raw.Recv(within(t))
			must(t, err)
			h, err := patterns.ParseHead(m.Frames[1])
			must(t, err)
			if h.Kind == kind {
				return h
			}
		}
	}
	number := next(patterns.KindHello).Window
	if h := next(patterns.KindMessage); h.Delivery != 1 || h.Attempt != 0 {
		t.Fatalf("%+v", h)
	}
	for _, kind := range []patterns.Kind{patterns.KindAck, patterns.KindReject} {
		must(t, raw.Send(within(t), socket.NewMsg(pubsub.Upstream(uint64(kind), number+1))))
	}
	must(t, raw.Send(within(t), socket.NewMsg(pubsub.Upstream(uint64(patterns.KindNack), number))))
	if h := next(patterns.KindMessage); h.Delivery != 2 || h.Attempt != 1 {
		t.Errorf("%+v: it was not settled before it was given back", h)
	}
}
