package socket_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestReliableSlowReceiver: a sender that ends cleanly while its receiver takes its time, or stands still, or the
// network between them does, loses nothing, and the receiver gets each message once; so does one with a spool.
func TestReliableSlowReceiver(t *testing.T) {
	const total = 1200
	short := socket.WithHeartbeat(100*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond)
	for _, tt := range []struct {
		name      string
		size      int
		each      time.Duration // that the receiver takes for a message
		heartbeat interface {
			socket.PushOption
			socket.PullOption
		}
		trouble func(net *simnet.Network)
	}{
		{"slow", 200, 20 * time.Millisecond, nil, nil},
		{"slow, large messages", 20_000, 20 * time.Millisecond, nil, nil},
		{"heartbeats shorter than the backlog", 200, 20 * time.Millisecond, short, nil},
		{"heartbeats shorter than one message", 200, time.Second, short, nil},
		{"the receiver stands still", 200, 0, nil, func(net *simnet.Network) { pauseHost(net, "pull", time.Minute) }},
		{"the sender stands still", 200, 0, nil, func(net *simnet.Network) { pauseHost(net, "push", time.Minute) }},
		{"both stand still", 200, 0, nil, func(net *simnet.Network) {
			net.Stall("push")
			pauseHost(net, "pull", time.Minute)
			net.Unstall("push")
		}},
		{"each stands still again and again", 200, time.Millisecond, short, func(net *simnet.Network) {
			for range 10 {
				pauseHost(net, "pull", 350*time.Millisecond)
				time.Sleep(40 * time.Millisecond)
				pauseHost(net, "push", 350*time.Millisecond)
				time.Sleep(40 * time.Millisecond)
			}
		}},
		{"nothing arrives for a while", 200, 0, nil, func(net *simnet.Network) {
			net.Partition("pull")
			time.Sleep(time.Minute)
			net.Heal()
		}},
	} {
		for _, how := range []string{"the sender binds false", "the sender binds true", "the sender has a spool"} {
			t.Run(fmt.Sprintf("%s/%s", tt.name, how), func(t *testing.T) {
				pushBinds, spooled := how == "the sender binds true", how == "the sender has a spool"
				bubble(t, func(t *testing.T) {
					net := simnet.New(simnet.Config{Latency: time.Millisecond, Window: 20_000})
					pushOpts := []socket.PushOption{on(net, "push"), socket.WithReliable(), socket.WithReassign(-1)}
					if spooled {
						q := onMedium(t, newMedium(), spool.Options{SegmentBytes: 1 << 20})
						defer func() { must(t, q.Close()) }()
						pushOpts = append(pushOpts, socket.WithSpool(q))
					}
					pullOpts := []socket.PullOption{on(net, "pull"), socket.WithRecvHWM(50)}
					if tt.heartbeat != nil {
						pushOpts, pullOpts = append(pushOpts, tt.heartbeat), append(pullOpts, tt.heartbeat)
					}
					push, pull := socket.NewPush(pushOpts...), socket.NewPull(pullOpts...)
					defer shut(t, pull)
					if pushBinds {
						_, err := push.Bind(t.Context(), "sim://push")
						must(t, err)
						must(t, pull.Connect("sim://push"))
					} else {
						_, err := pull.Bind(t.Context(), "sim://pull")
						must(t, err)
						must(t, push.Connect("sim://pull"))
					}
					ended := make(chan error, 1)
					go func() {
						for n := range total {
							if err := push.Send(aDay(t), numbered(n, tt.size)); err != nil {
								ended <- err
								return
							}
						}
						ended <- push.Shutdown(aDay(t))
					}()
					if tt.trouble != nil {
						time.Sleep(100 * time.Millisecond)
						go tt.trouble(net)
					}
					for n := range total {
						m, err := pull.Recv(aDay(t))
						must(t, err)
						if number(m) != n {
							t.Fatalf("received %d, want %d; %v", number(m), n, push.Stats())
						}
						time.Sleep(tt.each)
					}
					must(t, <-ended)
					if st := push.Stats(); st.Delivered.Messages != total || st.Redelivered.Messages != 0 {
						t.Errorf("PUSH counts %v, %v redelivered", st.Ledger, st.Redelivered)
					}
					balanced(t, push)
					time.Sleep(5 * time.Minute) // for the trouble to be over
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					if m, err := pull.Recv(ctx); err == nil {
						t.Errorf("received %d once more", number(m))
					}
				})
			})
		}
	}
}

