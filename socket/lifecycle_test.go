package socket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

func everyRole() map[string]func(...socket.Option) socket.Socket {
	return map[string]func(...socket.Option) socket.Socket{
		"PUSH":   func(o ...socket.Option) socket.Socket { return socket.NewPush(as[socket.PushOption](o)...) },
		"PULL":   func(o ...socket.Option) socket.Socket { return socket.NewPull(as[socket.PullOption](o)...) },
		"PUB":    func(o ...socket.Option) socket.Socket { return socket.NewPub(as[socket.PubOption](o)...) },
		"SUB":    func(o ...socket.Option) socket.Socket { return socket.NewSub(as[socket.SubOption](o)...) },
		"REQ":    func(o ...socket.Option) socket.Socket { return socket.NewReq(as[socket.ReqOption](o)...) },
		"REP":    func(o ...socket.Option) socket.Socket { return socket.NewRep(as[socket.RepOption](o)...) },
		"DEALER": func(o ...socket.Option) socket.Socket { return socket.NewDealer(as[socket.DealerOption](o)...) },
		"ROUTER": func(o ...socket.Option) socket.Socket { return socket.NewRouter(as[socket.RouterOption](o)...) },
		"PAIR":   func(o ...socket.Option) socket.Socket { return socket.NewPair(as[socket.PairOption](o)...) },
		"XPUB":   func(o ...socket.Option) socket.Socket { return socket.NewXPub(as[socket.XPubOption](o)...) },
		"XSUB":   func(o ...socket.Option) socket.Socket { return socket.NewXSub(as[socket.XSubOption](o)...) },
	}
}

// fits is the table of RFC 37: which types may talk to which.
var fits = map[string][]string{
	"PUSH":   {"PULL"},
	"PULL":   {"PUSH"},
	"PUB":    {"SUB", "XSUB"},
	"SUB":    {"PUB", "XPUB"},
	"XPUB":   {"SUB", "XSUB"},
	"XSUB":   {"PUB", "XPUB"},
	"REQ":    {"REP", "ROUTER"},
	"REP":    {"REQ", "DEALER"},
	"DEALER": {"REP", "DEALER", "ROUTER"},
	"ROUTER": {"REQ", "DEALER", "ROUTER"},
	"PAIR":   {"PAIR"},
}

// quick makes sockets come back soon.
func quick() socket.Option { return socket.WithReconnect(time.Millisecond, 10*time.Millisecond) }

func TestBindErrors(t *testing.T) {
	taken := closing(t, socket.NewPull())
	tcp := bind(t, taken, "tcp://127.0.0.1:*")
	ipc := bind(t, taken, "ipc://*")
	inproc := bind(t, taken, "inproc://"+t.Name())
	for _, c := range []struct {
		name, endpoint, says string
		is                   error
	}{
		{"no scheme", "127.0.0.1:5555", "tcp://127.0.0.1:5555", transport.ErrAddress},
		{"unknown scheme", "udp://127.0.0.1:5555", "tcp://", nil},
		{"tcp taken", tcp, "in use", transport.ErrAddressInUse},
		{"ipc taken", ipc, "in use", transport.ErrAddressInUse},
		{"inproc taken", inproc, "in use", transport.ErrAddressInUse},
		{"no such directory", "ipc:///nonexistent/x.sock", "directory", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			pull := closing(t, socket.NewPull())
			_, err := pull.Bind(within(t), c.endpoint)
			var at *socket.PeerError
			if !errors.As(err, &at) || at.Endpoint != c.endpoint || at.Op != "bind" {
				t.Fatalf("Bind: %v, want a PeerError that names the endpoint", err)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("Bind: %v, want %v", err, c.is)
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("Bind: %v, want it to say %q", err, c.says)
			}
			if ev := event(t, pull, socket.BindFailed); ev.Endpoint != c.endpoint || ev.Err == nil {
				t.Errorf("event %v", ev)
			}
		})
	}
}

func TestConnectValidates(t *testing.T) {
	for _, endpoint := range []string{"", "tcp://", "tcp://*:5555", "tcp://host:0", "tcp://host", "x://y", "ipc://*"} {
		t.Run(endpoint, func(t *testing.T) {
			push := closing(t, socket.NewPush())
			if err := push.Connect(endpoint); err == nil {
				t.Fatal("no error")
			}
			must(t, push.Close())
			for ev := range push.Events(within(t)) {
				if ev.Kind != socket.Closed {
					t.Errorf("an attempt was made: %v", ev)
				}
			}
		})
	}
}

