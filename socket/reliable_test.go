package socket_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// TestReliableDelivered: a message counts as delivered once it was received, not when it was sent.
func TestReliableDelivered(t *testing.T) {
	everywhere(t, simnet.Config{}, func(t *testing.T, on func(host string) socket.Option) {
		push := socket.NewPush(on("cli"), socket.WithReliable())
		pull := socket.NewPull(on("srv"))
		bindAt(t, pull)
		must(t, push.Connect(server))
		for n := range 100 {
			must(t, push.Send(aDay(t), numbered(n, 10)))
		}
		time.Sleep(time.Second)
		if st := push.Stats(); st.Unacknowledged.Messages != 100 || st.Delivered.Messages != 0 {
			t.Errorf("before anything was received PUSH counts %v", st.Ledger)
		}
		for range 30 {
			_, err := pull.Recv(aDay(t))
			must(t, err)
		}
		time.Sleep(time.Second)
		if st := push.Stats(); st.Unacknowledged.Messages != 70 || st.Delivered.Messages != 30 {
			t.Errorf("after 30 were received PUSH counts %v", st.Ledger)
		}
		done := make(chan error)
		go func() { done <- push.Shutdown(aDay(t)) }()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("Shutdown returned %v before all was received", err)
		default:
		}
		for range 70 {
			_, err := pull.Recv(aDay(t))
			must(t, err)
		}
		must(t, <-done)
		if st := push.Stats(); st.Delivered.Messages != 100 {
			t.Errorf("at the end PUSH counts %v", st.Ledger)
		}
		balanced(t, push)
		shut(t, pull)
	})
}

// TestReliableReceiverCloses: what a Pull has not received when it closes goes to another one, each message once.
func TestReliableReceiverCloses(t *testing.T) {
	everywhere(t, simnet.Config{}, func(t *testing.T, on func(host string) socket.Option) {
		push := socket.NewPush(on("srv"), socket.WithReliable())
		bindAt(t, push)
		one, two := socket.NewPull(on("one")), socket.NewPull(on("two"))
		must(t, one.Connect(server))
		must(t, push.WaitPeers(aDay(t), 1))
		for n := range 1000 {
			must(t, push.Send(aDay(t), numbered(n, 10)))
		}
		for n := range 100 {
			m, err := one.Recv(aDay(t))
			must(t, err)
			if number(m) != n {
				t.Fatalf("received %d, want %d", number(m), n)
			}
		}
		must(t, one.Close())
		must(t, two.Connect(server))
		wantNumbers(t, drainAll(t, two), 100, 900)
		if st := push.Stats(); st.Delivered.Messages != 1000 || st.Redelivered.Messages != 0 {
			t.Errorf("PUSH counts %v, %v redelivered", st.Ledger, st.Redelivered)
		}
		shut(t, push)
		shut(t, two)
	})
}

// TestReliableReassign: what a peer that is lost has not acknowledged goes to another after the grace time, and is
// waited with while there is no other.
func TestReliableReassign(t *testing.T) {
	for _, alone := range []bool{false, true} {
		t.Run(fmt.Sprintf("alone %v", alone), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{Latency: time.Millisecond})
				push := socket.NewPush(on(net, "srv"), socket.WithReliable(), socket.WithReassign(10*time.Second))
				bindAt(t, push)
				one, two := socket.NewPull(on(net, "one")), socket.NewPull(on(net, "two"))
				must(t, one.Connect(server))
				must(t, push.WaitPeers(aDay(t), 1))
				for n := range 100 {
					must(t, push.Send(aDay(t), numbered(n, 10)))
				}
				for range 40 {
					_, err := one.Recv(aDay(t))
					must(t, err)
				}
				time.Sleep(time.Second) // acknowledged
				begin := time.Now()
				net.Partition("one")
				net.Cut("one")
				if !alone {
					must(t, two.Connect(server))
				}
				time.Sleep(9 * time.Second)
				if st := two.Stats(); st.Received.Messages != 0 {
					t.Errorf("after %v another peer has %v", time.Since(begin), st.Received)
				}
				time.Sleep(30 * time.Second)
				if alone {
					if st := push.Stats(); st.Unacknowledged.Messages != 60 {
						t.Errorf("without another peer PUSH counts %v", st.Ledger)
					}
					must(t, two.Connect(server))
				}
				wantNumbers(t, drainAll(t, two), 40, 60)
				if st := push.Stats(); st.Delivered.Messages != 100 || st.Redelivered.Messages != 60 {
					t.Errorf("PUSH counts %v, %v redelivered", st.Ledger, st.Redelivered)
				}
				balanced(t, push)
				shut(t, one)
				shut(t, push)
				shut(t, two)
			})
		})
	}
}

