package socket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// Who waits in vain for want of a peer is told which endpoint failed and how: stumble 2 of newcomers.

// threeAttempts is a time after the third attempt and before the fourth, however the pauses between them are drawn:
// between half and all of 100, 200 and 400 ms.
const threeAttempts = 325 * time.Millisecond

// connected is a socket that connects to where nobody is.
func connected[S socket.Socket](t *testing.T, s S) S {
	t.Helper()
	connect(t, closing(t, s), server)
	return s
}

// TestStumble02ErrorsSayWhy: each call that waits says so when its context ends, and matches the context's error.
func TestStumble02ErrorsSayWhy(t *testing.T) {
	const why = " (no peer: sim://srv: connection refused, 3 attempts)"
	msg := socket.Text("a")
	for name, tc := range map[string]struct {
		call func(t *testing.T, ctx context.Context, net *simnet.Network) error
		want string
	}{
		"recv": {func(t *testing.T, ctx context.Context, net *simnet.Network) error {
			s := connected(t, socket.NewPull(on(net, "c")))
			_, err := s.Recv(ctx)
			return err
		}, "socket: recv: context deadline exceeded" + why},
		"next": {func(t *testing.T, ctx context.Context, net *simnet.Network) error {
			s := connected(t, socket.NewPull(on(net, "c"), socket.WithManualAck()))
			_, err := s.Next(ctx)
			return err
		}, "socket: next: context deadline exceeded" + why},
		"messages": {func(t *testing.T, ctx context.Context, net *simnet.Network) (err error) {
			s := connected(t, socket.NewSub(on(net, "c")))
			for _, err = range s.Messages(ctx) {
			}
			return err
		}, "socket: recv: context deadline exceeded" + why},
		"reply": {func(t *testing.T, ctx context.Context, net *simnet.Network) error {
			s := connected(t, socket.NewReq(on(net, "c")))
			must(t, s.Send(ctx, msg))
			_, err := s.Recv(ctx)
			return err
		}, "socket: recv: context deadline exceeded" + why},
		"do": {func(t *testing.T, ctx context.Context, net *simnet.Network) error {
			s := connected(t, socket.NewReq(on(net, "c")))
			_, err := s.Do(ctx, msg)
			return err
		}, "socket: recv: context deadline exceeded" + why},
		"send": {func(t *testing.T, ctx context.Context, net *simnet.Network) error {
			s := connected(t, socket.NewPush(on(net, "c"), socket.WithImmediate()))
			return s.Send(ctx, msg)
		}, "socket: send: no peer is connected: context deadline exceeded" + why},
		"send, queue full": {func(t *testing.T, ctx context.Context, net *simnet.Network) error {
			s := connected(t, socket.NewDealer(on(net, "c"), socket.WithSendHWM(1)))
			must(t, s.Send(ctx, msg))
			return s.Send(ctx, msg)
		}, "socket: send: no peer is connected: context deadline exceeded" + why},
		"wait for peers": {func(t *testing.T, ctx context.Context, net *simnet.Network) error {
			return connected(t, socket.NewPush(on(net, "c"))).WaitPeers(ctx, 1)
		}, "socket: wait for 1 peers, have 0: context deadline exceeded" + why},
		"wait for the connection": {func(t *testing.T, ctx context.Context, net *simnet.Network) error {
			return connected(t, socket.NewPush(on(net, "c"))).WaitConnected(ctx, server)
		}, "socket: wait for sim://srv: context deadline exceeded" + why},
		"wait for subscribers": {func(t *testing.T, ctx context.Context, net *simnet.Network) error {
			return connected(t, socket.NewPub(on(net, "c"))).WaitSubscribers(ctx, "a", 1)
		}, `socket: wait for 1 subscribers to "a", have 0: context deadline exceeded` + why},
		"shutdown": {func(t *testing.T, ctx context.Context, net *simnet.Network) error {
			s := connected(t, socket.NewPush(on(net, "c")))
			for range 3 {
				must(t, s.Send(ctx, msg))
			}
			return s.Shutdown(ctx)
		}, "socket: shutdown: 3 messages (3 bytes) not delivered: context deadline exceeded" + why},
		"bound": {func(t *testing.T, ctx context.Context, net *simnet.Network) error {
			s := closing(t, socket.NewPull(on(net, "srv")))
			bindAt(t, s)
			_, err := s.Recv(ctx)
			return err
		}, "socket: recv: context deadline exceeded (no peer: sim://srv: nobody has connected)"},
		"neither": {func(t *testing.T, ctx context.Context, net *simnet.Network) error {
			_, err := closing(t, socket.NewPull(on(net, "c"))).Recv(ctx)
			return err
		}, "socket: recv: context deadline exceeded (no peer: the socket is neither bound nor connected)"},
		"one of two": {func(t *testing.T, ctx context.Context, net *simnet.Network) error {
			pull := closing(t, socket.NewPull(on(net, "other")))
			_, err := pull.Bind(ctx, "sim://other")
			must(t, err)
			s := connected(t, socket.NewPush(on(net, "c")))
			connect(t, s, "sim://other")
			return s.WaitPeers(ctx, 2)
		}, "socket: wait for 2 peers, have 1: context deadline exceeded" + why},
		"with a peer": {func(t *testing.T, ctx context.Context, net *simnet.Network) error {
			push := closing(t, socket.NewPush(on(net, "other")))
			_, err := push.Bind(ctx, "sim://other")
			must(t, err)
			s := connected(t, socket.NewPull(on(net, "c")))
			connect(t, s, "sim://other")
			_, err = s.Recv(ctx)
			return err
		}, "socket: recv: context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{})
				ctx, cancel := context.WithTimeout(t.Context(), threeAttempts)
				defer cancel()
				err := tc.call(t, ctx, net)
				if err == nil || err.Error() != tc.want {
					t.Errorf("got  %v\nwant %s", err, tc.want)
				}
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error("it does not match the context's error")
				}
				if strings.Contains(tc.want, " subscribers") || tc.want == "socket: recv: context deadline exceeded" {
					return
				}
				e, ok := errors.AsType[*socket.NoPeerError](err)
				if !ok {
					t.Fatalf("%T is no NoPeerError", err)
				}
				if errors.Is(err, syscall.ECONNREFUSED) {
					t.Error("it matches what is the endpoint's, and not the call's")
				}
				if strings.Contains(tc.want, why) && !errors.Is(e.Endpoints[0].LastErr, syscall.ECONNREFUSED) {
					t.Errorf("the endpoint's error is %v", e.Endpoints[0].LastErr)
				}
			})
		})
	}
}

