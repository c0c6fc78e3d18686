package socket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
)

// named makes a Dealer that comes back soon, with an identity.
func named(id string, opts ...socket.DealerOption) *socket.Dealer {
	return socket.NewDealer(append(opts, socket.WithIdentity(id), quick())...)
}

func TestRouterKnowsItsPeersByIdentity(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		router := closing(t, socket.NewRouter())
		at := bind(t, router, endpoint)
		peers := make(map[string]*socket.Dealer)
		for _, id := range []string{"a", "b", strings.Repeat("z", 255), "\xff\x00"} {
			peers[id] = closing(t, named(id))
			connect(t, peers[id], at)
			send(t, peers[id], "from "+id, "")
			m := recv(t, router)
			if string(m.Frames[0]) != id || string(m.Frames[1]) != "from "+id || string(m.From.Identity) != id {
				t.Fatalf("received %s from %v", m, m.From)
			}
		}
		for range 3 {
			for id := range peers {
				send(t, router, id, "to "+id, "")
			}
		}
		for id, peer := range peers {
			for range 3 {
				expect(t, peer, "to "+id, "")
			}
			nothing(t, peer)
		}
	})
}

func TestRouterIsFair(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		router := closing(t, socket.NewRouter())
		at := bind(t, router, endpoint)
		const peers, each = 5, 20
		for i := range peers {
			s := closing(t, named(fmt.Sprint("peer ", i)))
			connect(t, s, at)
			for k := range each {
				send(t, s, fmt.Sprint(k))
			}
		}
		waitPeers(t, router, peers) // over inproc, messages are there before their peer's turn is
		waitUnread(t, router, peers*each)
		for k := range each {
			from := make(map[string]bool)
			for range peers {
				m := recv(t, router)
				from[string(m.Frames[0])] = true
				if string(m.Frames[1]) != fmt.Sprint(k) {
					t.Fatalf("round %d: got %s", k, m)
				}
			}
			if len(from) != peers {
				t.Fatalf("round %d came from %d peers, want %d", k, len(from), peers)
			}
		}
	})
}

func TestRouterGivesIdentities(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		router := closing(t, socket.NewRouter())
		at := bind(t, router, endpoint)
		given := make(map[string]bool)
		for i := range 20 {
			s := closing(t, everyRole()[fits["ROUTER"][i%2]]()) // REQ and DEALER
			connect(t, s, at)
			send(t, s.(socket.Sender), "hello")
			m := recv(t, router)
			id := m.Frames[0]
			if len(id) != 5 || id[0] != 0 {
				t.Fatalf("identity %q, want five bytes of which the first is zero", id)
			}
			if len(m.From.Identity) != 0 {
				t.Fatalf("the peer is said to call itself %q", m.From.Identity)
			}
			given[string(id)] = true
			must(t, router.Send(within(t), m)) // it is an address
			expect(t, s.(socket.Receiver), "hello")
		}
		if len(given) != 20 {
			t.Fatalf("%d different identities for 20 peers", len(given))
		}
	})
}

func TestRouterUnroutable(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		t.Run("is an error", func(t *testing.T) {
			router := closing(t, socket.NewRouter())
			at := bind(t, router, endpoint)
			to := socket.Text("nobody", "x")
			for _, err := range []error{router.Send(within(t), to), router.TrySend(to)} {
				if !errors.Is(err, socket.ErrUnroutable) || !strings.Contains(err.Error(), `"nobody"`) {
					t.Fatalf("Send: %v, want ErrUnroutable and the identity", err)
				}
			}
			s := named("somebody")
			connect(t, s, at)
			waitPeers(t, router, 1)
			send(t, router, "somebody", "x")
			expect(t, s, "x")
			must(t, s.Close())
			event(t, router, socket.PeerDown)
			if err := router.Send(within(t), socket.Text("somebody", "x")); !errors.Is(err, socket.ErrUnroutable) {
				t.Fatalf("to a peer that left: %v, want ErrUnroutable", err)
			}
			if got := router.Stats().Accepted.Messages; got != 1 {
				t.Fatalf("accepted %d, want the one that was delivered", got)
			}
		})
		t.Run("is dropped and counted", func(t *testing.T) {
			router := closing(t, socket.NewRouter(socket.WithDropUnroutable()))
			bind(t, router, endpoint)
			send(t, router, "nobody", "12345")
			must(t, router.TrySend(socket.Text("nobody", "678")))
			if got := router.Stats().Dropped[socket.Unroutable]; got != (socket.Count{Messages: 2, Bytes: 8}) {
				t.Fatalf("dropped %v", router.Stats().Dropped)
			}
		})
	})
	t.Run("needs a body", func(t *testing.T) {
		router := closing(t, socket.NewRouter(socket.WithDropUnroutable()))
		for _, m := range []socket.Msg{{}, socket.Text("only an identity")} {
			if err := router.Send(within(t), m); !errors.Is(err, socket.ErrNoFrames) {
				t.Fatalf("Send(%s): %v, want ErrNoFrames", m, err)
			}
		}
	})
}

