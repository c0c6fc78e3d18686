package socket

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/transport"
)

// TestBothSidesComeToOneResult: two sides that are to be linked over inproc, either of which may end or be refused
// meanwhile, both go on or both do not.
func TestBothSidesComeToOneResult(t *testing.T) {
	errEnd := errors.New("ended by the test")
	wanted := func(*link) error { return nil }
	for _, tt := range []struct {
		name  string
		one   func(l *link) error // before it agrees
		other func(l *link) error
		ends  int // which side ends at any moment; 0 for neither
		want  func(agreed bool) bool
	}{
		{"both want to", wanted, wanted, 0, func(agreed bool) bool { return agreed }},
		{"one refuses", func(*link) error { return errEnd }, wanted, 0, func(agreed bool) bool { return !agreed }},
		{"the other refuses", wanted, func(*link) error { return errEnd }, 0, func(agreed bool) bool { return !agreed }},
		{"one ends", wanted, wanted, 1, func(bool) bool { return true }},
		{"the other ends", wanted, wanted, 2, func(bool) bool { return true }},
		{"both end", wanted, wanted, 3, func(bool) bool { return true }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 200 {
				links := handshake(t)
				var results [2]error
				var all sync.WaitGroup
				for i, before := range []func(*link) error{tt.one, tt.other} {
					l := links[i]
					all.Go(func() {
						err := before(l)
						if err == nil {
							err = l.carrier.agree()
						}
						if err != nil {
							l.fail(err)
						}
						results[i] = err
					})
					if tt.ends&(1<<i) != 0 {
						all.Go(func() { l.fail(errEnd) })
					}
				}
				all.Wait()
				if (results[0] == nil) != (results[1] == nil) {
					t.Fatalf("one: %v, the other: %v", results[0], results[1])
				}
				if !tt.want(results[0] == nil) {
					t.Fatalf("both: %v", results[0])
				}
				links[0].conn.Close()
			}
		})
	}
}

// handshake makes the two links of an inproc connection that have shaken hands and not joined.
func handshake(t *testing.T) (links [2]*link) { return handshakeBetween(t, NewPush(), NewPull()) }

func handshakeBetween(t *testing.T, push *Push, pull *Pull) (links [2]*link) {
	t.Helper()
	space := transport.NewInproc()
	ln, err := space.Listen(t.Context(), "here")
	must(t, err)
	defer ln.Close()
	dialled, err := space.Dial(t.Context(), "here")
	must(t, err)
	accepted, err := ln.Accept()
	must(t, err)
	ep := &endpointState{name: "inproc://here"}
	links[0] = newLink(push.core, ep, dialled)
	links[1] = newLink(pull.core, ep, accepted)
	var both sync.WaitGroup
	for _, l := range links {
		both.Go(func() {
			if err := l.core.handshakeInproc(t.Context(), l.conn.(transport.Direct), l); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	return links
}

// TestAdmittedAfterClose: what has come for a link that is admitted to an inbox that has closed is discarded, once.
func TestAdmittedAfterClose(t *testing.T) {
	links := handshake(t)
	push, pull := links[0], links[1]
	push.core.out.mu.Lock()
	for range 3 {
		if !push.carrier.offer(outgoing{frames: Text("12345").Frames, size: 5}) {
			t.Fatal("a message was not taken")
		}
	}
	push.core.out.mu.Unlock()
	in := &pull.core.in
	in.close()
	in.admit(pull)
	want := Ledger{Received: Count{3, 15}, Discarded: map[Reason]Count{SocketClosed: {3, 15}}}
	var socket, link Ledger
	in.counts.fill(&socket)
	pull.in.counts.fill(&link)
	for name, l := range map[string]Ledger{"socket": socket, "link": link} {
		if l.Received != want.Received || l.Unread != want.Unread || l.Handed != want.Handed ||
			l.Discarded[SocketClosed] != want.Discarded[SocketClosed] || l.Check() != nil {
			t.Errorf("the ledger of the %s: %+v, %v", name, l, l.Check())
		}
	}
	if m, err := in.get(t.Context(), true, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("received %v, %v after the close", m, err)
	}
	push.conn.Close()
}

// TestOnlyTheSoleSenderHolds: a peer that sends before it has been admitted, while another one may hold messages, holds
// none: the receiver would not know to ask for them.
func TestOnlyTheSoleSenderHolds(t *testing.T) {
	receiver := NewPull()
	in := &receiver.in
	offer := func(l *link) {
		l.core.out.mu.Lock()
		defer l.core.out.mu.Unlock()
		if !l.carrier.offer(outgoing{frames: Text("12345").Frames, size: 5}) {
			t.Error("a message was not taken")
		}
	}
	sole := handshakeBetween(t, NewPush(), receiver)
	in.admit(sole[1])
	offer(sole[0])
	early := handshakeBetween(t, NewPush(), receiver)
	for range 3 {
		offer(early[0])
	}
	in.admit(early[1])
	for n := range 4 {
		if _, err := in.get(t.Context(), false, nil); err != nil {
			t.Fatalf("message %d of 4: %v", n+1, err)
		}
	}
	for _, l := range []*link{sole[0], early[0]} {
		l.conn.Close()
	}
}

// TestToldAfterItHasLeft: what a subscriber in this process tells a publisher that has left it comes to nothing: no
// subscription stays behind, and the application hears of none that is not cancelled.
func TestToldAfterItHasLeft(t *testing.T) {
	for name, opts := range map[string][]XPubOption{
		"plain":        nil,
		"each change":  {WithVerbosity(EveryChange)},
		"manual":       {WithManual()},
		"last values":  {WithLastValue(10)},
		"one may have": {WithLimits(Limits{MaxSubscriptions: 1})},
	} {
		t.Run(name, func(t *testing.T) {
			space := WithTransport(transport.NewInproc())
			xpub := NewXPub(append(opts, space)...)
			defer xpub.Close()
			sub := NewSub(space, WithReconnect(time.Hour, time.Hour), WithSubscription("early"))
			defer sub.Close()
			at, err := xpub.Bind(t.Context(), "inproc://"+t.Name())
			must(t, err)
			must(t, sub.Connect(at))
			must(t, sub.WaitPeers(t.Context(), 1))
			first, err := xpub.Recv(t.Context())
			must(t, err)
			balance := make(map[string]int)
			receives := func(m Msg) {
				if s, _ := ParseSubscription(m); s.Add {
					balance[s.Topic]++
				} else {
					balance[s.Topic]--
				}
			}
			receives(first)
			here := sub.snapshot()[0]
			carrier := here.carrier.(*inproc)
			there := carrier.peerLink
			there.fail(ErrDisconnected)
			<-there.hasLeft
			carrier.subscribe(true, "late")
			if topics := xpub.Topics(); len(topics) > 0 {
				t.Errorf("the publisher has %q", topics)
			}
			for m, err := xpub.TryRecv(); err == nil; m, err = xpub.TryRecv() {
				receives(m)
			}
			if balance["early"] != 0 || balance["late"] != 0 {
				t.Errorf("it has heard %v", balance)
			}
			must(t, xpub.Stats().Check())
		})
	}
}