func TestIdentityOutOfRange(t *testing.T) {
	for name, id := range map[string]string{"too long": strings.Repeat("x", 256), "zero first": "\x00x"} {
		t.Run(name, func(t *testing.T) {
			req := closing(t, socket.NewReq(socket.WithIdentity(id)))
			if _, err := req.Bind(within(t), "tcp://127.0.0.1:*"); err == nil {
				t.Fatal("no error")
			}
		})
	}
}

func TestUnbind(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		push, pull := closing(t, socket.NewPush()), closing(t, socket.NewPull())
		at := link(t, push, pull, endpoint)
		send(t, push, "x")
		expect(t, pull, "x")
		must(t, push.Unbind(endpoint)) // as it was bound
		event(t, pull, socket.PeerDown)
		blocked(t, push)
		if err := push.Unbind(at); !errors.Is(err, socket.ErrNoEndpoint) {
			t.Fatalf("again: %v, want ErrNoEndpoint", err)
		}
		if path, ok := strings.CutPrefix(at, "ipc://"); ok {
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Fatalf("the socket file is still there: %v", err)
			}
		}
	})
}

func TestDisconnect(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		push, pull := closing(t, socket.NewPush()), closing(t, socket.NewPull())
		at := link(t, pull, push, endpoint)
		must(t, push.Connect(at)) // twice is once
		send(t, push, "x")
		expect(t, pull, "x")
		must(t, push.Disconnect(at))
		event(t, pull, socket.PeerDown)
		blocked(t, push)
		if err := push.Disconnect(at); !errors.Is(err, socket.ErrNoEndpoint) {
			t.Fatalf("again: %v, want ErrNoEndpoint", err)
		}
		must(t, push.Connect(at))
		send(t, push, "y")
		expect(t, pull, "y")
	})
}

func TestWaitPeers(t *testing.T) {
	pull := closing(t, socket.NewPull())
	must(t, pull.WaitPeers(within(t), 0))
	ctx, cancel := contextEnded()
	defer cancel()
	if err := pull.WaitPeers(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Fatalf("WaitPeers: %v", err)
	}
	done := make(chan error)
	go func() { done <- pull.WaitPeers(t.Context(), 1) }()
	must(t, pull.Close())
	if err := <-done; !errors.Is(err, socket.ErrClosed) || !errors.Is(err, net.ErrClosed) {
		t.Fatalf("WaitPeers on a closed socket: %v", err)
	}
}

// TestIncompatible pairs every role with every other over a wire and in process.
func TestIncompatible(t *testing.T) {
	for a, newA := range everyRole() {
		for b, newB := range everyRole() {
			for name, endpoint := range map[string]string{"tcp": "tcp://127.0.0.1:*", "inproc": "inproc://" + t.Name() + a + b} {
				t.Run(fmt.Sprintf("%s/%s/%s", name, a, b), func(t *testing.T) {
					binds, connects := closing(t, newA(quick())), closing(t, newB(quick()))
					at := bind(t, binds, endpoint)
					connect(t, connects, at)
					if slices.Contains(fits[a], b) {
						waitPeers(t, binds, 1)
						waitPeers(t, connects, 1)
						return
					}
					for _, s := range []socket.Socket{binds, connects} {
						ev := event(t, s.(eventer), socket.HandshakeFailed)
						if !errors.Is(ev.Err, zmtp.ErrSocketType) || !strings.Contains(ev.Err.Error(), a) ||
							!strings.Contains(ev.Err.Error(), b) {
							t.Errorf("%s: event %v, want both types named", s.Type(), ev)
						}
					}
					right := closing(t, everyRole()[fits[b][0]]()) // the refused side goes on when the right peer appears
					must(t, binds.Close())
					bind(t, right, at)
					waitPeers(t, connects, 1)
				})
			}
		}
	}
}

