package socket_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

func TestImmediate(t *testing.T) {
	for name, made := range map[string]func() (s socket.Socket, peer string){
		"PUSH":   func() (socket.Socket, string) { return socket.NewPush(socket.WithImmediate(), quick()), "PULL" },
		"DEALER": func() (socket.Socket, string) { return socket.NewDealer(socket.WithImmediate(), quick()), "DEALER" },
		"PAIR":   func() (socket.Socket, string) { return socket.NewPair(socket.WithImmediate(), quick()), "PAIR" },
		"REQ":    func() (socket.Socket, string) { return socket.NewReq(socket.WithImmediate(), quick()), "REP" },
	} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				s, kind := made()
				closing(t, s)
				dead, alive := unused(t, endpoint), unused(t, endpoint+"2")
				connect(t, s, dead)
				connect(t, s, alive)
				blocked(t, s.(socket.Sender))
				if s.Stats().Accepted.Messages != 0 {
					t.Fatal("accepted without a peer")
				}
				done := make(chan error, 1)
				go func() { done <- s.(socket.Sender).Send(within(t), socket.Text("x")) }()
				peer := closing(t, everyRole()[kind]())
				bind(t, peer, alive)
				must(t, <-done)
				expect(t, peer.(socket.Receiver), "x")
				if name == "REQ" {
					return // its turn is taken
				}
				for range 9 { // all go to the live one
					send(t, s.(socket.Sender), "x")
					expect(t, peer.(socket.Receiver), "x")
				}
				must(t, peer.Close())
				event(t, s.(eventer), socket.PeerDown)
				blocked(t, s.(socket.Sender))
			})
		})
	}
}

func TestLeastOutstanding(t *testing.T) {
	t.Run("PUSH spares a peer that does not receive", func(t *testing.T) {
		push := closing(t, socket.NewPush(socket.WithLeastOutstanding()))
		at := bind(t, push, "inproc://"+t.Name())
		slow, quick := closing(t, socket.NewPull()), closing(t, socket.NewPull())
		connect(t, slow, at)
		waitPeers(t, push, 1)
		connect(t, quick, at)
		waitPeers(t, push, 2)
		send(t, push, "0")
		send(t, push, "1")
		recv(t, quick)
		for i := range 100 {
			send(t, push, fmt.Sprint(i))
			expect(t, quick, fmt.Sprint(i))
		}
		recv(t, slow)
		nothing(t, slow)
	})
	t.Run("PUSH fills a peer that is stuck no further than the others", func(t *testing.T) {
		push := closing(t, socket.NewPush(socket.WithLeastOutstanding(), socket.WithSendHWM(0), socket.WithSendHWMBytes(0)))
		at := bind(t, push, "tcp://127.0.0.1:*")
		stuck := rawPeer(t, at, "PULL")
		waitPeers(t, push, 1)
		pull := closing(t, socket.NewPull())
		connect(t, pull, at)
		waitPeers(t, push, 2)
		body := strings.Repeat("x", 256<<10)
		queued := func() (n, all uint64) {
			for _, p := range push.Stats().Peers {
				if all += p.Queued.Messages; p.Peer.Address == stuck.LocalAddr().String() {
					n = p.Queued.Messages
				}
			}
			return n, all
		}
		for range 100 {
			send(t, push, body)
			waitUntil(t, "only the stuck peer has something queued", func() bool {
				n, all := queued()
				return n == all
			})
		}
		if n, _ := queued(); n != 1 {
			t.Fatalf("%d messages wait for the stuck peer, want the one that its kernel did not take", n)
		}
		for range 100 - int(push.Stats().Queued.Messages) - int(deliveredTo(push, stuck.LocalAddr().String())) {
			recv(t, pull)
		}
	})
	t.Run("DEALER gives a slow worker less", func(t *testing.T) {
		eachTransport(t, func(t *testing.T, endpoint string) {
			dealer := closing(t, socket.NewDealer(socket.WithLeastOutstanding()))
			at := bind(t, dealer, endpoint)
			slow, worker := closing(t, socket.NewDealer()), closing(t, socket.NewDealer())
			connect(t, slow, at)
			connect(t, worker, at)
			waitPeers(t, dealer, 2)
			send(t, dealer, "first")
			send(t, dealer, "first")
			expect(t, worker, "first")
			expect(t, slow, "first")
			send(t, worker, "done")
			expect(t, dealer, "done")
			for i := range 100 {
				send(t, dealer, fmt.Sprint(i))
				expect(t, worker, fmt.Sprint(i))
				send(t, worker, "done")
				expect(t, dealer, "done")
			}
			nothing(t, slow)
			send(t, slow, "done at last")
			expect(t, dealer, "done at last")
			send(t, dealer, "x")
			send(t, dealer, "x")
			expect(t, slow, "x") // equals take turns again
			expect(t, worker, "x")
		})
	})
	t.Run("round robin among equals", func(t *testing.T) {
		dealer := closing(t, socket.NewDealer(socket.WithLeastOutstanding()))
		at := bind(t, dealer, "inproc://"+t.Name())
		workers := make([]*socket.Dealer, 4)
		for i := range workers {
			workers[i] = closing(t, socket.NewDealer())
			connect(t, workers[i], at)
			waitPeers(t, dealer, i+1)
		}
		for range 40 {
			send(t, dealer, "x")
		}
		for _, w := range workers {
			for range 10 {
				expect(t, w, "x")
			}
			nothing(t, w)
		}
	})
	t.Run("what was dropped is not outstanding", func(t *testing.T) {
		dealer := closing(t,
			socket.NewDealer(socket.WithLeastOutstanding(), socket.WithSendHWM(2), socket.WithOverflow(socket.DropOldest)))
		at := bind(t, dealer, "tcp://127.0.0.1:*")
		rawPeer(t, at, "DEALER")
		waitPeers(t, dealer, 1)
		body := strings.Repeat("x", 1<<20)
		for dealer.Stats().Dropped[socket.QueueFull].Messages < 50 {
			send(t, dealer, body)
		}
		worker := closing(t, socket.NewDealer())
		connect(t, worker, at)
		waitPeers(t, dealer, 2)
		var stuckHas uint64
		for _, p := range dealer.Stats().Peers {
			stuckHas += p.Delivered.Messages + p.Queued.Messages
		}
		for i := range stuckHas { // until the worker, which answers nothing either, has as many
			send(t, dealer, fmt.Sprint(i))
			expect(t, worker, fmt.Sprint(i))
		}
	})
}

