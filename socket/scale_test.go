package socket_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// scaled is n, or less where time is short.
func scaled(n int) int {
	switch {
	case testing.Short():
		return n / 20
	case socket.RaceEnabled:
		return n / 10
	}
	return n
}

// heap is what is in use after a collection.
func heap() uint64 {
	for range 3 { // sync.Pool gives things up in two steps
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestRouterOfThousands: dealers with identities connect, exchange, vanish and return under new connections. No
// message goes to the wrong one, and when all are gone the router is as small as before. TestRouterOfThousandsByWire
// is the same with another process.
func TestRouterOfThousands(t *testing.T) {
	n := scaled(10_000)
	router := closing(t, socket.NewRouter())
	at := bind(t, router, "inproc://"+t.Name())
	manyGoroutines(8 * n) // what the runtime keeps of each for good is not ours
	goroutines, before := runtime.NumGoroutine(), heap()
	for wave := range 2 {
		crowd(t, router, at, n, fmt.Sprint("wave ", wave))
		waitUntil(t, "all are gone", func() bool { return len(router.Stats().Peers) == 0 })
	}
	waitUntil(t, "goroutines are back", func() bool { return runtime.NumGoroutine() <= goroutines })
	if router.Stats().Received.Messages != uint64(2*n) || router.Stats().Accepted.Messages != uint64(2*n) {
		t.Errorf("ledger %+v, want %d in and out", router.Stats().Ledger, 2*n)
	}
	backInSize(t, before, n)
}

// backInSize fails if the heap has not come back to what it was before n peers came and went.
func backInSize(t testing.TB, before uint64, n int) {
	t.Helper()
	const perPeer, fixed = 200, 2 << 20 // maps do not shrink; the events of the last peers are remembered
	if after := heap(); after > before+fixed+perPeer*uint64(n) {
		t.Errorf("the heap grew from %d to %d KiB for %d peers that are gone", before>>10, after>>10, n)
	}
}

// manyGoroutines runs n goroutines at once.
func manyGoroutines(n int) {
	var wg sync.WaitGroup
	hold := make(chan struct{})
	for range n {
		wg.Go(func() { <-hold })
	}
	close(hold)
	wg.Wait()
}

// crowd lets n dealers exchange one message each with the router. Every other one leaves without reading the answer.
func crowd(t *testing.T, router *socket.Router, at string, n int, wave string) {
	t.Helper()
	ctx := within(t)
	dealers := make([]*socket.Dealer, n)
	for i := range dealers {
		dealers[i] = socket.NewDealer(socket.WithIdentity(fmt.Sprint("dealer ", i)), socket.WithLinger(0))
		must(t, dealers[i].Connect(at))
	}
	must(t, router.WaitPeers(ctx, n))
	for i, d := range dealers {
		must(t, d.Send(ctx, socket.Text(fmt.Sprint("dealer ", i), wave)))
	}
	for range n {
		m, err := router.Recv(ctx)
		must(t, err)
		if id := string(m.Frames[0]); id != string(m.Frames[1]) || id != string(m.From.Identity) ||
			string(m.Frames[2]) != wave {
			t.Fatalf("received %s from %v in %s", m, m.From, wave)
		}
		must(t, router.Send(ctx, m))
	}
	for i, d := range dealers {
		if i%2 == 0 {
			m, err := d.Recv(ctx)
			must(t, err)
			if string(m.Frames[0]) != fmt.Sprint("dealer ", i) || string(m.Frames[1]) != wave {
				t.Fatalf("dealer %d received %s", i, m)
			}
		}
	}
	for _, i := range rand.Perm(n) { // they leave in any order
		must(t, dealers[i].Close())
		if err := dealers[i].Stats().Check(); err != nil {
			t.Error(err)
		}
	}
}

// TestSubscriptionsOfThousands: all subscriptions of all subscribers are there after the publisher was restarted.
func TestSubscriptionsOfThousands(t *testing.T) {
	const subscribers = 100
	each := scaled(1000)
	ctx := within(t)
	at := unused(t, "tcp://")
	subs := make([]*socket.Sub, subscribers)
	topic := func(s, i int) string { return fmt.Sprintf("%02d/topic/%04d.", s, i) }
	for s := range subs {
		topics := make([]string, each)
		for i := range topics {
			topics[i] = topic(s, i)
		}
		subs[s] = closing(t, socket.NewSub(socket.WithSubscription(topics...), quick()))
		connect(t, subs[s], at)
	}
	for range 2 {
		pub := socket.NewPub(socket.WithSendHWM(0))
		bind(t, pub, at)
		for s := range subs {
			for i := range each {
				must(t, pub.WaitSubscribers(ctx, topic(s, i), 1))
			}
		}
		for i := range each {
			for s := range subs {
				must(t, pub.Send(ctx, socket.Text(topic(s, i), "news")))
			}
		}
		for s, sub := range subs {
			for i := range each {
				m, err := sub.Recv(ctx)
				must(t, err)
				if string(m.Frames[0]) != topic(s, i) {
					t.Fatalf("subscriber %d received %s, want %s", s, m, topic(s, i))
				}
			}
		}
		waitUntil(t, "what came is counted as delivered", func() bool {
			stats := pub.Stats()
			return stats.Delivered.Messages == uint64(subscribers*each) && len(stats.Dropped) == 0
		})
		must(t, pub.Close())
	}
}

// BenchmarkPublish shows what a message costs with few and with many subscriptions: to nobody and to one subscriber,
// with ten topics that are published over and over, and with every topic in turn, which no processor's cache holds.
// The topics lie one behind the other, as in a buffer they were read into: fetching them is no work of the socket's.
func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{10, 100_000} {
		pub, sub := socket.NewPub(socket.WithOverflow(socket.Conflate)), socket.NewSub()
		at := bind(b, pub, fmt.Sprintf("inproc://%s/%d", b.Name(), n))
		topics, others := make([][]byte, n), make([][]byte, n)
		const size = len("topic/123456")
		hits, misses := make([]byte, 0, n*size), make([]byte, 0, n*size)
		for i, k := range rand.Perm(n) {
			hits = fmt.Appendf(hits, "topic/%06d", k*(100_000/n))
			topics[i] = hits[i*size:]
			misses = append(append(misses, topics[i][:size-1]...), 'x') // of as many different beginnings
			others[i] = misses[i*size:]
			must(b, sub.Subscribe(string(topics[i])))
		}
		connect(b, sub, at)
		for _, topic := range topics {
			must(b, pub.WaitSubscribers(b.Context(), string(topic), 1))
		}
		for to, of := range map[string][][]byte{"nobody": others, "one": topics} {
			for name, some := range map[string][][]byte{"ten topics": of[:10], "every topic": of} {
				b.Run(fmt.Sprintf("%d subscriptions/to %s/%s", n, to, name), func(b *testing.B) {
					b.ReportAllocs()
					i := 0
					for b.Loop() {
						if err := pub.TrySend(socket.NewMsg(some[i])); err != nil { // must costs as much as a match
							b.Fatal(err)
						}
						if i++; i == len(some) {
							i = 0
						}
					}
				})
			}
		}
		must(b, sub.Close())
		must(b, pub.Close())
	}
}
