package zmqcompat_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	zmq4 "github.com/yodel-mq/yodel/socket/zmqcompat"
)

// TestPushTimeout: Send gives up after the time of WithTimeout, and what it has taken arrives whole.
func TestPushTimeout(t *testing.T) {
	for scheme, endpoint := range endpoints(t) {
		t.Run(scheme, func(t *testing.T) {
			push := ours(zmq4.Push, zmq4.WithTimeout(20*time.Millisecond))(t)
			check(t, push.SetOption(zmq4.OptionHWM, 2))
			pull := ours(zmq4.Pull)(t)
			check(t, pull.SetOption(zmq4.OptionHWM, 2))
			dial(t, pull, listenAt(t, push, endpoint))
			body := strings.Repeat("x", 1<<20)
			sent := 0
			var err error
			for ; err == nil && sent < 1000; sent++ {
				err = push.Send(zmq4.NewMsgFromString([]string{fmt.Sprint(sent), body}))
			}
			sent--
			wantErr(t, err, context.DeadlineExceeded, socket.ErrWouldBlock)
			if errors.Is(err, zmq4.ErrClosedConn) {
				t.Errorf("a timeout says closed: %v", err)
			}
			for i := range sent {
				if got := recv(t, pull); got[0] != fmt.Sprint(i) || got[1] != body {
					t.Fatalf("message %d is %s with %d bytes", i, got[0], len(got[1]))
				}
			}
		})
	}
}

// TestTimeoutZero never waits.
func TestTimeoutZero(t *testing.T) {
	push := ours(zmq4.Push, zmq4.WithTimeout(0))(t)
	listen(t, push)
	wantErr(t, push.Send(zmq4.NewMsgString("x")), context.DeadlineExceeded, socket.ErrNoPeers)
}

// TestExchange: each pair of types, each transport, messages of several shapes, arriving as go-zeromq would have them.
func TestExchange(t *testing.T) {
	msgs := map[string]zmq4.Msg{
		"one frame":      zmq4.NewMsgString("msg"),
		"empty frame":    zmq4.NewMsgFrom([]byte("msg"), []byte{}, []byte("end")),
		"several frames": zmq4.NewMsgFrom([]byte("msg A"), []byte("msg B"), []byte("msg C")),
		"large frame":    zmq4.NewMsgFrom([]byte("msg"), []byte(strings.Repeat("0123456789", 10_000))),
	}
	pairs := []struct{ from, to zmq4.SocketType }{
		{zmq4.Push, zmq4.Pull},
		{zmq4.Pair, zmq4.Pair},
		{zmq4.Dealer, zmq4.Dealer},
		{zmq4.Req, zmq4.Rep},
		{zmq4.Pub, zmq4.Sub},
		{zmq4.XPub, zmq4.XSub},
		{zmq4.Pub, zmq4.XSub},
		{zmq4.XPub, zmq4.Sub},
	}
	for _, p := range pairs {
		for scheme, endpoint := range endpoints(t) {
			t.Run(fmt.Sprintf("%s to %s over %s", p.from, p.to, scheme), func(t *testing.T) {
				from, to := ours(p.from)(t), ours(p.to)(t)
				dial(t, to, listenAt(t, from, endpoint))
				if p.from == zmq4.Pub || p.from == zmq4.XPub {
					check(t, to.SetOption(zmq4.OptionSubscribe, "msg"))
					subscribed(t, from, "msg", 1)
				}
				for name, want := range msgs {
					check(t, from.SendMulti(want))
					got, err := recvMsg(t, to)
					check(t, err)
					if !reflect.DeepEqual(got, want) {
						t.Errorf("%s: got %.100v, want %.100v", name, got, want)
					}
					if p.to == zmq4.Rep {
						check(t, to.Send(got))
						back, err := recvMsg(t, from)
						check(t, err)
						if !reflect.DeepEqual(back, want) {
							t.Errorf("%s: reply %.100v, want %.100v", name, back, want)
						}
					}
				}
			})
		}
	}
}

// TestSendCopies: the caller may use its bytes again, also while the message waits.
func TestSendCopies(t *testing.T) {
	for scheme, endpoint := range endpoints(t) {
		t.Run(scheme, func(t *testing.T) {
			push := ours(zmq4.Push, zmq4.WithDialerMaxRetries(-1))(t)
			if scheme == "tcp" {
				endpoint = freePort(t)
			}
			dial(t, push, endpoint)
			buf := []byte("0")
			for i := range 10 {
				buf[0] = '0' + byte(i)
				check(t, push.Send(zmq4.NewMsg(buf)))
			}
			pull := ours(zmq4.Pull)(t)
			check(t, pull.Listen(endpoint))
			for i := range 10 {
				wantFrames(t, pull, fmt.Sprint(i))
			}
		})
	}
}

func TestSendRefuses(t *testing.T) {
	tests := []struct {
		name string
		typ  zmq4.SocketType
		msg  zmq4.Msg
		want error
	}{
		{"from a PULL", zmq4.Pull, zmq4.NewMsgString("x"), errors.ErrUnsupported},
		{"data from a SUB", zmq4.Sub, zmq4.NewMsgString("x"), errors.ErrUnsupported},
		{"a command", zmq4.Push, zmq4.Msg{Frames: [][]byte{[]byte("\x04PING")}, Type: zmq4.CmdMsg}, errors.ErrUnsupported},
		{"nothing", zmq4.Pub, zmq4.Msg{}, socket.ErrNoFrames},
		{"a reply without a request", zmq4.Rep, zmq4.NewMsgString("x"), socket.ErrState},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) { wantErr(t, ours(tc.typ)(t).Send(tc.msg), tc.want) })
	}
	for _, typ := range []zmq4.SocketType{zmq4.Push, zmq4.Pub} {
		t.Run("recv from a "+string(typ), func(t *testing.T) {
			_, err := ours(typ)(t).Recv()
			wantErr(t, err, errors.ErrUnsupported)
		})
	}
}

