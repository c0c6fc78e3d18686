package socket_test

import (
	"context"
	"errors"
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
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

// A besieged is a server of one mechanism that good peers and hostile connections come to.
type besieged struct {
	name   string
	server *socket.Pull
	at     string
	friend zmtp.Mechanism
	half   []byte // what a connection sends that stops in the middle of the handshake
	good   chan string
	flow   atomic.Uint64
}

// halfHandshakes is one for each mechanism. That of CURVE has a whole HELLO, for which the server makes a key exchange;
// it may be the same for all connections.
func halfHandshakes(t testing.TB) map[string][]byte {
	t.Helper()
	exchange, hello, err := curve.Client(eveKey, serverKey.Public()).New(zmtp.Local{})
	must(t, err)
	if exchange == nil || hello.Name != zmtp.CommandHello {
		t.Fatalf("a client of CURVE begins with %q", hello.Name)
	}
	ready := readyOf("PUSH")
	plain := zmtp.AppendCommand(nil, zmtp.CommandHello, []byte("\x03ann\x06sesame"))
	return map[string][]byte{
		"NULL":  joined(greeting(3, 1), ready[:len(ready)-1]),
		"PLAIN": joined(greetingOf("PLAIN"), plain[:len(plain)-1]),
		"CURVE": joined(greetingOf("CURVE"), zmtp.AppendCommand(nil, hello.Name, hello.Data)),
	}
}

// besiege makes the servers, each with a peer that sends all the time until stop is called.
func besiege(t *testing.T, opts ...socket.PullOption) (all []*besieged, stop func()) {
	t.Helper()
	half := halfHandshakes(t)
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	for _, way := range []struct {
		name           string
		server, friend zmtp.Mechanism
	}{
		{"NULL", nil, nil},
		{"PLAIN", zmtp.PlainServer(), zmtp.PlainClient("ann", "sesame")},
		{"CURVE", curve.Server(serverKey, curve.Allow(annKey.Public())), curve.Client(annKey, serverKey.Public())},
	} {
		b := &besieged{name: way.name, friend: way.friend, half: half[way.name], good: make(chan string, 16)}
		mine := append([]socket.PullOption{socket.WithSecurity(way.server)}, opts...)
		if way.name == "PLAIN" {
			mine = append(mine, authenticated(func(context.Context, socket.Claim) (socket.User, error) {
				return socket.User{ID: "ann"}, nil
			}))
		}
		b.server = closing(t, socket.NewPull(mine...))
		b.at = bind(t, b.server, "tcp://127.0.0.1:*")
		steady := closing(t, socket.NewPush(socket.WithSecurity(way.friend), socket.WithLinger(0)))
		connect(t, steady, b.at)
		must(t, steady.WaitPeers(within(t), 1))
		work.Go(func() {
			for ctx.Err() == nil && steady.Send(ctx, socket.Text("flow")) == nil { // with room Send takes it in any case
				select {
				case <-ctx.Done():
				case <-time.After(time.Millisecond):
				}
			}
		})
		work.Go(func() {
			for m, err := range b.server.Messages(ctx) {
				if err != nil {
					return
				}
				if text := string(m.Frames[0]); text != "flow" {
					b.good <- text
				} else {
					b.flow.Add(1)
				}
			}
		})
		all = append(all, b)
	}
	return all, func() { cancel(); work.Wait() }
}

// visit has a good peer connect, deliver a message and leave, and returns how long it took to connect.
func (b *besieged) visit(t *testing.T) time.Duration {
	t.Helper()
	push := socket.NewPush(socket.WithSecurity(b.friend))
	defer shut(t, push)
	begin := time.Now()
	connect(t, push, b.at)
	must(t, push.WaitPeers(within(t), 1))
	took := time.Since(begin)
	send(t, push, "good")
	select {
	case <-b.good:
	case <-within(t).Done():
		t.Fatalf("%s: nothing came of a good peer", b.name)
	}
	return took
}

// TestHostileConnections: while thousands of connections come in that are silent, send a byte a second, garbage, or
// half a handshake of each mechanism, up to a HELLO of CURVE that costs the server a key exchange, good peers connect
// and traffic flows, and nobody who was in is lost. All hostile ones are counted, and what is told of them leaves the
// events before them in the log.
func TestHostileConnections(t *testing.T) {
	n := scaled(10_000)
	servers, stop := besiege(t, socket.WithLimits(socket.Limits{MaxHandshakes: n / 20}))
	wantDescriptors(t, n+2000)
	for _, b := range servers {
		b.visit(t) // what is made once is made
	}
	var hostile sync.WaitGroup
	conns := make([]*raw, n)
	for w := range 4 {
		hostile.Go(func() {
			rng := rand.New(rand.NewPCG(14, uint64(w)))
			for i := w; i < n; i += 4 {
				b := servers[i%len(servers)]
				r := rawDial(t, b.at)
				conns[i] = r
				switch i / len(servers) % 5 {
				case 0: // silent
				case 1: // the first byte of many
					r.send(greeting(3, 1)[:1])
				case 2:
					garbage := make([]byte, 100+rng.IntN(1000))
					for k := range garbage {
						garbage[k] = byte(rng.Uint32())
					}
					r.send(garbage)
				default:
					r.send(b.half)
				}
			}
		})
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		hostile.Wait()
	}()
	var slowest time.Duration
	before := make([]uint64, len(servers))
	for i, b := range servers {
		before[i] = b.flow.Load()
	}
	for running := true; running; {
		select {
		case <-over:
			running = false
		default:
		}
		for _, b := range servers {
			slowest = max(slowest, b.visit(t))
		}
	}
	t.Logf("%d hostile connections; a good peer took at most %v to connect", n, slowest)
	for second := range 2 { // those that send a byte a second go on
		for i, r := range conns {
			if i/len(servers)%5 == 1 {
				_, _ = r.Write(greeting(3, 1)[second+1 : second+2]) // fails if it has given way
			}
		}
		for _, b := range servers {
			b.visit(t)
		}
	}
	for i, b := range servers {
		at := b.flow.Load()
		waitUntil(t, "traffic flows", func() bool { return b.flow.Load() > at })
		t.Logf("%s: %d messages meanwhile", b.name, at-before[i])
	}
	for _, r := range conns {
		r.Close()
	}
	each := uint64(n / len(servers))
	for _, b := range servers {
		waitUntil(t, "every hostile connection is counted", func() bool {
			s := b.server.Stats()
			return s.Events[socket.HandshakeFailed] >= each && len(s.Peers) == 1
		})
		s := b.server.Stats()
		if s.Refused.Evicted == 0 {
			t.Errorf("%s: nobody has given way", b.name)
		}
		var kinds []socket.EventKind
		for ev := range b.server.Events(quietContext()) {
			kinds = append(kinds, ev.Kind)
			if errors.Is(ev.Err, socket.ErrHeartbeat) {
				t.Errorf("%s: %v", b.name, ev)
			}
		}
		if kinds[0] != socket.Listening {
			t.Errorf("%s: the log of %d events begins with %v, want Listening", b.name, len(kinds), kinds[0])
		}
		balanced(t, b.server)
	}
	stop()
}

// TestHostileConnectionsLeaveNothing: when a wave of them has gone, goroutines, descriptors and memory are what they
// were after the first.
func TestHostileConnectionsLeaveNothing(t *testing.T) {
	n := scaled(1500)
	servers, stop := besiege(t, socket.WithLimits(socket.Limits{MaxHandshakes: n}))
	defer stop()
	wave := func() (goroutines, files int, memory uint64) {
		conns := make([]net.Conn, 0, n) // not raw ones, which stay until the test ends
		for i := range n {
			b := servers[i%len(servers)]
			conn, err := net.Dial("tcp", strings.TrimPrefix(b.at, "tcp://"))
			must(t, err)
			_, err = conn.Write(b.half)
			must(t, err)
			conns = append(conns, conn)
		}
		for _, conn := range conns {
			must(t, conn.SetReadDeadline(time.Now().Add(patience)))
			_, err := conn.Read(make([]byte, 1)) // it has been accepted
			must(t, err)
			conn.Close()
		}
		for _, b := range servers {
			waitUntil(t, "all are gone", func() bool {
				s := b.server.Stats()
				return s.Events[socket.HandshakeFailed] == s.Endpoints[0].Attempts-1
			})
		}
		return runtime.NumGoroutine(), openFiles(t), heapNow()
	}
	const few = 16 // such as the pipes by which busy readers yield, which are made when they are needed
	goroutines := runtime.NumGoroutine()
	_, files, memory := wave() // the first fills the logs
	g, f, _ := wave()
	waitUntil(t, "goroutines and descriptors are back", func() bool {
		g, f = runtime.NumGoroutine(), openFiles(t)
		return g <= goroutines+few+n/20 && f <= files+few+n/20
	})
	if m := heapNow(); m > memory+memory/20+1<<20 {
		t.Errorf("%d goroutines, %d files, %d bytes on the heap; %d, %d, %d before", g, f, m, goroutines, files, memory)
	}
}