// deliveredTo is the number of messages delivered to the peer at an address.
func deliveredTo(s socket.Socket, address string) uint64 {
	for _, p := range s.Stats().Peers {
		if p.Peer.Address == address {
			return p.Delivered.Messages
		}
	}
	return 0
}

func TestLatest(t *testing.T) {
	for name, made := range map[string]func() (from, to socket.Socket){
		"PULL": func() (socket.Socket, socket.Socket) { return socket.NewPush(), socket.NewPull(socket.WithLatest()) },
		"SUB": func() (socket.Socket, socket.Socket) {
			return socket.NewPub(), socket.NewSub(socket.WithLatest(), socket.WithSubscription(""))
		},
		"DEALER": func() (socket.Socket, socket.Socket) {
			return socket.NewDealer(), socket.NewDealer(socket.WithLatest())
		},
		"PAIR": func() (socket.Socket, socket.Socket) { return socket.NewPair(), socket.NewPair(socket.WithLatest()) },
	} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				from, to := made()
				closing(t, from)
				closing(t, to)
				link(t, to, from, endpoint)
				if pub, ok := from.(*socket.Pub); ok {
					waitSubs(t, pub, "", 1)
				}
				for round := range uint64(3) {
					for i := range 20 {
						send(t, from.(socket.Sender), fmt.Sprint(i), "more")
					}
					waitUntil(t, "all have come", func() bool { return to.Stats().Received.Messages == 20*(round+1) })
					expect(t, to.(socket.Receiver), "19", "more")
					nothing(t, to.(socket.Receiver))
					if got := to.Stats().Discarded[socket.Replaced].Messages; got != 19*(round+1) {
						t.Fatalf("%d counted as replaced, want %d", got, 19*(round+1))
					}
				}
			})
		})
	}
	t.Run("of each peer", func(t *testing.T) {
		pull := closing(t, socket.NewPull(socket.WithLatest(), socket.WithRecvHWM(1)))
		at := bind(t, pull, "tcp://127.0.0.1:*")
		for who := range 3 {
			push := closing(t, socket.NewPush())
			connect(t, push, at)
			for i := range 50 {
				send(t, push, fmt.Sprint(who, " ", i))
			}
		}
		waitUntil(t, "all have come", func() bool { return pull.Stats().Received.Messages == 150 })
		var got []string
		for range 3 {
			got = append(got, string(recv(t, pull).Bytes()))
		}
		slices.Sort(got)
		if want := []string{"0 49", "1 49", "2 49"}; !slices.Equal(got, want) {
			t.Fatalf("received %q, want %q", got, want)
		}
		nothing(t, pull)
	})
}

