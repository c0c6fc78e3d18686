package proxy_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/proxy"
	"github.com/yodel-mq/yodel/socket/sockettest"
	"github.com/yodel-mq/yodel/transport"
)

// TestPauseWithMessagesWaiting: a paused proxy of two directions holds one message of each at most; all others
// wait in its sockets, the statistics say so, and after Resume each goes where it should.
func TestPauseWithMessagesWaiting(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		p := runProxy(t, socket.NewRouter(), socket.NewDealer(), endpoint)
		clients := make([]*socket.Dealer, 3)
		name := func(c int) string { return fmt.Sprint("client ", c) }
		for c := range clients {
			clients[c] = closing(t, socket.NewDealer(socket.WithIdentity(name(c))))
			connect(t, clients[c], p.frontAt)
		}
		worker := closing(t, socket.NewDealer())
		connect(t, worker, p.backAt)
		waitPeers(t, p.front, len(clients))
		waitPeers(t, worker, 1)
		for c, s := range clients {
			send(t, s, "before")
			expect(t, worker, name(c), "before")
			send(t, worker, name(c), "before")
			expect(t, s, "before")
		}
		before := p.idle(t)
		if want := (socket.Count{Messages: 3, Bytes: 3 * uint64(len("client 0before"))}); before.Forth.Forwarded != want ||
			before.Back.Forwarded != want {
			t.Fatalf("stats %+v, want %v each way", before, want)
		}

		for range 3 {
			before = p.idle(t)
			p.control.Pause()
			const each = 50
			for i := range each {
				for c, s := range clients {
					send(t, s, fmt.Sprint(i), "there")
					send(t, worker, name(c), fmt.Sprint(i), "back")
				}
			}
			const all = each * 3
			waitUntil(t, "all wait", func() bool {
				front, back, s := p.front.Stats(), p.back.Stats(), p.control.Stats()
				return front.Unread.Messages+s.Forth.Received.Messages-before.Forth.Received.Messages == all &&
					back.Unread.Messages+s.Back.Received.Messages-before.Back.Received.Messages == all
			})
			s := p.control.Stats()
			for way, lanes := range map[string][2]proxy.Counts{"forth": {before.Forth, s.Forth}, "back": {before.Back, s.Back}} {
				was, is := lanes[0], lanes[1]
				if is.Forwarded != was.Forwarded || is.Received.Messages > was.Received.Messages+1 || is.Dropped.Messages != 0 {
					t.Errorf("%s, paused: %+v, before: %+v", way, is, was)
				}
			}
			nothing(t, worker)
			for _, s := range clients {
				nothing(t, s)
			}
			p.control.Resume()
			next := make(map[string]int)
			for range all {
				m := recv(t, worker)
				from := string(m.Frames[0])
				if want := socket.Text(from, fmt.Sprint(next[from]), "there"); m.String() != want.String() {
					t.Fatalf("received %s, want %s", m, want)
				}
				next[from]++
			}
			for _, s := range clients {
				for i := range each {
					expect(t, s, fmt.Sprint(i), "back")
				}
			}
			s = p.idle(t)
			for way, lanes := range map[string][2]proxy.Counts{"forth": {before.Forth, s.Forth}, "back": {before.Back, s.Back}} {
				if n := lanes[1].Forwarded.Messages - lanes[0].Forwarded.Messages; n != all ||
					lanes[1].Received != lanes[1].Forwarded {
					t.Errorf("%s, resumed: %+v, before: %+v", way, lanes[1], lanes[0])
				}
			}
		}
	})
}

// idle waits until the proxy has nothing in hand: a message can have arrived before it counts as forwarded.
func (p *proxied) idle(t testing.TB) (s proxy.Stats) {
	t.Helper()
	waitUntil(t, "nothing is in hand", func() bool {
		s = p.control.Stats()
		return s.Forth.Received == s.Forth.Forwarded && s.Back.Received == s.Back.Forwarded
	})
	return s
}

