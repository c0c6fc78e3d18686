package socket_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/proxy"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// A client that asks and does not read holds up neither a REP nor a ROUTER and DEALER proxy: its replies are dropped,
// counted, and it is named; another client is served all the while.
func TestClientThatDoesNotReadHoldsUpNobody(t *testing.T) {
	reply := string(make([]byte, 100_000))
	answer := func(ctx context.Context, rep *socket.Rep) {
		for _, err := range rep.Messages(ctx) {
			if err != nil {
				return
			}
			_ = rep.Send(ctx, socket.Text(reply)) // a peer that is gone is no reason to end
		}
	}
	eachTransport(t, func(t *testing.T, endpoint string) {
		rep := closing(t, socket.NewRep(socket.WithSendHWM(10)))
		at := bind(t, rep, endpoint)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go answer(ctx, rep)
		frozen := askWithoutReading(t, at)
		if slow := event(t, rep, socket.SlowPeer).Peer; slow == nil || slow.Type != "DEALER" {
			t.Errorf("the slow peer is %v, want the DEALER", slow)
		}
		wantServed(t, at)
		waitUntil(t, "dropped replies are counted", func() bool {
			return rep.Stats().Dropped[socket.QueueFull].Messages > 0
		})
		must(t, frozen.Close())
	})
	for _, scheme := range []string{"tcp", "ipc"} {
		t.Run(scheme+"/proxy", func(t *testing.T) {
			front, back := closing(t, socket.NewRouter(socket.WithSendHWM(10))), closing(t, socket.NewDealer())
			at, work := bind(t, front, transports(t)[scheme]), bind(t, back, transports(t)[scheme])
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- proxy.Run(ctx, front, back) }()
			rep := closing(t, socket.NewRep())
			connect(t, rep, work)
			go answer(ctx, rep)
			frozen := askWithoutReading(t, at)
			event(t, front, socket.SlowPeer)
			wantServed(t, at)
			must(t, frozen.Close())
			cancel()
			must(t, <-done)
		})
	}
}

// askWithoutReading makes a client that asks for more than anybody will read.
func askWithoutReading(t *testing.T, at string) *socket.Dealer {
	t.Helper()
	frozen := closing(t, socket.NewDealer(socket.WithRecvHWM(1), socket.WithSendHWM(0)))
	connect(t, frozen, at)
	for range 400 {
		must(t, frozen.Send(within(t), socket.Text("", "ask")))
	}
	return frozen
}

func wantServed(t *testing.T, at string) {
	t.Helper()
	good := closing(t, socket.NewReq())
	connect(t, good, at)
	for range 3 {
		_, err := good.Do(within(t), socket.Text("hello"))
		must(t, err)
	}
}

// Under Block a REP waits for the peer; a Send that has timed out leaves the choice between that reply and the next
// request.
func TestRepAfterASendThatTimedOut(t *testing.T) {
	rep := closing(t, socket.NewRep(socket.WithOverflow(socket.Block), socket.WithSendHWM(1)))
	at := bind(t, rep, "inproc://"+t.Name())
	frozen := closing(t, socket.NewDealer(socket.WithRecvHWM(1)))
	connect(t, frozen, at)
	for range 8 {
		must(t, frozen.Send(within(t), socket.Text("", "ask")))
	}
	timedOut := func() error {
		for {
			_, err := rep.Recv(within(t))
			must(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			err = rep.Send(ctx, socket.Text("reply"))
			cancel()
			if err != nil {
				return err
			}
		}
	}
	if err := timedOut(); !errors.Is(err, socket.ErrWouldBlock) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Send to a full peer: %v", err)
	}
	if err := timedOut(); !errors.Is(err, socket.ErrWouldBlock) { // the next request was received in its place
		t.Fatalf("Send to a full peer: %v", err)
	}
	expect(t, frozen, "", "reply")
	expect(t, frozen, "", "reply")
	must(t, rep.Send(within(t), socket.Text("the reply again")))
	balanced(t, rep)
}

