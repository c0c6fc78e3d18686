package socket_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// heapNow is what is on the heap after two collections: the second frees what the first only unhooked from pools.
func heapNow() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// TestLiesCostNothing: a connection that claims gigabytes costs a bounded amount, both in all it ever allocates and
// in what the socket holds while the claim stands.
func TestLiesCostNothing(t *testing.T) {
	const (
		peers = 100
		// Both ends of the connection, the handshake, a thousand frames and the first 64 KiB of a body that is within the
		// limits: about 160 KiB in all.
		each = 256 << 10
	)
	huge := socket.WithLimits(socket.Limits{MaxMessage: 1 << 62, MaxFrames: -1})
	for _, tt := range []struct {
		name string
		opts []socket.Option
		lie  []byte
	}{
		{"refused by the limit", nil, claim(0, 1<<40)},
		{"as large as the limit", nil, claim(0, 64<<20)},
		{"without a limit to speak of", []socket.Option{huge}, claim(0, 1<<62)},
		{"with MORE", []socket.Option{huge}, claim(zmtp.FlagMore, 1<<50)},
		{"second frame", nil, append(frameOf(zmtp.FlagMore, "x"), claim(0, 60<<20)...)},
		{"many frames, then a lie", nil, append([]byte(strings.Repeat("\x01\x00", 1000)), claim(0, 60<<20)...)},
		{"command", nil, claim(zmtp.FlagCommand, 4096)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pull := socket.NewPull(as[socket.PullOption](tt.opts)...)
			defer shut(t, pull)
			at, err := pull.Bind(t.Context(), "tcp://127.0.0.1:0")
			must(t, err)
			heap, total := heapNow(), allocated()
			var all []*raw
			for range peers {
				r := rawDial(t, at)
				all = append(all, r)
				r.send(greeting(3, 1), readyOf("PUSH"))
				r.take(zmtp.GreetingSize)
				r.frame()
				r.send(tt.lie, []byte("some of it"))
			}
			must(t, pull.WaitPeers(within(t), 0))
			if used := allocated() - total; used > peers*each {
				t.Errorf("%d bytes allocated for each lie, want at most %d", used/peers, each)
			}
			if held := int64(heapNow()) - int64(heap); held > peers*each {
				t.Errorf("%d bytes held for each lie, want at most %d", held/peers, each)
			}
			for _, r := range all {
				r.Close()
			}
			for _, r := range all {
				eventWhere(t, pull, "the end of "+r.name(), func(ev socket.Event) bool { return isEnd(ev, r.name()) })
			}
			if used := allocated() - total; used > peers*each {
				t.Errorf("%d bytes allocated for each lie in the end, want at most %d", used/peers, each)
			}
			balanced(t, pull)
		})
	}
}

// mutants is how many damaged streams each role gets; three roles make more than ten thousand.
const mutants = 3400

