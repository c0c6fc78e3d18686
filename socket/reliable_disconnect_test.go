package socket_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// waysToDisconnect end the only connection of a socket that has bound or connected to the server's address.
var waysToDisconnect = []struct {
	name  string
	binds bool
	end   func(s socket.Socket) error
}{
	{"Disconnect", false, func(s socket.Socket) error { return s.Disconnect(server) }},
	{"Unbind", true, func(s socket.Socket) error { return s.Unbind(server) }},
	{"DisconnectPeer", true, func(s socket.Socket) error { return s.DisconnectPeer(s.Stats().Peers[0].Peer) }},
}

// TestReliableDisconnect: a Push that ends a connection has its peer receive what is queued for it first. What that has
// not received in ten seconds goes to another at once, which may be the second to get it.
func TestReliableDisconnect(t *testing.T) {
	const total = 1500 // of which some are queued still
	for _, way := range waysToDisconnect {
		for _, takes := range []int{total, 400} {
			t.Run(fmt.Sprintf("%s/%d are received", way.name, takes), func(t *testing.T) {
				everywhere(t, simnet.Config{Window: 4 << 10}, func(t *testing.T, on func(host string) socket.Option) {
					push := socket.NewPush(on("srv"), socket.WithReliable(), socket.WithSendHWM(10_000))
					one := socket.NewPull(on("srv"), socket.WithRecvHWM(10), socket.WithoutReconnect())
					two := socket.NewPull(on("two"))
					defer shut(t, push)
					defer shut(t, one)
					defer shut(t, two)
					meet(t, push, one, way.binds)
					for n := range total {
						must(t, push.Send(aDay(t), numbered(n, 10)))
					}
					must(t, way.end(push))
					if err := push.TrySend(numbered(total, 10)); err == nil {
						t.Error("a message was taken for nobody")
					}
					for n := range takes {
						m, err := one.Recv(aDay(t))
						must(t, err)
						if number(m) != n {
							t.Fatalf("received %d, want %d", number(m), n)
						}
						balanced(t, push)
					}
					time.Sleep(11 * time.Second)
					if _, err := push.Bind(t.Context(), "sim://srv:2"); err != nil {
						t.Fatal(err)
					}
					must(t, two.Connect("sim://srv:2"))
					time.Sleep(time.Second)
					st := push.Stats()
					if st.Delivered.Messages != uint64(takes) || st.Redelivered.Messages == 0 != (takes == total) {
						t.Errorf("%d were received; PUSH counts %v, %v redelivered", takes, st.Ledger, st.Redelivered)
					}
					got := drainAll(t, two)
					if n := len(got); takes+n < total {
						t.Errorf("%d were received, and then %d, of %d", takes, n, total)
					}
				})
			})
		}
	}
}

// meet has one socket bind the server's address and the other connect to it.
func meet(t *testing.T, a, b socket.Socket, aBinds bool) {
	t.Helper()
	if !aBinds {
		a, b = b, a
	}
	bindAt(t, a)
	must(t, b.Connect(server))
	must(t, a.WaitPeers(aDay(t), 1))
	must(t, b.WaitPeers(aDay(t), 1))
}

// TestReliableReceiverDisconnects: a Pull that ends a connection still receives what it has in its queue, and that is
// acknowledged; all the rest goes to another Pull, each message once.
func TestReliableReceiverDisconnects(t *testing.T) {
	const total = 1000
	for _, way := range waysToDisconnect[:2] { // the third lets the peer come back, and get all the rest
		t.Run(way.name, func(t *testing.T) {
			everywhere(t, simnet.Config{Window: 4 << 10}, func(t *testing.T, on func(host string) socket.Option) {
				push := socket.NewPush(on("srv"), socket.WithReliable(), socket.WithSendHWM(10_000))
				one := socket.NewPull(on("srv"), socket.WithRecvHWM(50))
				two := socket.NewPull(on("two"))
				defer shut(t, push)
				defer shut(t, one)
				defer shut(t, two)
				meet(t, one, push, way.binds)
				for n := range total {
					must(t, push.Send(aDay(t), numbered(n, 10)))
				}
				time.Sleep(time.Second)
				must(t, way.end(one))
				var got []int
				for m, err := range one.Messages(aDay(t)) {
					must(t, err)
					got = append(got, number(m))
					if one.Stats().Unread.Messages == 0 {
						break
					}
				}
				time.Sleep(time.Second)
				if _, err := push.Bind(t.Context(), "sim://srv:2"); err != nil {
					t.Fatal(err)
				}
				must(t, two.Connect("sim://srv:2"))
				wantNumbers(t, got, 0, len(got))
				wantNumbers(t, drainAll(t, two), len(got), total-len(got))
				if st := push.Stats(); st.Delivered.Messages != total || st.Redelivered.Messages != 0 {
					t.Errorf("PUSH counts %v, %v redelivered", st.Ledger, st.Redelivered)
				}
			})
		})
	}
}

// TestReliableRouterDisconnects: a Router that ends a connection has the peer receive what is queued for it, and takes
// nothing more for it.
func TestReliableRouterDisconnects(t *testing.T) {
	everywhere(t, simnet.Config{Window: 4 << 10}, func(t *testing.T, on func(host string) socket.Option) {
		router := socket.NewRouter(on("srv"), socket.WithReliable(), socket.WithSendHWM(10_000))
		dealer := socket.NewDealer(on("d"), socket.WithIdentity("d"), socket.WithRecvHWM(10))
		defer shut(t, router)
		defer shut(t, dealer)
		meet(t, router, dealer, true)
		const total = 1500
		for n := range total {
			m := numbered(n, 10)
			must(t, router.Send(aDay(t), socket.Msg{Frames: [][]byte{[]byte("d"), m.Frames[0]}}))
		}
		must(t, router.DisconnectPeer(router.Stats().Peers[0].Peer))
		if err := router.Send(aDay(t), socket.Text("d", "late")); !errors.Is(err, socket.ErrUnroutable) {
			t.Errorf("to a peer that is being disconnected: %v", err)
		}
		for n := range total {
			m, err := dealer.Recv(aDay(t))
			must(t, err)
			if number(m) != n {
				t.Fatalf("received %d, want %d", number(m), n)
			}
		}
		time.Sleep(time.Second)
		if st := router.Stats(); st.Delivered.Messages != total {
			t.Errorf("ROUTER counts %v", st.Ledger)
		}
	})
}
