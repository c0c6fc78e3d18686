package socket_test

import (
	"errors"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// TestReliableRouterWaits: a Router takes messages for a reliable peer that is lost, as many as its queue has room for,
// and they arrive when it is back, under the name it was given; once it is given up on there is no such peer.
func TestReliableRouterWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		router := socket.NewRouter(on(net, "srv"), socket.WithReliable(), socket.WithSendHWM(10),
			socket.WithReassign(time.Minute))
		dealer := socket.NewDealer(on(net, "cli"), socket.WithReliable())
		defer shut(t, router)
		defer shut(t, dealer)
		bindAt(t, router)
		must(t, dealer.Connect(server))
		must(t, dealer.Send(aDay(t), socket.Text("hello")))
		hello, err := router.Recv(aDay(t))
		must(t, err)
		to := string(hello.Frames[0])

		net.Refuse("srv")
		net.Cut("srv")
		time.Sleep(10 * time.Second)
		for _, n := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"} {
			must(t, router.TrySend(socket.Text(to, n)))
			balanced(t, router)
		}
		if err := router.TrySend(socket.Text(to, "11")); !errors.Is(err, socket.ErrWouldBlock) {
			t.Errorf("an eleventh message: %v", err)
		}
		if err := router.SendOrDrop(socket.Text(to, "12")); err != nil {
			t.Errorf("a message that may be dropped: %v", err)
		}
		if d := router.Stats().Dropped[socket.QueueFull].Messages; d != 1 {
			t.Errorf("%d messages were dropped", d)
		}
		net.Allow("srv")
		must(t, router.Send(aDay(t), socket.Text(to, "13")))
		for _, n := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "13"} {
			m, err := dealer.Recv(aDay(t))
			must(t, err)
			if m.String() != socket.Text(n).String() {
				t.Fatalf("received %s, want %s", m, n)
			}
		}

		time.Sleep(time.Second) // and is acknowledged
		net.Refuse("srv")
		net.Cut("srv")
		time.Sleep(50 * time.Second)
		must(t, router.TrySend(socket.Text(to, "14")))
		time.Sleep(time.Minute)
		if err := router.TrySend(socket.Text(to, "15")); !errors.Is(err, socket.ErrUnroutable) {
			t.Errorf("to a peer that was given up on: %v", err)
		}
		if d := router.Stats().Dropped[socket.PeerGone].Messages; d != 1 {
			t.Errorf("%d messages were dropped", d)
		}
	})
}

// TestReliableReqWaits: a Req whose reliable peer is lost waits for it, and then gives it up.
func TestReliableReqWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		req := socket.NewReq(on(net, "cli"), socket.WithReliable(), socket.WithReassign(time.Minute))
		rep := socket.NewRep(on(net, "srv"), socket.WithReliable())
		defer shut(t, req)
		defer shut(t, rep)
		bindAt(t, rep)
		must(t, req.Connect(server))
		must(t, req.Send(aDay(t), socket.Text("question")))
		_, err := rep.Recv(aDay(t))
		must(t, err)
		time.Sleep(time.Second) // and is acknowledged
		net.Refuse("srv")
		net.Cut("srv")
		time.Sleep(50 * time.Second)
		if _, err := req.TryRecv(); !errors.Is(err, socket.ErrWouldBlock) {
			t.Errorf("while the peer is waited for: %v", err)
		}
		start := time.Now()
		if _, err := req.Recv(aDay(t)); !errors.Is(err, socket.ErrPeerLost) {
			t.Errorf("then: %v", err)
		}
		if d := time.Since(start); d > 11*time.Second {
			t.Errorf("it took %v more", d)
		}
		net.Allow("srv")
		if err := rep.Send(aDay(t), socket.Text("late")); !errors.Is(err, socket.ErrPeerLost) {
			t.Errorf("an answer to a peer that was given up on: %v", err)
		}
		must(t, req.Send(aDay(t), socket.Text("again")))
		m, err := rep.Recv(aDay(t))
		must(t, err)
		must(t, rep.Send(aDay(t), m))
		if m, err := req.Recv(aDay(t)); err != nil || m.String() != socket.Text("again").String() {
			t.Errorf("received %s, %v", m, err)
		}
	})
}
