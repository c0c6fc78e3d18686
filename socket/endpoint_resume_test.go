package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A hello is a beginning in which both sides say OPEN, answer the other's with OPENED, and wait for both.
type hello struct {
	opened, answered bool
	at               func() // called at each step
}

func (o *hello) begin(context.Context, *link) (zmtp.Exchange, zmtp.Command, error) {
	return o, zmtp.Command{Name: "OPEN", Data: []byte("7")}, nil
}

func (o *hello) Step(_ context.Context, c zmtp.Command) (send zmtp.Command, done bool, err error) {
	o.at()
	switch {
	case c.Name == "OPEN" && string(c.Data) == "7" && !o.opened:
		o.opened = true
		return zmtp.Command{Name: "OPENED"}, o.answered, nil
	case c.Name == "OPENED" && len(c.Data) == 0 && !o.answered:
		o.answered = true
		return zmtp.Command{}, o.opened, nil
	}
	return zmtp.Command{}, false, fmt.Errorf("%w: %q is out of order", ErrProtocol, c.Name)
}

// TestBeginning: over every transport what two sockets have to say to each other first comes before either counts the
// other among its peers, and what follows right behind it, subscriptions and messages, is not lost.
func TestBeginning(t *testing.T) {
	for name, endpoint := range endpoints(t) {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				xpub, sub := NewXPub(), NewSub(WithSubscription("a"))
				var both []*hello
				for _, c := range []*core{xpub.core, sub.core} {
					o := &hello{at: func() {
						if len(c.snapshot()) > 0 {
							t.Error("the peer is one already")
						}
					}}
					c.beginning = o.begin
					both = append(both, o)
				}
				at, err := xpub.Bind(t.Context(), endpoint)
				must(t, err)
				must(t, sub.Connect(at))
				must(t, xpub.WaitPeers(soon(t), 1))
				for _, o := range both[:1] { // the other side may be in its last step
					if !o.opened || !o.answered {
						t.Errorf("the beginning is not over: %+v", o)
					}
				}
				must(t, xpub.WaitSubscribers(soon(t), "a", 1))
				must(t, xpub.Send(soon(t), Text("a message")))
				m, err := sub.Recv(soon(t))
				must(t, err)
				if string(m.Frames[0]) != "a message" {
					t.Errorf("received %q", m)
				}
				must(t, sub.Close())
				must(t, xpub.Close())
			}
		})
	}
}

// TestBeginningRefused: a beginning that fails keeps both sides from becoming peers, and both are told.
func TestBeginningRefused(t *testing.T) {
	refusal := errors.New("fenced")
	for name, endpoint := range endpoints(t) {
		t.Run(name, func(t *testing.T) {
			push, pull := NewPush(WithReconnect(time.Hour, time.Hour)), NewPull()
			defer push.Close()
			defer pull.Close()
			push.beginning = (&hello{at: func() {}}).begin
			pull.beginning = func(context.Context, *link) (zmtp.Exchange, zmtp.Command, error) {
				return refusing{refusal}, zmtp.Command{}, nil
			}
			at, err := pull.Bind(t.Context(), endpoint)
			must(t, err)
			must(t, push.Connect(at))
			if err := failure(t, pull.core); !errors.Is(err, refusal) {
				t.Errorf("pull: %v, want %v", err, refusal)
			}
			if err := failure(t, push.core); !errors.Is(err, errPeerClosed) && !byPeer(err) {
				t.Errorf("push: %v, want the end of the connection", err)
			}
		})
	}
}

type refusing struct{ err error }

func (r refusing) Step(context.Context, zmtp.Command) (zmtp.Command, bool, error) {
	return zmtp.Command{}, false, r.err
}

