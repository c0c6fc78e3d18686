package socket_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

func TestDealerGoesRoundRobin(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		dealer := closing(t, socket.NewDealer())
		at := bind(t, dealer, endpoint)
		peers := make([]socket.Receiver, 5)
		for i := range peers {
			s := closing(t, everyRole()[fits["DEALER"][i%3]]()) // all three kinds of peers
			peers[i] = s.(socket.Receiver)
			connect(t, s, at)
			waitPeers(t, dealer, i+1)
		}
		for i := range 50 {
			send(t, dealer, "", fmt.Sprint(i))
		}
		firsts := make(map[int]bool)
		for i, peer := range peers {
			first := -1
			for k := range 10 {
				if rep, ok := peer.(*socket.Rep); ok && k > 0 {
					send(t, rep, "done") // a Rep takes one request at a time
				}
				frames := recv(t, peer).Frames
				n := atoi(t, frames[len(frames)-1])
				if first < 0 {
					first = n
				}
				if n != first+5*k {
					t.Fatalf("peer %d got %d as its message %d, want %d", i, n, k, first+5*k)
				}
			}
			firsts[first] = true
		}
		if len(firsts) != 5 {
			t.Fatalf("the first messages were %v, want 0 to 4", firsts)
		}
	})
}

func TestDealerIsFair(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		dealer := closing(t, socket.NewDealer())
		at := bind(t, dealer, endpoint)
		const peers, each = 5, 20
		for i := range peers {
			s := closing(t, socket.NewDealer())
			connect(t, s, at)
			for k := range each {
				send(t, s, fmt.Sprint(i), fmt.Sprint(k))
			}
		}
		waitPeers(t, dealer, peers) // over inproc, messages are there before their peer's turn is
		waitUnread(t, dealer, peers*each)
		for k := range each {
			from := make(map[string]bool)
			for range peers {
				m := recv(t, dealer)
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

func TestDealerWithoutPeer(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		t.Run("bound", func(t *testing.T) {
			dealer := closing(t, socket.NewDealer())
			at := bind(t, dealer, endpoint)
			blocked(t, dealer)
			if err := dealer.TrySend(socket.Text("x")); !errors.Is(err, socket.ErrNoPeers) ||
				!errors.Is(err, socket.ErrWouldBlock) {
				t.Fatalf("TrySend: %v, want ErrNoPeers and ErrWouldBlock", err)
			}
			done := make(chan error, 1)
			go func() { done <- dealer.Send(within(t), socket.Text("late")) }()
			router := closing(t, socket.NewRouter())
			connect(t, router, at)
			if m := recv(t, router); string(m.Frames[1]) != "late" {
				t.Fatalf("received %s", m)
			}
			must(t, <-done)
		})
		t.Run("connecting", func(t *testing.T) {
			at := unused(t, endpoint)
			dealer := closing(t, socket.NewDealer(socket.WithSendHWM(10)))
			connect(t, dealer, at)
			for i := range 10 {
				send(t, dealer, fmt.Sprint(i))
			}
			blocked(t, dealer)
			peer := closing(t, socket.NewDealer())
			bind(t, peer, at)
			for i := range 10 {
				expect(t, peer, fmt.Sprint(i))
			}
		})
	})
}

// TestDealerKeepsManyRequestsOut: a Dealer has no turns, and the answers come when they come.
func TestDealerKeepsManyRequestsOut(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		dealer := closing(t, socket.NewDealer())
		at := bind(t, dealer, endpoint)
		for i := range 3 {
			rep := socket.NewRep()
			echo(t, rep, fmt.Sprint("worker ", i))
			closing(t, rep)
			connect(t, rep, at)
			waitPeers(t, dealer, i+1)
		}
		const n = 300
		for i := range n {
			send(t, dealer, fmt.Sprint("request ", i), "", "body") // an envelope of our own, which comes back
		}
		answered := make(map[string]bool)
		by := make(map[string]int)
		for range n {
			m := recv(t, dealer)
			if len(m.Frames) != 4 || len(m.Frames[1]) != 0 || string(m.Frames[2]) != "body" {
				t.Fatalf("reply %s", m)
			}
			answered[string(m.Frames[0])] = true
			by[string(m.Frames[3])]++
		}
		if len(answered) != n || len(by) != 3 {
			t.Fatalf("%d of %d requests answered, by %v", len(answered), n, by)
		}
		for name, count := range by {
			if count != n/3 {
				t.Errorf("%s answered %d, want %d", name, count, n/3)
			}
		}
	})
}

func TestDealerRequeuesWhatADeadPeerDidNotGet(t *testing.T) {
	dealer := closing(t, socket.NewDealer(socket.WithSendHWM(0), socket.WithSendHWMBytes(0)))
	at := bind(t, dealer, "tcp://127.0.0.1:*")
	stuck := rawPeer(t, at, "DEALER")
	waitPeers(t, dealer, 1)
	body := strings.Repeat("x", 16<<10)
	const n = 1500
	for i := range n {
		send(t, dealer, fmt.Sprint(i), body)
	}
	if dealer.Stats().Queued.Messages == 0 {
		t.Fatal("the kernel took everything; nothing was left to requeue")
	}
	must(t, stuck.Close())
	event(t, dealer, socket.PeerDown)
	delivered := int(dealer.Stats().Delivered.Messages)
	router := closing(t, socket.NewRouter())
	connect(t, router, at)
	var got []int
	for i := delivered; i < n; i++ {
		got = append(got, atoi(t, recv(t, router).Frames[1]))
	}
	if !slices.IsSorted(got) || got[len(got)-1] != n-1 {
		t.Fatalf("what was requeued does not come in order: %v", got)
	}
	balanced(t, dealer)
}

func TestDealerMultipartIsWhole(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		a, b := closing(t, socket.NewDealer()), closing(t, socket.NewDealer())
		link(t, a, b, endpoint)
		for _, frames := range [][]string{
			{""}, {"", ""}, {"a", "", "b"}, {strings.Repeat("x", 300), strings.Repeat("y", 70_000), ""},
		} {
			send(t, a, frames...)
			expect(t, b, frames...)
			send(t, b, frames...)
			expect(t, a, frames...)
		}
	})
}