// TestBalance: PUSH and DEALER give each message to one peer, where the original gives it to all.
func TestBalance(t *testing.T) {
	for from, to := range map[zmq4.SocketType]zmq4.SocketType{zmq4.Push: zmq4.Pull, zmq4.Dealer: zmq4.Dealer} {
		t.Run(string(from), func(t *testing.T) {
			s := ours(from)(t)
			ep := listen(t, s)
			peers := []zmq4.Socket{ours(to)(t), ours(to)(t)}
			for _, p := range peers {
				dial(t, p, ep)
			}
			check(t, zmq4.Engine(s).WaitPeers(t.Context(), 2))
			for range 10 {
				send(t, s, "x")
			}
			for _, p := range peers {
				for range 5 {
					wantFrames(t, p, "x")
				}
			}
			for _, p := range peers {
				if n := zmq4.Engine(p).Stats().Received.Messages; n != 5 {
					t.Errorf("a peer has received %d messages, want 5", n)
				}
			}
		})
	}
}

// TestPubWithoutPeers does not block.
func TestPubWithoutPeers(t *testing.T) {
	pub := ours(zmq4.Pub)(t)
	listen(t, pub)
	send(t, pub, "blocked?")
}

// TestReqRepInterleaved: two REQs on one REP get their own replies.
func TestReqRepInterleaved(t *testing.T) {
	rep := ours(zmq4.Rep)(t)
	ep := listen(t, rep)
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		req := ours(zmq4.Req)(t)
		dial(t, req, ep)
		wg.Go(func() {
			for i := range 50 {
				q := fmt.Sprint(name, i)
				if err := req.Send(zmq4.NewMsgFromString([]string{q, "?"})); err != nil {
					t.Error(err)
					return
				}
				m, err := req.Recv()
				if err != nil || string(m.Bytes()) != "re "+q {
					t.Errorf("%s: %v, %v", q, m, err)
					return
				}
			}
		})
	}
	for range 100 {
		q := recv(t, rep)
		if len(q) != 2 || q[1] != "?" {
			t.Fatalf("request %q", q)
		}
		send(t, rep, "re "+q[0])
	}
	wg.Wait()
}

// TestRequestOnTheWire: code written for the original and for libzmq counts on one empty frame before the request.
func TestRequestOnTheWire(t *testing.T) {
	router := ours(zmq4.Router)(t)
	req := ours(zmq4.Req, zmq4.WithID(zmq4.SocketIdentity("me")))(t)
	dial(t, req, listen(t, router))
	send(t, req, "question")
	wantFrames(t, router, "me", "", "question")
	send(t, router, "me", "", "answer")
	wantFrames(t, req, "answer")
}

// TestRepToNobody: a client that left is no error of its server, and the next one is served.
func TestRepToNobody(t *testing.T) {
	rep := ours(zmq4.Rep)(t)
	ep := listen(t, rep)
	gone := ours(zmq4.Req)(t)
	dial(t, gone, ep)
	send(t, gone, "1")
	wantFrames(t, rep, "1")
	check(t, gone.Close())
	for ev := range zmq4.Engine(rep).Events(t.Context()) {
		if ev.Kind == socket.PeerDown {
			break
		}
	}
	send(t, rep, "to nobody")
	next := ours(zmq4.Req)(t)
	dial(t, next, ep)
	send(t, next, "2")
	wantFrames(t, rep, "2")
	send(t, rep, "re 2")
	wantFrames(t, next, "re 2")
}

// TestReqLosesItsPeer: Recv says so, and the next request can be sent.
func TestReqLosesItsPeer(t *testing.T) {
	first := zmq4.NewRep(t.Context())
	ep := listen(t, first)
	req := ours(zmq4.Req, zmq4.WithDialerRetry(time.Millisecond))(t)
	dial(t, req, ep)
	send(t, req, "1")
	wantErr(t, req.Send(zmq4.NewMsgString("out of turn")), socket.ErrState)
	wantFrames(t, first, "1")
	check(t, first.Close())
	_, err := recvMsg(t, req)
	wantErr(t, err, socket.ErrPeerLost)
	second := ours(zmq4.Rep)(t)
	check(t, second.Listen(ep))
	send(t, req, "2")
	wantFrames(t, second, "2")
}

// TestRouter: an unknown identity is dropped and counted; a peer that comes back under its name gets what is for it.
func TestRouter(t *testing.T) {
	router := ours(zmq4.Router)(t)
	ep := listen(t, router)
	send(t, router, "nobody", "x")
	if n := zmq4.Engine(router).Stats().Dropped[socket.Unroutable].Messages; n != 1 {
		t.Errorf("%d messages counted as unroutable, want 1", n)
	}
	for i := range 2 { // the second while the first is still there
		dealer := ours(zmq4.Dealer, zmq4.WithID(zmq4.SocketIdentity("d")), zmq4.WithDialerRetry(time.Hour))(t)
		dial(t, dealer, ep)
		send(t, dealer, "hello", fmt.Sprint(i))
		wantFrames(t, router, "d", "hello", fmt.Sprint(i))
		send(t, router, "d", "to you")
		wantFrames(t, dealer, "to you")
	}
}
