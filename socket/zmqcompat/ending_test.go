package zmqcompat_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	zmq4 "github.com/yodel-mq/yodel/socket/zmqcompat"
)

// once makes a socket that does not connect again by itself.
func once(t *testing.T, typ zmq4.SocketType, opts ...zmq4.Option) zmq4.Socket {
	t.Helper()
	return ours(typ, append(opts, zmq4.WithAutomaticReconnect(false), zmq4.WithDialerRetry(time.Millisecond))...)(t)
}

// wantEOF receives the end of a connection, as programs look for it.
func wantEOF(t *testing.T, s zmq4.Socket) {
	t.Helper()
	if m, err := recvMsg(t, s); err != io.EOF {
		t.Fatalf("%s received %v, %v, want io.EOF", s.Type(), m, err)
	}
}

// TestEndOfTheConnection: with automatic reconnect off Recv returns io.EOF once, behind what was received, and the
// program dials again and greets its server again.
func TestEndOfTheConnection(t *testing.T) {
	tests := []struct{ client, server zmq4.SocketType }{
		{zmq4.Dealer, zmq4.Router},
		{zmq4.Dealer, zmq4.Dealer},
		{zmq4.Pair, zmq4.Pair},
		{zmq4.Pull, zmq4.Push},
		{zmq4.Sub, zmq4.Pub},
		{zmq4.XSub, zmq4.XPub},
	}
	for _, tc := range tests {
		for scheme, endpoint := range endpoints(t) {
			t.Run(string(tc.client)+" of "+string(tc.server)+" over "+scheme, func(t *testing.T) {
				client := once(t, tc.client, zmq4.WithID(zmq4.SocketIdentity("node")))
				if tc.client == zmq4.Sub || tc.client == zmq4.XSub {
					check(t, client.SetOption(zmq4.OptionSubscribe, ""))
				}
				for range 3 {
					server := constructors[tc.server](t.Context())
					endpoint = listenAt(t, server, endpoint)
					dial(t, client, endpoint)
					switch tc.server {
					case zmq4.Router:
						send(t, client, "hello")
						wantFrames(t, server, "node", "hello")
						send(t, server, "node", "welcome")
						wantFrames(t, client, "welcome")
						send(t, server, "node", "unread")
					case zmq4.Pub, zmq4.XPub:
						subscribed(t, server, "", 1)
						send(t, server, "unread")
					default:
						check(t, zmq4.Engine(server).WaitPeers(t.Context(), 1))
						send(t, server, "unread")
					}
					check(t, server.Close())
					wantFrames(t, client, "unread")
					wantEOF(t, client)
					if peers := zmq4.Engine(client).Stats().Peers; len(peers) != 0 {
						t.Errorf("connected again: %v", peers)
					}
				}
			})
		}
	}
}

// TestEndComesOnce: of several that wait in Recv one learns of the end, and the others go on to wait.
func TestEndComesOnce(t *testing.T) {
	server, client := zmq4.NewPush(t.Context()), once(t, zmq4.Pull)
	ep := listen(t, server)
	dial(t, client, ep)
	const waiting = 3
	got := make(chan error)
	for range waiting {
		go func() {
			_, err := client.Recv()
			got <- err
		}()
	}
	check(t, server.Close())
	if err := <-got; err != io.EOF {
		t.Errorf("Recv: %v, want io.EOF", err)
	}
	again := ours(zmq4.Push)(t)
	check(t, again.Listen(ep))
	dial(t, client, ep)
	for range waiting - 1 {
		send(t, again, "x")
		if err := <-got; err != nil {
			t.Errorf("Recv: %v, want a message", err)
		}
	}
}

