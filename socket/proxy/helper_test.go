package proxy_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/proxy"
	"github.com/yodel-mq/yodel/socket/sockettest"
)

// A proxied is a proxy that runs between two bound sockets.
type proxied struct {
	front, back     socket.Socket
	frontAt, backAt string
	control         *proxy.Control
	stop            context.CancelFunc
	done            chan error
}

// runProxy binds both sockets and proxies between them until stop, which a test may leave to the end.
func runProxy(t testing.TB, front, back socket.Socket, endpoint string, opts ...proxy.Option) *proxied {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := &proxied{
		front: closing(t, front), back: closing(t, back), frontAt: bind(t, front, endpoint),
		backAt:  bind(t, back, other(endpoint)),
		control: new(proxy.Control), stop: cancel, done: make(chan error, 1),
	}
	opts = append([]proxy.Option{proxy.WithControl(p.control)}, opts...)
	go func() { p.done <- proxy.Run(ctx, front, back, opts...) }()
	t.Cleanup(func() { p.end(t) })
	return p
}

// end stops the proxy, once, and checks that it ended well.
func (p *proxied) end(t testing.TB) {
	t.Helper()
	p.stop()
	if p.done == nil {
		return
	}
	must(t, <-p.done)
	p.done = nil
	s := p.control.Stats()
	for name, way := range map[string]proxy.Counts{"forth": s.Forth, "back": s.Back} {
		if way.Received.Messages != way.Forwarded.Messages+way.Dropped.Messages {
			t.Errorf("%s: received %v is not forwarded %v + dropped %v", name, way.Received, way.Forwarded, way.Dropped)
		}
	}
}

// limit bounds every wait in these tests; nothing is measured against it.
const limit = 20 * time.Second

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// eachTransport runs a test with an endpoint to bind of each transport.
func eachTransport(t *testing.T, test func(t *testing.T, endpoint string)) {
	for _, endpoint := range []string{"tcp://127.0.0.1:*", "ipc://*", "inproc://"} {
		name, _, _ := strings.Cut(endpoint, "://")
		t.Run(name, func(t *testing.T) {
			if name == "inproc" {
				endpoint += t.Name()
			}
			test(t, endpoint)
		})
	}
}

// other returns an endpoint of the same transport as a given one that can be bound beside it.
func other(endpoint string) string {
	if strings.HasPrefix(endpoint, "inproc://") {
		return endpoint + "/other"
	}
	return endpoint
}

// closing closes a socket at the end of the test and checks its ledger then.
func closing[S socket.Socket](t testing.TB, s S) S {
	t.Helper()
	t.Cleanup(func() {
		sockettest.Balanced(t, s)
		must(t, s.Close())
		sockettest.Balanced(t, s)
		if q := s.Stats().Queued.Messages + s.Stats().Unread.Messages; q != 0 {
			t.Errorf("%s: %d messages queued or unread after Close", s.Type(), q)
		}
	})
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func bind(t testing.TB, s socket.Socket, endpoint string) string {
	t.Helper()
	actual, err := s.Bind(within(t), endpoint)
	must(t, err)
	return actual
}

func connect(t testing.TB, s socket.Socket, endpoint string) {
	t.Helper()
	must(t, s.Connect(endpoint))
}

func waitPeers(t testing.TB, s socket.Socket, n int) {
	t.Helper()
	must(t, s.WaitPeers(within(t), n))
}

func waitSubs(t testing.TB, pub *socket.Pub, topic string, n int) {
	t.Helper()
	must(t, pub.WaitSubscribers(within(t), topic, n))
}

func send(t testing.TB, s socket.Sender, frames ...string) {
	t.Helper()
	must(t, s.Send(within(t), socket.Text(frames...)))
}

func recv(t testing.TB, s socket.Receiver) socket.Msg {
	t.Helper()
	m, err := s.Recv(within(t))
	must(t, err)
	return m
}

// expect receives one message and compares its frames.
func expect(t testing.TB, s socket.Receiver, frames ...string) {
	t.Helper()
	if got, want := recv(t, s).String(), socket.Text(frames...).String(); got != want {
		t.Fatalf("received %s, want %s", got, want)
	}
}

// nothing checks that nothing can be received now: a context that has ended still takes what is there.
func nothing(t testing.TB, s socket.Receiver) {
	t.Helper()
	if m, err := s.Recv(endedContext(t)); !errors.Is(err, context.Canceled) {
		t.Fatalf("received %s, %v; want nothing", m, err)
	}
}

func endedContext(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// waitDown waits until a socket has lost a peer.
func waitDown(t testing.TB, s socket.Socket) {
	t.Helper()
	for ev := range s.Events(within(t)) {
		if ev.Kind == socket.PeerDown {
			return
		}
	}
	t.Fatal("no peer was lost")
}

// waitUntil looks until a condition holds for which there is nothing to wait on.
func waitUntil(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// atoi reads a frame that holds a decimal number.
func atoi(t testing.TB, frame []byte) int {
	t.Helper()
	n, err := strconv.Atoi(string(frame))
	must(t, err)
	return n
}