func TestRouterRefusesADuplicateIdentity(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		router := closing(t, socket.NewRouter())
		at := bind(t, router, endpoint)
		first := closing(t, named("twin"))
		connect(t, first, at)
		waitPeers(t, router, 1)
		second := closing(t, named("twin"))
		connect(t, second, at)
		ev := event(t, router, socket.DuplicateIdentity)
		if !errors.Is(ev.Err, socket.ErrIdentityInUse) || ev.Peer == nil || string(ev.Peer.Identity) != "twin" ||
			ev.Endpoint != at {
			t.Fatalf("event %v", ev)
		}
		event(t, second, socket.PeerDown)
		for i := range 10 {
			send(t, router, "twin", fmt.Sprint(i))
			expect(t, first, fmt.Sprint(i))
			send(t, first, fmt.Sprint(i))
			expect(t, router, "twin", fmt.Sprint(i))
		}
		nothing(t, second)
		must(t, first.Close())
		eventWhere(t, router, "the first leaves", func(ev socket.Event) bool { return ev.Kind == socket.PeerDown })
		waitPeers(t, router, 1) // the second gets in by itself
		send(t, router, "twin", "welcome")
		expect(t, second, "welcome")
	})
}

// TestRouterTakesNothingFromARefusedPeer: what a peer sends before it learns that it is refused must not be taken for a
// message of the one that has the identity.
func TestRouterTakesNothingFromARefusedPeer(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		t.Parallel()
		router := closing(t, socket.NewRouter())
		at := bind(t, router, endpoint)
		first := closing(t, named("twin"))
		connect(t, first, at)
		waitPeers(t, router, 1)
		for range 20 {
			second := named("twin", socket.WithLinger(20*time.Millisecond))
			must(t, second.Connect(at))
			send(t, second, "I am another")
			event(t, second, socket.PeerUp)
			must(t, second.Close())
		}
		send(t, first, "mark")
		expect(t, router, "twin", "mark")
		nothing(t, router)
	})
}

func TestRouterHandover(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		router := closing(t, socket.NewRouter(socket.WithHandover()))
		at := bind(t, router, endpoint)
		first := closing(t, socket.NewDealer(socket.WithIdentity("twin"), socket.WithReconnect(patience, patience)))
		connect(t, first, at)
		waitPeers(t, router, 1)
		send(t, router, "twin", "to the first")
		expect(t, first, "to the first")
		second := closing(t, named("twin"))
		connect(t, second, at)
		ev := event(t, router, socket.PeerDown)
		if !errors.Is(ev.Err, socket.ErrTakenOver) || string(ev.Peer.Identity) != "twin" {
			t.Fatalf("event %v, want ErrTakenOver", ev)
		}
		event(t, first, socket.PeerDown)
		for i := range 10 {
			send(t, router, "twin", fmt.Sprint(i))
			expect(t, second, fmt.Sprint(i))
			send(t, second, fmt.Sprint(i))
			expect(t, router, "twin", fmt.Sprint(i))
		}
		nothing(t, first)
	})
}