func TestClosedSocket(t *testing.T) {
	for name, make := range everyRole() {
		t.Run(name, func(t *testing.T) {
			s := make()
			bind(t, s, "tcp://127.0.0.1:*")
			must(t, s.Close())
			must(t, s.Close())
			must(t, s.Shutdown(within(t)))
			if _, err := s.Bind(within(t), "tcp://127.0.0.1:*"); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Bind: %v", err)
			}
			if err := s.Connect("tcp://127.0.0.1:1"); !errors.Is(err, socket.ErrClosed) {
				t.Errorf("Connect: %v", err)
			}
			if s, ok := s.(socket.Sender); ok {
				if err := s.Send(within(t), socket.Text("x", "y")); !errors.Is(err, socket.ErrClosed) &&
					!errors.Is(err, socket.ErrState) {
					t.Errorf("Send: %v", err)
				}
			}
			if s, ok := s.(socket.Receiver); ok {
				if _, err := s.Recv(within(t)); !errors.Is(err, socket.ErrClosed) {
					t.Errorf("Recv: %v", err)
				}
			}
			var last socket.Event
			for ev := range s.(eventer).Events(within(t)) { // ends by itself
				last = ev
			}
			if last.Kind != socket.Closed {
				t.Errorf("the last event is %v", last)
			}
		})
	}
}

func TestCloseEndsEveryWait(t *testing.T) {
	push, pull, rep := socket.NewPush(), socket.NewPull(), socket.NewRep()
	bind(t, push, "tcp://127.0.0.1:*")
	ctx := within(t)
	var wg sync.WaitGroup
	started := make(chan struct{}, 30)
	for range 10 {
		for _, wait := range []func() error{
			func() error { return push.Send(ctx, socket.Text("x")) },
			func() error { _, err := pull.Recv(ctx); return err },
			func() error { _, err := rep.Recv(ctx); return err },
		} {
			wg.Go(func() {
				started <- struct{}{}
				if err := wait(); !errors.Is(err, socket.ErrClosed) {
					t.Errorf("ended with %v, want ErrClosed", err)
				}
			})
		}
	}
	for range 30 {
		<-started
	}
	for _, s := range []socket.Socket{push, pull, rep} {
		must(t, s.Close())
	}
	wg.Wait()
}

func TestShutdownDrains(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		at := unused(t, endpoint)
		push := socket.NewPush()
		connect(t, push, at)
		body := strings.Repeat("x", 10_000)
		for range 500 {
			send(t, push, body)
		}
		done := make(chan error)
		go func() { done <- push.Shutdown(within(t)) }()
		pull := closing(t, socket.NewPull()) // appears while the other side drains
		bind(t, pull, at)
		for range 500 {
			expect(t, pull, body)
		}
		must(t, <-done)
		if s := push.Stats(); s.Delivered.Messages != 500 || s.Check() != nil {
			t.Fatalf("ledger %+v", s.Ledger)
		}
	})
}

func TestShutdownSaysWhatIsLeft(t *testing.T) {
	push := socket.NewPush()
	connect(t, push, unused(t, "ipc://"))
	send(t, push, "12345")
	send(t, push, "678")
	ctx, cancel := contextEnded()
	defer cancel()
	err := push.Shutdown(ctx)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "2 messages (8 bytes)") {
		t.Fatalf("Shutdown: %v", err)
	}
	s := push.Stats()
	must(t, s.Check())
	if got := s.Dropped[socket.SocketClosed]; got != (socket.Count{Messages: 2, Bytes: 8}) {
		t.Fatalf("dropped %v", s.Dropped)
	}
}

func TestSentRightBeforeCloseArrives(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		pull := closing(t, socket.NewPull())
		at := bind(t, pull, endpoint)
		body := strings.Repeat("x", 100_000)
		for i := range 20 {
			push := socket.NewPush()
			connect(t, push, at)
			for range 20 {
				send(t, push, fmt.Sprint(i), body)
			}
			must(t, push.Close())
			for range 20 {
				expect(t, pull, fmt.Sprint(i), body)
			}
		}
	})
}

