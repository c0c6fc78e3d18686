package socket_test

import (
	"context"
	"errors"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
)

var errOver = errors.New("the caller has lost interest")

// over is a context that has ended, for a reason.
func over(t testing.TB) context.Context {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errOver)
	return ctx
}

// often is how many times a call is made that once did the one thing or the other by chance.
const often = 50

// TestDoWithAContextThatHasEnded sends nothing, and leaves the Req as it was.
func TestDoWithAContextThatHasEnded(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		req, rep := closing(t, socket.NewReq()), closing(t, socket.NewRep())
		link(t, rep, req, endpoint)
		for range often {
			if _, err := req.Do(over(t), socket.Text("never sent")); !errors.Is(err, errOver) {
				t.Fatalf("Do: %v, want the cause of the context", err)
			}
		}
		if n := req.Stats().Accepted.Messages; n != 0 {
			t.Errorf("%d requests were taken, want none", n)
		}
		nothing(t, rep)
		send(t, req, "question")
		expect(t, rep, "question")
	})
}

// TestDoWhoseContextEndsInLine: one whose turn comes as its context ends sends nothing either.
func TestDoWhoseContextEndsInLine(t *testing.T) {
	req, rep := closing(t, socket.NewReq()), closing(t, socket.NewRep())
	link(t, rep, req, "inproc://"+t.Name())
	for range often {
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() {
			_, err := req.Do(ctx, socket.Text("first"))
			first <- err
		}()
		expect(t, rep, "first")
		second := make(chan error, 1)
		go func() {
			_, err := req.Do(ctx, socket.Text("second"))
			second <- err
		}()
		cancel()
		for _, did := range []chan error{first, second} {
			if err := <-did; !errors.Is(err, context.Canceled) {
				t.Fatalf("Do: %v, want context.Canceled", err)
			}
		}
		send(t, rep, "too late")
		nothing(t, rep)
	}
	if n := req.Stats().Accepted.Messages; n != often {
		t.Errorf("%d requests were taken, want the %d first ones", n, often)
	}
}

// TestCallsWithAContextThatHasEnded: what can be done at once is done, each time, and nothing else.
func TestCallsWithAContextThatHasEnded(t *testing.T) {
	type talker interface {
		socket.Socket
		socket.Sender
		socket.Receiver
	}
	roles := map[string]func() (a, b talker){
		"PAIR":   func() (a, b talker) { return socket.NewPair(), socket.NewPair() },
		"DEALER": func() (a, b talker) { return socket.NewDealer(), socket.NewDealer() },
		"REQ":    func() (a, b talker) { return socket.NewReq(), socket.NewRep() },
		"XPUB":   func() (a, b talker) { return socket.NewXPub(), socket.NewXSub(socket.WithSubscription("")) },
	}
	for name, make := range roles {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				a, b := make()
				link(t, closing(t, a), closing(t, b), endpoint)
				if name == "XPUB" {
					recv(t, a) // the subscription
				}
				for range often {
					if err := a.WaitPeers(over(t), 2); !errors.Is(err, errOver) {
						t.Fatalf("WaitPeers(2): %v, want the cause of the context", err)
					}
					must(t, a.WaitPeers(over(t), 1))
					must(t, a.Send(over(t), socket.Text("there is room")))
					expect(t, b, "there is room")
					if name == "REQ" {
						must(t, b.Send(over(t), socket.Text("there is room")))
						expect(t, a, "there is room")
						continue
					}
					if _, err := b.Recv(over(t)); !errors.Is(err, errOver) {
						t.Fatalf("Recv: %v, want the cause of the context", err)
					}
				}
			})
		})
	}
}

// anyTransport listens whatever the context.
type anyTransport struct{ transport.Transport }

func (a anyTransport) Listen(_ context.Context, address string) (transport.Listener, error) {
	return a.Transport.Listen(context.Background(), address)
}

// TestBindWithAContextThatHasEnded binds nothing, also by a transport that does not look at it.
func TestBindWithAContextThatHasEnded(t *testing.T) {
	for name, endpoint := range transports(t) {
		for _, opts := range [][]socket.PullOption{nil, {socket.WithTransport(anyTransport{transport.NewTCP()})}} {
			pull := closing(t, socket.NewPull(opts...))
			if _, err := pull.Bind(over(t), endpoint); !errors.Is(err, errOver) {
				t.Errorf("%s: Bind: %v, want the cause of the context", name, err)
			}
			if eps := pull.Endpoints(); len(eps) != 0 {
				t.Errorf("bound to %v", eps)
			}
		}
	}
}
