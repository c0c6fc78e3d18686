package socket_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// pauses checks the times of the Retrying events of a socket that fails to connect, and returns the pauses: each is
// between half of what is due and all of it, what is due doubles from first to limit, and the next attempt comes
// exactly when it was announced.
func pauses(t *testing.T, h *history, first, limit time.Duration) (list []time.Duration) {
	t.Helper()
	due := first
	var next time.Time
	for _, ev := range h.of(socket.Retrying, socket.Connecting) {
		if ev.Kind == socket.Connecting {
			if !next.IsZero() && !ev.Time.Equal(next) {
				t.Errorf("attempt %d came %v off its time", len(list)+1, ev.Time.Sub(next))
			}
			continue
		}
		next = ev.Time.Add(ev.Retry)
		list = append(list, ev.Retry)
		if ev.Retry < due/2 || ev.Retry > due {
			t.Errorf("pause %d is %v, want %v to %v", len(list), ev.Retry, due/2, due)
		}
		due = min(2*due, limit)
	}
	return list
}

// spread says whether pauses with the same bounds differ.
func spread(list []time.Duration) bool {
	for _, d := range list {
		if d != list[0] {
			return true
		}
	}
	return false
}

// TestReconnectBackoff: the pause between attempts grows, is jittered, has a limit, and starts over after a good
// handshake only.
func TestReconnectBackoff(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name         string
		opts         []socket.Option
		first, limit time.Duration
	}{
		{"default", nil, 100 * ms, 2 * time.Second},
		{"own", []socket.Option{socket.WithReconnect(30*ms, 10*time.Second)}, 30 * ms, 10 * time.Second},
		{"flat", []socket.Option{socket.WithReconnect(500*ms, 0)}, 500 * ms, 500 * ms},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{Latency: ms})
				pull, push := socket.NewPull(on(net, "srv")),
					socket.NewPush(as[socket.PushOption](append(tt.opts, on(net, "cli")))...)
				defer shut(t, pull)
				defer shut(t, push)
				seen := record(push, nil)
				must(t, push.Connect(server))
				time.Sleep(5 * time.Minute)
				list := pauses(t, seen, tt.first, tt.limit)
				if len(list) < 30 || !spread(list[len(list)-20:]) {
					t.Errorf("the pauses are not jittered: %v", list)
				}
				for _, ev := range seen.of(socket.ConnectFailed) {
					if ev.Err == nil || ev.Endpoint != server {
						t.Errorf("event %v gives no reason or endpoint", ev)
					}
				}

				// A good handshake, and then trouble again: the pauses start over.
				bindAt(t, pull)
				must(t, push.WaitPeers(within(t), 1))
				must(t, pull.Unbind(server))
				tried := len(seen.of(socket.Retrying))
				time.Sleep(5 * time.Second)
				again := seen.of(socket.Retrying)[tried:]
				if len(again) == 0 || again[0].Retry > tt.first || len(again) > 1 && again[1].Retry > 2*tt.first {
					t.Errorf("after a good handshake the pauses are %v", again)
				}
			})
		})
	}
	for _, tt := range []struct {
		name  string
		greet func(r *raw) // then hangs up
	}{
		{"hangs up", func(*raw) {}},
		{"hangs up after the greeting", func(r *raw) { r.send(greeting(3, 1)) }},
		{"wrong type", func(r *raw) { r.send(greeting(3, 1), readyOf("SUB")); r.take(64); r.frame() }},
		{"not ZMTP", func(r *raw) { r.send([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }},
	} {
		t.Run("no reset when the server "+tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{Latency: ms})
				push := socket.NewPush(on(net, "cli"))
				defer shut(t, push)
				ln, err := net.Listen(t.Context(), "srv")
				must(t, err)
				defer ln.Close()
				go func() {
					for {
						conn, err := ln.Accept()
						if err != nil {
							return
						}
						tt.greet(newRaw(t, conn))
						conn.Close()
					}
				}()
				seen := record(push, nil)
				must(t, push.Connect(server))
				time.Sleep(time.Minute)
				if list := pauses(t, seen, 100*ms, 2*time.Second); len(list) < 20 || len(list) > 80 {
					t.Errorf("%d attempts in a minute", len(list))
				}
				if failed, tried := len(seen.of(socket.HandshakeFailed)), len(seen.of(socket.Connected)); failed != tried {
					t.Errorf("%d connections and %d failed handshakes", tried, failed)
				}
			})
		})
	}
	t.Run("many sockets do not come at once", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			net := simnet.New(simnet.Config{})
			when := make(map[time.Duration]int)
			start := time.Now()
			for range 50 {
				push := socket.NewPush(on(net, "cli"))
				defer shut(t, push)
				must(t, push.Connect(server))
				time.AfterFunc(time.Minute, func() {})
				synctest.Wait()
				for ev := range push.Events(quietContext()) {
					if ev.Kind == socket.Retrying {
						when[ev.Time.Add(ev.Retry).Sub(start).Round(ms)]++
					}
				}
			}
			if len(when) < 20 {
				t.Errorf("50 sockets come back in %d different milliseconds", len(when))
			}
		})
	})
}