func TestProbe(t *testing.T) {
	for name, made := range map[string]func() socket.Socket{
		"DEALER": func() socket.Socket { return socket.NewDealer(socket.WithProbe(), socket.WithIdentity("me"), quick()) },
		"REQ":    func() socket.Socket { return socket.NewReq(socket.WithProbe(), socket.WithIdentity("me"), quick()) },
		"ROUTER": func() socket.Socket { return socket.NewRouter(socket.WithProbe(), socket.WithIdentity("me"), quick()) },
	} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				at := unused(t, endpoint)
				s := closing(t, made())
				connect(t, s, at)
				if name != "ROUTER" {
					send(t, s.(socket.Sender), "data") // waits for the first peer, and comes after the probe
				}
				for round := range 2 { // each new connection is probed
					router := socket.NewRouter()
					bind(t, router, at)
					expect(t, router, "me", "")
					if name == "ROUTER" {
						nothing(t, router)
					} else if round == 0 {
						m := recv(t, router)
						if string(m.Frames[len(m.Frames)-1]) != "data" {
							t.Fatalf("after the probe came %s", m)
						}
					}
					must(t, router.Close())
				}
			})
		})
	}
	t.Run("of a bound socket", func(t *testing.T) {
		dealer := closing(t, socket.NewDealer(socket.WithProbe(), socket.WithIdentity("me")))
		router := closing(t, socket.NewRouter())
		connect(t, router, bind(t, dealer, "tcp://127.0.0.1:*"))
		expect(t, router, "me", "")
	})
}

func TestRelaxed(t *testing.T) {
	for _, correlate := range []bool{true, false} {
		t.Run(fmt.Sprintf("correlate %v", correlate), func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				newReq := func() *socket.Req {
					return closing(t, socket.NewReq(socket.WithRelaxed(), socket.WithCorrelate(correlate)))
				}
				t.Run("before the reply came", func(t *testing.T) {
					req, router := newReq(), closing(t, socket.NewRouter())
					link(t, router, req, endpoint)
					send(t, req, "one")
					first := recv(t, router)
					send(t, req, "two")
					second := recv(t, router)
					must(t, router.Send(within(t), second)) // answered in the other order
					expect(t, req, "two")
					send(t, req, "three")
					third := recv(t, router)
					if correlate { // without, nobody could tell
						must(t, router.Send(within(t), first))
					}
					must(t, router.Send(within(t), third))
					expect(t, req, "three")
					if got := req.Stats().Discarded[socket.StaleReply].Messages; got != uint64(boolInt(correlate)) {
						t.Fatalf("discarded %v", req.Stats().Discarded)
					}
				})
				t.Run("two in a row keep the connection", func(t *testing.T) {
					req, router := newReq(), closing(t, socket.NewRouter())
					link(t, router, req, endpoint)
					send(t, req, "one")
					send(t, req, "two")
					recv(t, router)
					m := recv(t, router)
					must(t, router.Send(within(t), m))
					expect(t, req, "two")
					for ev := range req.Events(endedContext(t)) {
						if ev.Kind == socket.PeerDown {
							t.Fatalf("event %v", ev)
						}
					}
				})
				t.Run("before there is a peer", func(t *testing.T) {
					at := unused(t, endpoint)
					req := newReq()
					connect(t, req, at)
					for i := range 5 {
						send(t, req, fmt.Sprint(i))
					}
					rep := socket.NewRep()
					echo(t, rep, "echo")
					closing(t, rep)
					bind(t, rep, at)
					expect(t, req, "4", "echo")
					if got := req.Stats().Dropped[socket.GivenUp].Messages; got != 4 {
						t.Fatalf("dropped %v, want 4 given up", req.Stats().Dropped)
					}
				})
			})
		})
	}
	t.Run("a reply that waits already is dropped", func(t *testing.T) {
		req, rep := closing(t, socket.NewReq(socket.WithRelaxed())), closing(t, socket.NewRep())
		link(t, rep, req, "inproc://"+t.Name())
		send(t, req, "one")
		expect(t, rep, "one")
		send(t, rep, "re: one")
		waitUnread(t, req, 1)
		send(t, req, "two")
		expect(t, rep, "two")
		send(t, rep, "re: two")
		expect(t, req, "re: two")
		if got := req.Stats().Discarded[socket.StaleReply].Messages; got != 1 {
			t.Fatalf("discarded %v", req.Stats().Discarded)
		}
	})
	t.Run("is off by default", func(t *testing.T) {
		req, rep := closing(t, socket.NewReq()), closing(t, socket.NewRep())
		link(t, rep, req, "inproc://"+t.Name())
		send(t, req, "one")
		if err := req.Send(within(t), socket.Text("two")); !errors.Is(err, socket.ErrState) {
			t.Fatalf("Send: %v, want ErrState", err)
		}
	})
}

