package socket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// impatient has signs of life go often: a receiver that is behind writes to a sender that has ended.
func impatient() socket.Option {
	return socket.WithHeartbeat(50*time.Millisecond, 150*time.Millisecond, 0)
}

// takeSlowly receives count numbered messages, each once: for a while one each millisecond, then as fast as they
// come. back, if set, is called after each. With ended it leaves a quarter of them until that is closed.
func takeSlowly(t *testing.T, s socket.Receiver, count int, ended <-chan struct{}, back func(m socket.Msg)) {
	t.Helper()
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	slow := time.Now().Add(1500 * time.Millisecond)
	got := make([]bool, count)
	for n := range count {
		if n == count*3/4 && ended != nil {
			select {
			case <-ended:
			case <-within(t).Done():
				t.Fatal("the sender has not ended")
			}
		}
		m := recv(t, s)
		number := atoi(t, m.Frames[len(m.Frames)-1][:6])
		if got[number] {
			t.Fatalf("message %d came twice", number)
		}
		got[number] = true
		if back != nil {
			back(m)
		}
		if n < count/2 || time.Now().Before(slow) {
			<-pace.C
		}
	}
}

func paddedNumber(n int) []byte {
	return append(fmt.Appendf(nil, "%06d", n), bytes.Repeat([]byte("x"), 200)...)
}

// A receiver that is slower than a sender which ends gets everything the sender was told was delivered, whatever the
// receiver writes meanwhile, and however the sender ends.
func TestSlowReceiverGetsAllAfterTheSenderHasEnded(t *testing.T) {
	const count = 2500
	type ending struct {
		behind bool // the receiver stands still until it is over: else that may have everything by then
		end    func(t *testing.T, s ender)
	}
	ends := map[string]ending{
		"Shutdown": {false, func(t *testing.T, s ender) { must(t, s.Shutdown(context.WithoutCancel(t.Context()))) }},
		"Shutdown with a deadline": {false, func(t *testing.T, s ender) {
			must(t, s.Shutdown(within(t)))
		}},
		"Shutdown that runs out of time": {true, func(t *testing.T, s ender) {
			wantDelivered(t, s)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := s.Shutdown(ctx); !errors.Is(err, socket.ErrUnconfirmed) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Shutdown says %v, want ErrUnconfirmed and the end of its context", err)
			}
		}},
		"Close": {true, func(t *testing.T, s ender) {
			wantDelivered(t, s)
			must(t, s.Close())
		}},
	}
	// begin ends a socket and returns what is closed when that is over, and what the receiver waits for.
	begin := func(t *testing.T, e ending, s ender) (ended, awaited chan struct{}) {
		ended = make(chan struct{})
		go func() {
			defer close(ended)
			e.end(t, s)
		}()
		if e.behind {
			awaited = ended
		}
		return ended, awaited
	}
	const unread = 100 // messages in the receiver's queue, so that the rest waits in the kernel
	for scheme, endpoint := range transports(t) {
		if scheme == "inproc" {
			continue // what was delivered is in the receiver's own queue
		}
		for name, end := range ends {
			t.Run(scheme+"/"+name+"/PULL", func(t *testing.T) {
				t.Parallel()
				pull, push := closing(t, socket.NewPull(impatient(), socket.WithRecvHWM(unread))),
					closing(t, socket.NewPush(impatient(), socket.WithSendHWM(0)))
				link(t, pull, push, endpoint)
				for n := range count {
					must(t, push.Send(within(t), socket.NewMsg(paddedNumber(n))))
				}
				ended, awaited := begin(t, end, push)
				takeSlowly(t, pull, count, awaited, nil)
				<-ended
				if d := push.Stats().Delivered.Messages; d != count {
					t.Errorf("%d messages delivered, want %d", d, count)
				}
				balanced(t, pull)
			})
			t.Run(scheme+"/"+name+"/DEALER that acknowledges", func(t *testing.T) {
				t.Parallel()
				worker := closing(t, socket.NewDealer(socket.WithRecvHWM(unread)))
				boss := closing(t, socket.NewDealer(socket.WithSendHWM(0)))
				link(t, worker, boss, endpoint)
				for n := range count {
					must(t, boss.Send(within(t), socket.NewMsg(paddedNumber(n))))
				}
				ended, awaited := begin(t, end, boss)
				takeSlowly(t, worker, count, awaited, func(m socket.Msg) {
					_ = worker.TrySend(socket.NewMsg(m.Frames[0][:6]))
				})
				<-ended
			})
			t.Run(scheme+"/"+name+"/SUB that subscribes", func(t *testing.T) {
				t.Parallel()
				pub := closing(t, socket.NewPub(socket.WithSendHWM(0)))
				sub := closing(t, socket.NewSub(socket.WithSubscription("0"), socket.WithRecvHWM(unread)))
				link(t, sub, pub, endpoint)
				must(t, pub.WaitSubscribers(within(t), "0", 1))
				for n := range count {
					must(t, pub.Send(within(t), socket.NewMsg(paddedNumber(n))))
				}
				ended, awaited := begin(t, end, pub)
				takeSlowly(t, sub, count, awaited, func(m socket.Msg) { must(t, sub.Subscribe(string(m.Frames[0][:6]))) })
				<-ended
			})
		}
	}
}

type ender interface {
	Shutdown(ctx context.Context) error
	Close() error
	Stats() socket.Stats
}