// TestStumble03LogWarns: the log warns at the first failure, at each change of its cause and once a minute, and of what
// is dropped at the end, rather than at each attempt or never.
func TestStumble03LogWarns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{})
		begin := time.Now()
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
			Level: slog.LevelWarn,
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Duration("after", a.Value.Time().Sub(begin).Round(10*time.Second))
				}
				return a
			},
		}))
		push := socket.NewPush(on(net, "c"), socket.WithLogger(log), socket.WithLabel("orders"),
			socket.WithReconnect(time.Second, time.Second))
		connect(t, push, server)
		must(t, push.Send(t.Context(), socket.Text("a")))
		time.Sleep(30 * time.Second)
		sub := socket.NewSub(on(net, "srv")) // not what a PUSH can talk to
		bindAt(t, sub)
		time.Sleep(100 * time.Second)
		must(t, sub.Close())
		time.Sleep(10 * time.Second)
		must(t, push.Close())

		const attrs = ` socket=orders endpoint=sim://srv`
		lines := slices.Collect(strings.Lines(out.String()))
		for i, want := range []string{
			`after=0s level=WARN msg="yodel: cannot reach"` + attrs + ` err="transport: dial sim://srv: connect: ` +
				`connection refused" attempts=1`,
			`after=30s level=WARN msg="yodel: cannot reach"` + attrs + ` address=srv err="zmtp: socket type: socket type ` +
				`not accepted: the peer's SUB cannot talk to our PUSH, which talks to PULL" attempts=`,
			`after=1m30s level=WARN msg="yodel: cannot reach"` + attrs + ` address=srv err="zmtp: socket type: `,
			`after=2m10s level=WARN msg="yodel: cannot reach"` + attrs + ` err="transport: dial sim://srv: connect: ` +
				`connection refused" attempts=`,
			`after=2m20s level=WARN msg="yodel: closed" socket=orders reason="socket closed" count=1`,
		} {
			if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
				t.Errorf("line %d is not %s", i, want)
			}
		}
		if len(lines) != 5 || t.Failed() {
			t.Errorf("the log is\n%s", &out)
		}
	})
}