func endedContext(t testing.TB) context.Context {
	ctx, cancel := contextEnded()
	t.Cleanup(cancel)
	return ctx
}

func boolInt(b bool) int { return int(boolCount(b)) }

func TestMetadata(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		long := strings.Repeat("v", 150)
		a := closing(t, socket.NewPair(socket.WithMetadata("X-Name", "a"), socket.WithMetadata("X-Long", long)))
		b := closing(t, socket.NewPair(socket.WithMetadata("X-Name", "b\x00inary")))
		link(t, a, b, endpoint)
		for _, side := range []struct {
			s    *socket.Pair
			want map[string]string
		}{{a, map[string]string{"X-Name": "b\x00inary"}}, {b, map[string]string{"X-Name": "a", "X-Long": long}}} {
			up := event(t, side.s, socket.PeerUp).Peer
			for name, value := range side.want {
				if up.Metadata[name] != value {
					t.Errorf("%s: %s is %q, want %q", up, name, up.Metadata[name], value)
				}
			}
			if got := up.Metadata["Socket-Type"]; got != "PAIR" {
				t.Errorf("Socket-Type is %q", got)
			}
		}
		send(t, a, "x")
		if m := recv(t, b); m.From.Metadata["X-Name"] != "a" {
			t.Errorf("of a message: %v", m.From.Metadata)
		}
	})
	for _, name := range []string{"Name", "", "x-name", "X-Yodel", "Identity"} {
		t.Run("refuses "+name, func(t *testing.T) {
			s := closing(t, socket.NewPair(socket.WithMetadata(name, "x")))
			_, err := s.Bind(within(t), "inproc://"+t.Name())
			for _, err := range []error{err, s.Connect("inproc://" + t.Name())} {
				if err == nil || !strings.Contains(err.Error(), "X-") || !strings.Contains(err.Error(), fmt.Sprintf("%q", name)) {
					t.Errorf("error %v, want one that says what is wrong and what is right", err)
				}
			}
		})
	}
}

func TestWelcome(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		for _, pub := range []interface {
			socket.Socket
			socket.Sender
			WaitSubscribers(ctx context.Context, topic string, n int) error
		}{
			socket.NewPub(socket.WithWelcome(socket.Text("W", "hello"))),
			socket.NewXPub(socket.WithWelcome(socket.Text("W", "hello"))),
		} {
			t.Run(pub.Type(), func(t *testing.T) {
				closing(t, pub)
				at := bind(t, pub, endpoint)
				for i := range 3 {
					sub := closing(t, socket.NewSub(socket.WithSubscription("W", "x")))
					connect(t, sub, at)
					must(t, pub.WaitSubscribers(within(t), "x", i+1))
					send(t, pub, "x", fmt.Sprint(i))
					expect(t, sub, "W", "hello") // before anything else
					expect(t, sub, "x", fmt.Sprint(i))
				}
				other := closing(t, socket.NewSub(socket.WithSubscription("x")))
				connect(t, other, at)
				must(t, pub.WaitSubscribers(within(t), "x", 4))
				send(t, pub, "x")
				expect(t, other, "x") // it did not ask for W
			})
		}
	})
	t.Run("bytes are not shared", func(t *testing.T) {
		pub := closing(t, socket.NewPub(socket.WithWelcome(socket.Text("W"))))
		at := bind(t, pub, "inproc://"+t.Name())
		for range 2 {
			sub := closing(t, socket.NewSub(socket.WithSubscription("W")))
			connect(t, sub, at)
			m := recv(t, sub)
			if string(m.Bytes()) != "W" {
				t.Fatalf("received %s", m)
			}
			m.Frames[0][0] = '!'
		}
	})
}

