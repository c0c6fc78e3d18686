package socket_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// TestCloseAnywhere closes a socket in every kind of trouble. It takes a second at most, leaves no goroutine (or the
// bubble fails) and accounts for every message.
func TestCloseAnywhere(t *testing.T) {
	slowDown := socket.WithRecvHWM(5)
	for _, tt := range []struct {
		name   string
		config simnet.Config
		// trouble brings the sockets into it. The deferred ends are closed after the socket.
		trouble func(t *testing.T, net *simnet.Network, push *socket.Push, pull *socket.Pull)
	}{
		{"nothing was done", simnet.Config{}, func(*testing.T, *simnet.Network, *socket.Push, *socket.Pull) {}},
		{
			"nobody to connect to",
			simnet.Config{},
			func(t *testing.T, net *simnet.Network, push *socket.Push, pull *socket.Pull) {
				must(t, push.Connect(server))
				fill(t, push, 10)
				time.Sleep(time.Minute)
			},
		},
		{"a dial hangs", simnet.Config{}, func(t *testing.T, net *simnet.Network, push *socket.Push, pull *socket.Pull) {
			net.Partition("srv")
			bindAt(t, pull)
			must(t, push.Connect(server))
			fill(t, push, 10)
		}},
		{
			"a dial is on its way",
			simnet.Config{Latency: 10 * time.Second},
			func(t *testing.T, net *simnet.Network, push *socket.Push, pull *socket.Pull) {
				bindAt(t, pull)
				must(t, push.Connect(server))
				time.Sleep(15 * time.Second) // the listener's side is there, the dialler's not yet
			},
		},
		{
			"between a dial and its answer",
			simnet.Config{Latency: 4 * time.Second},
			func(t *testing.T, net *simnet.Network, push *socket.Push, pull *socket.Pull) {
				bindAt(t, pull)
				must(t, push.Connect(server))
				time.Sleep(6 * time.Second)
			},
		},
		{
			"handshake under way",
			simnet.Config{Latency: time.Second},
			func(t *testing.T, net *simnet.Network, push *socket.Push, pull *socket.Pull) {
				bindAt(t, pull)
				must(t, push.Connect(server))
				time.Sleep(3500 * time.Millisecond) // greetings have crossed, READY is on its way
			},
		},
		{
			"handshake with somebody silent",
			simnet.Config{},
			func(t *testing.T, net *simnet.Network, push *socket.Push, pull *socket.Pull) {
				bindAt(t, pull)
				rawSim(t, net, "mute")
				ln, err := net.Listen(t.Context(), "mute")
				must(t, err)
				t.Cleanup(func() { ln.Close() })
				must(t, push.Connect("sim://mute"))
			},
		},
		{
			"handshake stuck in a write",
			simnet.Config{Window: 10},
			func(t *testing.T, net *simnet.Network, push *socket.Push, pull *socket.Pull) {
				bindAt(t, pull)
				rawSim(t, net, "mute").send(greeting(3, 1)[:5])
			},
		},
		{"idle", simnet.Config{}, func(t *testing.T, net *simnet.Network, push *socket.Push, pull *socket.Pull) {
			bindAt(t, pull)
			must(t, push.Connect(server))
			must(t, push.WaitPeers(within(t), 1))
		}},
		{
			"unread and unsent",
			simnet.Config{Latency: time.Millisecond, Window: 5000},
			func(t *testing.T, net *simnet.Network, push *socket.Push, pull *socket.Pull) {
				bindAt(t, pull)
				must(t, push.Connect(server))
				must(t, push.WaitPeers(within(t), 1))
				fill(t, push, 1000)
			},
		},
		{
			"unread and unsent, large",
			simnet.Config{Latency: time.Millisecond, Window: 5000},
			func(t *testing.T, net *simnet.Network, push *socket.Push, pull *socket.Pull) {
				bindAt(t, pull)
				must(t, push.Connect(server))
				must(t, push.WaitPeers(within(t), 1))
				for n := range 30 {
					must(t, push.Send(within(t), numbered(n, 100_000)))
				}
			},
		},
		{
			"stalled receiver",
			simnet.Config{Window: 5000},
			func(t *testing.T, net *simnet.Network, push *socket.Push, pull *socket.Pull) {
				bindAt(t, pull)
				must(t, push.Connect(server))
				must(t, push.WaitPeers(within(t), 1))
				net.Stall("srv")
				fill(t, push, 1000)
			},
		},
		{
			"partition with unsent",
			simnet.Config{Latency: time.Millisecond, Window: 5000},
			func(t *testing.T, net *simnet.Network, push *socket.Push, pull *socket.Pull) {
				bindAt(t, pull)
				must(t, push.Connect(server))
				must(t, push.WaitPeers(within(t), 1))
				net.Partition("srv")
				fill(t, push, 100)
				time.Sleep(5 * time.Second)
			},
		},
		{
			"partition, peer found to be gone",
			simnet.Config{Latency: time.Millisecond, Window: 5000},
			func(t *testing.T, net *simnet.Network, push *socket.Push, pull *socket.Pull) {
				bindAt(t, pull)
				must(t, push.Connect(server))
				must(t, push.WaitPeers(within(t), 1))
				net.Partition("srv")
				fill(t, push, 100)
				time.Sleep(time.Minute)
			},
		},
		{
			"peer vanished",
			simnet.Config{Window: 5000},
			func(t *testing.T, net *simnet.Network, push *socket.Push, pull *socket.Pull) {
				bindAt(t, pull)
				must(t, push.Connect(server))
				must(t, push.WaitPeers(within(t), 1))
				net.Vanish("srv")
				net.Partition("srv")
				fill(t, push, 100)
			},
		},
		{
			"just cut",
			simnet.Config{Window: 5000},
			func(t *testing.T, net *simnet.Network, push *socket.Push, pull *socket.Pull) {
				bindAt(t, pull)
				must(t, push.Connect(server))
				must(t, push.WaitPeers(within(t), 1))
				fill(t, push, 100)
				net.Cut("srv")
			},
		},
		{
			"in the middle of a body",
			simnet.Config{Window: 200_000},
			func(t *testing.T, net *simnet.Network, push *socket.Push, pull *socket.Pull) {
				bindAt(t, pull)
				r := rawSim(t, net, "cli")
				r.shake("PUSH")
				r.send(messageOf("whole"), claim(1, 1<<20), make([]byte, 100_000))
				time.Sleep(time.Second)
			},
		},
	} {
		for _, first := range []string{"push", "pull", "both"} {
			for _, linger := range []time.Duration{0, 500 * time.Millisecond, time.Hour} {
				t.Run(fmt.Sprintf("%s/%s first/linger %v", tt.name, first, linger), func(t *testing.T) {
					bubble(t, func(t *testing.T) {
						net := simnet.New(tt.config)
						push := socket.NewPush(on(net, "cli"), socket.WithLinger(linger), socket.WithSendHWM(200))
						pull := socket.NewPull(on(net, "srv"), socket.WithLinger(linger), slowDown)
						tt.trouble(t, net, push, pull)

						// Those who wait in a call are told. (A Send may also find room, where closing the other end
						// made some.)
						var waiting sync.WaitGroup
						for waits := true; waits; { // take up what room there is, so that Send has to wait
							synctest.Wait()
							waits = push.TrySend(socket.Text("x")) == nil
						}
						waiting.Go(func() {
							if err := push.Send(aDay(t), socket.Text("x")); err != nil && !errors.Is(err, socket.ErrClosed) {
								t.Errorf("Send: %v, want ErrClosed", err)
							}
						})
						waiting.Go(func() {
							if err := pull.WaitPeers(t.Context(), 9); !errors.Is(err, socket.ErrClosed) {
								t.Errorf("WaitPeers: %v, want ErrClosed", err)
							}
						})
						synctest.Wait()
						if first == "both" {
							var closing sync.WaitGroup
							for range 3 { // several at a time
								closing.Go(func() { shut(t, push) })
								closing.Go(func() { shut(t, pull) })
							}
							closing.Wait()
						}
						if first == "pull" {
							shut(t, pull)
						}
						shut(t, push)
						shut(t, pull)
						waiting.Wait()
						if _, err := pull.Recv(t.Context()); !errors.Is(err, socket.ErrClosed) {
							t.Errorf("Recv after Close: %v", err)
						}
						for _, s := range []socket.Socket{push, pull} {
							if _, err := s.Bind(t.Context(), "sim://late"); !errors.Is(err, socket.ErrClosed) {
								t.Errorf("Bind after Close: %v", err)
							}
							if err := s.Connect("sim://late"); !errors.Is(err, socket.ErrClosed) {
								t.Errorf("Connect after Close: %v", err)
							}
						}
					})
				})
			}
		}
	}
}

