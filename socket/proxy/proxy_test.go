package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/proxy"
	"github.com/yodel-mq/yodel/socket/sockettest"
	"github.com/yodel-mq/yodel/transport"
)

func TestPullPush(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		p := runProxy(t, socket.NewPull(), socket.NewPush(), endpoint)
		push := closing(t, socket.NewPush())
		connect(t, push, p.frontAt)
		pulls := []*socket.Pull{closing(t, socket.NewPull()), closing(t, socket.NewPull())}
		for i, pull := range pulls {
			connect(t, pull, p.backAt)
			waitPeers(t, p.back, i+1)
		}
		const n = 1000
		for i := range n {
			send(t, push, fmt.Sprint(i), "", strings.Repeat("x", i)) // multipart goes whole
		}
		var got []int
		for _, pull := range pulls {
			for range n / 2 {
				m := recv(t, pull)
				if len(m.Frames) != 3 || len(m.Frames[2]) != atoi(t, m.Frames[0]) {
					t.Fatalf("received %s", m)
				}
				got = append(got, len(m.Frames[2]))
			}
		}
		slices.Sort(got)
		if len(slices.Compact(got)) != n {
			t.Fatalf("%d different messages of %d came through", len(slices.Compact(got)), n)
		}
		p.end(t)
		s := p.control.Stats()
		if s.Forth.Forwarded.Messages != n || s.Back != (proxy.Counts{}) {
			t.Fatalf("stats %+v", s)
		}
		if sent := push.Stats().Accepted; s.Forth.Forwarded != sent {
			t.Fatalf("forwarded %v, sent %v", s.Forth.Forwarded, sent)
		}
	})
}

// TestPassesSubscriptions: subscriptions go up, messages come down, and the last cancellation goes up too.
func TestPassesSubscriptions(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		for _, verbosity := range []socket.Verbosity{socket.FirstAndLast, socket.EveryChange} {
			t.Run(fmt.Sprintf("verbosity %d", verbosity), func(t *testing.T) {
				p := runProxy(t, socket.NewXSub(), socket.NewXPub(socket.WithVerbosity(verbosity)), endpoint)
				pub := closing(t, socket.NewPub())
				connect(t, pub, p.frontAt)
				subs := []*socket.Sub{
					closing(t, socket.NewSub(socket.WithSubscription("a", "b"))),
					closing(t, socket.NewSub(socket.WithSubscription("a"))),
				}
				for _, sub := range subs {
					connect(t, sub, p.backAt)
				}
				must(t, p.back.(*socket.XPub).WaitSubscribers(within(t), "a", 2))
				waitSubs(t, pub, "a", 1)
				waitSubs(t, pub, "b", 1)
				for i := range 100 {
					send(t, pub, "abc", fmt.Sprint(i), "")
				}
				for i := range 100 {
					for _, sub := range subs {
						expect(t, sub, "abc", fmt.Sprint(i), "")
					}
				}
				must(t, subs[0].Unsubscribe("a"))
				must(t, subs[0].Subscribe("mark"))
				waitSubs(t, pub, "mark", 1) // the cancellation has gone all the way before it
				send(t, pub, "abc", "to the other")
				expect(t, subs[1], "abc", "to the other")
				must(t, subs[1].Close())
				cancelled := func(topic string) func() bool {
					return func() bool { return pub.WaitSubscribers(endedContext(t), topic, 1) != nil }
				}
				waitUntil(t, "nobody wants a any more", cancelled("a"))
				must(t, subs[0].Close())
				waitUntil(t, "nobody wants b any more", cancelled("b"))
				late := closing(t, socket.NewSub(socket.WithSubscription("b")))
				connect(t, late, p.backAt)
				waitSubs(t, pub, "b", 1)
				send(t, pub, "b", "again")
				expect(t, late, "b", "again")
				p.end(t)
				if s := p.control.Stats(); s.Forth.Forwarded.Messages != 102 || s.Back.Received != s.Back.Forwarded ||
					s.Back.Received.Messages < 6 {
					t.Fatalf("stats %+v", s)
				}
			})
		}
	})
}

// TestOfPublishersThatComeLater: a publisher that connects to the proxy is told the subscriptions there are.
func TestOfPublishersThatComeLater(t *testing.T) {
	p := runProxy(t, socket.NewXSub(), socket.NewXPub(), "tcp://127.0.0.1:*")
	sub := closing(t, socket.NewSub(socket.WithSubscription("a")))
	connect(t, sub, p.backAt)
	for i := range 3 {
		pub := socket.NewPub()
		connect(t, pub, p.frontAt)
		waitSubs(t, pub, "a", 1)
		send(t, pub, "a", fmt.Sprint(i))
		expect(t, sub, "a", fmt.Sprint(i))
		must(t, pub.Close())
	}
}

