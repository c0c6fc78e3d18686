package pubsub_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/patterns/pubsub"
	"github.com/yodel-mq/yodel/socket"
)

func mismatched(t *testing.T, err error, ours, theirs string) {
	t.Helper()
	var peer *socket.PeerError
	if !errors.Is(err, pubsub.ErrMismatch) || !errors.As(err, &peer) ||
		!strings.Contains(err.Error(), ours) || !strings.Contains(err.Error(), theirs) {
		t.Errorf("it is told %v", err)
	}
}

// A peer of another pattern at a publisher is disconnected, and the publisher is told; it gets nothing, and others do.
func TestPublisherMeetsAnotherPattern(t *testing.T) {
	told := make(chan error, 100)
	p := closing(t, pubsub.NewPublisher[int](pubsub.WithRefused(func(err error) { told <- err })))
	at := bound(t, p, "tcp://127.0.0.1:*")
	other := closing(t, socket.NewXSub(socket.WithMetadata("X-Yodel-Pattern", "work/1")))
	for _, topic := range []string{"", "a", pubsub.Topic("a")} {
		must(t, other.Subscribe(topic))
	}
	must(t, other.Connect(at))
	select {
	case err := <-told:
		mismatched(t, err, "pub/1", "work/1")
	case <-within(t).Done():
		t.Fatal("nobody is told")
	}
	for ev := range other.Events(within(t)) {
		if ev.Kind == socket.PeerDown {
			break
		}
	}
	s := closing(t, pubsub.NewSubscriber[int]())
	must(t, s.Subscribe("a"))
	must(t, s.Connect(at))
	must(t, p.WaitSubscribers(within(t), "a", 1))
	must(t, p.Publish(within(t), "a", 1))
	take(t, s, 1)
	if n := len(p.Bindings()); n != 1 {
		t.Errorf("%d bindings", n)
	}
}

// A peer of another pattern that a subscriber has connected to is disconnected, and Events says so and goes on.
func TestSubscriberMeetsAnotherPattern(t *testing.T) {
	other := closing(t, socket.NewXPub(socket.WithMetadata("X-Yodel-Pattern", "push/1")))
	at, err := other.Bind(within(t), "tcp://127.0.0.1:*")
	must(t, err)
	p := closing(t, pubsub.NewPublisher[int]())
	s := closing(t, pubsub.NewSubscriber[int]())
	must(t, s.Subscribe("a"))
	must(t, s.Connect(at))
	must(t, other.WaitSubscribers(within(t), "a", 1))
	must(t, other.Send(within(t), socket.Text("a")))
	for _, err := range s.Events(within(t)) {
		mismatched(t, err, "sub/1", "push/1")
		must(t, s.Disconnect(at))
		break
	}
	subscribe(t, p, s, bound(t, p, "tcp://127.0.0.1:*"), "a")
	must(t, p.Publish(within(t), "a", 1))
	take(t, s, 1)
}