// TestCloseRoles closes sockets of all roles right after they have talked, while things are still on their way.
func TestCloseRoles(t *testing.T) {
	for _, role := range roles {
		for _, latency := range []time.Duration{0, 50 * time.Millisecond, time.Second} {
			t.Run(fmt.Sprintf("%s/%v", role.name, latency), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					net := simnet.New(simnet.Config{Latency: latency})
					a, b := role.open(on(net, "srv")), role.good(on(net, "cli"))
					bindAt(t, a)
					must(t, b.Connect(server))
					role.talk(t, a, b)
					shut(t, a)
					time.Sleep(time.Minute)
					shut(t, b)
				})
			})
		}
	}
}

// TestShutdownWaits: Shutdown delivers everything that was accepted, however long the network takes.
func TestShutdownWaits(t *testing.T) {
	t.Run("slow network", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			net := simnet.New(simnet.Config{Latency: 50 * time.Millisecond, Window: 1000, Bandwidth: 10_000})
			push, pull := socket.NewPush(on(net, "cli")), socket.NewPull(on(net, "srv"))
			defer shut(t, pull)
			bindAt(t, pull)
			must(t, push.Connect(server))
			for n := range 500 {
				must(t, push.Send(aDay(t), numbered(n, 1000))) // 50 s worth of bandwidth
			}
			var got []int
			var receiving sync.WaitGroup
			receiving.Go(func() { got = drainAll(t, pull) })
			start := time.Now()
			must(t, push.Shutdown(aDay(t)))
			if d := time.Since(start); d < 40*time.Second || d > time.Minute {
				t.Errorf("Shutdown took %v, want about 50s", d)
			}
			balanced(t, push)
			if st := push.Stats(); st.Delivered.Messages != 500 || st.Queued.Messages != 0 {
				t.Errorf("PUSH counts %+v", st.Ledger)
			}
			if err := push.Send(aDay(t), numbered(0, 0)); !errors.Is(err, socket.ErrClosed) {
				t.Errorf("Send after Shutdown: %v", err)
			}
			receiving.Wait()
			wantNumbers(t, got, 0, 500)
		})
	})
	t.Run("peer comes late", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			net := simnet.New(simnet.Config{Latency: time.Millisecond})
			push, pull := socket.NewPush(on(net, "cli")), socket.NewPull(on(net, "srv"))
			defer shut(t, pull)
			must(t, push.Connect(server))
			for n := range 100 {
				must(t, push.Send(aDay(t), numbered(n, 10)))
			}
			time.AfterFunc(10*time.Minute, func() { bindAt(t, pull) })
			start := time.Now()
			must(t, push.Shutdown(aDay(t)))
			if d := time.Since(start); d < 10*time.Minute || d > 11*time.Minute {
				t.Errorf("Shutdown took %v, want ten minutes and a little", d)
			}
			wantNumbers(t, drainAll(t, pull), 0, 100)
			balanced(t, push)
		})
	})
	t.Run("partition heals in between", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			net := simnet.New(simnet.Config{Latency: time.Millisecond})
			push, pull := socket.NewPush(on(net, "cli")), socket.NewPull(on(net, "srv"))
			defer shut(t, pull)
			bindAt(t, pull)
			must(t, push.Connect(server))
			must(t, push.WaitPeers(within(t), 1))
			net.Partition("srv")
			time.Sleep(time.Minute)
			for n := range 100 {
				must(t, push.Send(aDay(t), numbered(n, 10)))
			}
			time.AfterFunc(time.Hour, net.Heal)
			must(t, push.Shutdown(aDay(t)))
			wantNumbers(t, drainAll(t, pull), 0, 100)
			balanced(t, push)
		})
	})
	t.Run("nothing queued", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			net := simnet.New(simnet.Config{})
			pull := socket.NewPull(on(net, "srv"))
			bindAt(t, pull)
			start := time.Now()
			must(t, pull.Shutdown(quietContext()))
			if d := time.Since(start); d != 0 {
				t.Errorf("Shutdown took %v", d)
			}
		})
	})
}

