package socket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// patience bounds every wait in these tests; nothing is measured against it.
const patience = 20 * time.Second

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// transports lists an endpoint to bind for each transport.
func transports(t testing.TB) map[string]string {
	return map[string]string{
		"tcp":    "tcp://127.0.0.1:*",
		"ipc":    "ipc://*",
		"inproc": "inproc://" + t.Name(),
	}
}

func eachTransport(t *testing.T, test func(t *testing.T, endpoint string)) {
	for name := range transports(t) {
		t.Run(name, func(t *testing.T) { test(t, transports(t)[name]) })
	}
}

// closing closes a socket at the end of the test and checks its ledger then.
func closing[S socket.Socket](t testing.TB, s S) S {
	t.Helper()
	t.Cleanup(func() {
		balanced(t, s)
		must(t, s.Close())
		balanced(t, s)
		if q := s.Stats().Queued.Messages + s.Stats().Unread.Messages; q != 0 {
			t.Errorf("%s: %d messages queued or unread after Close", s.Type(), q)
		}
	})
	return s
}

func balanced(t testing.TB, s socket.Socket) {
	t.Helper()
	if err := s.Stats().Check(); err != nil {
		t.Errorf("%s: %v", s.Type(), err)
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

// link binds one socket, connects the other and waits until both have a peer.
func link(t testing.TB, binds, connects socket.Socket, endpoint string) string {
	t.Helper()
	actual := bind(t, binds, endpoint)
	connect(t, connects, actual)
	waitPeers(t, binds, 1)
	waitPeers(t, connects, 1)
	return actual
}

func waitPeers(t testing.TB, s socket.Socket, n int) {
	t.Helper()
	must(t, s.WaitPeers(within(t), n))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
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

// nothing checks that nothing can be received now: an already ended context still takes what is there.
func nothing(t testing.TB, s socket.Receiver) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if m, err := s.Recv(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("received %s, %v; want nothing", m, err)
	}
}

// blocked checks that Send has no room now.
func blocked(t testing.TB, s socket.Sender) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Send(ctx, socket.Text("no room for this")); !errors.Is(err, context.Canceled) {
		t.Fatalf("Send: %v, want it to wait until its context ends", err)
	}
}

// event waits for an event that fits.
func event(t testing.TB, s eventer, kind socket.EventKind) socket.Event {
	t.Helper()
	return eventWhere(t, s, fmt.Sprint(kind), func(ev socket.Event) bool { return ev.Kind == kind })
}

type eventer interface {
	Events(ctx context.Context) iter.Seq[socket.Event]
}

func eventWhere(t testing.TB, s eventer, what string, fits func(socket.Event) bool) socket.Event {
	t.Helper()
	for ev := range s.Events(within(t)) {
		if fits(ev) {
			return ev
		}
	}
	t.Fatalf("no event: %s", what)
	return socket.Event{}
}

// waitUntil looks until a condition holds for which there is nothing to wait on.
func waitUntil(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// rawPeer connects and completes the handshake as the given type, and then does nothing.
func rawPeer(t testing.TB, endpoint, socketType string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(endpoint, "tcp://"))
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	_, err = zmtp.Handshake(t.Context(), conn, zmtp.Config{SocketType: zmtp.SocketType(socketType)})
	must(t, err)
	return conn
}

func contextEnded() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx, cancel
}

func readFull(t testing.TB, r io.Reader, b []byte) {
	t.Helper()
	_, err := io.ReadFull(r, b)
	must(t, err)
}

// atoi reads a frame that holds a decimal number.
func atoi(t testing.TB, frame []byte) int {
	t.Helper()
	n, err := strconv.Atoi(string(frame))
	must(t, err)
	return n
}