// TestCloseReturnsInTime closes in states that could hold it up. The bound of a second is what Close promises.
func TestCloseReturnsInTime(t *testing.T) {
	for _, c := range []struct {
		name  string
		state func(t *testing.T) socket.Socket
	}{
		{"unread and unsent", func(t *testing.T) socket.Socket {
			push, pull := socket.NewPush(socket.WithSendHWM(0)), closing(t, socket.NewPull())
			link(t, pull, push, "tcp://127.0.0.1:*")
			for range 3000 {
				send(t, push, strings.Repeat("x", 10_000))
			}
			return push
		}},
		{"a peer that reads nothing", func(t *testing.T) socket.Socket {
			push := socket.NewPush(socket.WithSendHWM(0))
			rawPeer(t, bind(t, push, "tcp://127.0.0.1:*"), "PULL")
			waitPeers(t, push, 1)
			for range 3000 {
				send(t, push, strings.Repeat("x", 10_000))
			}
			return push
		}},
		{"nobody to connect to", func(t *testing.T) socket.Socket {
			push := socket.NewPush()
			connect(t, push, unused(t, "tcp://"))
			send(t, push, "x")
			return push
		}},
		{"handshakes that hang", func(t *testing.T) socket.Socket {
			pull := socket.NewPull()
			at := bind(t, pull, "tcp://127.0.0.1:*")
			for range 20 {
				conn, err := net.Dial("tcp", strings.TrimPrefix(at, "tcp://"))
				must(t, err)
				t.Cleanup(func() { conn.Close() })
			}
			for range 20 {
				event(t, pull, socket.Accepted)
			}
			return pull
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := c.state(t)
			begin := time.Now()
			must(t, s.Close())
			if took := time.Since(begin); took > time.Second {
				t.Errorf("Close took %v", took)
			}
			balanced(t, s)
		})
	}
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	for name := range transports(t) {
		for range 20 {
			push, pull := socket.NewPush(), socket.NewPull()
			link(t, pull, push, transports(t)[name])
			for range 100 {
				send(t, push, "unread")
			}
			must(t, push.Close())
			must(t, pull.Close())
		}
	}
	waitUntil(t, "goroutines are back", func() bool { return runtime.NumGoroutine() <= before })
}

func TestEventsOfAConnection(t *testing.T) {
	pull, push := socket.NewPull(), socket.NewPush(socket.WithIdentity("me"))
	at := link(t, pull, push, "tcp://127.0.0.1:*")
	must(t, push.Close())
	event(t, pull, socket.PeerDown)
	must(t, pull.Close())
	kinds := func(s eventer) (names []string) {
		for ev := range s.Events(within(t)) {
			if ev.Endpoint != at && ev.Kind != socket.Closed {
				t.Errorf("event %v is not at %s", ev, at)
			}
			if ev.Time.IsZero() {
				t.Errorf("event %v has no time", ev)
			}
			names = append(names, ev.Kind.String())
		}
		return names
	}
	if got, want := strings.Join(kinds(pull), ", "),
		"listening, accepted, peer up, peer down, unbound, closed"; got != want {
		t.Errorf("bound side: %s; want %s", got, want)
	}
	if got, want := strings.Join(kinds(push), ", "),
		"connecting, connected, peer up, disconnected, peer down, closed"; got != want {
		t.Errorf("connecting side: %s; want %s", got, want)
	}
}

func TestPeerOfAMessage(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		rep, req := closing(t, socket.NewRep()), closing(t, socket.NewReq(socket.WithIdentity("me")))
		at := link(t, rep, req, endpoint)
		send(t, req, "x")
		p := recv(t, rep).From
		if p == nil || p.Type != "REQ" || string(p.Identity) != "me" || p.Endpoint != at || p.Address == "" ||
			p.Node != socket.ThisNode() {
			t.Fatalf("from %+v", p)
		}
		if s := p.String(); !strings.Contains(s, "REQ") || !strings.Contains(s, "me") {
			t.Errorf("String: %s", s)
		}
	})
}