func TestRouterTellsOfItsPeers(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		router := closing(t, socket.NewRouter())
		at := bind(t, router, endpoint)
		for i := range 3 {
			s := named(fmt.Sprint("peer ", i))
			connect(t, s, at)
			waitPeers(t, router, 1)
			must(t, s.Close())
			eventWhere(t, router, "down", func(ev socket.Event) bool {
				return ev.Kind == socket.PeerDown && string(ev.Peer.Identity) == fmt.Sprint("peer ", i)
			})
		}
		var told []string
		must(t, router.Close())
		for ev := range router.Events(within(t)) {
			if ev.Kind == socket.PeerUp || ev.Kind == socket.PeerDown {
				told = append(told, fmt.Sprintf("%s %s", ev.Kind, ev.Peer.Identity))
				if ev.Peer.Type != "DEALER" || ev.Endpoint != at {
					t.Errorf("event %v", ev)
				}
			}
		}
		want := []string{
			"peer up peer 0", "peer down peer 0", "peer up peer 1", "peer down peer 1", "peer up peer 2", "peer down peer 2",
		}
		if !slices.Equal(told, want) {
			t.Fatalf("told %q, want %q", told, want)
		}
	})
}

// fillPeer sends to one peer of a Router until there is no room.
func fillPeer(t testing.TB, router *socket.Router, id, body string) (n int) {
	t.Helper()
	for n = range 100_000 {
		switch err := router.TrySend(socket.Text(id, body)); {
		case errors.Is(err, socket.ErrWouldBlock):
			return n
		case err != nil:
			t.Fatal(err)
		}
	}
	t.Fatal("never full")
	return n
}

// TestRouterFullPeerHoldsUpOnlyItsSender: in a bubble, so that the sender is known to wait.
func TestRouterFullPeerHoldsUpOnlyItsSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		space := socket.WithTransport(transport.NewInproc())
		router := closing(t, socket.NewRouter(space, socket.WithSendHWM(1)))
		slow := closing(t, socket.NewDealer(space, socket.WithIdentity("slow"), socket.WithRecvHWM(1)))
		fast := closing(t, socket.NewDealer(space, socket.WithIdentity("fast"), socket.WithRecvHWM(1)))
		bind(t, router, "inproc://x")
		connect(t, slow, "inproc://x")
		connect(t, fast, "inproc://x")
		waitPeers(t, router, 2)
		if n := fillPeer(t, router, "slow", "x"); n != 2 {
			t.Fatalf("the slow peer took %d messages, want both marks: 2", n)
		}
		done := make(chan error, 1)
		go func() { done <- router.Send(within(t), socket.Text("slow", "late")) }()
		synctest.Wait() // until it waits
		for i := range 100 {
			send(t, router, "fast", fmt.Sprint(i))
			expect(t, fast, fmt.Sprint(i))
		}
		select {
		case err := <-done:
			t.Fatalf("Send to the full peer returned %v", err)
		default:
		}
		expect(t, slow, "x")
		must(t, <-done)
		expect(t, slow, "x")
		expect(t, slow, "late")
	})
}