// TestMutations sends randomly damaged streams to a socket while a good peer goes on talking to it undisturbed.
func TestMutations(t *testing.T) {
	for _, tt := range []struct {
		role   string
		stream []byte // greeting, READY and messages
	}{
		{
			"PULL",
			goodStream("PUSH", messageOf("hello", "", "world"), messageOf(strings.Repeat("x", 300)),
				zmtp.AppendPing(nil, time.Second, []byte("ctx")), messageOf("end")),
		},
		{
			"PUB",
			goodStream("SUB", zmtp.AppendCommand(nil, "SUBSCRIBE", []byte("topic")), messageOf("\x01old form"),
				zmtp.AppendCommand(nil, "CANCEL", []byte("topic")), messageOf("up")),
		},
		{
			"REP", goodStream("REQ", messageOf("id", "", "request"), zmtp.AppendPong(nil, nil), messageOf("", "request", "two")),
		},
	} {
		t.Run(tt.role, func(t *testing.T) {
			role := roleNamed(tt.role)
			s := role.open()
			defer shut(t, s)
			at, err := s.Bind(t.Context(), "tcp://127.0.0.1:0")
			must(t, err)
			stop := serveAll(t, s)
			good := role.good()
			defer shut(t, good)
			must(t, good.Connect(at))
			must(t, good.WaitPeers(within(t), 1))
			ctx := within(t)
			goodTalk(ctx, t, s, good, 0)
			heap := heapNow()

			count := countEnds(t, s)
			var crowd sync.WaitGroup
			const workers = 4
			for w := range workers {
				crowd.Go(func() {
					rng := rand.New(rand.NewPCG(20, uint64(w)))
					for range mutants / workers {
						sendMutant(t, at, mutate(rng, tt.stream), rng.IntN(4) == 0)
					}
				})
			}
			mutating := make(chan struct{})
			go func() {
				defer close(mutating)
				crowd.Wait()
			}()
			talks := 0
			for running := true; running; {
				select {
				case <-mutating:
					running = false
				default:
				}
				talks++
				goodTalk(ctx, t, s, good, talks)
				balanced(t, s)
			}
			if talks < 100 {
				t.Errorf("the good peer came to talk %d times only", talks)
			}
			waitUntil(t, "every damaged stream has ended", func() bool { return count() >= mutants })
			for ev := range good.Events(quietContext()) {
				if ev.Kind == socket.PeerDown {
					t.Errorf("the good peer was disturbed: %v", ev)
				}
			}
			// 1,024 events with their errors and peers stay in the log.
			if grown := int64(heapNow()) - int64(heap); grown > 4<<20 {
				t.Errorf("%d bytes more on the heap after %d damaged streams, want at most 4 MiB", grown, mutants)
			}
			if n := len(s.Stats().Peers); n != 1 {
				t.Errorf("%d peers are left, want the good one alone", n)
			}
			late := role.good()
			defer shut(t, late)
			must(t, late.Connect(at))
			must(t, late.WaitPeers(within(t), 1))
			must(t, s.WaitPeers(within(t), 2))
			if pub, ok := s.(*socket.Pub); ok {
				must(t, pub.WaitSubscribers(within(t), "talk", 2))
			}
			goodTalk(ctx, t, s, late, -1)
			stop()
		})
	}
}

func goodStream(typ string, traffic ...[]byte) []byte {
	b := append(greeting(3, 1), readyOf(typ, zmtp.Property{Name: "Identity"}, yodelProperty)...)
	for _, x := range traffic {
		b = append(b, x...)
	}
	return b
}

// mutate damages a stream: some bits, bytes and lengths are changed, runs are cut out, doubled, swapped or made up.
func mutate(rng *rand.Rand, good []byte) []byte {
	b := append([]byte(nil), good...)
	for range 1 + rng.IntN(4) {
		if len(b) < 2 {
			break
		}
		at := rng.IntN(len(b))
		if rng.IntN(2) == 0 && len(b) > zmtp.GreetingSize+1 {
			at = zmtp.GreetingSize + rng.IntN(len(b)-zmtp.GreetingSize) // the greeting is forgiving and long
		}
		run := min(1+rng.IntN(16), len(b)-at)
		switch rng.IntN(9) {
		case 0:
			b[at] ^= 1 << rng.IntN(8)
		case 1:
			b[at] = byte(rng.IntN(256))
		case 2:
			b[at] = [...]byte{0, 1, 0x7f, 0x80, 0xff, 2, 4, 6}[rng.IntN(8)]
		case 3:
			b = append(b[:at], b[at+run:]...)
		case 4:
			b = append(b[:at+run:at+run], b[at:]...)
		case 5:
			for i := range run {
				b[at+i] = byte(rng.IntN(256))
			}
		case 6:
			b = b[:at]
		case 7:
			made := claim(byte(rng.IntN(8)), rng.Uint64()>>rng.IntN(64))
			b = append(b[:at:at], append(made, b[at:]...)...)
		case 8:
			to := rng.IntN(len(b))
			b[at], b[to] = b[to], b[at]
		}
	}
	return b
}

