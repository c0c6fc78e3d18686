package socket_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

func TestPairTalksBothWays(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		a, b := closing(t, socket.NewPair()), closing(t, socket.NewPair())
		link(t, a, b, endpoint)
		for _, frames := range [][]string{{""}, {"a", ""}, {"x", strings.Repeat("y", 70_000)}} {
			send(t, a, frames...)
			send(t, b, append(frames, "back")...)
			expect(t, b, frames...)
			expect(t, a, append(frames, "back")...)
		}
		nothing(t, a)
		nothing(t, b)
	})
}

func TestPairHasOnePeer(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		host := closing(t, socket.NewPair())
		at := bind(t, host, endpoint)
		first, second := closing(t, socket.NewPair(quick())), closing(t, socket.NewPair(quick()))
		connect(t, first, at)
		waitPeers(t, host, 1)
		connect(t, second, at)
		ev := event(t, host, socket.HandshakeFailed)
		if !errors.Is(ev.Err, socket.ErrBusy) || ev.Peer == nil || ev.Peer.Type != "PAIR" {
			t.Fatalf("event %v, want ErrBusy and the peer", ev)
		}
		event(t, second, socket.PeerDown)
		for i := range 10 {
			send(t, host, fmt.Sprint(i))
			expect(t, first, fmt.Sprint(i))
			send(t, first, fmt.Sprint(i))
			expect(t, host, fmt.Sprint(i))
		}
		nothing(t, second)
		must(t, first.Close())
		send(t, host, "welcome") // waits for the second, which gets in by itself
		expect(t, second, "welcome")
		send(t, second, "thanks")
		expect(t, host, "thanks")
	})
}

// TestPairTakesNothingFromARefusedPeer: what the second peer sends before it learns that it is refused is not received.
func TestPairTakesNothingFromARefusedPeer(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		t.Parallel()
		host, first := closing(t, socket.NewPair()), closing(t, socket.NewPair())
		at := link(t, host, first, endpoint)
		for range 20 {
			second := socket.NewPair(quick(), socket.WithLinger(20*time.Millisecond))
			must(t, second.Connect(at))
			send(t, second, "may I?")
			event(t, second, socket.PeerUp)
			must(t, second.Close())
		}
		send(t, first, "mark")
		expect(t, host, "mark")
		nothing(t, host)
	})
}

func TestPairWithoutPeer(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		t.Run("bound", func(t *testing.T) {
			host := closing(t, socket.NewPair())
			bind(t, host, endpoint)
			blocked(t, host)
			if err := host.TrySend(socket.Text("x")); !errors.Is(err, socket.ErrNoPeers) {
				t.Fatalf("TrySend: %v, want ErrNoPeers", err)
			}
		})
		t.Run("connecting", func(t *testing.T) {
			at := unused(t, endpoint)
			guest := closing(t, socket.NewPair(socket.WithSendHWM(5), quick()))
			connect(t, guest, at)
			for i := range 5 {
				send(t, guest, fmt.Sprint(i))
			}
			blocked(t, guest)
			for round := range 3 { // and again after the peer was lost
				host := socket.NewPair()
				bind(t, host, at)
				for i := range 5 {
					expect(t, host, fmt.Sprint(i))
				}
				must(t, host.Close())
				downs := 0
				eventWhere(t, guest, "the peer is lost", func(ev socket.Event) bool {
					if ev.Kind == socket.PeerDown {
						downs++
					}
					return downs == round+1
				})
				for i := range 5 {
					send(t, guest, fmt.Sprint(i))
				}
				blocked(t, guest)
			}
			if got := guest.Stats().Queued.Messages; got != 5 {
				t.Fatalf("%d messages wait, want 5", got)
			}
		})
	})
}

func TestPairOverflow(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy socket.Overflow
		left   []string
	}{
		{"drop newest", socket.DropNewest, []string{"0", "1"}},
		{"drop oldest", socket.DropOldest, []string{"3", "4"}},
		{"conflate", socket.Conflate, []string{"4"}},
		{"reject", socket.Reject, []string{"0", "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := closing(t, socket.NewPair(socket.WithSendHWM(1), socket.WithOverflow(c.policy)))
			b := closing(t, socket.NewPair(socket.WithRecvHWM(1)))
			link(t, a, b, "inproc://"+t.Name())
			for i := range 5 {
				err := a.Send(within(t), socket.Text(fmt.Sprint(i)))
				if err != nil && (c.policy != socket.Reject || !errors.Is(err, socket.ErrWouldBlock)) {
					t.Fatal(err)
				}
			}
			for _, want := range c.left {
				expect(t, b, want)
			}
			nothing(t, b)
		})
	}
}
