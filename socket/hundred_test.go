package socket_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// A lane is one direction between two sockets that many goroutines use at once.
type lane struct {
	from   socket.Sender
	to     socket.Receiver
	prefix []string // frames that go ahead of each message, for the role's sake
	strip  int      // frames that come ahead of it
}

// TestHundredGoroutinesOnEachRole: a hundred goroutines send multipart messages on one socket and a hundred receive
// on the other, in both directions at once where the roles have two. No frame of one message gets into another, and
// none is lost or doubled. Req, which takes turns, is TestHundredGoroutinesAsk.
func TestHundredGoroutinesOnEachRole(t *testing.T) {
	all := socket.WithSubscription("")
	block := socket.WithOverflow(socket.Block)
	publish := func(t *testing.T, endpoint string, pub interface {
		socket.Socket
		socket.Sender
		WaitSubscribers(ctx context.Context, topic string, n int) error
	}, sub interface {
		socket.Socket
		socket.Receiver
	},
	) lane {
		closing(t, pub)
		closing(t, sub)
		link(t, pub, sub, endpoint)
		must(t, pub.WaitSubscribers(within(t), "", 1))
		return lane{from: pub, to: sub}
	}
	for name, made := range map[string]func(t *testing.T, endpoint string) []lane{
		"PUSH PULL": func(t *testing.T, endpoint string) []lane {
			push, pull := closing(t, socket.NewPush()), closing(t, socket.NewPull())
			link(t, pull, push, endpoint)
			return []lane{{from: push, to: pull}}
		},
		"PAIR PAIR": func(t *testing.T, endpoint string) []lane {
			a, b := closing(t, socket.NewPair()), closing(t, socket.NewPair())
			link(t, a, b, endpoint)
			return []lane{{from: a, to: b}, {from: b, to: a}}
		},
		"PUB SUB": func(t *testing.T, endpoint string) []lane {
			return []lane{publish(t, endpoint, socket.NewPub(block), socket.NewSub(all))}
		},
		"PUB XSUB": func(t *testing.T, endpoint string) []lane {
			return []lane{publish(t, endpoint, socket.NewPub(block), socket.NewXSub(all))}
		},
		"XPUB SUB": func(t *testing.T, endpoint string) []lane {
			return []lane{publish(t, endpoint, socket.NewXPub(block), socket.NewSub(all))}
		},
		"XPUB XSUB": func(t *testing.T, endpoint string) []lane { // and upstream, where Send never waits for room
			xpub, xsub := socket.NewXPub(block), socket.NewXSub(all, socket.WithSendHWM(0))
			down := publish(t, endpoint, xpub, xsub)
			expect(t, xpub, "\x01")
			return []lane{down, {from: xsub, to: xpub}}
		},
		"DEALER DEALER": func(t *testing.T, endpoint string) []lane {
			a, b := closing(t, socket.NewDealer()), closing(t, socket.NewDealer())
			link(t, a, b, endpoint)
			return []lane{{from: a, to: b}, {from: b, to: a}}
		},
		"DEALER ROUTER": func(t *testing.T, endpoint string) []lane {
			router, dealer := closing(t, socket.NewRouter()), closing(t, socket.NewDealer(socket.WithIdentity("dealer")))
			link(t, router, dealer, endpoint)
			return []lane{{from: dealer, to: router, strip: 1}, {from: router, to: dealer, prefix: []string{"dealer"}}}
		},
		"ROUTER ROUTER": func(t *testing.T, endpoint string) []lane {
			a, b := closing(t, socket.NewRouter(socket.WithIdentity("a"))),
				closing(t, socket.NewRouter(socket.WithIdentity("b")))
			link(t, a, b, endpoint)
			return []lane{{from: a, to: b, prefix: []string{"b"}, strip: 1}, {from: b, to: a, prefix: []string{"a"}, strip: 1}}
		},
		"DEALER REP": func(t *testing.T, endpoint string) []lane { // there and back
			dealer, rep := closing(t, socket.NewDealer()), socket.NewRep(socket.WithOverflow(socket.Block))
			mirror(t, rep)
			closing(t, rep)
			link(t, dealer, rep, endpoint)
			return []lane{{from: dealer, to: dealer, prefix: []string{""}, strip: 1}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				var wg sync.WaitGroup
				for i, l := range made(t, endpoint) {
					l.hundred(t, &wg, fmt.Sprint("lane ", i))
				}
				wg.Wait()
			})
		})
	}
}

