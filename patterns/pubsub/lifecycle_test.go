package pubsub_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/patterns/pubsub"
)

// TestPitfallEventsLoops: break ends a loop and the next goes on behind it; so does a panic; a loop within a loop is an
// error.
func TestPitfallEventsLoops(t *testing.T) {
	p := closing(t, pubsub.NewPublisher[int]())
	s := closing(t, pubsub.NewSubscriber[int]())
	subscribe(t, p, s, bound(t, p, "tcp://127.0.0.1:*"), "a")
	for i := range 4 {
		must(t, p.Publish(within(t), "a", i))
	}
	for e, err := range s.Events(within(t)) {
		must(t, err)
		if e.Value != 0 {
			t.Errorf("%d, want 0", e.Value)
		}
		loops := 0
		for _, err := range s.Events(within(t)) {
			if loops++; !errors.Is(err, pubsub.ErrBusy) {
				t.Errorf("a loop within a loop: %v", err)
			}
		}
		if loops != 1 {
			t.Errorf("%d rounds of a loop within a loop", loops)
		}
		break
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not reach the caller")
			}
		}()
		for _, err := range s.Events(within(t)) {
			must(t, err)
			panic("in the body")
		}
	}()
	if got := take(t, s, 2); got[0].Value != 2 || got[1].Value != 3 {
		t.Errorf("%v, want 2 and 3", values(got))
	}
}

// TestPitfallZeroValues: nil options, and any type of value.
func TestPitfallZeroValues(t *testing.T) {
	p := closing(t, pubsub.NewPublisher[any](nil, pubsub.WithCodec(nil), pubsub.WithXPub(nil), pubsub.WithBeat(-1)))
	s := closing(t, pubsub.NewSubscriber[any](nil, pubsub.WithXSub(nil)))
	must(t, s.Subscribe("a", nil))
	at := bound(t, p, "tcp://127.0.0.1:*")
	subscribe(t, p, s, at, "a", "#")
	bytes := closing(t, pubsub.NewSubscriber[[]byte]())
	subscribe(t, p, bytes, at, "bytes")
	empty := closing(t, pubsub.NewSubscriber[struct{}]())
	subscribe(t, p, empty, at, "empty")
	pointer := closing(t, pubsub.NewSubscriber[*quote]())
	subscribe(t, p, pointer, at, "pointer")
	long := strings.Repeat("a", 255)
	deep := strings.TrimSuffix(strings.Repeat("a.", 16), ".")
	for _, tt := range []struct {
		subject string
		v       any
	}{{"a", nil}, {"bytes", []byte("x")}, {"empty", struct{}{}}, {"pointer", &quote{Price: 1}}, {long, 1}, {deep, 2}} {
		must(t, p.Publish(within(t), tt.subject, tt.v))
	}
	if got := take(t, s, 6); got[0].Value != nil || got[4].Subject != long || got[5].Subject != deep {
		t.Errorf("%v", values(got))
	}
	if got := take(t, bytes, 1)[0].Value; string(got) != "x" {
		t.Errorf("%q", got)
	}
	take(t, empty, 1)
	if got := take(t, pointer, 1)[0].Value; got == nil || got.Price != 1 {
		t.Errorf("%v", got)
	}
}

// To be there twice is to be there once; what has come before Disconnect is received behind it.
func TestConnectAndDisconnect(t *testing.T) {
	p := closing(t, pubsub.NewPublisher[int]())
	s := closing(t, pubsub.NewSubscriber[int]())
	at := strings.Replace(bound(t, p, "tcp://127.0.0.1:*"), "127.0.0.1", "localhost", 1)
	subscribe(t, p, s, at, "a")
	must(t, s.WaitConnected(within(t), at))
	must(t, s.Connect(at))
	must(t, s.Connect(strings.Replace(at, "localhost", "LocalHost", 1)))
	must(t, p.Publish(within(t), "a", 1))
	must(t, p.Publish(within(t), "a", 2))
	if got := take(t, s, 1)[0].Value; got != 1 {
		t.Errorf("%d, want 1", got)
	}
	for s.Stats().Received < 2 {
		time.Sleep(time.Millisecond)
	}
	must(t, s.Disconnect(at))
	if got := take(t, s, 1)[0].Value; got != 2 {
		t.Errorf("%d, want 2", got)
	}
	must(t, p.WaitBindings(within(t), 0))
	subscribe(t, p, s, at, "a")
	must(t, p.Publish(within(t), "a", 3))
	if got := take(t, s, 1)[0].Value; got != 3 {
		t.Errorf("%d, want 3", got)
	}
}

// TestSockets: a subscriber has a socket for each endpoint, and none once it is closed.
func TestSockets(t *testing.T) {
	s := pubsub.NewSubscriber[int]()
	defer s.Close()
	for _, at := range []string{"inproc://sockets-a", "inproc://sockets-b"} {
		if err := s.Connect(at); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.Sockets()); n != 2 {
		t.Errorf("%d sockets, want 2", n)
	}
	s.Close()
	if n := len(s.Sockets()); n != 0 {
		t.Errorf("%d sockets are left", n)
	}
}