// TestShutdownGivesUp: when its context ends first, Shutdown closes all the same, at once, and says what is left, which
// the ledger then counts as dropped.
func TestShutdownGivesUp(t *testing.T) {
	for _, tt := range []struct {
		name  string
		setup func(t *testing.T, net *simnet.Network, push *socket.Push) (left int)
	}{
		{"no peer", func(t *testing.T, net *simnet.Network, push *socket.Push) int {
			must(t, push.Connect(server))
			for n := range 100 {
				must(t, push.Send(aDay(t), numbered(n, 10)))
			}
			return 100
		}},
		{"stuck peer", func(t *testing.T, net *simnet.Network, push *socket.Push) int {
			bindAt(t, push)
			r := rawSim(t, net, "mute")
			r.shake("PULL")
			must(t, push.WaitPeers(within(t), 1))
			fill(t, push, 100)
			return int(push.Stats().Queued.Messages)
		}},
		{"stuck peer and large messages", func(t *testing.T, net *simnet.Network, push *socket.Push) int {
			bindAt(t, push)
			r := rawSim(t, net, "mute")
			r.shake("PULL")
			must(t, push.WaitPeers(within(t), 1))
			for n := range 20 {
				must(t, push.Send(aDay(t), numbered(n, 50_000)))
			}
			synctest.Wait()
			return int(push.Stats().Queued.Messages)
		}},
	} {
		for _, patience := range []time.Duration{0, 5 * time.Second} {
			t.Run(fmt.Sprintf("%s/%v", tt.name, patience), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					net := simnet.New(simnet.Config{Window: 5000})
					push := socket.NewPush(on(net, "srv"))
					seen := record(push, nil)
					left := tt.setup(t, net, push)
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					start := time.Now()
					err := push.Shutdown(ctx)
					if d := time.Since(start) - patience; d > time.Second {
						t.Errorf("Shutdown took %v more than its context", d)
					}
					st := push.Stats()
					if err := st.Check(); err != nil {
						t.Error(err)
					}
					if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), fmt.Sprintf("%d messages", left)) {
						t.Errorf("Shutdown: %v, want it to say that %d messages are left and that the deadline passed", err, left)
					}
					if st.Queued.Messages != 0 || st.Dropped[socket.SocketClosed].Messages != uint64(left) || len(st.Peers) != 0 {
						t.Errorf("right after Shutdown the ledger says %+v with %d peers, want %d dropped and nothing queued", st.Ledger,
							len(st.Peers), left)
					}
					<-seen.done
					if last := seen.of(socket.Closed); len(last) != 1 || seen.events[len(seen.events)-1].Kind != socket.Closed {
						t.Errorf("the last event is not Closed: %v", seen.events)
					}
					if ups, downs := len(seen.of(socket.PeerUp)), len(seen.losses()); ups != downs {
						t.Errorf("%d peers came up, %d went down", ups, downs)
					}
					must(t, push.Close())
				})
			})
		}
	}
}