// TestReqAtTheEndOfTheConnection: the reply that cannot come is io.EOF, and the next request goes once Dial has been
// called.
func TestReqAtTheEndOfTheConnection(t *testing.T) {
	req := once(t, zmq4.Req)
	server := zmq4.NewRep(t.Context())
	ep := listen(t, server)
	dial(t, req, ep)
	send(t, req, "question")
	wantFrames(t, server, "question")
	check(t, server.Close())
	wantEOF(t, req)
	again := ours(zmq4.Rep)(t)
	check(t, again.Listen(ep))
	dial(t, req, ep)
	send(t, req, "question")
	wantFrames(t, again, "question")
	send(t, again, "answer")
	wantFrames(t, req, "answer")
}

// TestSendAfterTheEndOfTheConnection is an error at once, also of a Send that was waiting for room, until Dial has been
// called; and what was queued for the old connection does not come up on the new one.
func TestSendAfterTheEndOfTheConnection(t *testing.T) {
	for _, typ := range []zmq4.SocketType{zmq4.Push, zmq4.Dealer, zmq4.Pair} {
		t.Run(string(typ), func(t *testing.T) {
			other := map[zmq4.SocketType]zmq4.SocketType{
				zmq4.Push: zmq4.Pull, zmq4.Dealer: zmq4.Dealer, zmq4.Pair: zmq4.Pair,
			}[typ]
			client := once(t, typ)
			check(t, client.SetOption(zmq4.OptionHWM, 2))
			server := constructors[other](t.Context())
			check(t, server.SetOption(zmq4.OptionHWM, 2))
			ep := listen(t, server)
			dial(t, client, ep)
			full := make(chan error)
			go func() {
				for {
					if err := client.Send(zmq4.NewMsg(make([]byte, 1<<20))); err != nil {
						full <- err
						return
					}
				}
			}()
			eventually(t, func() bool { return zmq4.Engine(client).Stats().Queued.Messages >= 2 })
			check(t, server.Close())
			wantErr(t, <-full, zmq4.ErrClosedConn)
			wantErr(t, client.Send(zmq4.NewMsgString("x")), zmq4.ErrClosedConn)

			again := ours(other)(t)
			check(t, again.Listen(ep))
			dial(t, client, ep)
			send(t, client, "hello")
			wantFrames(t, again, "hello")
		})
	}
}

// TestEndOfAcceptedConnections: a server that has turned automatic reconnect off hears of each client that leaves, as
// it does of the original.
func TestEndOfAcceptedConnections(t *testing.T) {
	server := once(t, zmq4.Pull)
	ep := listen(t, server)
	for range 3 {
		client := zmq4.NewPush(t.Context())
		dial(t, client, ep)
		send(t, client, "x")
		check(t, client.Close())
		wantFrames(t, server, "x")
		wantEOF(t, server)
	}
}

// TestOneOfTwoConnectionsEnds: the other one goes on, and Send goes there.
func TestOneOfTwoConnectionsEnds(t *testing.T) {
	client := once(t, zmq4.Dealer)
	first, second := zmq4.NewDealer(t.Context()), ours(zmq4.Dealer)(t)
	dial(t, client, listen(t, first))
	dial(t, client, listen(t, second))
	check(t, first.Close())
	wantEOF(t, client)
	for range 5 {
		send(t, client, "x")
		wantFrames(t, second, "x")
		send(t, second, "y")
		wantFrames(t, client, "y")
	}
}

// TestCloseWithoutReconnect: Close and the end of the context end a Recv with their own error, and no end of a
// connection.
func TestCloseWithoutReconnect(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client := closing(t, zmq4.NewDealer(ctx, zmq4.WithAutomaticReconnect(false)))
	server := ours(zmq4.Router)(t)
	dial(t, client, listen(t, server))
	got := make(chan error)
	go func() {
		_, err := client.Recv()
		got <- err
	}()
	cancel()
	err := <-got
	wantErr(t, err, context.Canceled, zmq4.ErrClosedConn, socket.ErrClosed)
	if errors.Is(err, io.EOF) {
		t.Errorf("Recv: %v", err)
	}
}