func TestRouterPeerDiesWhileSendWaits(t *testing.T) {
	for _, drop := range []bool{false, true} {
		t.Run(fmt.Sprintf("drop unroutable %v", drop), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				space := socket.WithTransport(transport.NewInproc())
				opts := []socket.RouterOption{space, socket.WithSendHWM(1)}
				if drop {
					opts = append(opts, socket.WithDropUnroutable())
				}
				router := closing(t, socket.NewRouter(opts...))
				dealer := closing(t, socket.NewDealer(space, socket.WithIdentity("id"), socket.WithRecvHWM(1)))
				bind(t, router, "inproc://x")
				connect(t, dealer, "inproc://x")
				waitPeers(t, router, 1)
				fillPeer(t, router, "id", "x")
				const senders = 5
				done := make(chan error, senders)
				for range senders {
					go func() { done <- router.Send(within(t), socket.Text("id", "late")) }()
				}
				synctest.Wait()
				must(t, dealer.Close())
				for range senders {
					err := <-done
					if drop && err != nil || !drop && !errors.Is(err, socket.ErrUnroutable) {
						t.Fatalf("Send: %v", err)
					}
				}
				if got := router.Stats().Dropped[socket.Unroutable].Messages; drop && got != senders {
					t.Fatalf("%d counted as unroutable, want %d", got, senders)
				}
			})
		})
	}
	t.Run("with a kernel in between", func(t *testing.T) {
		router := closing(t, socket.NewRouter(socket.WithSendHWM(10)))
		at := bind(t, router, "tcp://127.0.0.1:*")
		stuck := rawPeer(t, at, "DEALER")
		ev := event(t, router, socket.PeerUp)
		_, err := stuck.Write(frames("who am I?"))
		must(t, err)
		id := string(recv(t, router).Frames[0])
		body := strings.Repeat("x", 64<<10)
		full := 0
		waitUntil(t, "the kernel is full too", func() bool {
			for router.TrySend(socket.Text(id, body)) == nil {
				full = 0
			}
			full++
			return full > 50
		})
		done := make(chan error, 1)
		ctx := within(t)
		go func() { // more than once: the kernel may find some room yet
			for {
				if err := router.Send(ctx, socket.Text(id, body)); err != nil {
					done <- err
					return
				}
			}
		}()
		must(t, stuck.Close())
		if err := <-done; !errors.Is(err, socket.ErrUnroutable) {
			t.Fatalf("Send: %v, want ErrUnroutable", err)
		}
		eventWhere(t, router, "the peer is down", func(d socket.Event) bool {
			return d.Kind == socket.PeerDown && d.Peer == ev.Peer
		})
		if s := router.Stats(); s.Dropped[socket.PeerGone].Messages == 0 || s.Queued.Messages != 0 {
			t.Fatalf("ledger %+v: want what was queued counted as lost with the peer", s.Ledger)
		}
	})
}

// TestRouterSendEndsWithItsContext: giving up on a full peer harms nothing.
func TestRouterSendEndsWithItsContext(t *testing.T) {
	router := closing(t, socket.NewRouter(socket.WithSendHWM(1)))
	dealer := closing(t, socket.NewDealer(socket.WithIdentity("id"), socket.WithRecvHWM(1)))
	link(t, router, dealer, "inproc://"+t.Name())
	fillPeer(t, router, "id", "x")
	ctx, cancel := contextEnded()
	defer cancel()
	if err := router.Send(ctx, socket.Text("id", "x")); !errors.Is(err, context.Canceled) ||
		!errors.Is(err, socket.ErrWouldBlock) {
		t.Fatalf("Send: %v, want the context's end and ErrWouldBlock", err)
	}
	expect(t, dealer, "x")
	expect(t, dealer, "x")
	nothing(t, dealer)
}

func TestRouterToRouter(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		a := closing(t, socket.NewRouter(socket.WithIdentity("A")))
		b := closing(t, socket.NewRouter(socket.WithIdentity("B")))
		link(t, a, b, endpoint)
		send(t, a, "B", "ping", "")
		expect(t, b, "A", "ping", "")
		send(t, b, "A", "pong")
		expect(t, a, "B", "pong")
	})
}

func TestRouterAnswersManyReqs(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		router := closing(t, socket.NewRouter())
		at := bind(t, router, endpoint)
		ctx := within(t)
		const clients, each = 10, 20
		done := make(chan error, clients)
		for c := range clients {
			req := closing(t, socket.NewReq())
			connect(t, req, at)
			go func() {
				for i := range each {
					want := fmt.Sprint(c, "/", i)
					m, err := req.Do(ctx, socket.Text(want))
					if err == nil && !bytes.Equal(m.Bytes(), []byte(want)) {
						err = fmt.Errorf("got %s, want %s", m, want)
					}
					if err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		var held []socket.Msg
		for range clients * each {
			held = append(held, recv(t, router))
			if len(held) == clients { // answered in another order than asked
				for _, m := range slices.Backward(held) {
					must(t, router.Send(ctx, m))
				}
				held = nil
			}
		}
		for range clients {
			must(t, <-done)
		}
	})
}
