package socket_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// sendMany sends n numbered messages that begin with name.
func sendMany(t *testing.T, s socket.Sender, name string, n int) {
	t.Helper()
	for i := range n {
		send(t, s, fmt.Sprint(name, i))
	}
}

// TestTurnsOfALateComer: a peer that comes while many messages of another wait has its turn at once.
func TestTurnsOfALateComer(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		pull := closing(t, socket.NewPull())
		early, late := closing(t, socket.NewPush()), closing(t, socket.NewPush())
		at := link(t, pull, early, endpoint)
		connect(t, late, at)
		waitPeers(t, pull, 2)
		waitPeers(t, late, 1)
		received := func(n uint64) {
			waitUntil(t, "they are there", func() bool { return pull.Stats().Received.Messages == n })
		}
		sendMany(t, early, "early ", 100)
		received(100)
		for i := range 10 {
			expect(t, pull, fmt.Sprint("early ", i))
		}
		sendMany(t, late, "late ", 2)
		received(102)
		for _, want := range []string{"late 0", "early 10", "late 1", "early 11", "early 12"} {
			expect(t, pull, want)
		}
		for i := 13; i < 100; i++ {
			expect(t, pull, fmt.Sprint("early ", i))
		}
		balanced(t, pull)
	})
}

// TestBooksWhileReceiving: whatever was taken at once, the ledger tells what was handed out.
func TestBooksWhileReceiving(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		pull, push := socket.NewPull(), closing(t, socket.NewPush())
		link(t, pull, push, endpoint)
		sendMany(t, push, "", 500)
		waitUntil(t, "they are there", func() bool { return pull.Stats().Received.Messages == 500 })
		for i := range 300 {
			expect(t, pull, fmt.Sprint(i))
			s := pull.Stats()
			for _, l := range []socket.Ledger{s.Ledger, s.Peers[0].Ledger} {
				if l.Handed.Messages != uint64(i+1) || l.Unread.Messages != uint64(499-i) ||
					l.Handed.Bytes+l.Unread.Bytes != l.Received.Bytes {
					t.Fatalf("after %d messages the ledger says %+v", i+1, l)
				}
			}
		}
		must(t, pull.Close())
		if got := pull.Stats().Discarded[socket.SocketClosed].Messages; got != 200 {
			t.Errorf("%d messages discarded by Close, want 200", got)
		}
		balanced(t, pull)
	})
}

// TestRoomIsExact: over inproc there is room for the sum of both marks, not less, however the receiver takes them.
func TestRoomIsExact(t *testing.T) {
	const room = 40
	for taken := range room {
		t.Run(fmt.Sprint(taken, " taken"), func(t *testing.T) {
			pull := closing(t, socket.NewPull(socket.WithRecvHWM(room/2)))
			push := closing(t, socket.NewPush(socket.WithSendHWM(room/2)))
			link(t, pull, push, "inproc://"+t.Name())
			sendMany(t, push, "", room-1)
			for i := range taken {
				expect(t, pull, fmt.Sprint(i))
			}
			sendMany(t, push, "more ", taken+1)
			if err := push.TrySend(socket.Text("one too many")); !errors.Is(err, socket.ErrWouldBlock) {
				t.Fatalf("a full queue took one more: %v", err)
			}
			for range room/2 - 1 { // full until it is down to half
				recv(t, pull)
			}
			if err := push.TrySend(socket.Text("too early")); !errors.Is(err, socket.ErrWouldBlock) {
				t.Fatalf("a queue that is not down to half took one: %v", err)
			}
			recv(t, pull)
			sendMany(t, push, "again ", room/2)
			balanced(t, pull)
		})
	}
}

// TestUnsubscribedWhileUnread: what is unread when its last subscription ends is discarded, not handed out.
func TestUnsubscribedWhileUnread(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		pub, sub := closing(t, socket.NewPub()), closing(t, socket.NewSub(socket.WithSubscription("a", "b")))
		link(t, pub, sub, endpoint)
		waitSubs(t, pub, "a", 1)
		waitSubs(t, pub, "b", 1)
		for range 50 {
			send(t, pub, "a")
			send(t, pub, "b")
		}
		waitUntil(t, "they are there", func() bool { return sub.Stats().Received.Messages == 100 })
		expect(t, sub, "a")
		expect(t, sub, "b")
		must(t, sub.Unsubscribe("a"))
		for range 49 {
			expect(t, sub, "b")
		}
		nothing(t, sub)
		if s := sub.Stats(); s.Discarded[socket.NotSubscribed].Messages != 49 || s.Handed.Messages != 51 {
			t.Errorf("ledger %+v", s.Ledger)
		}
		balanced(t, sub)
	})
}
