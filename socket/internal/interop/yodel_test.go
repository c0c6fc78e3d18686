//go:build unix

package interop

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// What all of our sockets have in common, and what some have.
type (
	yodel interface {
		Bind(ctx context.Context, endpoint string) (string, error)
		Connect(endpoint string) error
		WaitPeers(ctx context.Context, n int) error
		Events(ctx context.Context) iter.Seq[socket.Event]
		Stats() socket.Stats
		Type() string
		Shutdown(ctx context.Context) error
		Close() error
	}
	sender interface {
		yodel
		Send(ctx context.Context, m socket.Msg) error
	}
	receiver interface {
		yodel
		Recv(ctx context.Context) (socket.Msg, error)
	}
)

// closing closes the socket at the end of the test and then looks at its ledger once more.
func closing[S yodel](t *testing.T, s S) S {
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		checked(t, s)
	})
	return s
}

// checked returns the socket's figures, which must balance.
func checked(t *testing.T, s yodel) socket.Stats {
	t.Helper()
	st := s.Stats()
	if err := st.Check(); err != nil {
		t.Errorf("%s: %v", s.Type(), err)
	}
	return st
}

// sample checks the ledger again and again until the returned function is called.
func sample(t *testing.T, s yodel) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(500 * time.Microsecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				checked(t, s)
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// within is a context for what should happen at once.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// lasting is a context for watching that nothing happens.
func lasting(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func send(t *testing.T, s sender, m socket.Msg) {
	t.Helper()
	if err := s.Send(within(t), m); err != nil {
		t.Fatal(err)
	}
}

func recv(t *testing.T, s receiver) socket.Msg {
	t.Helper()
	m, err := s.Recv(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func bind(t *testing.T, s yodel, endpoint string) string {
	t.Helper()
	at, err := s.Bind(within(t), endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func connect(t *testing.T, s yodel, endpoint string) {
	t.Helper()
	if err := s.Connect(endpoint); err != nil {
		t.Fatal(err)
	}
}

func waitPeers(t *testing.T, s yodel, n int) {
	t.Helper()
	if err := s.WaitPeers(within(t), n); err != nil {
		t.Fatalf("%v; events: %v", err, eventsOf(s))
	}
}

func waitSubscribers(t *testing.T, s *socket.Pub, topic string, n int) {
	t.Helper()
	if err := s.WaitSubscribers(within(t), topic, n); err != nil {
		t.Fatalf("%v; events: %v", err, eventsOf(s))
	}
}

// eventsOf returns the events so far.
func eventsOf(s yodel) []socket.Event {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	return slices.Collect(s.Events(ended))
}

// waitEvent waits for the nth event of a kind.
func waitEvent(t *testing.T, s yodel, kind socket.EventKind, n int) socket.Event {
	t.Helper()
	for ev := range s.Events(within(t)) {
		if ev.Kind == kind {
			if n--; n == 0 {
				return ev
			}
		}
	}
	t.Fatalf("no event %q; events: %v", kind, eventsOf(s))
	return socket.Event{}
}

// steady fails the test if a peer was lost or a handshake failed.
func steady(t *testing.T, s yodel) {
	t.Helper()
	for _, ev := range eventsOf(s) {
		if isLoss(ev) {
			t.Errorf("%s: %v", s.Type(), ev)
		}
	}
}

func isLoss(ev socket.Event) bool {
	switch ev.Kind {
	case socket.PeerDown, socket.ProtocolError, socket.LimitHit, socket.HandshakeFailed:
		return true
	}
	return false
}

// A side says who binds and over which transport.
type side struct {
	transport  string // tcp or ipc
	yodelBinds bool
}

func (s side) String() string {
	if s.yodelBinds {
		return s.transport + "/yodel-binds"
	}
	return s.transport + "/yodel-connects"
}

// eachSide runs a test over both transports with either side bound.
func eachSide(t *testing.T, test func(t *testing.T, s side)) {
	for _, tr := range []string{"tcp", "ipc"} {
		t.Run(tr, func(t *testing.T) {
			for _, yodelBinds := range []bool{true, false} {
				name := "yodel-connects"
				if yodelBinds {
					name = "yodel-binds"
				}
				t.Run(name, func(t *testing.T) { test(t, side{tr, yodelBinds}) })
			}
		})
	}
}

// fresh returns an endpoint to bind to.
func fresh(t *testing.T, transport string) string {
	t.Helper()
	if transport == "tcp" {
		return "tcp://127.0.0.1:*"
	}
	dir, err := os.MkdirTemp("", "y") // t.TempDir may be too long for a socket's address
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return "ipc://" + filepath.Join(dir, "s")
}

// link joins one of our sockets with one of libzmq, waits for the handshake and returns the endpoint.
func link(t *testing.T, y yodel, z *zsock, s side) (endpoint string) {
	t.Helper()
	if s.yodelBinds {
		endpoint = bind(t, y, fresh(t, s.transport))
		z.connect(endpoint)
	} else {
		endpoint = z.bind(fresh(t, s.transport))
		connect(t, y, endpoint)
	}
	waitPeers(t, y, 1)
	return endpoint
}

// delivered waits until everything accepted has left and returns the figures. It is for sockets that are done sending:
// they are shut down, without a deadline, for go-zeromq's do not all close in turn.
func delivered(t *testing.T, s yodel) socket.Ledger {
	t.Helper()
	if err := s.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	return checked(t, s).Ledger
}

// sameCount compares a figure of a ledger with what the other side says.
func sameCount(t *testing.T, what string, ours socket.Count, theirs stream) {
	t.Helper()
	if theirs := (socket.Count{Messages: uint64(theirs.Count), Bytes: uint64(theirs.Bytes)}); ours != theirs {
		t.Errorf("%s: %s here, %s there", what, count(ours), count(theirs))
	}
}

func count(c socket.Count) string { return fmt.Sprintf("%d messages (%d bytes)", c.Messages, c.Bytes) }
