package socket_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// TestRouterDisconnectsASlowPeer: under the policy Disconnect a peer whose queue is full is cut off, the message is
// counted as dropped, and no other peer is any the worse.
func TestRouterDisconnectsASlowPeer(t *testing.T) {
	t.Run("inproc", func(t *testing.T) {
		router := closing(t, socket.NewRouter(socket.WithSendHWM(1), socket.WithOverflow(socket.Disconnect)))
		at := bind(t, router, "inproc://"+t.Name())
		slow, fast := closing(t, named("slow", socket.WithRecvHWM(1))), closing(t, named("fast", socket.WithRecvHWM(1)))
		connect(t, slow, at)
		connect(t, fast, at)
		waitPeers(t, router, 2)
		waitPeers(t, slow, 1)
		waitPeers(t, fast, 1)
		for i := range 3 {
			send(t, router, "slow", fmt.Sprint(i)) // never waits
			send(t, router, "fast", fmt.Sprint(i))
			expect(t, fast, fmt.Sprint(i))
		}
		ev := event(t, router, socket.PeerDown)
		if !errors.Is(ev.Err, socket.ErrSlow) || string(ev.Peer.Identity) != "slow" {
			t.Fatalf("event %v, want ErrSlow of the slow one", ev)
		}
		if s := router.Stats(); s.Dropped[socket.QueueFull].Messages != 1 || len(s.Dropped) != 1 {
			t.Fatalf("dropped %v, want one, for want of room", s.Dropped)
		}
		expect(t, slow, "0") // it has what it had
		expect(t, slow, "1")
		waitPeers(t, router, 2) // and it comes back
		send(t, router, "slow", "again")
		expect(t, slow, "again")
		for _, ev := range events(t, router, socket.PeerDown) {
			if string(ev.Peer.Identity) != "slow" {
				t.Errorf("event %v", ev)
			}
		}
	})
	t.Run("tcp", func(t *testing.T) {
		router := closing(t, socket.NewRouter(socket.WithSendHWM(10), socket.WithOverflow(socket.Disconnect)))
		at := bind(t, router, "tcp://127.0.0.1:*")
		stuck := rawPeer(t, at, "DEALER")
		_, err := stuck.Write(frames("who am I?"))
		must(t, err)
		id := string(recv(t, router).Frames[0])
		fast := closing(t, named("fast"))
		connect(t, fast, at)
		waitPeers(t, router, 2)
		body := strings.Repeat("x", 1<<20) // ten of them are more than the kernel takes, however late they are written
		sent := uint64(0)
		for ; ; sent++ {
			err := router.Send(within(t), socket.Text(id, body))
			if errors.Is(err, socket.ErrUnroutable) {
				break // it is cut off
			}
			must(t, err)
			send(t, router, "fast", fmt.Sprint(sent))
			expect(t, fast, fmt.Sprint(sent))
		}
		if ev := event(t, router, socket.PeerDown); !errors.Is(ev.Err, socket.ErrSlow) {
			t.Fatalf("event %v, want ErrSlow", ev)
		}
		s := router.Stats() // to the end the kernel may have taken some of the ten that were queued
		if lost := s.Dropped[socket.PeerGone].Messages; s.Dropped[socket.QueueFull].Messages != 1 || lost == 0 || lost > 10 ||
			s.Accepted.Messages != 2*sent {
			t.Fatalf("%d sent to each, ledger %+v: want what was queued lost with the peer, and one that found no room", sent,
				s.Ledger)
		}
	})
}

// events lists those of a kind that are remembered.
func events(t testing.TB, s eventer, kind socket.EventKind) (list []socket.Event) {
	for ev := range s.Events(endedContext(t)) {
		if ev.Kind == kind {
			list = append(list, ev)
		}
	}
	return list
}

