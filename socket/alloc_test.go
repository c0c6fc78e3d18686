//go:build !race

package socket_test

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// streamed is how many messages of a size a measurement takes.
func streamed(size int) int {
	if size > 1<<10 {
		return 2000
	}
	return 20_000
}

// sendLimit is what a Send may allocate on average. The bar is none; some is left for what starting a writer and
// growing the pools takes.
const sendLimit = 0.02

// mallocs returns how many allocations there are for each of n runs of f, in the whole process: whatever goroutine
// makes them. The garbage collector rests meanwhile, since it empties pools.
func mallocs(n int, f func()) float64 {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		f()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n)
}

// atMost lets f settle and then measures it, up to three times, since other tests' leftovers must not count.
func atMost(t *testing.T, limit float64, n int, f func()) {
	t.Helper()
	mallocs(n/2, f)
	var got float64
	for range 3 {
		if got = mallocs(n, f); got <= limit {
			t.Logf("%.4f allocations each", got)
			return
		}
	}
	t.Errorf("%.4f allocations each, want at most %v", got, limit)
}

// blackHole connects to endpoint as a peer of the given type, subscribes to everything if it is a SUB, and then reads
// and forgets, without an allocation.
func blackHole(t *testing.T, endpoint string, typ zmtp.SocketType) {
	t.Helper()
	var tr transport.Transport = transport.NewTCP()
	if strings.HasPrefix(endpoint, "ipc:") {
		tr = transport.NewIPC()
	}
	ep, err := transport.ParseEndpoint(endpoint)
	must(t, err)
	conn, err := tr.Dial(within(t), ep.Address)
	must(t, err)
	sess, err := zmtp.Handshake(t.Context(), conn, zmtp.Config{SocketType: typ})
	must(t, err)
	if typ == zmtp.Sub {
		_, err := conn.Write(zmtp.AppendSubscribe(nil, sess.Version, nil))
		must(t, err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		buf := make([]byte, 256<<10)
		for {
			if _, err := conn.Read(buf); err != nil {
				return
			}
		}
	})
	t.Cleanup(func() {
		conn.Close()
		reading.Wait()
	})
}

var allocSizes = []int{16, 1 << 10, 16 << 10} // one is referenced rather than copied

// Send allocates nothing beside the message, which is the caller's.
func TestSendAllocatesNothing(t *testing.T) {
	for _, size := range allocSizes {
		for _, name := range []string{"tcp", "ipc"} {
			t.Run(fmt.Sprintf("%s/%d", name, size), func(t *testing.T) {
				push := closing(t, socket.NewPush())
				at := bind(t, push, transports(t)[name])
				blackHole(t, at, zmtp.Pull)
				waitPeers(t, push, 1)
				ctx, m := within(t), socket.NewMsg(make([]byte, size))
				atMost(t, sendLimit, streamed(size), func() { must(t, push.Send(ctx, m)) })
			})
		}
		t.Run(fmt.Sprintf("inproc/%d", size), func(t *testing.T) {
			push, pull := closing(t, socket.NewPush()), closing(t, socket.NewPull())
			link(t, pull, push, transports(t)["inproc"])
			ctx, m := within(t), socket.NewMsg(make([]byte, size))
			atMost(t, sendLimit, streamed(size)/10, func() {
				for range 10 { // what is sent must be taken from there too
					must(t, push.Send(ctx, m))
				}
				must(t, take(ctx, pull, 10))
			})
		})
	}
}

// The same for a message to several subscribers at once. Over inproc each of these gets a copy of its own.
func TestPublishAllocatesNothing(t *testing.T) {
	for _, size := range allocSizes {
		for _, name := range []string{"tcp", "ipc"} {
			t.Run(fmt.Sprintf("%s/%d", name, size), func(t *testing.T) {
				pub := closing(t, socket.NewPub(socket.WithOverflow(socket.Block)))
				at := bind(t, pub, transports(t)[name])
				for range 3 {
					blackHole(t, at, zmtp.Sub)
				}
				ctx, m := within(t), socket.NewMsg(make([]byte, size))
				must(t, pub.WaitSubscribers(ctx, "", 3))
				atMost(t, sendLimit, streamed(size), func() { must(t, pub.Send(ctx, m)) })
			})
		}
	}
}

// A stream costs next to nothing on both sides together: of small messages, and of large ones that are given back.
func TestStreamAllocatesLittle(t *testing.T) {
	for _, size := range []int{16, 1 << 10, 64 << 10} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				push, pull := closing(t, socket.NewPush()), closing(t, socket.NewPull())
				link(t, pull, push, endpoint)
				m := socket.NewMsg(make([]byte, size))
				ctx, cancel := context.WithCancel(within(t))
				var sending sync.WaitGroup
				defer sending.Wait()
				defer cancel()
				sending.Go(func() {
					for ctx.Err() == nil {
						_ = push.Send(ctx, m)
					}
				})
				atMost(t, 0.1, streamed(size), func() {
					got, err := pull.Recv(ctx)
					must(t, err)
					got.Release()
				})
			})
		})
	}
}
