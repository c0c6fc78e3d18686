package socket_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// A sender in the same process may hold messages for a while (link_inproc_batch.go). These tests are about that it
// cannot be told.

// batched connects a Push to a Pull in this process and sends n messages, "0", "1" and so on, that nobody receives yet.
func batched(t *testing.T, n int) (push *socket.Push, pull *socket.Pull, at string) {
	t.Helper()
	at = unused(t, "inproc://")
	push, pull = closing(t, socket.NewPush()), closing(t, socket.NewPull())
	bind(t, pull, at)
	connect(t, push, at)
	waitPeers(t, push, 1)
	waitPeers(t, pull, 1)
	for i := range n {
		send(t, push, fmt.Sprint(i))
	}
	return push, pull, at
}

// ended is a context with which only what is there is received.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func receivesAll(t *testing.T, pull *socket.Pull, n int) {
	t.Helper()
	for i := range n {
		m, err := pull.Recv(ended())
		if err != nil || string(m.Bytes()) != fmt.Sprint(i) {
			t.Fatalf("message %d: received %s, %v", i, m, err)
		}
	}
	if m, err := pull.Recv(ended()); err == nil {
		t.Fatalf("received %s besides", m)
	}
}

func TestBatchedIsReceivedAtOnce(t *testing.T) {
	for _, n := range []int{1, 2, 100, 128, 129, 130, 1000, 2000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			_, pull, _ := batched(t, n)
			receivesAll(t, pull, n)
		})
	}
}

func TestBatchedIsInTheLedger(t *testing.T) {
	t.Run("of the sender", func(t *testing.T) {
		push, _, _ := batched(t, 10)
		if s := push.Stats(); s.Check() != nil || s.Delivered.Messages != 10 || s.Queued.Messages != 0 ||
			s.Peers[0].Delivered.Messages != 10 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("of the receiver", func(t *testing.T) {
		_, pull, _ := batched(t, 10)
		if s := pull.Stats(); s.Check() != nil || s.Received.Messages != 10 || s.Unread.Messages != 10 ||
			s.Peers[0].Unread.Messages != 10 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("of a receiver that closes", func(t *testing.T) {
		_, pull, _ := batched(t, 10)
		must(t, pull.Close())
		if s := pull.Stats(); s.Check() != nil || s.Discarded[socket.SocketClosed].Messages != 10 {
			t.Errorf("%+v", s)
		}
	})
}

func TestBatchedComesWhenTheSenderEnds(t *testing.T) {
	for name, end := range map[string]func(p *socket.Push, at string) error{
		"Close":      func(p *socket.Push, _ string) error { return p.Close() },
		"Shutdown":   func(p *socket.Push, _ string) error { return p.Shutdown(within(t)) },
		"Disconnect": func(p *socket.Push, at string) error { return p.Disconnect(at) },
	} {
		t.Run(name, func(t *testing.T) {
			push, pull, at := batched(t, 10)
			must(t, end(push, at))
			event(t, pull, socket.PeerDown)
			receivesAll(t, pull, 10)
		})
	}
}

// TestBatchedFromBeforeThePeer: what waited for the peer is not held by a socket that shuts down, whether the peer
// receives or not.
func TestBatchedFromBeforeThePeer(t *testing.T) {
	at := unused(t, "inproc://")
	push := closing(t, socket.NewPush())
	connect(t, push, at)
	for i := range 10 {
		send(t, push, fmt.Sprint(i))
	}
	done := make(chan error, 1)
	go func() { done <- push.Shutdown(within(t)) }()
	pull := closing(t, socket.NewPull())
	bind(t, pull, at)
	must(t, <-done)
	for i := range 10 { // the Pull may not have heard of the Push yet
		expect(t, pull, fmt.Sprint(i))
	}
}

// TestBatchedIsNotStarved: what a sender has held while it was the only one comes in its turn when there is another,
// whose messages never end.
func TestBatchedIsNotStarved(t *testing.T) {
	_, pull, at := batched(t, 50)
	busy := closing(t, socket.NewPush())
	connect(t, busy, at)
	must(t, pull.WaitPeers(within(t), 2)) // to look at the ledger would fetch them
	ctx, cancel := context.WithCancel(within(t))
	var wg sync.WaitGroup
	wg.Go(func() {
		for busy.Send(ctx, socket.Text("busy")) == nil { // until ctx ends
		}
	})
	defer wg.Wait()
	defer cancel()
	other := 0
	for next := 0; next < 50; {
		m := recv(t, pull)
		switch string(m.Bytes()) {
		case "busy":
			if other++; other > 200 {
				t.Fatalf("%d messages of the busy sender came, and %d of the other's 50", other, next)
			}
		case fmt.Sprint(next):
			next++
		default:
			t.Fatalf("received %s, want %d", m, next)
		}
	}
}

// TestBatchedFromNobodyWhoWaits: while one receiver is busy with a message, another gets the next.
func TestBatchedFromNobodyWhoWaits(t *testing.T) {
	const receivers = 4
	synctest.Test(t, func(t *testing.T) {
		push, pull, _ := batched(t, 0)
		var all sync.WaitGroup
		all.Add(receivers)
		for range receivers {
			go func() {
				if _, err := pull.Recv(aDay(t)); err != nil {
					t.Error(err)
				}
				all.Done()
				all.Wait()
			}()
		}
		synctest.Wait() // until they wait
		for range receivers {
			send(t, push, "work")
		}
		all.Wait()
	})
}

// A receiver gives a stream's sender a moment before it waits. That is over also where time does not pass, and with
// who gives up.
func TestSpinEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		push, pull, _ := batched(t, 1000)
		receivesAll(t, pull, 1000)
		for i := range 100 { // as many times as a stream can be long enough again
			for k := range 10 * i {
				send(t, push, fmt.Sprint(k))
			}
			for k := range 10 * i {
				expect(t, pull, fmt.Sprint(k))
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			begin := time.Now()
			if m, err := pull.Recv(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
				t.Errorf("received %s, %v after %v", m, err, time.Since(begin))
			}
			cancel()
		}
	})
}