// wantDelivered waits until nothing is queued any more: what follows is not about that.
func wantDelivered(t *testing.T, s ender) {
	t.Helper()
	waitUntil(t, "all is delivered", func() bool { return s.Stats().Queued.Messages == 0 })
}

// A Disconnect costs a slow receiver nothing of what was delivered, nor this side what the peer had sent.
func TestDisconnectLosesNothing(t *testing.T) {
	for scheme, endpoint := range transports(t) {
		if scheme == "inproc" {
			continue
		}
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			const count = 1200
			far := closing(t, socket.NewDealer(impatient(), socket.WithSendHWM(0)))
			near := closing(t, socket.NewDealer(impatient(), socket.WithSendHWM(0)))
			at := link(t, far, near, endpoint)
			for n := range count {
				must(t, near.Send(within(t), socket.NewMsg(paddedNumber(n))))
				must(t, far.Send(within(t), socket.NewMsg(paddedNumber(n))))
			}
			waitUntil(t, "all is delivered", func() bool {
				return near.Stats().Queued.Messages+far.Stats().Queued.Messages == 0
			})
			must(t, near.Disconnect(at))
			takeSlowly(t, far, count, nil, nil)
			takeSlowly(t, near, count, nil, nil)
			balanced(t, near)
			balanced(t, far)
		})
	}
}

// The end of the way out, here because the peer has gone, is told at once and has the endpoint connect anew, also
// while the application is behind with what had come; all of that is received.
func TestConnectsAnewWhileBehind(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		first := socket.NewDealer(on(net, "srv"))
		defer shut(t, first)
		near := socket.NewDealer(on(net, "cli"), socket.WithRecvHWM(10))
		defer shut(t, near)
		seen := record(near, nil)
		bindAt(t, first)
		must(t, near.Connect(server))
		must(t, first.WaitPeers(within(t), 1))
		for n := range 100 {
			must(t, first.Send(within(t), numbered(n, 100)))
		}
		time.Sleep(time.Second)
		must(t, first.Close())
		time.Sleep(time.Minute)
		seen.wantLosses(t, 1)

		second := socket.NewDealer(on(net, "srv"))
		defer shut(t, second)
		bindAt(t, second)
		must(t, near.WaitPeers(within(t), 1))
		must(t, near.Send(within(t), socket.Text("to the second")))
		expect(t, second, "to the second")
		wantNumbers(t, drainAll(t, near), 0, 100)
		seen.wantLosses(t, 1)
		balanced(t, near)
	})
}

// wantLosses checks how many connections were lost.
func (h *history) wantLosses(t testing.TB, n int) {
	t.Helper()
	if lost := h.losses(); len(lost) != n {
		t.Errorf("%d connections lost, want %d: %v", len(lost), n, lost)
	}
}

// A peer that takes nothing need give no sign of life, if it is not a Yodel, as long as its host answers; a host
// that has gone is found within the heartbeat timeout.
func TestHostThatVanishesUnderLoad(t *testing.T) {
	for _, vanishes := range []bool{false, true} {
		t.Run(fmt.Sprintf("vanishes %v", vanishes), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{Window: 2000})
				push := socket.NewPush(on(net, "srv"), socket.WithOverflow(socket.DropNewest))
				defer shut(t, push)
				seen := record(push, nil)
				bindAt(t, push)
				r := rawSim(t, net, "cli")
				r.shake("PULL") // as libzmq: no promise to give signs of life while it is behind
				must(t, push.WaitPeers(within(t), 1))
				for n := range 2000 {
					must(t, push.Send(within(t), numbered(n, 100)))
				}
				time.Sleep(time.Hour)
				seen.wantNoLoss(t)
				start := time.Now()
				if vanishes {
					net.Partition("cli")
				}
				time.Sleep(time.Hour)
				if !vanishes {
					seen.wantNoLoss(t)
					return
				}
				lost := seen.losses()
				if len(lost) != 1 {
					t.Fatalf("%d connections lost, want 1", len(lost))
				}
				wantEnd(t, lost[0], silence)
				if d := lost[0].Time.Sub(start); d > 17*time.Second {
					t.Errorf("found after %v, want 15 s, or an eighth of that more", d)
				}
			})
		})
	}
}

// The end of a peer is seen behind messages for which there is no room yet: nothing more is written to it, and all of
// them are received.
func TestEndIsSeenBehindUnreadMessages(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		pull := socket.NewDealer(on(net, "srv"), socket.WithRecvHWM(10))
		defer shut(t, pull)
		seen := record(pull, nil)
		bindAt(t, pull)
		r := rawSim(t, net, "cli")
		r.shake("DEALER")
		must(t, pull.WaitPeers(within(t), 1))
		for n := range 100 {
			r.send(frameOf(0, string(numbered(n, 100).Frames[0])))
		}
		must(t, r.Close())
		time.Sleep(2 * time.Second)
		lost := seen.losses()
		if len(lost) != 1 || !errors.Is(lost[0].Err, io.EOF) {
			t.Fatalf("the peer has ended, though not all is read: %v", lost)
		}
		if err := pull.TrySend(socket.Text("to nobody")); !errors.Is(err, socket.ErrNoPeers) {
			t.Errorf("Send to a peer that has ended: %v, want ErrNoPeers", err)
		}
		wantNumbers(t, drainAll(t, pull), 0, 100)
	})
}