// TestConnectTimeout: an attempt that hangs, here on a partition, ends at its timeout; with none it waits for the
// network.
func TestConnectTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{})
		net.Partition("srv")
		push := socket.NewPush(on(net, "cli"), socket.WithConnectTimeout(7*time.Second))
		defer shut(t, push)
		seen := record(push, nil)
		start := time.Now()
		must(t, push.Connect(server))
		time.Sleep(7 * time.Second)
		failed := seen.of(socket.ConnectFailed)
		if len(failed) != 1 || failed[0].Time.Sub(start) != 7*time.Second || !errors.Is(failed[0].Err, socket.ErrTimeout) {
			t.Errorf("failed attempts: %v, want one after 7s by timeout", failed)
		}
		patient, pull := socket.NewPush(on(net, "cli"), socket.WithConnectTimeout(0)), socket.NewPull(on(net, "srv"))
		defer shut(t, patient)
		defer shut(t, pull)
		bindAt(t, pull)
		waits := record(patient, nil)
		must(t, patient.Connect(server))
		time.Sleep(time.Hour)
		if n := len(waits.of(socket.ConnectFailed)); n != 0 {
			t.Errorf("%d attempts failed without a timeout", n)
		}
		net.Heal()
		must(t, patient.WaitPeers(within(t), 1))
		must(t, push.WaitPeers(within(t), 1))
	})
}