// TestPauseInAStream pauses and resumes over and over while messages stream through: what is forwarded stands
// still in each pause, what the statistics show is right at every moment, and nothing is lost or changes places.
func TestPauseInAStream(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		p := runProxy(t, socket.NewPull(), socket.NewPush(), endpoint)
		push, pull := closing(t, socket.NewPush()), closing(t, socket.NewPull())
		connect(t, push, p.frontAt)
		connect(t, pull, p.backAt)
		ctx := within(t)
		stop, sent := make(chan struct{}), make(chan int, 1)
		go func() {
			n := 0
			defer func() { sent <- n }()
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := push.Send(ctx, socket.Text(fmt.Sprint(n))); err != nil {
					t.Error(err)
					return
				}
				n++
			}
		}()
		got := make(chan int, 1)
		rest, enough := context.WithCancel(ctx)
		go func() {
			n := 0
			defer func() { got <- n }()
			for m, err := range pull.Messages(rest) {
				if err != nil {
					return
				}
				if string(m.Bytes()) != fmt.Sprint(n) {
					t.Errorf("received %s, want %d", m, n)
					return
				}
				n++
			}
		}()
		inHand := func(s proxy.Counts) uint64 {
			return s.Received.Messages - s.Forwarded.Messages - s.Dropped.Messages
		}
		for range 20 {
			var s proxy.Counts
			from := p.control.Stats().Forth.Forwarded.Messages
			waitUntil(t, "more is forwarded", func() bool {
				s = p.control.Stats().Forth
				if n := inHand(s); n > 1 {
					t.Fatalf("%d in hand: %+v", n, s)
				}
				return s.Forwarded.Messages > from+100
			})
			p.control.Pause()
			s = p.control.Stats().Forth
			waitUntil(t, "messages queue up", func() bool { return p.front.Stats().Unread.Messages > 100 })
			// One had been let pass, and one more may be taken in hand.
			if now := p.control.Stats().Forth; now.Forwarded.Messages > s.Forwarded.Messages+1 ||
				now.Received.Messages > s.Received.Messages+2 {
				t.Fatalf("goes on while paused: %+v, then %+v", s, now)
			}
			p.control.Resume()
		}
		close(stop)
		n := <-sent
		waitUntil(t, "all is through", func() bool { return pull.Stats().Handed.Messages == uint64(n) })
		enough()
		if came := <-got; came != n {
			t.Errorf("%d of %d came", came, n)
		}
	})
}

// TestEndsOverAndOver ends one proxy after the other between the same two sockets while messages stream through,
// some with no time to drain and some that are paused: between two proxies nothing gets lost, and what one could not
// get rid of it has counted.
func TestEndsOverAndOver(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		front, back := closing(t, socket.NewPull(socket.WithRecvHWM(10))), closing(t, socket.NewPush(socket.WithSendHWM(10)))
		push, pull := closing(t, socket.NewPush()), closing(t, socket.NewPull(socket.WithRecvHWM(10)))
		sockettest.Link(t, front, push, endpoint)
		sockettest.Link(t, back, pull, other(endpoint))
		ctx := within(t)
		const n = 5000
		sent := make(chan error, 1)
		go func() {
			for i := range n {
				if err := push.Send(ctx, socket.Text(fmt.Sprint(i))); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		came := make(map[string]int) // how often each message came
		var mu sync.Mutex            // guards came
		last := -1
		rest, enough := context.WithCancel(ctx)
		var wg sync.WaitGroup
		wg.Go(func() {
			for m, err := range pull.Messages(rest) {
				if err != nil {
					return
				}
				i := atoi(t, m.Bytes())
				if i <= last {
					t.Errorf("received %d after %d", i, last)
				}
				last = i
				mu.Lock()
				came[string(m.Bytes())]++
				mu.Unlock()
			}
		})
		var forwarded, dropped uint64
		for round := 0; forwarded+dropped < n; round++ {
			ctx, cancel := context.WithCancel(ctx)
			control := new(proxy.Control)
			drain := time.Duration(round%2) * 10 * time.Millisecond
			done := make(chan error, 1)
			go func() {
				done <- proxy.Run(ctx, front, back, proxy.WithControl(control), proxy.WithDrain(drain))
			}()
			if round < 100 { // the last one may go on to the end
				waitUntil(t, "some are forwarded", func() bool {
					return control.Stats().Forth.Forwarded.Messages > 20 || front.Stats().Unread.Messages == 0 &&
						push.Stats().Accepted.Messages == n
				})
			} else {
				waitUntil(t, "the others are forwarded", func() bool {
					return forwarded+dropped+control.Stats().Forth.Forwarded.Messages == n
				})
			}
			if round%3 == 2 {
				control.Pause()
			}
			cancel()
			must(t, <-done)
			s := control.Stats().Forth
			if s.Received.Messages != s.Forwarded.Messages+s.Dropped.Messages || s.Dropped.Messages > 1 {
				t.Fatalf("round %d: %+v", round, s)
			}
			forwarded += s.Forwarded.Messages
			dropped += s.Dropped.Messages
			sockettest.Balanced(t, front, back)
		}
		must(t, <-sent)
		waitUntil(t, "all that were forwarded have come", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return uint64(len(came)) == forwarded
		})
		enough()
		wg.Wait()
		for id, times := range came {
			if times != 1 {
				t.Errorf("message %s was received %d times", id, times)
			}
		}
		if forwarded+dropped != n {
			t.Errorf("%d sent, %d forwarded or dropped", n, forwarded+dropped)
		}
		t.Logf("%d forwarded, %d dropped", forwarded, dropped)
	})
}

