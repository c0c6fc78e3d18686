package zmqcompat_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	zmq4 "github.com/yodel-mq/yodel/socket/zmqcompat"
)

// TestCancellation: the end of a socket's context ends its calls and closes it; so does Close.
func TestCancellation(t *testing.T) {
	ends := map[string]func(zmq4.Socket, context.CancelFunc) error{
		"context": func(_ zmq4.Socket, cancel context.CancelFunc) error { cancel(); return nil },
		"close":   func(s zmq4.Socket, _ context.CancelFunc) error { return s.Close() },
	}
	for name, end := range ends {
		for typ, construct := range constructors {
			t.Run(fmt.Sprint(typ, " by ", name), func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				s := closing(t, construct(ctx))
				ep := listen(t, s)
				var wg sync.WaitGroup
				var err error
				receives := typ != zmq4.Push && typ != zmq4.Pub && typ != zmq4.Req // a REQ has nothing to wait for
				if receives {
					wg.Go(func() { _, err = s.Recv() })
				}
				check(t, end(s, cancel))
				wg.Wait()
				if receives {
					wantErr(t, err, context.Canceled, zmq4.ErrClosedConn, net.ErrClosed, socket.ErrClosed)
				}
				if errors.Is(err, io.EOF) {
					t.Errorf("Recv returned %v", err)
				}
				check(t, s.Close()) // it returns when the end of the context has closed the socket, too
				wantErr(t, s.Dial(ep), zmq4.ErrClosedConn)
				wantErr(t, s.Listen("tcp://127.0.0.1:0"), zmq4.ErrClosedConn)
				if typ != zmq4.Pull {
					wantErr(t, s.Send(zmq4.NewMsgString("x")), zmq4.ErrClosedConn)
				}
				free := ours(typ)(t)
				check(t, free.Listen(ep)) // the port is free again
			})
		}
	}
}

// TestNothingAfterTheEnd: a call made after the context has ended fails, each time, though there would be room, or a
// message.
func TestNothingAfterTheEnd(t *testing.T) {
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		pair := closing(t, zmq4.NewPair(ctx))
		sub := closing(t, zmq4.NewSub(ctx))
		peer := ours(zmq4.Pair)(t)
		dial(t, peer, listen(t, pair))
		send(t, peer, "unread")
		eventually(t, func() bool { return zmq4.Engine(pair).Stats().Unread.Messages == 1 })
		cancel()
		_, received := pair.Recv()
		for call, err := range map[string]error{
			"Send":        pair.Send(zmq4.NewMsgString("x")),
			"SendMulti":   pair.SendMulti(zmq4.NewMsgString("x")),
			"Recv":        received,
			"Dial":        pair.Dial("tcp://127.0.0.1:1"),
			"Listen":      pair.Listen("tcp://127.0.0.1:0"),
			"subscribe":   sub.SetOption(zmq4.OptionSubscribe, "x"),
			"unsubscribe": sub.SetOption(zmq4.OptionUnsubscribe, "x"),
		} {
			if !errors.Is(err, context.Canceled) || !errors.Is(err, zmq4.ErrClosedConn) {
				t.Fatalf("%s: %v, want the context's error", call, err)
			}
		}
	}
}

func TestDeadlineIsTheError(t *testing.T) {
	for range 100 { // what the end of a context calls, it calls in any order
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		s := closing(t, zmq4.NewPull(ctx))
		_, err := s.Recv()
		cancel()
		wantErr(t, err, context.DeadlineExceeded, zmq4.ErrClosedConn)
	}
}

func TestClosedUnused(t *testing.T) {
	var none context.Context // the original takes it
	for typ, construct := range constructors {
		t.Run(string(typ), func(t *testing.T) {
			s := construct(none, nil)
			if s.Type() != typ {
				t.Errorf("type %s", s.Type())
			}
			check(t, s.Close())
			check(t, s.Close())
			if _, err := s.Recv(); err == nil {
				t.Error("received")
			}
			if e := zmq4.Engine(s); e != nil {
				t.Errorf("engine %v", e)
			}
			if topics, ok := s.(zmq4.Topics); ok && topics.Topics() != nil {
				t.Error("topics")
			}
		})
	}
}

// TestPeersComeAndGo: clients close while a ROUTER sends to them; nobody hangs, and the ROUTER closes with and
// without peers.
func TestPeersComeAndGo(t *testing.T) {
	router := ours(zmq4.Router)(t)
	ep := listen(t, router)
	var clients []zmq4.Socket
	for i := range 10 {
		c := ours(zmq4.Dealer, zmq4.WithID(zmq4.SocketIdentity(fmt.Sprint("client-", i))))(t)
		dial(t, c, ep)
		clients = append(clients, c)
	}
	check(t, zmq4.Engine(router).WaitPeers(t.Context(), 10))
	for _, c := range clients[:5] {
		check(t, c.Close())
	}
	msg := zmq4.NewMsgFrom(nil, nil, []byte("payload"))
	for i := range clients {
		msg.Frames[0] = fmt.Append(nil, "client-", i) // as the original's users do: the message was copied
		check(t, router.Send(msg))
	}
	for _, c := range clients[5:] {
		wantFrames(t, c, "", "payload")
	}
}

// TestListenTwice: a socket listens at both, and Addr is the last.
func TestListenTwice(t *testing.T) {
	pull := ours(zmq4.Pull)(t)
	for range 2 {
		push := ours(zmq4.Push)(t)
		dial(t, push, listen(t, pull))
		send(t, push, "x")
	}
	wantFrames(t, pull, "x")
	wantFrames(t, pull, "x")
	addr := pull.Addr().String()
	wantListenError := ours(zmq4.Pull)(t).Listen("tcp://" + addr)
	if wantListenError == nil || pull.Addr().String() != addr {
		t.Errorf("bound %s twice", addr)
	}
}

func TestAddr(t *testing.T) {
	want := map[string]string{"tcp": "*net.TCPAddr tcp", "ipc": "*net.UnixAddr unix", "inproc": "zmqcompat.address inproc"}
	for scheme, endpoint := range endpoints(t) {
		t.Run(scheme, func(t *testing.T) {
			s := ours(zmq4.Rep)(t)
			if a := s.Addr(); a != nil {
				t.Errorf("%v before Listen", a)
			}
			check(t, s.Listen(endpoint))
			if a := s.Addr(); a == nil || fmt.Sprintf("%T %s", a, a.Network()) != want[scheme] || a.String() == "" {
				t.Errorf("%T %v, want a %s", a, a, want[scheme])
			}
		})
	}
}