// TestSlowHandshake: a handshake that makes no progress, whoever is to blame, ends at exactly the handshake timeout,
// and meanwhile nobody else has to wait.
func TestSlowHandshake(t *testing.T) {
	const limit = 10 * time.Second
	for _, tt := range []struct {
		name string
		slow func(t *testing.T, net *simnet.Network) // begins a handshake from host "slow"
	}{
		{"silent", func(t *testing.T, net *simnet.Network) { rawSim(t, net, "slow") }},
		{"greeting only", func(t *testing.T, net *simnet.Network) { rawSim(t, net, "slow").send(greeting(3, 1)) }},
		{"half a READY", func(t *testing.T, net *simnet.Network) {
			rawSim(t, net, "slow").send(greeting(3, 1), readyOf("PUSH")[:20])
		}},
		{"a byte a second", func(t *testing.T, net *simnet.Network) {
			r := rawSim(t, net, "slow")
			go func() {
				for _, b := range greeting(3, 1)[:12] {
					r.send([]byte{b})
					time.Sleep(time.Second)
				}
			}()
		}},
		{"stalled host", func(t *testing.T, net *simnet.Network) {
			net.Stall("slow") // it sends its greeting, never reads ours, and so never sends READY
			push := socket.NewPush(on(net, "slow"), socket.WithHandshakeTimeout(time.Hour))
			t.Cleanup(func() { shut(t, push) })
			must(t, push.Connect(server))
		}},
		{"one-way partition", func(t *testing.T, net *simnet.Network) {
			push := socket.NewPush(on(net, "slow"), socket.WithHandshakeTimeout(time.Hour))
			t.Cleanup(func() { shut(t, push) })
			must(t, push.Connect(server))
		}},
		{"wrong type, does not read our READY", func(t *testing.T, net *simnet.Network) {
			rawSim(t, net, "slow").send(greeting(3, 1), readyOf("SUB"))
		}},
	} {
		for _, window := range []int{0, 40} {
			t.Run(fmt.Sprintf("%s/window %d", tt.name, window), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					var net *simnet.Network
					net = simnet.New(simnet.Config{Window: window, OnConn: func(l *simnet.Link) {
						if l.From() == "slow" && tt.name == "one-way partition" {
							net.PartitionOneWay("slow", "srv")
						}
					}})
					pull := socket.NewPull(on(net, "srv"))
					defer shut(t, pull)
					seen := record(pull, nil)
					bindAt(t, pull)
					tt.slow(t, net)
					synctest.Wait()
					start := time.Now()
					for i := range 5 {
						push := socket.NewPush(on(net, fmt.Sprint("good", i)))
						defer shut(t, push)
						must(t, push.Connect(server))
						must(t, push.WaitPeers(within(t), 1))
						must(t, push.Send(within(t), socket.Text("good")))
						expect(t, pull, "good")
					}
					if d := time.Since(start); d != 0 {
						t.Errorf("good peers had to wait for %v", d)
					}
					time.Sleep(12 * limit)
					failed := seen.of(socket.HandshakeFailed)
					if len(failed) == 0 {
						t.Fatal("the handshake never ended")
					}
					if errors.Is(failed[0].Err, zmtp.ErrSocketType) && window == 0 {
						return // refused at once: our side fits the window
					}
					wantEnd(t, failed[0], refusal{socket.HandshakeFailed, socket.ErrTimeout, "no handshake within 10s"})
					if d := failed[0].Time.Sub(start); d != limit {
						t.Errorf("the handshake ended after %v, want %v", d, limit)
					}
					seen.wantNoLoss(t)
				})
			})
		}
	}
	t.Run("connecting", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			// The same on the side that connects; another endpoint of the same socket is not held up.
			net := simnet.New(simnet.Config{})
			ln, err := net.Listen(t.Context(), "mute")
			must(t, err)
			defer ln.Close()
			pull := socket.NewPull(on(net, "srv"))
			push := socket.NewPush(on(net, "cli"), socket.WithHandshakeTimeout(3*time.Second))
			defer shut(t, pull)
			defer shut(t, push)
			bindAt(t, pull)
			seen := record(push, nil)
			start := time.Now()
			must(t, push.Connect("sim://mute"))
			synctest.Wait()
			must(t, push.Connect(server))
			must(t, push.WaitPeers(within(t), 1))
			must(t, push.Send(within(t), socket.Text("good")))
			expect(t, pull, "good")
			if d := time.Since(start); d != 0 {
				t.Errorf("the good endpoint had to wait for %v", d)
			}
			time.Sleep(3 * time.Second)
			failed := seen.of(socket.HandshakeFailed)
			if len(failed) != 1 || failed[0].Time.Sub(start) != 3*time.Second || !errors.Is(failed[0].Err, socket.ErrTimeout) {
				t.Errorf("failed handshakes: %v, want one after 3s by timeout", failed)
			}
		})
	})
}