func pauseHost(net *simnet.Network, host string, d time.Duration) {
	net.Stall(host)
	time.Sleep(d)
	net.Unstall(host)
}

// TestReliableDealersWhoStandStill: what two Dealers send each other arrives once and in order, whichever stands still,
// and for however long.
func TestReliableDealersWhoStandStill(t *testing.T) {
	for seed := range uint64(5) {
		bubble(t, func(t *testing.T) {
			net := simnet.New(simnet.Config{Latency: time.Millisecond, Window: 20_000, Seed: seed})
			opts := []socket.DealerOption{
				socket.WithReliable(), socket.WithReassign(-1), socket.WithRecvHWM(20),
				socket.WithHeartbeat(time.Second, 3*time.Second, 3*time.Second),
			}
			a := socket.NewDealer(append(opts, on(net, "srv"))...)
			b := socket.NewDealer(append(opts, on(net, "cli"))...)
			defer shut(t, a)
			defer shut(t, b)
			meet(t, a, b, true)
			stop := make(chan struct{})
			go func() {
				for n := uint64(0); ; n++ {
					host := []string{"srv", "cli"}[(n+seed)%2]
					select {
					case <-time.After(time.Duration(100+50*seed) * time.Millisecond):
						pauseHost(net, host, time.Duration(1+(n+seed)%5)*time.Second)
					case <-stop:
						return
					}
				}
			}()
			trade2(t, a, b, 1000)
			close(stop)
			time.Sleep(10 * time.Second)
		})
	}
}

// trade2 has two Dealers send each other numbered messages, and checks what they receive.
func trade2(t *testing.T, a, b *socket.Dealer, total int) {
	t.Helper()
	done := make(chan error, 4)
	for _, d := range []*socket.Dealer{a, b} {
		go func() {
			for n := range total {
				if err := d.Send(aDay(t), numbered(n, 100)); err != nil {
					done <- err
					return
				}
				time.Sleep(time.Millisecond)
			}
			done <- nil
		}()
		go func() {
			for n := range total {
				m, err := d.Recv(aDay(t))
				if err == nil && number(m) != n {
					err = fmt.Errorf("received %d, want %d", number(m), n)
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 4 {
		must(t, <-done)
	}
}

// TestReliableHalfClosedReceiver: a receiver that has closed its way out can acknowledge nothing any more. What it was
// sent goes to another once it is given up on, for it may come back until then.
func TestReliableHalfClosedReceiver(t *testing.T) {
	push := closing(t, socket.NewPush(socket.WithReliable(), socket.WithReassign(200*time.Millisecond)))
	at := bind(t, push, "tcp://127.0.0.1:*")
	r := joinReliably(t, at, zmtp.Opened{Next: 1, Floor: 1})
	const total = 100
	for n := range total {
		send(t, push, fmt.Sprint(n))
	}
	r.wantMessages(t, 0, 1, 2)
	waitUntil(t, "all is written", func() bool { return push.Stats().Queued.Messages == 0 }) // the rest goes at once
	must(t, r.Conn.(interface{ CloseWrite() error }).CloseWrite())
	pull := closing(t, socket.NewPull())
	connect(t, pull, at)
	for n := range total {
		expect(t, pull, fmt.Sprint(n))
	}
	waitUntil(t, "all is acknowledged", func() bool { return push.Stats().Delivered.Messages == total })
}