// TestExplain: what differs from one attempt to the next, and what is said beside it, is left out.
func TestExplain(t *testing.T) {
	refused := zmtp.Sub.Check(zmtp.Pull)
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"nothing", nil, ""},
		{"another type", refused, "a PULL socket; a SUB needs PUB or XPUB"},
		{"a type of three", zmtp.Dealer.Check(zmtp.Pull), "a PULL socket; a DEALER needs REP, DEALER or ROUTER"},
		{"an unknown type", zmtp.Sub.Check("STREAM"), `a socket of the unknown type "STREAM"; a SUB needs PUB or XPUB`},
		{"no type", zmtp.Sub.Check(""), "a socket that does not tell its type; a SUB needs PUB or XPUB"},
		{"a stranger", zmtp.CheckGreetingPrefix([]byte("HTTP/1.1 4")), "it does not speak ZMTP"},
		{"hung up", io.EOF, "the peer closed the connection"},
		{"hung up, in words", fmt.Errorf("the peer went: %w", io.EOF), "the peer went"},
		{"hung up early", fmt.Errorf("zmtp: handshake: a part: %w", io.ErrUnexpectedEOF), "a part"},
		{
			"name", &net.DNSError{Err: "no such host", Name: "nowhere", Server: "10.0.0.1:53", IsNotFound: true},
			"no such host: nowhere",
		},
		{
			"name server",
			&net.DNSError{Err: "read udp 10.0.0.2:4242->10.0.0.1:53: i/o timeout", Name: "x", IsTimeout: true},
			"the name x was looked up in vain: timed out",
		},
		{"refused", &transport.OpError{Op: "dial", Endpoint: "tcp://127.0.0.1:1", Err: &net.OpError{
			Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1},
			Err: os.NewSyscallError("connect", syscall.ECONNREFUSED),
		}}, "connection refused"},
		{"reset", fmt.Errorf("zmtp: handshake: read greeting: %w", &net.OpError{
			Op: "read", Net: "tcp", Source: &net.TCPAddr{Port: 39722}, Addr: &net.TCPAddr{Port: 1},
			Err: os.NewSyscallError("read", syscall.ECONNRESET),
		}), "read greeting: connection reset by peer"},
		{
			"too large", fmt.Errorf("zmtp: %w: a message of at least 9 bytes, the limit is 8", zmtp.ErrTooLarge),
			"a message of at least 9 bytes, the limit is 8",
		},
		{"any other", errors.New("odd"), "odd"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := socket.Explain(tc.err); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// TestStatsOfEndpoints: an endpoint keeps its attempts, its last failure and when it tries again.
func TestStatsOfEndpoints(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{})
		push := connected(t, socket.NewPush(on(net, "c"), socket.WithReconnect(time.Second, time.Second)))
		begin := time.Now()
		synctest.Wait()
		got := push.Stats().Endpoints
		if len(got) != 1 || got[0].LastErr == nil || got[0].NextTry.Sub(begin) < 500*time.Millisecond ||
			got[0].NextTry.Sub(begin) > time.Second || !got[0].LastTime.Equal(begin) {
			t.Fatalf("after one attempt: %+v", got)
		}
		got[0].LastErr, got[0].LastTime, got[0].NextTry = nil, time.Time{}, time.Time{}
		if want := (socket.EndpointStats{Endpoint: server, Attempts: 1, Failures: 1, FailedInARow: 1}); got[0] != want {
			t.Errorf("after one attempt: %+v, want %+v", got[0], want)
		}

		pull := closing(t, socket.NewPull(on(net, "srv")))
		bindAt(t, pull)
		waitPeers(t, push, 1)
		waitPeers(t, pull, 1)
		got = push.Stats().Endpoints
		if got[0].Up != 1 || got[0].Attempts != 2 || got[0].Failures != 1 || got[0].FailedInARow != 0 ||
			!errors.Is(got[0].LastErr, syscall.ECONNREFUSED) || !got[0].NextTry.IsZero() ||
			got[0].String() != "sim://srv: 1 peer" {
			t.Errorf("with a peer: %+v", got[0])
		}
		if got := pull.Stats().Endpoints; len(got) != 1 || got[0] !=
			(socket.EndpointStats{Endpoint: server, Bound: true, Up: 1, Attempts: 1}) {
			t.Errorf("of who listens: %+v", got)
		}

		must(t, push.Disconnect(server))
		synctest.Wait()
		if got := push.Stats().Endpoints; len(got) != 0 {
			t.Errorf("after Disconnect: %+v", got)
		}
		if got := pull.Stats().Endpoints; got[0].Up != 0 || !errors.Is(got[0].LastErr, io.EOF) ||
			got[0].String() != "sim://srv: PUSH c:49152: the peer closed the connection" {
			t.Errorf("of who listens, when the peer has gone: %+v", got)
		}
		if got := push.Stats().Events; got[socket.ConnectFailed] != 1 || got[socket.PeerUp] != 1 ||
			got[socket.Connecting] != 2 || got[socket.Closed] != 0 {
			t.Errorf("events: %v", got)
		}
	})
}