// TestPartition: an hour without a network. What was queued once the peer was found to be gone arrives after the
// network has healed, in order. What had left for a peer that was not yet known to be gone may be lost, but not
// doubled.
func TestPartition(t *testing.T) {
	for _, pushBinds := range []bool{false, true} {
		t.Run(fmt.Sprintf("push binds %v", pushBinds), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{Latency: 10 * time.Millisecond, Window: 5000})
				pushHost, pullHost := "cli", "srv"
				if pushBinds {
					pushHost, pullHost = "srv", "cli"
				}
				push, pull := socket.NewPush(on(net, pushHost)), socket.NewPull(on(net, pullHost))
				defer shut(t, push)
				defer shut(t, pull)
				var down atomic.Bool
				seen := record(push, func(ev socket.Event) {
					if ev.Kind == socket.PeerDown {
						down.Store(true)
					}
				})
				if pushBinds {
					bindAt(t, push)
					must(t, pull.Connect(server))
				} else {
					bindAt(t, pull)
					must(t, push.Connect(server))
				}
				must(t, push.WaitPeers(within(t), 1))
				n := 0
				next := func() { must(t, push.Send(aDay(t), numbered(n, 20))); n++ }
				for range 100 {
					next()
				}
				time.Sleep(time.Second)
				net.Partition("srv")
				start := time.Now()
				for !down.Load() { // into the dark, until there is no peer to send to or its loss is known
					if err := push.Send(quietContext(), numbered(n, 20)); err == nil {
						n++
					}
					time.Sleep(250 * time.Millisecond)
				}
				gone := int(push.Stats().Delivered.Messages)
				lost := seen.losses()
				if d := lost[0].Time.Sub(start); d > 15*time.Second {
					t.Errorf("the partition was noticed after %v", d)
				}
				for range 500 {
					if pushBinds && n > 600 {
						break
					}
					if err := push.Send(quietContext(), numbered(n, 20)); err != nil {
						if !pushBinds {
							t.Fatal(err)
						}
						break // a bound PUSH without a peer does not queue
					}
					n++
				}
				time.Sleep(time.Until(start.Add(time.Hour)))
				balanced(t, push)
				balanced(t, pull)
				net.Heal()
				must(t, push.WaitPeers(within(t), 1))
				next()
				got := drainAll(t, pull)
				for i := range got {
					if i > 0 && got[i] <= got[i-1] {
						t.Fatalf("message %d came after %d", got[i], got[i-1])
					}
				}
				wantNumbers(t, got[:100], 0, 100)
				wantNumbers(t, got[len(got)-(n-gone):], gone, n-gone)
				if st := push.Stats(); st.Delivered.Messages != uint64(n) || len(st.Dropped) != 0 {
					t.Errorf("PUSH counts %+v after %d messages", st.Ledger, n)
				}
			})
		})
	}
}

// TestReconnectPausesGrowBesideAServerThatHangsUp: a server that completes each handshake and hangs up at once, or a
// little later, is connected to less and less often, and told all subscriptions as seldom. After a connection that
// lasts the pauses start over.
func TestReconnectPausesGrowBesideAServerThatHangsUp(t *testing.T) {
	const first, limit = 100 * time.Millisecond, 2 * time.Second
	for _, tt := range []struct {
		name   string
		stays  time.Duration
		most   int // connections in a minute
		starts bool
	}{
		{"at once", 0, 60, false},
		{"after a second", time.Second, 40, false},
		{"once it has lasted", limit, 30, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{Latency: time.Millisecond})
				var serving sync.WaitGroup
				defer serving.Wait()
				sub := socket.NewSub(on(net, "cli"), socket.WithReconnect(first, limit), socket.WithSubscription("a", "b"))
				defer shut(t, sub)
				ln, err := net.Listen(t.Context(), "srv")
				must(t, err)
				defer ln.Close()
				serving.Go(func() {
					for {
						conn, err := ln.Accept()
						if err != nil {
							return
						}
						serving.Go(func() {
							defer conn.Close()
							if _, err := zmtp.Handshake(t.Context(), conn, zmtp.Config{SocketType: zmtp.Pub}); err == nil {
								time.Sleep(tt.stays)
							}
						})
					}
				})
				seen := record(sub, nil)
				must(t, sub.Connect(server))
				time.Sleep(time.Minute)
				list := seen.of(socket.Retrying)
				if n := len(seen.of(socket.PeerUp)); n > tt.most || n < 10 {
					t.Errorf("%d connections in a minute, want 10 to %d", n, tt.most)
				}
				if last := list[len(list)-1].Retry; (last <= first) != tt.starts {
					t.Errorf("the last pause is %v", last)
				}
			})
		})
	}
}