func TestLastValue(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		pub := closing(t, socket.NewPub(socket.WithLastValue(3)))
		at := bind(t, pub, endpoint)
		for i := range 5 { // 0 and 1 are forgotten
			send(t, pub, fmt.Sprint("topic ", i), "old")
		}
		send(t, pub, "topic 2", "new") // the newest now
		send(t, pub, "other", "thing") // pushes 3 out
		sub := closing(t, socket.NewSub(socket.WithSubscription("topic ")))
		connect(t, sub, at)
		expect(t, sub, "topic 4", "old") // in the order they were published
		expect(t, sub, "topic 2", "new")
		waitSubs(t, pub, "topic ", 1)
		send(t, pub, "topic 4", "live")
		expect(t, sub, "topic 4", "live")
		nothing(t, sub)

		must(t, sub.Subscribe("o")) // one more subscription is a new one
		expect(t, sub, "other", "thing")
		exact := closing(t, socket.NewSub(socket.WithSubscription("topic 4")))
		connect(t, exact, at)
		expect(t, exact, "topic 4", "live")
		none := closing(t, socket.NewSub(socket.WithSubscription("topic 3", "zzz")))
		connect(t, none, at)
		waitSubs(t, pub, "topic 3", 2)
		waitSubs(t, pub, "zzz", 1)
		send(t, pub, "zzz")
		expect(t, none, "zzz")
	})
	t.Run("bytes are not shared with a receiver", func(t *testing.T) {
		pub := closing(t, socket.NewPub(socket.WithLastValue(1)))
		at := bind(t, pub, "inproc://"+t.Name())
		for range 3 {
			sub := closing(t, socket.NewSub(socket.WithSubscription("")))
			connect(t, sub, at)
			waitPeers(t, pub, 1)
			waitSubs(t, pub, "", 1)
			send(t, pub, "topic", "body")
			for range 2 {
				m := recv(t, sub)
				if m.String() != `["topic" "body"]` {
					t.Fatalf("received %s", m)
				}
				m.Frames[0][0], m.Frames[1][0] = '!', '!'
				if pub.Stats().Accepted.Messages == 1 {
					break // the first subscriber had nothing to be replayed
				}
			}
			must(t, sub.Close())
			waitUntil(t, "it is gone", func() bool { return len(pub.Stats().Peers) == 0 })
		}
	})
	t.Run("what is refused is not kept", func(t *testing.T) {
		pub := closing(t, socket.NewPub(socket.WithLastValue(1), socket.WithSendHWM(1), socket.WithOverflow(socket.Block)))
		sub := closing(t, socket.NewSub(socket.WithRecvHWM(1), socket.WithSubscription("")))
		at := link(t, pub, sub, "inproc://"+t.Name())
		waitSubs(t, pub, "", 1)
		send(t, pub, "x", "0")
		send(t, pub, "x", "1")
		if err := pub.TrySend(socket.Text("x", "2")); !errors.Is(err, socket.ErrWouldBlock) {
			t.Fatal(err)
		}
		late := closing(t, socket.NewSub(socket.WithSubscription("x")))
		connect(t, late, at)
		expect(t, late, "x", "1")
	})
	t.Run("to one that cancels and subscribes again", func(t *testing.T) {
		pub := closing(t, socket.NewXPub(socket.WithLastValue(10)))
		peer := newRawSub(t, bind(t, pub, "tcp://127.0.0.1:*"))
		send(t, pub, "x", "1")
		peer.change("+x")
		peer.change("+x") // it has it already
		peer.change("-x")
		peer.change("+x")
		want := slices.Concat(frames("x", "1"), frames("x", "1"))
		got := make([]byte, len(want))
		readFull(t, peer, got)
		if string(got) != string(want) {
			t.Fatalf("received %q, want %q", got, want)
		}
		send(t, pub, "x", "2")
		got = got[:len(frames("x", "2"))]
		readFull(t, peer, got)
		if string(got) != string(frames("x", "2")) {
			t.Fatalf("received %q", got)
		}
	})
}