func TestLogger(t *testing.T) {
	var out syncBuffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	pull := socket.NewPull(socket.WithLogger(log))
	at := bind(t, pull, "inproc://"+t.Name())
	must(t, pull.Close())
	if s := out.String(); !strings.Contains(s, "listening") || !strings.Contains(s, at) || !strings.Contains(s, "closed") {
		t.Fatalf("logged %q", s)
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// wrapped is a user's own transport: another scheme over tcp, with connections that have no optional powers.
type wrapped struct{ tcp *transport.TCP }

func (wrapped) Scheme() string { return "wrapped" }
func (w wrapped) Validate(address string, use transport.Use) error {
	return w.tcp.Validate(address, use)
}

func (w wrapped) Dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := w.tcp.Dial(ctx, address)
	return plainConn{conn}, err
}

func (w wrapped) Listen(ctx context.Context, address string) (transport.Listener, error) {
	ln, err := w.tcp.Listen(ctx, address)
	return plainListener{ln}, err
}

type plainListener struct{ transport.Listener }

func (l plainListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return plainConn{conn}, nil
}

type plainConn struct{ net.Conn }

func TestUsersTransport(t *testing.T) {
	w := wrapped{transport.NewTCP()}
	push, pull := closing(t, socket.NewPush(socket.WithTransport(w))), closing(t, socket.NewPull(socket.WithTransport(w)))
	link(t, pull, push, "wrapped://127.0.0.1:*")
	for i := range 1000 {
		send(t, push, fmt.Sprint(i), strings.Repeat("x", i*20))
	}
	for i := range 1000 {
		expect(t, pull, fmt.Sprint(i), strings.Repeat("x", i*20))
	}
}

// TestShutdownByDeadline: the socket is down when Shutdown returns, also if its deadline has passed.
func TestShutdownByDeadline(t *testing.T) {
	for range 20 {
		pull := closing(t, socket.NewPull(socket.WithRecvHWM(1)))
		push := socket.NewPush(socket.WithSendHWM(0), socket.WithSendHWMBytes(0))
		link(t, pull, push, "tcp://127.0.0.1:*")
		body := strings.Repeat("x", 1<<20)
		for range 30 {
			send(t, push, body)
		}
		ctx, cancel := context.WithDeadline(t.Context(), time.Now())
		if err := push.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Shutdown: %v", err)
		}
		cancel()
		s := push.Stats()
		must(t, s.Check())
		if s.Queued.Messages != 0 || len(s.Peers) != 0 {
			t.Fatalf("after Shutdown: %d queued, %d peers", s.Queued.Messages, len(s.Peers))
		}
	}
}

func TestWaitConnected(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		ended, cancel := contextEnded()
		cancel()
		pull := socket.NewPull()
		at := bind(t, pull, endpoint)
		if got := pull.Endpoints(); !slices.Equal(got, []string{at}) {
			t.Errorf("bound to %v, want %s", got, at)
		}
		push := closing(t, socket.NewPush(quick()))
		if err := push.WaitDisconnected(within(t), at); !errors.Is(err, socket.ErrNoEndpoint) {
			t.Errorf("before Connect: %v, want ErrNoEndpoint", err)
		}
		must(t, push.Connect(at))
		must(t, push.WaitConnected(within(t), at))
		must(t, push.WaitConnected(ended, at))
		if err := push.WaitDisconnected(ended, at); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), at) {
			t.Errorf("asked whether a good connection is down: %v", err)
		}
		must(t, pull.Close())
		if got := pull.Endpoints(); len(got) != 0 {
			t.Errorf("closed, and bound to %v", got)
		}
		must(t, push.WaitDisconnected(within(t), at))
		if err := push.WaitConnected(ended, at); !errors.Is(err, context.Canceled) {
			t.Errorf("asked whether a lost connection is up: %v", err)
		}
		gone := make(chan error)
		go func() { gone <- push.WaitConnected(t.Context(), at) }()
		must(t, push.Disconnect(at))
		if err := <-gone; !errors.Is(err, socket.ErrNoEndpoint) {
			t.Errorf("disconnected: %v, want ErrNoEndpoint", err)
		}
	})
}

// TestEndpoints: what a socket is bound to is told with its wildcards, and names it to Unbind.
func TestEndpoints(t *testing.T) {
	for _, c := range []struct{ bind, host string }{
		{"tcp://127.0.0.1:*", "127.0.0.1"},
		{"tcp://*:*", "*"},
		{"tcp://0.0.0.0:0", "0.0.0.0"},
	} {
		t.Run(c.bind, func(t *testing.T) {
			pull := closing(t, socket.NewPull())
			at := bind(t, pull, c.bind)
			_, port, _ := net.SplitHostPort(strings.TrimPrefix(at, "tcp://"))
			want := []string{"tcp://" + c.host + ":" + port}
			if got := pull.Endpoints(); !slices.Equal(got, want) {
				t.Fatalf("bound to %v, want %v", got, want)
			}
			must(t, pull.Unbind(want[0]))
			if got := pull.Endpoints(); len(got) != 0 {
				t.Errorf("after Unbind still bound to %v", got)
			}
		})
	}
}