// TestCaptureHoldsUp: a capture that is full holds up the proxy as a receiver does; what it misses when the time
// is over, or refuses, is counted.
func TestCaptureHoldsUp(t *testing.T) {
	for _, policy := range []socket.Overflow{socket.Block, socket.Reject} {
		t.Run(fmt.Sprint("policy ", policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				space := socket.WithTransport(transport.NewInproc())
				tap := closing(t, socket.NewPush(space, socket.WithSendHWM(1), socket.WithOverflow(policy)))
				log := closing(t, socket.NewPull(space, socket.WithRecvHWM(1)))
				sockettest.Link(t, log, tap, "inproc://log")
				p := runProxy(t, socket.NewPull(space), socket.NewPush(space), "inproc://x", proxy.WithCapture(tap))
				push, pull := closing(t, socket.NewPush(space)), closing(t, socket.NewPull(space))
				connect(t, push, p.frontAt)
				connect(t, pull, p.backAt)
				for _, s := range []socket.Socket{push, p.front, p.back, pull} {
					waitPeers(t, s, 1)
				}
				const n = 6
				for i := range n {
					send(t, push, fmt.Sprint(i), "body")
				}
				synctest.Wait()
				s := p.control.Stats().Forth
				if policy == socket.Reject { // two have room in the log
					if s.Forwarded.Messages != n || s.Uncaptured != (socket.Count{Messages: n - 2, Bytes: 5 * (n - 2)}) {
						t.Errorf("stats %+v", s)
					}
				} else if s.Forwarded.Messages != 2 || s.Received.Messages != 3 || s.Uncaptured.Messages != 0 {
					t.Errorf("stats %+v, want the third in hand", s)
				}
				expect(t, log, "0", "body")
				expect(t, log, "1", "body")
				if policy == socket.Block {
					synctest.Wait() // two more have room
					if s := p.control.Stats().Forth; s.Forwarded.Messages != 4 || s.Received.Messages != 5 {
						t.Errorf("stats %+v, want the fifth in hand", s)
					}
					p.end(t) // after the second of its drain the one in hand goes on without a copy
					if s := p.control.Stats().Forth; s.Forwarded.Messages != 5 || s.Uncaptured.Messages != 1 ||
						p.front.Stats().Unread.Messages != 1 {
						t.Errorf("stats %+v, %d unread; want one without a copy and one left", s, p.front.Stats().Unread.Messages)
					}
				}
			})
		})
	}
}