// TestRouterDisconnect: to give up an endpoint, or to unbind, makes its peers unroutable at once, drops what was queued
// for them, and frees their names; other peers are not touched.
func TestRouterDisconnect(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		for _, way := range []string{"Disconnect", "Unbind"} {
			t.Run(way, func(t *testing.T) {
				router := closing(t, socket.NewRouter(quick()))
				peer, other := closing(t, named("peer")), closing(t, named("other"))
				connect(t, other, bind(t, router, endpoint+otherName(endpoint)))
				var give func() error
				if way == "Disconnect" {
					at := bind(t, peer, endpoint)
					must(t, router.ConnectAs(at, "peer"))
					give = func() error { return router.Disconnect(at) }
				} else {
					at := bind(t, router, endpoint)
					connect(t, peer, at)
					give = func() error { return router.Unbind(at) }
				}
				waitPeers(t, router, 2)
				waitPeers(t, peer, 1)
				send(t, router, "peer", "before")
				expect(t, peer, "before")
				must(t, give())
				if err := router.Send(within(t), socket.Text("peer", "x")); !errors.Is(err, socket.ErrUnroutable) {
					t.Fatalf("Send: %v, want ErrUnroutable", err)
				}
				if err := give(); !errors.Is(err, socket.ErrNoEndpoint) {
					t.Fatalf("again: %v, want ErrNoEndpoint", err)
				}
				event(t, peer, socket.PeerDown)
				if ev := event(t, router, socket.PeerDown); !errors.Is(ev.Err, socket.ErrDisconnected) ||
					string(ev.Peer.Identity) != "peer" {
					t.Fatalf("event %v, want ErrDisconnected of the peer", ev)
				}
				next := closing(t, socket.NewDealer()) // another one may have the name
				must(t, router.ConnectAs(bind(t, next, unused(t, endpoint)), "peer"))
				waitPeers(t, next, 1)
				waitPeers(t, router, 2)
				send(t, router, "peer", "after")
				expect(t, next, "after")
				send(t, other, "still here")
				expect(t, router, "other", "still here")
				nothing(t, peer)
			})
		}
	})
}

// TestRouterDisconnectEndsASendThatWaits, and drops what was queued, each with its reason.
func TestRouterDisconnectEndsASendThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Window: 1 << 10})
		router := closing(t, socket.NewRouter(on(net, "cli"), socket.WithSendHWM(5)))
		peer := closing(t, socket.NewDealer(on(net, "srv"), socket.WithRecvHWM(1)))
		bindAt(t, peer)
		must(t, router.ConnectAs(server, "peer"))
		waitPeers(t, router, 1)
		net.Stall("srv") // so that nothing is read
		sent := uint64(0)
		for router.TrySend(socket.Text("peer", strings.Repeat("x", 1<<10))) == nil {
			sent++
			synctest.Wait()
		}
		const senders = 5
		done := make(chan error, senders)
		for range senders {
			go func() { done <- router.Send(aDay(t), socket.Text("peer", "late")) }()
		}
		synctest.Wait()
		must(t, router.Disconnect(server))
		for range senders {
			if err := <-done; !errors.Is(err, socket.ErrUnroutable) {
				t.Errorf("Send: %v, want ErrUnroutable", err)
			}
		}
		synctest.Wait()
		if s := router.Stats(); s.Accepted.Messages != sent ||
			s.Dropped[socket.PeerGone].Messages+s.Delivered.Messages != sent || s.Dropped[socket.PeerGone].Messages < 5 ||
			s.Queued.Messages != 0 {
			t.Errorf("of %d sent, ledger %+v", sent, s.Ledger)
		}
		net.Unstall("srv")
	})
}

