package socket_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// received is what a Recv in a goroutine of its own returned.
type received struct {
	m   socket.Msg
	err error
}

// receiving calls Recv in a goroutine of its own, in a bubble, and returns when it waits or is through.
func receiving(ctx context.Context, s socket.Receiver) <-chan received {
	got := make(chan received, 1)
	go func() {
		m, err := s.Recv(ctx)
		got <- received{m, err}
	}()
	synctest.Wait()
	return got
}

// TestRecvBesideAnUnansweredRequest: of two goroutines in Recv one gets the request, and the other is out of turn
// whether it was waiting before the request came or came after it.
func TestRecvBesideAnUnansweredRequest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{})
		rep := closing(t, socket.NewRep(on(net, "srv")))
		bindAt(t, rep)
		req := closing(t, socket.NewReq(on(net, "client")))
		connect(t, req, server)
		for range 3 {
			first, second := receiving(aDay(t), rep), receiving(aDay(t), rep)
			send(t, req, "question")
			synctest.Wait()
			a, b := <-first, <-second
			if a.err != nil {
				a, b = b, a
			}
			if a.err != nil || a.m.String() != socket.Text("question").String() {
				t.Fatalf("nobody has received the request: %v, %v", a.err, b.err)
			}
			if !errors.Is(b.err, socket.ErrState) {
				t.Errorf("Recv that was waiting: %v, want ErrState", b.err)
			}
			if late := <-receiving(aDay(t), rep); !errors.Is(late.err, socket.ErrState) {
				t.Errorf("Recv after the request: %v, want ErrState", late.err)
			}
			send(t, rep, "answer")
			expect(t, req, "answer")
		}
	})
}

// TestRelaxedReplies: Recv waits while a request is unanswered, and only the next request takes its place.
func TestRelaxedReplies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{})
		rep := closing(t, socket.NewRep(on(net, "srv"), socket.WithRelaxedReplies()))
		bindAt(t, rep)
		a, b := closing(t, socket.NewReq(on(net, "a"))), closing(t, socket.NewReq(on(net, "b")))
		connect(t, a, server)
		connect(t, b, server)

		// A Recv that waits takes nothing away from the request that is there.
		send(t, a, "1")
		expect(t, rep, "1")
		next := receiving(aDay(t), rep)
		send(t, rep, "re 1")
		expect(t, a, "re 1")

		// The next request does.
		send(t, a, "2")
		if got := <-next; got.err != nil || string(got.m.Frames[0]) != "2" {
			t.Fatalf("received %v, %v, want 2", got.m, got.err)
		}
		send(t, b, "3")
		expect(t, rep, "3")
		send(t, rep, "re 3")
		expect(t, b, "re 3")
		if err := rep.Send(aDay(t), socket.Text("one too many")); !errors.Is(err, socket.ErrState) {
			t.Errorf("a second reply: %v, want ErrState", err)
		}
		nothing(t, a)

		// Nor does a Recv whose context ended.
		send(t, b, "4")
		expect(t, rep, "4")
		nothing(t, rep)
		send(t, rep, "re 4")
		expect(t, b, "re 4")
	})
}