// A peer that holds its queue full is named after the time of WithSlowPeer, once, and cut off after the second one;
// what it did not take goes to another.
func TestSlowPeerIsNamedAndCutOff(t *testing.T) {
	for _, test := range []struct {
		name   string
		option socket.Option
		named  time.Duration // 0 for never
		cut    time.Duration
	}{
		{"by default", nil, 5 * time.Second, 0},
		{"never", socket.WithSlowPeer(-1, 0), 0, 0},
		{"the default for zero", socket.WithSlowPeer(0, 0), 5 * time.Second, 0},
		{"later", socket.WithSlowPeer(time.Minute, 0), time.Minute, 0},
		{"and cut off", socket.WithSlowPeer(time.Second, time.Minute), time.Second, time.Minute},
		{"cut off, not named", socket.WithSlowPeer(-1, time.Minute), 0, time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{Window: 2000})
				push := socket.NewPush(on(net, "srv"), test.option, socket.WithSendHWM(50))
				defer shut(t, push)
				seen := record(push, nil)
				bindAt(t, push)
				frozen := socket.NewPull(on(net, "cli"), socket.WithRecvHWM(5))
				defer shut(t, frozen)
				must(t, frozen.Connect(server))
				must(t, push.WaitPeers(within(t), 1))
				start := time.Now()
				fill(t, push, 100)
				time.Sleep(2 * time.Minute)
				seen.wantOnce(t, socket.SlowPeer, start, test.named, nil)
				seen.wantOnce(t, socket.PeerDown, start, test.cut, socket.ErrSlow)
			})
		})
	}
	t.Run("inproc", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			push, pull := socket.NewPush(socket.WithSendHWM(5)), socket.NewPull(socket.WithRecvHWM(5))
			defer shut(t, push)
			defer shut(t, pull)
			seen := record(push, nil)
			link(t, pull, push, "inproc://"+t.Name())
			fill(t, push, 100)
			start := time.Now()
			time.Sleep(time.Minute)
			seen.wantOnce(t, socket.SlowPeer, start, 5*time.Second, nil)
			drainAll(t, pull)
			fill(t, push, 100)
			time.Sleep(time.Minute)
			if n := len(seen.of(socket.SlowPeer)); n != 2 {
				t.Errorf("named %d times, want once for each time that its queue was full", n)
			}
		})
	})
}

// wantOnce checks for one event of a kind, so long after start, or none if that is zero.
func (h *history) wantOnce(t *testing.T, kind socket.EventKind, start time.Time, after time.Duration, cause error) {
	t.Helper()
	got := h.of(kind)
	if after == 0 {
		if len(got) != 0 {
			t.Errorf("%v, want none", got)
		}
		return
	}
	if len(got) < 1 || got[0].Peer == nil || !errors.Is(got[0].Err, cause) {
		t.Fatalf("%v, want %v with a peer and the cause %v", got, kind, cause)
	}
	if d := got[0].Time.Sub(start); d < after || d > after+after/8 {
		t.Errorf("%v after %v, want %v", got[0], d, after)
	}
}