// TestConnectAsSurvivesCuts: connections to three named endpoints are cut over and over while messages go both ways.
// Each name stands for its endpoint throughout, whatever the peer there calls itself, no message comes twice, and
// each is delivered to the transport, counted as lost with a connection, or refused as unroutable.
func TestConnectAsSurvivesCuts(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{Latency: time.Millisecond, Jitter: time.Millisecond, Window: 512, Seed: seed})
				router := closing(t, socket.NewRouter(on(net, "cli"), quick()))
				names := []string{"a", "b", "c"}
				dealers := make(map[string]*socket.Dealer)
				received := make(map[string][]int) // by each dealer, and from it
				var mu sync.Mutex
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				note := func(key string, n int) {
					mu.Lock()
					defer mu.Unlock()
					received[key] = append(received[key], n)
				}
				for _, name := range names {
					d := closing(t, socket.NewDealer(on(net, "host-"+name), socket.WithIdentity("by another name")))
					dealers[name] = d
					at := bind(t, d, "sim://host-"+name)
					must(t, router.ConnectAs(at, name))
					wg.Go(func() {
						for m, err := range d.Messages(ctx) {
							if err != nil {
								return
							}
							if string(m.Frames[0]) != name || len(m.Frames) != 3 {
								t.Errorf("the peer at %s received %s", name, m)
								return
							}
							note("to "+name, atoi(t, m.Frames[1]))
						}
					})
					wg.Go(func() {
						for n := 0; d.Send(ctx, socket.Text(name, fmt.Sprint(n), strings.Repeat("y", n%100))) == nil; n++ {
							pause(ctx, time.Millisecond)
						}
					})
				}
				wg.Go(func() {
					for m, err := range router.Messages(ctx) {
						if err != nil {
							return
						}
						if id := string(m.Frames[0]); id != string(m.Frames[1]) || len(m.Frames) != 4 {
							t.Errorf("received %s", m)
							return
						}
						note("from "+string(m.Frames[0]), atoi(t, m.Frames[2]))
					}
				})
				waitPeers(t, router, len(names))
				numbers := rand.New(rand.NewPCG(seed, 0))
				accepted, unroutable := uint64(0), 0
				for n := range 5000 {
					if n%50 == 49 {
						net.Cut("host-" + names[numbers.IntN(len(names))])
					}
					name := names[numbers.IntN(len(names))]
					switch err := router.Send(ctx, socket.Text(name, name, fmt.Sprint(n), strings.Repeat("x", n%100))); {
					case err == nil:
						accepted++
						pause(ctx, time.Duration(numbers.IntN(300))*time.Microsecond)
					case errors.Is(err, socket.ErrUnroutable) && strings.Contains(err.Error(), `"`+name+`"`):
						unroutable++
						pause(ctx, time.Millisecond)
					default:
						t.Fatalf("Send to %s: %v", name, err)
					}
					balanced(t, router)
				}
				pause(ctx, time.Second) // all cuts are known of
				waitPeers(t, router, len(names))
				for _, name := range names {
					must(t, router.Send(ctx, socket.Text(name, name, "1000000", "")))
					accepted++
				}
				pause(ctx, time.Second) // what is on the way arrives
				cancel()
				wg.Wait()
				s := router.Stats()
				if lost := s.Dropped[socket.PeerGone].Messages; s.Accepted.Messages != accepted ||
					s.Delivered.Messages+lost != accepted || len(s.Dropped) > 1 {
					t.Errorf("%d accepted, ledger %+v", accepted, s.Ledger)
				}
				total := uint64(0)
				for key, list := range received {
					last := list[len(list)-1]
					slices.Sort(list)
					if different := len(slices.Compact(slices.Clone(list))); different != len(list) {
						t.Errorf("%s: %d messages came, %d different ones", key, len(list), different)
					}
					if strings.HasPrefix(key, "to ") {
						total += uint64(len(list))
						if last != 1_000_000 {
							t.Errorf("%s: the last message did not arrive, or not as the last", key)
						}
					}
				}
				if total > s.Delivered.Messages || len(received) != 2*len(names) {
					t.Errorf("%d received of %d delivered, at %d ends", total, s.Delivered.Messages, len(received))
				}
				for _, name := range names {
					if downs := events(t, dealers[name], socket.PeerDown); len(downs) < 5 {
						t.Errorf("%s was cut %d times, which proves little", name, len(downs))
					}
				}
				if unroutable == 0 || s.Delivered.Messages == total {
					t.Errorf("%d unroutable, %d of %d delivered arrived: the cuts hit nothing", unroutable, total,
						s.Delivered.Messages)
				}
				t.Logf("%d accepted, %d received, %d lost on the way, %d queued when a connection was cut, %d unroutable",
					accepted, total, s.Delivered.Messages-total, s.Dropped[socket.PeerGone].Messages, unroutable)
			})
		})
	}
}

// pause lets the time of a bubble go by.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// TestConnectAsTakesOver: with a handover, an endpoint gets its name back from a peer that came in under it while the
// endpoint was away.
func TestConnectAsTakesOver(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		home := closing(t, socket.NewDealer())
		homeAt := bind(t, home, unused(t, endpoint))
		router := closing(t, socket.NewRouter(socket.WithHandover(), quick()))
		at := bind(t, router, endpoint+otherName(endpoint))
		must(t, router.ConnectAs(homeAt, "name"))
		waitPeers(t, router, 1)
		send(t, router, "name", "1")
		expect(t, home, "1")

		must(t, home.Unbind(homeAt))
		event(t, router, socket.PeerDown)
		// Were it to come back at once, the two would take the name from each other over and over.
		guest := closing(t, socket.NewDealer(socket.WithIdentity("name"), socket.WithReconnect(time.Hour, time.Hour)))
		connect(t, guest, at)
		waitPeers(t, router, 1)
		send(t, router, "name", "2")
		expect(t, guest, "2")

		bind(t, home, homeAt)
		eventWhere(t, router, "the guest has to go", func(ev socket.Event) bool {
			return ev.Kind == socket.PeerDown && errors.Is(ev.Err, socket.ErrTakenOver)
		})
		send(t, router, "name", "3")
		expect(t, home, "3")
		nothing(t, guest)
	})
}