// mirror lets a Rep reply with what it is asked.
func mirror(t testing.TB, rep *socket.Rep) {
	ctx := context.WithoutCancel(t.Context()) // to the end of the socket, which comes after that of the test
	done := make(chan struct{})
	t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		for m, err := range rep.Messages(ctx) {
			if err == nil {
				err = rep.Send(ctx, m)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	}()
}

// hundred uses the lane by a hundred goroutines on each side and checks at the end of wg that all came through whole.
func (l lane) hundred(t *testing.T, wg *sync.WaitGroup, name string) {
	const workers = 100
	each := max(10, scaled(50))
	ctx := within(t)
	var mu sync.Mutex
	seen := make(map[string]int)
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				id := fmt.Sprint(name, " ", w, "/", i, ".")
				if err := l.from.Send(ctx, socket.Text(slices.Concat(l.prefix, composed(id, i))...)); err != nil {
					t.Error(err)
					return
				}
			}
		})
		wg.Go(func() {
			for range each {
				m, err := l.to.Recv(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				id, ok := whole(m, l.strip)
				if !ok || !strings.HasPrefix(id, name) {
					t.Errorf("received %.200s", m)
					return
				}
				mu.Lock()
				seen[id]++
				mu.Unlock()
			}
		})
	}
	t.Cleanup(func() {
		if len(seen) != workers*each {
			t.Errorf("%s: %d different messages, want %d", name, len(seen), workers*each)
		}
	})
}

// composed makes the frames of a message that says of each frame whose it is: three to six, some too large for a slab.
func composed(id string, i int) []string {
	list := []string{id}
	for k := range 1 + i%4 {
		size := i * k * 7
		if i%16 == 15 {
			size = 30_000
		}
		list = append(list, id+strings.Repeat("x", size))
	}
	return append(list, id+"end")
}

// whole checks a message that composed has made, which some frames may stand ahead of, and returns its id.
func whole(m socket.Msg, strip int) (id string, ok bool) {
	if len(m.Frames) < strip+3 || len(m.Frames) > strip+6 {
		return "", false
	}
	f := m.Frames[strip:]
	id = string(f[0])
	for _, frame := range f[1:] {
		if !strings.HasPrefix(string(frame), id) {
			return id, false
		}
	}
	return id, string(f[len(f)-1]) == id+"end"
}

// TestHundredGoroutinesAsk: a hundred goroutines share one Req by Do, and each gets the reply to its own request,
// from a Rep as well as from a Router on which a hundred goroutines answer.
func TestHundredGoroutinesAsk(t *testing.T) {
	const workers = 100
	for name, made := range map[string]func(t *testing.T, endpoint string) *socket.Req{
		"REP": func(t *testing.T, endpoint string) *socket.Req {
			rep, req := socket.NewRep(), closing(t, socket.NewReq())
			mirror(t, rep)
			closing(t, rep)
			link(t, rep, req, endpoint)
			return req
		},
		"ROUTER": func(t *testing.T, endpoint string) *socket.Req {
			router, req := socket.NewRouter(), closing(t, socket.NewReq())
			ctx := context.WithoutCancel(t.Context())
			var wg sync.WaitGroup
			t.Cleanup(wg.Wait)
			for range workers {
				wg.Go(func() {
					for m, err := range router.Messages(ctx) {
						if err == nil {
							err = router.Send(ctx, m)
						}
						if err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			closing(t, router)
			link(t, router, req, endpoint)
			return req
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				req := made(t, endpoint)
				each := max(5, scaled(20))
				ctx := within(t)
				var wg sync.WaitGroup
				for w := range workers {
					wg.Go(func() {
						for i := range each {
							id := fmt.Sprint(w, "/", i, ".")
							m, err := req.Do(ctx, socket.Text(composed(id, i)...))
							if err != nil {
								t.Error(err)
								return
							}
							if got, ok := whole(m, 0); !ok || got != id {
								t.Errorf("asked %s, received %.200s", id, m)
							}
						}
					})
				}
				wg.Wait()
				if s := req.Stats(); s.Handed.Messages != uint64(workers*each) || len(s.Discarded) != 0 {
					t.Errorf("ledger %+v, want %d replies and none discarded", s.Ledger, workers*each)
				}
			})
		})
	}
}
