package socket_test

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
	"github.com/yodel-mq/yodel/transport"
)

// TestSuccessorLosesNothing: where there can be one peer only, a peer that has ended makes room for its successor at
// once, and what the successor sends first arrives, although nobody has waited for the other side to see the end.
func TestSuccessorLosesNothing(t *testing.T) {
	quickly := socket.WithReconnect(time.Millisecond, 10*time.Millisecond)
	type peer interface {
		socket.Socket
		socket.Sender
		socket.Receiver
	}
	for _, role := range []struct {
		name string
		bind func() peer
		make func() peer
		from []string // what the bound socket puts in front of a message
	}{
		{"PAIR", func() peer { return socket.NewPair() }, func() peer { return socket.NewPair(quickly) }, nil},
		{
			"ROUTER", func() peer { return socket.NewRouter() }, func() peer { return named("peer", quickly) }, []string{"peer"},
		},
		{
			"ROUTER with handover", func() peer { return socket.NewRouter(socket.WithHandover()) },
			func() peer { return named("peer", quickly) },
			[]string{"peer"},
		},
	} {
		for _, sends := range []bool{true, false} { // whether the one before it did
			for _, again := range []bool{false, true} { // by the same socket
				t.Run(fmt.Sprintf("%s/sends=%v/again=%v", role.name, sends, again), func(t *testing.T) {
					eachTransport(t, func(t *testing.T, endpoint string) {
						bound := closing(t, role.bind())
						at := bind(t, bound, endpoint)
						s := role.make()
						for i := range 60 {
							first := fmt.Sprint("first ", i)
							connect(t, s, at)
							if sends {
								send(t, s, first)
								expect(t, bound, append(role.from, first)...)
							} else {
								waitPeers(t, s, 1)
							}
							if again {
								must(t, s.Disconnect(at))
							} else {
								must(t, s.Close())
								balanced(t, s)
								s = role.make()
							}
							connect(t, s, at)
							second := fmt.Sprint("second ", i)
							send(t, s, second)
							expect(t, bound, append(role.from, second)...)
							if !again {
								must(t, s.Close())
								s = role.make()
							} else {
								must(t, s.Disconnect(at))
							}
						}
						must(t, s.Close())
						balanced(t, s)
					})
				})
			}
		}
	}
}

// TestSuccessorOfOneBeingClosed: a predecessor that is closed between the look at its state and the look at its
// connection, of which the operating system knows nothing any more, makes room as well.
func TestSuccessorOfOneBeingClosed(t *testing.T) {
	asked := make(chan struct{})
	ipc := closedWhenAsked{transport.NewIPC(), asked, sync.OnceFunc(func() { close(asked) })}
	bound := closing(t, socket.NewPair(socket.WithTransport(ipc)))
	events := bound.Events(within(t))
	at := bind(t, bound, "ipc://"+t.TempDir()+"/socket")
	s := closing(t, socket.NewPair())
	connect(t, s, at)
	send(t, s, "first")
	expect(t, bound, "first")
	must(t, s.Disconnect(at))
	connect(t, s, at)
	send(t, s, "second")
	expect(t, bound, "second")
	select {
	case <-asked:
	default:
		t.Error("nobody has looked at the predecessor")
	}
	up := 0
	for ev := range events {
		if ev.Kind == socket.HandshakeFailed {
			t.Fatal("the successor was refused:", ev)
		}
		if ev.Kind == socket.PeerUp {
			up++
		}
		if up == 2 {
			return
		}
	}
	t.Error("the successor never was up")
}

// closedWhenAsked accepts connections whose end is not read before somebody has asked for it, and of which the answer
// comes only when they are closed.
type closedWhenAsked struct {
	transport.Transport
	asked chan struct{}
	ask   func()
}

func (w closedWhenAsked) Listen(ctx context.Context, address string) (transport.Listener, error) {
	ln, err := w.Transport.Listen(ctx, address)
	return closedWhenAskedListener{ln, w}, err
}

type closedWhenAskedListener struct {
	transport.Listener
	of closedWhenAsked
}

func (l closedWhenAskedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &closedWhenAskedConn{Conn: conn, of: l.of, closed: make(chan struct{})}, nil
}

type closedWhenAskedConn struct {
	net.Conn
	of     closedWhenAsked
	closed chan struct{}
	close  sync.Once
}

func (c *closedWhenAskedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if errors.Is(err, io.EOF) {
		select {
		case <-c.of.asked:
		case <-c.closed:
		}
	}
	return n, err
}

func (c *closedWhenAskedConn) Close() error {
	c.close.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

func (c *closedWhenAskedConn) Ended() (ended, reset bool) {
	c.of.ask()
	<-c.closed
	return c.Conn.(transport.Inspector).Ended()
}

func (c *closedWhenAskedConn) Inspect() (transport.ConnState, bool) {
	return transport.ConnState{}, false
}

func (c *closedWhenAskedConn) ProbeWithin(int) {}
