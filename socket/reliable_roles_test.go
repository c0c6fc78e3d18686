package socket_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// TestReliableRequests cuts the connection between a Req and a Rep at every byte: each request is answered, and is seen
// once, without anybody asking again.
func TestReliableRequests(t *testing.T) {
	for _, reqBinds := range []bool{false, true} {
		t.Run(fmt.Sprintf("req binds %v", reqBinds), func(t *testing.T) {
			everyCut(t, handshakeBytes, func(t *testing.T, net *simnet.Network) bool {
				reqHost, repHost := "cli", "srv"
				if reqBinds {
					reqHost, repHost = "srv", "cli"
				}
				req := socket.NewReq(on(net, reqHost), socket.WithReliable())
				rep := socket.NewRep(on(net, repHost), socket.WithReliable())
				defer shut(t, req)
				var seen []string
				var serving sync.WaitGroup
				serving.Go(func() {
					for m, err := range rep.Messages(t.Context()) {
						if err != nil {
							return
						}
						seen = append(seen, string(m.Frames[0]))
						if err := rep.Send(aDay(t), m); err != nil {
							t.Errorf("reply: %v", err)
						}
						balanced(t, rep)
					}
				})
				if reqBinds {
					bindAt(t, req)
					must(t, rep.Connect(server))
				} else {
					bindAt(t, rep)
					must(t, req.Connect(server))
				}
				var want []string
				for n := range 4 {
					id := fmt.Sprint("request ", n)
					want = append(want, id)
					m, err := req.Do(aDay(t), socket.Text(id, "", strings.Repeat("x", 9*n)))
					balanced(t, req)
					if err != nil || string(m.Frames[0]) != id || len(m.Frames) != 3 || len(m.Frames[2]) != 9*n {
						t.Fatalf("asked %s, reply %s, %v", id, m, err)
					}
					time.Sleep(6 * time.Second) // long enough for a PING
				}
				shut(t, rep)
				serving.Wait()
				if !slices.Equal(seen, want) {
					t.Errorf("seen were %q", seen)
				}
				return net.Stats().Cuts == 1
			})
		})
	}
}

// TestReliablePublish cuts the connection between a Pub and a Sub at every byte: what is published to it after it has
// subscribed arrives, once, in order.
func TestReliablePublish(t *testing.T) {
	everyCut(t, handshakeBytes, func(t *testing.T, net *simnet.Network) bool {
		pub := socket.NewPub(on(net, "srv"), socket.WithReliable())
		sub := socket.NewSub(on(net, "cli"), socket.WithSubscription(""))
		defer shut(t, pub)
		defer shut(t, sub)
		bindAt(t, pub)
		must(t, sub.Connect(server))
		must(t, pub.WaitSubscribers(aDay(t), "", 1))
		var got []int
		var receiving sync.WaitGroup
		receiving.Go(func() { got = drainFor(t, sub, quietAfter) })
		const total = 9
		for n := range total {
			must(t, pub.WaitSubscribers(aDay(t), "", 1))
			must(t, pub.Send(aDay(t), numbered(n, 4+bodySize(n))))
			if n == total/2 {
				time.Sleep(12 * time.Second)
			}
		}
		receiving.Wait()
		wantNumbers(t, got, 0, total)
		return net.Stats().Cuts == 1
	})
}

// TestReliableRouter cuts the connection between a Router and a Dealer at every byte, with messages in both directions.
func TestReliableRouter(t *testing.T) {
	everyCut(t, handshakeBytes, func(t *testing.T, net *simnet.Network) bool {
		router := socket.NewRouter(on(net, "srv"), socket.WithReliable())
		dealer := socket.NewDealer(on(net, "cli"), socket.WithReliable(), socket.WithIdentity("d"))
		defer shut(t, router)
		defer shut(t, dealer)
		bindAt(t, router)
		must(t, dealer.Connect(server))
		const total = 9
		var atRouter, atDealer []string
		var all sync.WaitGroup
		all.Go(func() {
			for range total {
				m, err := router.Recv(aDay(t))
				if err != nil {
					t.Errorf("router: %v", err)
					return
				}
				atRouter = append(atRouter, string(m.Frames[1]))
				if err := router.Send(aDay(t), m); err != nil {
					t.Errorf("answer to %s: %v", m, err)
				}
			}
		})
		all.Go(func() {
			for range total {
				m, err := dealer.Recv(aDay(t))
				if err != nil {
					t.Errorf("dealer: %v", err)
					return
				}
				atDealer = append(atDealer, string(m.Frames[0]))
			}
		})
		var want []string
		for n := range total {
			want = append(want, fmt.Sprint("message ", n))
			must(t, dealer.Send(aDay(t), socket.Text(want[n], strings.Repeat("x", bodySize(n)))))
			if n == total/2 {
				time.Sleep(12 * time.Second)
			}
		}
		all.Wait()
		if !slices.Equal(atRouter, want) || !slices.Equal(atDealer, want) {
			t.Errorf("the router got %q, the dealer %q", atRouter, atDealer)
		}
		return net.Stats().Cuts == 1
	})
}