func TestCapture(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		tap := closing(t, socket.NewPush())
		p := runProxy(t, socket.NewRouter(), socket.NewDealer(), endpoint, proxy.WithCapture(tap))
		log := closing(t, socket.NewPull())
		sockettest.Link(t, log, tap, other(other(endpoint)))
		req, rep := closing(t, socket.NewReq(socket.WithIdentity("client"), socket.WithCorrelate(false))),
			closing(t, socket.NewRep())
		connect(t, req, p.frontAt)
		connect(t, rep, p.backAt)
		for i := range 5 {
			send(t, req, "question", fmt.Sprint(i))
			m := recv(t, rep)
			m.Frames[0][0] = 'Q' // what was captured is a copy
			send(t, rep, "answer")
			expect(t, req, "answer")
			expect(t, log, "client", "", "question", fmt.Sprint(i))
			expect(t, log, "client", "", "answer")
		}
		must(t, tap.Close()) // without its capture a proxy does not go on unseen
		send(t, req, "question")
		if err := <-p.done; !errors.Is(err, socket.ErrClosed) {
			t.Fatalf("Run: %v, want ErrClosed", err)
		}
		p.done = nil
	})
}

func TestPauseAndResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		space := socket.WithTransport(transport.NewInproc())
		p := runProxy(t, socket.NewPull(space, socket.WithRecvHWM(5)), socket.NewPush(space), "inproc://x")
		push, pull := closing(t, socket.NewPush(space, socket.WithSendHWM(5))), closing(t, socket.NewPull(space))
		connect(t, push, p.frontAt)
		connect(t, pull, p.backAt)
		send(t, push, "before")
		expect(t, pull, "before")
		synctest.Wait() // until the proxy waits for the next message, which it then takes in hand
		p.control.Pause()
		p.control.Pause()
		n := 0
		for push.TrySend(socket.Text(fmt.Sprint(n))) == nil {
			n++
			synctest.Wait()
		}
		if n != 11 { // both marks and the one in hand
			t.Errorf("%d messages went in while paused, want 11", n)
		}
		nothing(t, pull)
		if s := p.control.Stats().Forth; s.Forwarded.Messages != 1 || s.Received.Messages != 2 || s.Dropped.Messages != 0 {
			t.Errorf("stats %+v, want one forwarded and one in hand", s)
		}
		p.control.Resume()
		p.control.Resume()
		for i := range n {
			expect(t, pull, fmt.Sprint(i))
		}
		p.control.Pause()
		send(t, push, "received, but paused")
		synctest.Wait()
		p.end(t) // ends all the same, and what had been received goes on
		expect(t, pull, "received, but paused")
	})
}

// TestBackpressure: a receiver that takes nothing holds up the sender through the proxy, after a number of
// messages that is bounded by the marks.
func TestBackpressure(t *testing.T) {
	t.Run("inproc", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			space := socket.WithTransport(transport.NewInproc())
			inMark, outMark := socket.WithRecvHWM(10), socket.WithSendHWM(10)
			p := runProxy(t, socket.NewPull(space, inMark, outMark), socket.NewPush(space, inMark, outMark), "inproc://x")
			push, pull := closing(t, socket.NewPush(space, inMark, outMark)), closing(t, socket.NewPull(space, inMark, outMark))
			connect(t, push, p.frontAt)
			connect(t, pull, p.backAt)
			for _, s := range []socket.Socket{push, pull, p.front, p.back} {
				waitPeers(t, s, 1)
			}
			n := 0
			for push.TrySend(socket.Text(fmt.Sprint(n))) == nil {
				n++
				synctest.Wait()
			}
			if n != 41 { // 10+10 on each side of the proxy, and the one in its hand
				t.Errorf("%d messages went in, want 41", n)
			}
			for i := range n {
				expect(t, pull, fmt.Sprint(i))
			}
			p.end(t)
			if s := p.control.Stats().Forth; s.Dropped.Messages != 0 {
				t.Errorf("dropped %v", s.Dropped)
			}
		})
	})
	t.Run("tcp", func(t *testing.T) {
		const kernel = 128 << 10 // left to itself, a kernel may hold some 40 MB of a connection
		tcp := transport.NewTCP()
		tcp.SendBuffer, tcp.RecvBuffer = kernel, kernel
		small, inMark, outMark := socket.WithTransport(tcp), socket.WithRecvHWM(10), socket.WithSendHWM(10)
		p := runProxy(t, socket.NewPull(small, inMark, outMark), socket.NewPush(small, inMark, outMark), "tcp://127.0.0.1:*")
		push, pull := closing(t, socket.NewPush(small, inMark, outMark)), closing(t, socket.NewPull(small, inMark, outMark))
		connect(t, push, p.frontAt)
		connect(t, pull, p.backAt)
		waitPeers(t, push, 1)
		waitPeers(t, p.back, 1)
		ctx, cancel := context.WithCancel(t.Context())
		body := strings.Repeat("x", kernel)
		sent := make(chan int, 1)
		go func() {
			n := 0
			for push.Send(ctx, socket.Text(body)) == nil {
				n++
			}
			sent <- n
		}()
		var last, same uint64
		waitUntil(t, "nothing moves any more", func() bool {
			now := push.Stats().Accepted.Messages + p.control.Stats().Forth.Received.Messages + pull.Stats().Received.Messages
			if same++; now != last {
				last, same = now, 0
			}
			return same > 100 && push.Stats().Queued.Messages > 0
		})
		cancel()
		n := <-sent
		// Four marks, one in hand, and in each of two connections what the kernels at both ends hold, which may be
		// twice what they were told, and what the reader has read and found no room for.
		if n > 40+1+2*(2+2+2) {
			t.Errorf("%d messages of %d bytes went in", n, len(body))
		}
		for range n {
			recv(t, pull)
		}
	})
}