// TestBeginningTimeout: a beginning has no more time than the handshake it belongs to, over bytes and over inproc.
func TestBeginningTimeout(t *testing.T) {
	for _, endpoint := range []string{"sim://srv", "inproc://" + t.Name()} {
		t.Run(endpoint, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := simnet.New(simnet.Config{Latency: time.Millisecond})
				push := NewPush(WithTransport(network.Host("cli")), WithHandshakeTimeout(3*time.Second))
				pull := NewPull(WithTransport(network.Host("srv")), WithHandshakeTimeout(time.Hour))
				defer push.Close()
				defer pull.Close()
				push.beginning = (&hello{at: func() {}}).begin
				pull.beginning = func(context.Context, *link) (zmtp.Exchange, zmtp.Command, error) {
					return silent{}, zmtp.Command{}, nil
				}
				_, err := pull.Bind(t.Context(), endpoint)
				must(t, err)
				begin := time.Now()
				must(t, push.Connect(endpoint))
				if err := failure(t, push.core); !errors.Is(err, ErrTimeout) {
					t.Errorf("push: %v, want %v", err, ErrTimeout)
				}
				if took := time.Since(begin); took < 3*time.Second || took > 4*time.Second {
					t.Errorf("it took %v, want 3 s", took)
				}
			})
		})
	}
}

// silent says nothing to anything.
type silent struct{}

func (silent) Step(context.Context, zmtp.Command) (zmtp.Command, bool, error) {
	return zmtp.Command{}, false, nil
}

// TestBeginningWith: what raw peers of a socket with a beginning can do: those that are no Yodel get none of it, and
// those that are may send nothing ahead of it.
func TestBeginningWith(t *testing.T) {
	yodel := zmtp.AppendYodel(nil, new(zmtp.Yodel))
	open := zmtp.AppendCommand(nil, "OPEN", []byte("7"))
	opened := zmtp.AppendCommand(nil, "OPENED")
	message := append(zmtp.AppendHeader(nil, 0, 1), 'x')
	part := append(zmtp.AppendHeader(nil, zmtp.FlagMore, 1), 'x')
	long := zmtp.AppendHeader(nil, 0, 1<<20)
	for _, tt := range []struct {
		name     string
		property []byte // of X-Yodel
		send     []byte
		err      error
		messages int
	}{
		{"no Yodel", nil, message, nil, 1},
		{"in order", yodel, slices.Concat(open, opened, message), nil, 1},
		{"in another order", yodel, slices.Concat(opened, open, message, message), nil, 2},
		{"a message first", yodel, slices.Concat(message, open, opened), ErrProtocol, 0},
		{"a message between", yodel, slices.Concat(open, message, opened), ErrProtocol, 0},
		{"an unfinished message first", yodel, slices.Concat(part, open, opened, part, message), nil, 1},
		{"a long message first", yodel, slices.Concat(long, make([]byte, 1<<20)), ErrProtocol, 0},
		{"another command", yodel, zmtp.AppendPing(nil, 0, nil), ErrProtocol, 0},
		{"a malformed command", yodel, []byte{zmtp.FlagCommand, 1, 9}, zmtp.ErrMalformed, 0},
		{"ERROR", yodel, zmtp.AppendError(nil, "500"), zmtp.ErrRefused, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := simnet.New(simnet.Config{Latency: time.Millisecond})
				pull := NewPull(WithTransport(network.Host("srv")))
				defer pull.Close()
				pull.beginning = (&hello{at: func() {}}).begin
				_, err := pull.Bind(t.Context(), "sim://srv")
				must(t, err)
				conn, err := network.Host("cli").Dial(t.Context(), "srv")
				must(t, err)
				defer conn.Close()
				cfg := zmtp.Config{SocketType: zmtp.Push}
				if tt.property != nil {
					cfg.Properties = zmtp.Metadata{{Name: zmtp.PropertyYodel, Value: tt.property}}
				}
				_, err = zmtp.Handshake(t.Context(), conn, cfg)
				must(t, err)
				go write(conn, tt.send)
				if err := failure(t, pull.core); !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
					t.Fatalf("came to %v, want %v", err, tt.err)
				}
				for range tt.messages {
					_, err := pull.Recv(soon(t))
					must(t, err)
				}
				if tt.err != nil {
					return // the end may have overtaken what was said
				}
				got := make([]byte, 100)
				must(t, conn.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
				n, _ := conn.Read(got)
				if said := n > 0; said != (tt.property != nil) {
					t.Errorf("it was sent %q", got[:n])
				}
			})
		})
	}
}

func write(conn net.Conn, b []byte) { _, _ = conn.Write(b) }
