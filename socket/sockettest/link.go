package sockettest

import (
	"context"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// Link binds one socket to endpoint, connects the other to it, waits until each has a peer and returns the actual
// endpoint. It closes both when the test ends and then checks their ledgers; it ends the test if anything fails.
//
// A publisher knows its peer then, but may not have its subscriptions yet: see [socket.Pub.WaitSubscribers].
func Link(t testing.TB, binds, connects socket.Socket, endpoint string) (actual string) {
	t.Helper()
	for _, s := range []socket.Socket{binds, connects} {
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("%s: close: %v", s.Type(), err)
			}
			Balanced(t, s)
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), linkPatience)
	defer cancel()
	actual, err := binds.Bind(ctx, endpoint)
	if err != nil {
		t.Fatal(err)
	}
	if err := connects.Connect(actual); err != nil {
		t.Fatal(err)
	}
	for _, s := range []socket.Socket{binds, connects} {
		if err := s.WaitPeers(ctx, 1); err != nil {
			t.Fatalf("%s and %s did not link at %s: %s: %v; its events: %v", binds.Type(), connects.Type(), actual, s.Type(),
				err, past(s))
		}
	}
	return actual
}

// linkPatience is how long a link may take on a machine that is very busy.
const linkPatience = 30 * time.Second

// past returns the events so far, which say why two sockets do not link.
func past(s socket.Socket) (events []string) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for ev := range s.Events(ended) {
		events = append(events, ev.String())
	}
	return events
}

// Balanced checks that the ledger of every socket, and of each of its peers, balances: that each message accepted or
// received is accounted for. It may be called at any moment, also while messages flow and after Close; it reports an
// error and lets the test go on.
func Balanced(t testing.TB, sockets ...socket.Socket) {
	t.Helper()
	for _, s := range sockets {
		if err := s.Stats().Check(); err != nil {
			t.Errorf("%s: %v", s.Type(), err)
		}
	}
}
