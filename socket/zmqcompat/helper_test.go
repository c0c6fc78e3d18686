package zmqcompat_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	original "github.com/go-zeromq/zmq4"

	zmq4 "github.com/yodel-mq/yodel/socket/zmqcompat"
)

// A maker makes a socket of one type, ours or the original's, closed at the end of the test.
type maker func(t *testing.T) zmq4.Socket

func ours(typ zmq4.SocketType, opts ...zmq4.Option) maker {
	return func(t *testing.T) zmq4.Socket {
		t.Helper()
		return closing(t, constructors[typ](t.Context(), opts...))
	}
}

func theirs(typ zmq4.SocketType, opts ...original.Option) maker {
	return func(t *testing.T) zmq4.Socket {
		t.Helper()
		opts := append(opts, original.WithLogger(log.New(io.Discard, "", 0)))
		return closing(t, originals[typ](t.Context(), opts...))
	}
}

func closing(t *testing.T, s zmq4.Socket) zmq4.Socket {
	t.Cleanup(func() {
		begin := time.Now()
		closeNow(t, s)
		if d := time.Since(begin); d > 1500*time.Millisecond {
			t.Errorf("close %s took %v", s.Type(), d)
		}
	})
	return s
}

// closeNow closes a socket before the end of its test. The original's closes its connections in two places: when
// something comes just then, it says which of the two was too late.
func closeNow(t *testing.T, s zmq4.Socket) {
	t.Helper()
	if err := s.Close(); err != nil && zmq4.Engine(s) != nil {
		t.Errorf("close %s: %v", s.Type(), err)
	}
}

var constructors = map[zmq4.SocketType]func(context.Context, ...zmq4.Option) zmq4.Socket{
	zmq4.Pair: zmq4.NewPair, zmq4.Pub: zmq4.NewPub, zmq4.Sub: zmq4.NewSub, zmq4.Req: zmq4.NewReq, zmq4.Rep: zmq4.NewRep,
	zmq4.Dealer: zmq4.NewDealer, zmq4.Router: zmq4.NewRouter, zmq4.Pull: zmq4.NewPull, zmq4.Push: zmq4.NewPush,
	zmq4.XPub: zmq4.NewXPub, zmq4.XSub: zmq4.NewXSub,
}

var originals = map[zmq4.SocketType]func(context.Context, ...original.Option) zmq4.Socket{
	zmq4.Pair: original.NewPair, zmq4.Pub: original.NewPub, zmq4.Sub: original.NewSub, zmq4.Req: original.NewReq,
	zmq4.Rep:    original.NewRep,
	zmq4.Dealer: original.NewDealer, zmq4.Router: original.NewRouter, zmq4.Pull: original.NewPull,
	zmq4.Push: original.NewPush,
	zmq4.XPub: original.NewXPub, zmq4.XSub: original.NewXSub,
}

// listen binds any free tcp port and returns the endpoint to dial.
func listen(t *testing.T, s zmq4.Socket) string {
	t.Helper()
	return listenAt(t, s, "tcp://127.0.0.1:0")
}

func listenAt(t *testing.T, s zmq4.Socket, endpoint string) string {
	t.Helper()
	check(t, s.Listen(endpoint))
	if a, ok := s.Addr().(*net.TCPAddr); ok {
		return "tcp://" + a.String()
	}
	return endpoint
}

var names atomic.Int64

// endpoints gives an endpoint to listen at on each transport.
func endpoints(t *testing.T) map[string]string {
	return map[string]string{
		"tcp":    "tcp://127.0.0.1:*",
		"ipc":    "ipc://" + filepath.Join(t.TempDir(), "s"),
		"inproc": fmt.Sprintf("inproc://zmqcompat-%d", names.Add(1)),
	}
}

func dial(t *testing.T, s zmq4.Socket, endpoint string) {
	t.Helper()
	check(t, s.Dial(endpoint))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func send(t *testing.T, s zmq4.Socket, frames ...string) {
	t.Helper()
	check(t, s.Send(zmq4.NewMsgFromString(frames)))
}

// recv receives, within ten seconds, and returns the frames.
func recv(t *testing.T, s zmq4.Socket) []string {
	t.Helper()
	m, err := recvMsg(t, s)
	check(t, err)
	frames := make([]string, len(m.Frames))
	for i, f := range m.Frames {
		frames[i] = string(f)
	}
	return frames
}

func recvMsg(t *testing.T, s zmq4.Socket) (zmq4.Msg, error) {
	t.Helper()
	type result struct {
		m   zmq4.Msg
		err error
	}
	got := make(chan result, 1)
	go func() {
		m, err := s.Recv()
		got <- result{m, err}
	}()
	select {
	case r := <-got:
		return r.m, r.err
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: nothing to receive for 10 s", s.Type())
		panic("unreachable")
	}
}

func wantFrames(t *testing.T, s zmq4.Socket, frames ...string) {
	t.Helper()
	if got := recv(t, s); !reflect.DeepEqual(got, frames) {
		t.Fatalf("%s received %q, want %q", s.Type(), got, frames)
	}
}

func wantErr(t *testing.T, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Fatalf("error %q does not match %q", err, target)
		}
	}
}

// subscribed waits until the publisher would send to n peers.
func subscribed(t *testing.T, pub zmq4.Socket, topic string, n int) {
	t.Helper()
	e := zmq4.Engine(pub)
	if e == nil {
		eventually(t, func() bool { return len(pub.(zmq4.Topics).Topics()) >= n })
		return
	}
	publisher := e.(interface {
		WaitSubscribers(ctx context.Context, topic string, n int) error
	})
	check(t, publisher.WaitSubscribers(t.Context(), topic, n))
}

// eventually waits for what no call can wait for.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("waited for 10 s in vain")
		}
	}
}

// freePort is an endpoint where nobody listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return "tcp://" + l.Addr().String()
}