// TestEndDrains: what the proxy's sockets had received when its context ended goes on, and nothing is unaccounted
// for.
func TestEndDrains(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		p := runProxy(t, socket.NewPull(socket.WithRecvHWM(0)), socket.NewPush(socket.WithSendHWM(0)), endpoint,
			proxy.WithDrain(20*time.Second))
		pull := closing(t, socket.NewPull(socket.WithRecvHWM(0)))
		connect(t, pull, p.backAt)
		waitPeers(t, p.back, 1)
		push := closing(t, socket.NewPush(socket.WithSendHWM(0)))
		connect(t, push, p.frontAt)
		waitPeers(t, p.front, 1)
		p.control.Pause() // so that much is in between
		const n = 500
		for i := range n {
			send(t, push, fmt.Sprint(i))
		}
		waitUntil(t, "all are received", func() bool { return p.front.Stats().Received.Messages == n })
		p.end(t)
		for i := range n {
			expect(t, pull, fmt.Sprint(i))
		}
		if s := p.control.Stats().Forth; s.Forwarded.Messages != n {
			t.Fatalf("stats %+v, want %d forwarded", s, n)
		}
		if s := p.front.Stats(); s.Unread.Messages != 0 {
			t.Fatalf("%d left behind", s.Unread.Messages)
		}
	})
}

// TestEndCounts: what cannot be forwarded in the time of the drain stays in a ledger.
func TestEndCounts(t *testing.T) {
	for _, drain := range []time.Duration{0, time.Second} {
		t.Run(fmt.Sprint("drain ", drain), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // a second of drain takes no time
				space := socket.WithTransport(transport.NewInproc())
				p := runProxy(t, socket.NewPull(space), socket.NewPush(space), "inproc://x", proxy.WithDrain(drain))
				push := closing(t, socket.NewPush(space))
				connect(t, push, p.frontAt)
				waitPeers(t, p.front, 1)
				waitPeers(t, push, 1)
				const n = 10
				for range n {
					send(t, push, "nobody to go to")
				}
				synctest.Wait()
				began := time.Now()
				p.end(t)
				if took := time.Since(began); took != drain {
					t.Errorf("ended after %v, want %v", took, drain)
				}
				s, left := p.control.Stats().Forth, p.front.Stats().Unread.Messages
				if s.Forwarded.Messages != 0 || s.Dropped.Messages+left != n || s.Dropped.Messages != 1 {
					t.Errorf("stats %+v, %d unread: want one in hand dropped and the others unread", s, left)
				}
			})
		})
	}
}

// TestCountsTheUnroutable: a reply for a client that is gone does not end the proxy.
func TestCountsTheUnroutable(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		p := runProxy(t, socket.NewRouter(), socket.NewDealer(), endpoint)
		rep := closing(t, socket.NewRep())
		connect(t, rep, p.backAt)
		gone := socket.NewReq()
		connect(t, gone, p.frontAt)
		send(t, gone, "and gone")
		expect(t, rep, "and gone")
		must(t, gone.Close())
		waitDown(t, p.front)
		send(t, rep, "too late")
		waitUntil(t, "it is counted", func() bool { return p.control.Stats().Back.Dropped.Messages == 1 })
		req := closing(t, socket.NewReq())
		connect(t, req, p.frontAt)
		send(t, req, "hello")
		expect(t, rep, "hello")
		send(t, rep, "hi")
		expect(t, req, "hi")
	})
}