// TestCloseDuringShutdown: Close ends a Shutdown that waits, which then does not claim to have delivered everything.
func TestCloseDuringShutdown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{})
		push := socket.NewPush(on(net, "cli"))
		must(t, push.Connect(server))
		for n := range 10 {
			must(t, push.Send(aDay(t), numbered(n, 10)))
		}
		down := make(chan error, 1)
		go func() { down <- push.Shutdown(aDay(t)) }()
		synctest.Wait()
		shut(t, push)
		select {
		case err := <-down:
			if dropped := push.Stats().Dropped[socket.SocketClosed].Messages; err == nil || dropped != 10 {
				t.Errorf("Shutdown: %v, with %d messages dropped, want an error and 10", err, dropped)
			}
		case <-time.After(time.Second):
			t.Error("Shutdown still waits a second after Close")
		}
	})
}

// TestCloseTakesNoMore: a receiver that closes reads nothing any more, and discards no more than it had in hand.
func TestCloseTakesNoMore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const size, window, inHand = 1000, 400_000, 128 << 10
		net := simnet.New(simnet.Config{Latency: time.Millisecond, Window: window})
		push, pull := socket.NewPush(on(net, "srv"), socket.WithSendHWM(1000)),
			socket.NewPull(on(net, "cli"), socket.WithRecvHWM(10))
		defer shut(t, push)
		bindAt(t, push)
		must(t, pull.Connect(server))
		must(t, push.WaitPeers(within(t), 1))
		for range 10 { // fill sends without letting time pass
			fill(t, push, size)
			time.Sleep(time.Second)
		}
		before := pull.Stats().Received.Messages
		must(t, pull.Close())
		if n := pull.Stats().Received.Messages - before; n > inHand/size {
			t.Errorf("%d messages received while closing, which others could have had", n)
		}
	})
}