// Events are counted beyond those that are remembered.
func TestEventsAreCounted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{})
		push := connected(t, socket.NewPush(on(net, "c"), socket.WithReconnect(10*time.Microsecond, 0)))
		time.Sleep(50 * time.Millisecond)
		must(t, push.Disconnect(server))
		synctest.Wait()
		events := push.Stats().Events
		if n := events[socket.ConnectFailed]; n < 2000 || events[socket.Connecting] != n || events[socket.Disconnected] != 1 {
			t.Errorf("events: %v", events)
		}
	})
}

// TestStatsOfPeers: since when, when last heard, how far away, how full, how many subscriptions.
func TestStatsOfPeers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: 10 * time.Millisecond})
		pub := closing(t, socket.NewPub(on(net, "srv"), socket.WithSendHWM(4), socket.WithLabel("news")))
		bindAt(t, pub)
		sub := closing(t, socket.NewSub(on(net, "c"), socket.WithSubscription("a", "b"), socket.WithRecvHWM(8)))
		begin := time.Now()
		connect(t, sub, server)
		must(t, pub.WaitSubscribers(aDay(t), "a", 1))
		must(t, pub.WaitSubscribers(aDay(t), "b", 1))
		time.Sleep(time.Minute)
		st := pub.Stats()
		p := st.Peers[0]
		if st.Label != "news" || p.Subscriptions != 2 || p.RTT != 20*time.Millisecond || p.Since.Sub(begin) > time.Second ||
			time.Since(p.Heard) > 10*time.Second || p.SendFill != 0 || p.Full {
			t.Errorf("idle: %+v", p)
		}
		for range 3 {
			must(t, pub.Send(t.Context(), socket.Text("a")))
		}
		time.Sleep(time.Second)
		if got := sub.Stats().Peers[0]; got.RecvFill != 3.0/8 || got.Subscriptions != 0 {
			t.Errorf("unread: %+v", got)
		}
		net.Stall("c")
		for range 4 {
			must(t, pub.Send(t.Context(), socket.Msg{Frames: [][]byte{[]byte("a"), make([]byte, 1<<20)}}))
		}
		if got := pub.Stats().Peers[0]; got.SendFill != 1 || !got.Full {
			t.Errorf("not taken: %+v", got)
		}
		net.Unstall("c")
	})
}

// TestStatsOfUnwanted: what was published for nobody is sampled, each topic once, the last eight.
func TestStatsOfUnwanted(t *testing.T) {
	pub := closing(t, socket.NewPub())
	long := strings.Repeat("x", 65)
	for _, topic := range []string{"a", "b", "a", long} {
		must(t, pub.Send(t.Context(), socket.Text(topic, "body")))
	}
	if got, want := pub.Stats().Unwanted, []string{"a", "b", long[:64]}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for i := range 10 * 1024 {
		must(t, pub.Send(t.Context(), socket.Text(string(rune('a'+(i+4)/1024)), "body")))
	}
	if got, want := pub.Stats().Unwanted, []string{"c", "d", "e", "f", "g", "h", "i", "j"}; !slices.Equal(got, want) {
		t.Errorf("of many: %q, want %q", got, want)
	}
	if n := pub.Stats().Dropped[socket.NoSubscriber].Messages; n != 10*1024+4 {
		t.Errorf("%d dropped", n)
	}
}