func TestOfTheWrongPair(t *testing.T) {
	made := map[string]func() socket.Socket{
		"PUSH": func() socket.Socket { return socket.NewPush() },
		"PULL": func() socket.Socket { return socket.NewPull() },
		"PUB":  func() socket.Socket { return socket.NewPub() },
		"SUB":  func() socket.Socket { return socket.NewSub() },
		"REQ":  func() socket.Socket { return socket.NewReq() },
		"REP":  func() socket.Socket { return socket.NewRep() },
	}
	for _, pair := range [][2]string{
		{"PUSH", "PULL"},
		{"PULL", "PULL"},
		{"PUSH", "PUSH"},
		{"SUB", "PULL"},
		{"PUB", "PUSH"},
		{"REQ", "REP"},
		{"REP", "REP"},
	} {
		t.Run(pair[0]+" "+pair[1], func(t *testing.T) {
			a, b := closing(t, made[pair[0]]()), closing(t, made[pair[1]]())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if pair[0] == "PUSH" && pair[1] == "PULL" { // the frontend and the backend may be swapped
				cancel()
				must(t, proxy.Run(ctx, a, b))
				return
			}
			err := proxy.Run(ctx, a, b)
			if err == nil || !strings.Contains(err.Error(), pair[0]) || !strings.Contains(err.Error(), pair[1]) ||
				!strings.Contains(err.Error(), "ROUTER and DEALER") {
				t.Fatalf("Run: %v, want an error that names both and says what would be right", err)
			}
		})
	}
}

func TestEndsWhenASocketCloses(t *testing.T) {
	for _, c := range []struct {
		name   string
		sides  func() (front, back socket.Socket)
		closes func(p *proxied) socket.Socket
	}{
		{
			"frontend of PULL PUSH", func() (socket.Socket, socket.Socket) { return socket.NewPull(), socket.NewPush() },
			func(p *proxied) socket.Socket { return p.front },
		},
		{
			"frontend of ROUTER DEALER", func() (socket.Socket, socket.Socket) { return socket.NewRouter(), socket.NewDealer() },
			func(p *proxied) socket.Socket { return p.front },
		},
		{
			"backend of ROUTER DEALER", func() (socket.Socket, socket.Socket) { return socket.NewRouter(), socket.NewDealer() },
			func(p *proxied) socket.Socket { return p.back },
		},
		{
			"backend of XSUB XPUB", func() (socket.Socket, socket.Socket) { return socket.NewXSub(), socket.NewXPub() },
			func(p *proxied) socket.Socket { return p.back },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			front, back := c.sides()
			p := runProxy(t, front, back, "inproc://"+t.Name())
			must(t, c.closes(p).Close())
			if err := <-p.done; !errors.Is(err, socket.ErrClosed) {
				t.Fatalf("Run: %v, want ErrClosed", err)
			}
			p.done = nil
		})
	}
	t.Run("backend of PULL PUSH, at the next message", func(t *testing.T) {
		p := runProxy(t, socket.NewPull(), socket.NewPush(), "inproc://"+t.Name())
		push := closing(t, socket.NewPush())
		connect(t, push, p.frontAt)
		must(t, p.back.Close())
		send(t, push, "x")
		if err := <-p.done; !errors.Is(err, socket.ErrClosed) {
			t.Fatalf("Run: %v, want ErrClosed", err)
		}
		p.done = nil
		if s := p.control.Stats().Forth; s.Dropped.Messages != 1 {
			t.Fatalf("stats %+v", s)
		}
	})
}

func TestLeavesNothingBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 10 {
		front, back := socket.NewRouter(), socket.NewDealer()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- proxy.Run(ctx, front, back) }()
		req, rep := socket.NewReq(), socket.NewRep()
		connect(t, req, bind(t, front, "inproc://"+t.Name()+"/front"))
		connect(t, rep, bind(t, back, "inproc://"+t.Name()+"/back"))
		send(t, req, "x")
		expect(t, rep, "x")
		cancel()
		must(t, <-done)
		for _, s := range []socket.Socket{req, rep, front, back} {
			must(t, s.Close())
		}
	}
	waitUntil(t, "goroutines are back", func() bool { return runtime.NumGoroutine() <= before })
}

// TestNilOptions: nil stands for none, as with every option.
func TestNilOptions(t *testing.T) {
	pull, push := closing(t, socket.NewPull()), closing(t, socket.NewPush())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	must(t, proxy.Run(ctx, pull, push, nil, proxy.WithControl(nil), proxy.WithCapture(nil)))
}