// A message over the limit of its receivers costs three connections, not all of them for ever; then it is dropped
// under its own reason, with an event, and the good messages behind it arrive.
func TestMessageThatKillsItsConnection(t *testing.T) {
	small := socket.WithLimits(socket.Limits{MaxMessage: 1 << 20})
	poison := socket.NewMsg(make([]byte, 32<<20)) // more than the kernels take
	senders := map[string]func(opts ...socket.QueueOption) poisoner{
		"PUSH": func(opts ...socket.QueueOption) poisoner {
			return socket.NewPush(optionsOf[socket.PushOption](opts)...)
		},
		"DEALER": func(opts ...socket.QueueOption) poisoner {
			return socket.NewDealer(optionsOf[socket.DealerOption](opts)...)
		},
		"PAIR": func(opts ...socket.QueueOption) poisoner {
			return socket.NewPair(optionsOf[socket.PairOption](opts)...)
		},
	}
	receivers := map[string]func() poisoned{
		"PUSH": func() poisoned {
			return socket.NewPull(small, socket.WithReconnect(time.Millisecond, 5*time.Millisecond))
		},
		"DEALER": func() poisoned {
			return socket.NewDealer(small, socket.WithReconnect(time.Millisecond, 5*time.Millisecond))
		},
		"PAIR": func() poisoned {
			return socket.NewPair(small, socket.WithReconnect(time.Millisecond, 5*time.Millisecond))
		},
	}
	for _, scheme := range []string{"tcp", "ipc"} {
		for typ, made := range senders {
			for _, test := range []struct {
				attempts, want, workers int
			}{{0, 3, 1}, {1, 1, 1}, {5, 5, 1}, {0, 3, 3}} {
				if typ == "PAIR" && test.workers > 1 {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s/%d attempts of %d workers", scheme, typ, test.attempts, test.workers), func(t *testing.T) {
					s := closing(t, made(socket.WithMaxAttempts(test.attempts)))
					at := bind(t, s, transports(t)[scheme])
					var workers []poisoned
					for range test.workers {
						w := closing(t, receivers[typ]())
						connect(t, w, at)
						workers = append(workers, w)
					}
					waitPeers(t, s, test.workers)
					must(t, s.Send(within(t), poison))
					for n := range 20 {
						must(t, s.Send(within(t), socket.Text(fmt.Sprint("good ", n))))
					}
					ev := event(t, s, socket.Undelivered)
					if ev.Peer == nil || ev.Reason != socket.Undeliverable || !errors.Is(ev.Err, socket.ErrUndeliverable) {
						t.Errorf("the event is %v", ev)
					}
					got := make(chan socket.Msg, 20)
					for _, w := range workers {
						go func() {
							for m, err := range w.Messages(t.Context()) {
								if err != nil {
									return
								}
								got <- m
							}
						}()
					}
					for range 20 {
						select {
						case <-got:
						case <-within(t).Done():
							t.Fatalf("not all good messages arrive; %v", s.Stats())
						}
					}
					waitUntil(t, "nothing is queued", func() bool { return s.Stats().Queued.Messages == 0 })
					if n := s.Stats().Dropped[socket.Undeliverable].Messages; n != 1 {
						t.Errorf("%d messages dropped as undeliverable, want 1", n)
					}
					hits := 0
					for _, w := range workers {
						hits += count(w, socket.LimitHit)
					}
					if hits > test.want {
						t.Errorf("%d connections lost to one message, want at most %d", hits, test.want)
					}
				})
			}
		}
		t.Run(scheme+"/REQ", func(t *testing.T) {
			req, rep := closing(t, socket.NewReq()), closing(t, socket.NewRep(small))
			at := bind(t, req, transports(t)[scheme])
			connect(t, rep, at)
			waitPeers(t, req, 1)
			_, err := req.Do(within(t), poison)
			var peer *socket.PeerError
			if !errors.Is(err, socket.ErrUndeliverable) || !errors.As(err, &peer) || peer.Peer == nil {
				t.Fatalf("Do says %v, want ErrUndeliverable and the peer", err)
			}
			go func() {
				for m, err := range rep.Messages(t.Context()) {
					if err != nil {
						return
					}
					_ = rep.Send(t.Context(), m)
				}
			}()
			_, err = req.Do(within(t), socket.Text("the next request"))
			must(t, err)
		})
	}
}

type poisoner interface {
	anyRole
	socket.Sender
}

type poisoned interface {
	anyRole
	socket.Receiver
	Messages(ctx context.Context) iter.Seq2[socket.Msg, error]
}

func optionsOf[O any](opts []socket.QueueOption) (list []O) {
	for _, o := range opts {
		list = append(list, any(o).(O))
	}
	return list
}

// count is how many events of a kind a socket remembers.
func count(s eventer, kind socket.EventKind) (n int) {
	ctx, cancel := contextEnded()
	defer cancel()
	for ev := range s.Events(ctx) {
		if ev.Kind == kind {
			n++
		}
	}
	return n
}