// sendMutant writes a stream and ends the connection, politely or by a reset. Source addresses differ, so that polite
// ends do not use up the ports of one.
func sendMutant(t *testing.T, at string, b []byte, polite bool) {
	conn, err := (&net.Dialer{
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, byte(rand.IntN(250)+1), byte(rand.IntN(250)+1))},
	}).
		Dial("tcp", strings.TrimPrefix(at, "tcp://"))
	if err != nil {
		t.Errorf("dial: %v", err)
		return
	}
	defer conn.Close()
	tcp := conn.(*net.TCPConn)
	_ = tcp.SetDeadline(time.Now().Add(patience))
	_, _ = tcp.Write(b) // fails if the socket has hung up before the end
	if !polite {
		_ = tcp.SetLinger(0)
		return
	}
	_ = tcp.CloseWrite()
	buf := make([]byte, 1024)
	for err == nil {
		_, err = tcp.Read(buf)
	}
}

// countEnds counts the connections that end from now on. All but a plain end must have a reason.
func countEnds(t *testing.T, s anyRole) (count func() int) {
	var n atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ev := range s.Events(t.Context()) {
			switch ev.Kind {
			case socket.HandshakeFailed, socket.ProtocolError, socket.LimitHit, socket.PeerDown:
				n.Add(int64(max(1, ev.Count)))
				if ev.Err == nil || ev.Err.Error() == "" {
					t.Errorf("event %q gives no reason", ev)
				}
			case socket.Missed:
				t.Errorf("the reader of events is too slow: %v", ev)
			}
		}
	}()
	t.Cleanup(func() { <-done }) // the test's context has ended by then
	return func() int { return int(n.Load()) }
}

// serveAll takes what comes at a PULL or REP. Replies to peers that are gone are lost, as they should be.
func serveAll(t *testing.T, s anyRole) (stop func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		switch s := s.(type) {
		case *socket.Pull:
			for m, err := range s.Messages(t.Context()) {
				if err != nil || string(m.Frames[0]) != "from the good peer" {
					continue
				}
				pulled(t, s) <- m.String()
			}
		case *socket.Rep:
			for m, err := range s.Messages(t.Context()) {
				if err == nil {
					_ = s.Send(t.Context(), m)
				}
			}
		}
	}()
	return func() {
		must(t, s.Close())
		<-done
	}
}

var pulls sync.Map // *socket.Pull to chan string

func pulled(t *testing.T, s *socket.Pull) chan string {
	c, loaded := pulls.LoadOrStore(s, make(chan string, 16))
	if !loaded {
		t.Cleanup(func() { pulls.Delete(s) })
	}
	return c.(chan string)
}

// goodTalk exchanges one message between s, which serveAll serves, and a good peer.
func goodTalk(ctx context.Context, t *testing.T, s, good anyRole, n int) {
	t.Helper()
	text := fmt.Sprint("talk ", n)
	switch s := s.(type) {
	case *socket.Pull:
		m := socket.Text("from the good peer", text)
		must(t, good.(*socket.Push).Send(ctx, m))
		select {
		case got := <-pulled(t, s):
			if got != m.String() {
				t.Fatalf("received %s, want %s", got, m)
			}
		case <-ctx.Done():
			t.Fatal("the good peer's message did not come")
		}
	case *socket.Pub:
		must(t, s.WaitSubscribers(ctx, "talk", 1))
		must(t, s.Send(ctx, socket.Text(text)))
		got, err := good.(*socket.Sub).Recv(ctx)
		must(t, err)
		if got.String() != socket.Text(text).String() {
			t.Fatalf("received %s, want %q", got, text)
		}
	case *socket.Rep:
		m, err := good.(*socket.Req).Do(ctx, socket.Text(text))
		must(t, err)
		if m.String() != socket.Text(text).String() {
			t.Fatalf("reply %s, want %q", m, text)
		}
	}
}