// TestReliableDealers: two Dealers, each with as much to send as it can, each receiving only when the other's window is
// full: no acknowledgement waits behind messages for ever.
func TestReliableDealers(t *testing.T) { eachTransport(t, tradeWithFullWindows) }

func tradeWithFullWindows(t *testing.T, at string) {
	a := closing(t, socket.NewDealer(socket.WithReliable(), socket.WithWindow(1000, 1<<20), socket.WithRecvHWM(10)))
	b := closing(t, socket.NewDealer(socket.WithReliable(), socket.WithWindow(1000, 1<<20), socket.WithRecvHWM(10)))
	link(t, a, b, at)
	const total = 20_000
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for _, d := range []*socket.Dealer{a, b} {
		all.Go(func() {
			for n := range uint64(total) {
				if err := d.Send(ctx, numberedBody(n, 1000)); err != nil {
					t.Errorf("send: %v", err)
					return
				}
			}
		})
		all.Go(func() {
			for n := range uint64(total) {
				m, err := d.Recv(ctx)
				if err != nil {
					t.Errorf("recv: %v", err)
					return
				}
				if got := binary.BigEndian.Uint64(m.Frames[0]); got != n {
					t.Errorf("received %d, want %d", got, n)
					return
				}
			}
		})
	}
	all.Wait()
	waitUntil(t, "all is acknowledged", func() bool {
		return a.Stats().Delivered.Messages == total && b.Stats().Delivered.Messages == total
	})
}

// TestReliableDealerWhoDoesNotReceive: a Dealer that never receives gets rid of what it sends all the same, though its
// own queue is full of what the other has sent.
func TestReliableDealerWhoDoesNotReceive(t *testing.T) {
	everywhere(t, simnet.Config{Window: 4 << 10}, func(t *testing.T, on func(host string) socket.Option) {
		opts := []socket.DealerOption{
			socket.WithReliable(), socket.WithWindow(200, 1<<20), socket.WithRecvHWM(10), socket.WithSendHWM(10),
		}
		a, b := socket.NewDealer(append(opts, on("srv"))...), socket.NewDealer(append(opts, on("cli"))...)
		bindAt(t, a)
		must(t, b.Connect(server))
		fill(t, b, 100)
		for n := range 2000 {
			must(t, a.Send(aDay(t), numbered(n, 100)))
			m, err := b.Recv(aDay(t))
			must(t, err)
			if number(m) != n {
				t.Fatalf("received %d, want %d", number(m), n)
			}
		}
		balanced(t, a)
		balanced(t, b)
		must(t, a.Close())
		must(t, b.Close())
	})
}

// lossy returns a network that cuts its connections now and then.
func lossy(seed uint64) *simnet.Network {
	return simnet.New(simnet.Config{Latency: time.Millisecond, Seed: seed, MeanLife: 300 * time.Millisecond})
}

// TestReliableWorkers: several Pulls whose connections are lost again and again get every message once between them,
// each in the order in which it was sent.
func TestReliableWorkers(t *testing.T) {
	for seed := range uint64(10) {
		bubble(t, func(t *testing.T) {
			net := lossy(seed)
			push := socket.NewPush(on(net, "srv"), socket.WithReliable())
			bindAt(t, push)
			const total = 3000
			got := make(chan int, total)
			var pulls []*socket.Pull
			var all sync.WaitGroup
			for i := range 3 {
				pull := socket.NewPull(on(net, fmt.Sprintf("worker%d", i)))
				pulls = append(pulls, pull)
				must(t, pull.Connect(server))
				all.Go(func() {
					last := -1
					for m, err := range pull.Messages(t.Context()) {
						if err != nil {
							return // the test is over
						}
						if number(m) <= last {
							t.Errorf("received %d after %d", number(m), last)
						}
						last = number(m)
						got <- last
					}
				})
			}
			must(t, push.WaitPeers(aDay(t), 3))
			for n := range total {
				must(t, push.Send(aDay(t), numbered(n, 50)))
				time.Sleep(time.Millisecond)
			}
			must(t, push.Shutdown(aDay(t)))
			for _, pull := range pulls {
				balanced(t, pull)
				must(t, pull.Close())
			}
			all.Wait()
			close(got)
			times := make([]int, total)
			for n := range got {
				times[n]++
			}
			for n, k := range times {
				if k != 1 {
					t.Errorf("message %d was received %d times", n, k)
				}
			}
			if net.Stats().Cuts == 0 {
				t.Error("nothing was cut")
			}
		})
	}
}
