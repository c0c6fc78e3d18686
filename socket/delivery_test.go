package socket_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// manualPull is a Pull on host "srv" whose messages are settled by verbs.
func manualPull(t testing.TB, net *simnet.Network, opts ...socket.PullOption) *socket.Pull {
	t.Helper()
	pull := socket.NewPull(append(opts, on(net, "srv"), socket.WithManualAck(), socket.WithHeartbeat(0, 0, 0))...)
	bindAt(t, pull)
	return pull
}

func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want one that matches %v", err, want)
	}
}

// wantEnded checks that no verb does anything any more.
func wantEnded(t testing.TB, d *socket.Delivery, want error) {
	t.Helper()
	wantError(t, d.Ack(), want)
	wantError(t, d.AckSync(aDay(t)), want)
	wantError(t, d.Nak(0), want)
	wantError(t, d.InProgress(), want)
	wantError(t, d.Term(""), want)
}

// TestDeliveryVerbs: what each verb says to the sender, in which order, and that each message is settled once.
func TestDeliveryVerbs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		pull := manualPull(t, net)
		r := openTo(t, net, "cli", "PUSH", aStream(7))
		var d []*socket.Delivery
		for n := range 6 {
			r.send(messageOf(fmt.Sprint(n)))
			d = append(d, nextDelivery(t, pull, fmt.Sprint(n)))
			if want := (socket.MessageID{Stream: spool.ID{7}, Seq: uint64(n) + 1}); d[n].ID != want {
				t.Errorf("message %d is %v, want %v", n, d[n].ID, want)
			}
			if d[n].Attempts != 0 || d[n].Redelivered || !d[n].Expires.IsZero() {
				t.Errorf("message %d: %+v", n, d[n])
			}
		}
		if st := pull.Stats(); st.Unsettled != (socket.Count{Messages: 6, Bytes: 6}) || st.Handed.Messages != 6 {
			t.Errorf("PULL counts %v, %v unsettled", st.Ledger, st.Unsettled)
		}
		must(t, d[1].Ack())
		r.wantSaid(saying{name: "ACK", at: 0, above: []zmtp.Range{{From: 1, To: 2}}})
		must(t, d[0].Ack())
		r.wantSaid(saying{name: "ACK", at: 2})
		must(t, d[2].Nak(1500*time.Millisecond))
		must(t, d[3].Term("poison"))
		must(t, d[4].Ack())
		r.wantSaid(saying{name: "NAK", at: 2, delay: 1500 * time.Millisecond})
		r.wantSaid(saying{name: "TERM", at: 3, reason: "poison"})
		r.wantSaid(saying{name: "ACK", at: 5})
		must(t, d[5].InProgress())
		must(t, d[5].AckSync(aDay(t)))
		r.wantSaid(saying{name: "ACK", at: 6})
		for _, d := range d {
			wantEnded(t, d, socket.ErrSettled)
		}
		if st := pull.Stats(); st.Unsettled.Messages != 0 {
			t.Errorf("at the end %v are unsettled", st.Unsettled)
		}

		// What was given back comes again, and says so.
		r.send(zmtp.AppendNext(nil, zmtp.Next{Number: 3, Attempts: 1, Redelivered: true, TTL: time.Minute}), messageOf("2"))
		again := nextDelivery(t, pull, "2")
		if left := time.Until(again.Expires); again.ID != d[2].ID || again.Attempts != 1 || !again.Redelivered ||
			left < 59*time.Second || left > time.Minute {
			t.Errorf("it is %+v", again)
		}
		must(t, again.Ack())
		r.wantSaid(saying{name: "ACK", at: 7})
		balanced(t, pull)
		must(t, pull.Close())
	})
}

// TestDeliverySettledByReceiving: without WithManualAck a delivery is settled by being returned, like a message of
// Recv, with which it keeps the order.
func TestDeliverySettledByReceiving(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		pull := socket.NewPull(on(net, "srv"))
		bindAt(t, pull)
		r := openTo(t, net, "cli", "PUSH", aStream(7))
		for n := range 60 {
			r.send(messageOf(fmt.Sprint(n)))
		}
		time.Sleep(time.Second)
		for n := range 60 {
			if n%7 > 3 {
				d := nextDelivery(t, pull, fmt.Sprint(n))
				if d.ID.Seq != uint64(n)+1 {
					t.Errorf("message %d is %v", n, d.ID)
				}
				wantEnded(t, d, socket.ErrSettled)
				continue
			}
			m, err := pull.Recv(aDay(t))
			must(t, err)
			if string(m.Bytes()) != fmt.Sprint(n) {
				t.Fatalf("%s came, want %d", m, n)
			}
		}
		for r.said().at != 60 {
		}
		if st := pull.Stats(); st.Unsettled.Messages != 0 || st.Handed.Messages != 60 {
			t.Errorf("PULL counts %v, %v unsettled", st.Ledger, st.Unsettled)
		}
		must(t, pull.Close())
	})
}

// TestDeliveryOfPlainPeer: what a peer sends that takes no part in reliable links is delivered, and cannot be given
// back. The zero Delivery is nobody's.
func TestDeliveryOfPlainPeer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		pull := manualPull(t, net, socket.WithMaxUnsettled(1))
		push := socket.NewPush(on(net, "cli"))
		must(t, push.Connect(server))
		for n := range 3 {
			must(t, push.Send(aDay(t), socket.Text(fmt.Sprint(n))))
		}
		for n := range 3 {
			d := nextDelivery(t, pull, fmt.Sprint(n))
			if d.ID != (socket.MessageID{}) || d.ID.String() != "" {
				t.Errorf("the message is %v", d.ID)
			}
			wantError(t, d.Nak(0), socket.ErrForeign)
			wantError(t, d.Term(""), socket.ErrForeign)
			must(t, d.InProgress())
			must(t, d.AckSync(aDay(t)))
			wantEnded(t, d, socket.ErrSettled)
		}
		wantEnded(t, &socket.Delivery{}, socket.ErrSettled)
		shut(t, push)
		shut(t, pull)
	})
}

// TestDeliveryMaxUnsettled: Next waits while as many wait for a verb as may, and each that is settled lets one go, to
// whoever waits.
func TestDeliveryMaxUnsettled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		pull := manualPull(t, net, socket.WithMaxUnsettled(3))
		r := openTo(t, net, "cli", "PUSH", aStream(7))
		for n := range 20 {
			r.send(messageOf(fmt.Sprint(n)))
		}
		ctx, got := aDay(t), make(chan *socket.Delivery, 20)
		var workers sync.WaitGroup
		for range 5 {
			workers.Go(func() {
				for d, err := range pull.Deliveries(ctx) {
					if err != nil {
						return
					}
					got <- d
				}
			})
		}
		verbs := []func(*socket.Delivery) error{
			(*socket.Delivery).Ack,
			func(d *socket.Delivery) error { return d.Nak(0) },
			func(d *socket.Delivery) error { return d.Term("") },
			func(d *socket.Delivery) error { return d.AckSync(aDay(t)) },
		}
		time.Sleep(time.Second)
		for n := range 20 {
			synctest.Wait()
			if most := min(3, 20-n); len(got) != most {
				t.Fatalf("%d are handed out, want %d", len(got), most)
			}
			must(t, verbs[n%len(verbs)](<-got))
		}
		must(t, pull.Close())
		workers.Wait()
	})
}

// TestDeliveryLease: what is kept for longer than WithAckWait is given back; InProgress begins the time anew. Of
// messages that others may get it is 30 s, of others none.
func TestDeliveryLease(t *testing.T) {
	for _, tt := range []struct {
		name   string
		shared bool
		opts   []socket.PullOption
		wait   time.Duration
	}{
		{"ten seconds", false, []socket.PullOption{socket.WithAckWait(10 * time.Second)}, 10 * time.Second},
		{"shared", true, nil, 30 * time.Second},
		{"shared, ten seconds", true, []socket.PullOption{socket.WithAckWait(10 * time.Second)}, 10 * time.Second},
		{"shared, none", true, []socket.PullOption{socket.WithAckWait(-1)}, 0},
		{"none", false, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{Latency: time.Millisecond})
				pull := manualPull(t, net, tt.opts...)
				open := aStream(7)
				open.Shared = tt.shared
				r := openTo(t, net, "cli", "PUSH", open)
				r.send(messageOf("0"), messageOf("1"), messageOf("2"))
				kept, extended, acked := nextDelivery(t, pull, "0"), nextDelivery(t, pull, "1"), nextDelivery(t, pull, "2")
				if tt.wait == 0 {
					time.Sleep(time.Hour)
					must(t, kept.Ack())
					must(t, pull.Close())
					return
				}
				time.Sleep(tt.wait - time.Second)
				must(t, extended.InProgress())
				must(t, acked.Ack())
				time.Sleep(2 * time.Second)
				wantEnded(t, kept, socket.ErrExpired)
				r.wantSaid(saying{name: "ACK", at: 0, above: []zmtp.Range{{From: 2, To: 3}}})
				r.wantSaid(saying{name: "NAK", at: 0})
				time.Sleep(tt.wait - 3*time.Second)
				if st := pull.Stats(); st.Unsettled.Messages != 1 {
					t.Errorf("%v are unsettled", st.Unsettled)
				}
				must(t, extended.InProgress())
				time.Sleep(tt.wait + time.Second)
				wantEnded(t, extended, socket.ErrExpired)
				r.wantSaid(saying{name: "NAK", at: 1})
				must(t, pull.Close())
			})
		})
	}
}

// TestDeliveryExpired: what its sender has no use for any more is not handed out, by whatever way it is received, and
// is settled and counted.
func TestDeliveryExpired(t *testing.T) {
	for _, manual := range []bool{false, true} {
		t.Run(fmt.Sprintf("manual %v", manual), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{Latency: time.Millisecond})
				opts := []socket.PullOption{on(net, "srv"), socket.WithHeartbeat(0, 0, 0)}
				if manual {
					opts = append(opts, socket.WithManualAck())
				}
				pull := socket.NewPull(opts...)
				bindAt(t, pull)
				r := openTo(t, net, "cli", "PUSH", aStream(7))
				for n := range 20 {
					ttl := time.Duration(n%3) * 10 * time.Second
					r.send(zmtp.AppendNext(nil, zmtp.Next{Number: uint64(n) + 1, TTL: ttl}), messageOf(fmt.Sprint(n)))
				}
				for n := range 12 {
					if n == 6 {
						time.Sleep(11 * time.Second)
					}
					if n > 5 && n%3 == 1 {
						continue
					}
					m, err := pull.Recv(aDay(t))
					must(t, err)
					if string(m.Bytes()) != fmt.Sprint(n) {
						t.Fatalf("%s came, want %d", m, n)
					}
				}
				time.Sleep(10 * time.Second)
				for _, n := range []int{12, 15, 18} {
					err := nextDelivery(t, pull, fmt.Sprint(n)).AckSync(aDay(t))
					if manual {
						must(t, err)
					} else {
						wantError(t, err, socket.ErrSettled)
					}
				}
				nothing(t, pull)
				for r.said().at != 20 {
				}
				if st := pull.Stats(); st.Discarded[socket.Expired].Messages != 7 || st.Handed.Messages != 13 {
					t.Errorf("PULL counts %v", st.Ledger)
				}
				balanced(t, pull)
				must(t, pull.Close())
			})
		})
	}
}

// TestDeliveryClose: what a Pull has handed out and is not settled when it closes goes to another one; what is settled
// does not.
func TestDeliveryClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		push := socket.NewPush(on(net, "srv"), socket.WithReliable())
		bindAt(t, push)
		one := socket.NewPull(on(net, "one"), socket.WithManualAck())
		must(t, one.Connect(server))
		must(t, push.WaitPeers(aDay(t), 1))
		for n := range 100 {
			must(t, push.Send(aDay(t), numbered(n, 10)))
		}
		var kept []*socket.Delivery
		for n := range 50 {
			d, err := one.Next(aDay(t))
			must(t, err)
			if n%2 == 0 {
				must(t, d.Ack())
			} else {
				kept = append(kept, d)
			}
		}
		must(t, one.Close())
		balanced(t, one)
		for _, d := range kept {
			wantEnded(t, d, socket.ErrClosed)
		}
		two := socket.NewPull(on(net, "two"))
		must(t, two.Connect(server))
		for _, d := range kept {
			m, err := two.Recv(aDay(t))
			must(t, err)
			if number(m) != number(d.Msg) {
				t.Fatalf("%d came, want %d", number(m), number(d.Msg))
			}
		}
		wantNumbers(t, drainAll(t, two), 50, 50)
		if st := push.Stats(); st.Delivered.Messages != 100 {
			t.Errorf("PUSH counts %v", st.Ledger)
		}
		shut(t, push)
		shut(t, two)
	})
}

// TestDeliveryAckSync: it returns when the sender has been told, over another connection if need be, or with the
// context's error.
func TestDeliveryAckSync(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		pull := manualPull(t, net)
		push := socket.NewPush(on(net, "cli"), socket.WithReliable(), socket.WithReassign(-1))
		must(t, push.Connect(server))
		for n := range 3 {
			must(t, push.Send(aDay(t), socket.Text(fmt.Sprint(n))))
		}
		d := []*socket.Delivery{nextDelivery(t, pull, "0"), nextDelivery(t, pull, "1"), nextDelivery(t, pull, "2")}
		must(t, d[0].AckSync(aDay(t)))
		time.Sleep(2 * time.Millisecond)
		if st := push.Stats(); st.Delivered.Messages != 1 {
			t.Errorf("PUSH counts %v", st.Ledger)
		}
		net.Partition("cli")
		net.Cut("cli")
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantError(t, d[1].AckSync(ctx), context.DeadlineExceeded)
		time.AfterFunc(time.Minute, net.Heal)
		begin := time.Now()
		must(t, d[2].AckSync(aDay(t)))
		if took := time.Since(begin); took < time.Minute {
			t.Errorf("it took %v", took)
		}
		time.Sleep(time.Second)
		if st := push.Stats(); st.Delivered.Messages != 3 {
			t.Errorf("PUSH counts %v", st.Ledger)
		}
		shut(t, push)
		shut(t, pull)
	})
}

// TestDeliveryOutOfOrder: messages are settled in any order by several workers while connections are lost again and
// again: each is delivered once, and acknowledged once.
func TestDeliveryOutOfOrder(t *testing.T) {
	cuts := uint64(0)
	for seed := range uint64(10) {
		bubble(t, func(t *testing.T) {
			net := lossy(seed)
			push := socket.NewPush(on(net, "srv"), socket.WithReliable())
			bindAt(t, push)
			pull := socket.NewPull(on(net, "cli"), socket.WithManualAck(), socket.WithMaxUnsettled(50))
			must(t, pull.Connect(server))
			const total = 2000
			times := make([]int, total)
			ctx := aDay(t)
			var mu sync.Mutex
			var kept []*socket.Delivery
			seen, rnd := 0, rand.New(rand.NewPCG(seed, 1))
			ackDownTo := func(n int) {
				for len(kept) > n {
					i := rnd.IntN(len(kept))
					if err := kept[i].Ack(); err != nil {
						t.Errorf("ack: %v", err)
					}
					kept = append(kept[:i], kept[i+1:]...)
				}
			}
			var workers sync.WaitGroup
			for range 4 {
				workers.Go(func() {
					for d, err := range pull.Deliveries(ctx) {
						if err != nil {
							return
						}
						n := number(d.Msg)
						if d.ID.Seq != uint64(n)+1 {
							t.Errorf("message %d is %v", n, d.ID)
						}
						mu.Lock()
						times[n]++
						kept = append(kept, d)
						ackDownTo(rnd.IntN(40))
						if seen++; seen == total {
							ackDownTo(0)
						}
						mu.Unlock()
						balanced(t, pull)
					}
				})
			}
			for n := range total {
				must(t, push.Send(aDay(t), numbered(n, 50)))
				time.Sleep(time.Millisecond)
			}
			must(t, push.Shutdown(aDay(t)))
			if st := push.Stats(); st.Delivered.Messages != total {
				t.Errorf("PUSH counts %v", st.Ledger)
			}
			must(t, pull.Close())
			workers.Wait()
			for n, k := range times {
				if k != 1 {
					t.Errorf("message %d was delivered %d times", n, k)
				}
			}
			cuts += net.Stats().Cuts
		})
	}
	if cuts == 0 {
		t.Error("nothing was cut")
	}
}

// TestDeliveryRoles: the other roles that deliver.
func TestDeliveryRoles(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		for _, tt := range []struct {
			name, from string
			d          deliverer
			wire       []string
			frames     int
		}{
			{"router", "DEALER", socket.NewRouter(on(net, "srv"), socket.WithManualAck()), []string{"x"}, 2},
			{"dealer", "DEALER", socket.NewDealer(on(net, "srv"), socket.WithManualAck()), []string{"x"}, 1},
			{"rep", "REQ", socket.NewRep(on(net, "srv"), socket.WithManualAck()), []string{"", "x"}, 1},
			{
				"sub", "PUB", socket.NewSub(on(net, "srv"), socket.WithManualAck(), socket.WithSubscription("x")),
				[]string{"x"},
				1,
			},
		} {
			bindAt(t, tt.d)
			r := openTo(t, net, tt.name, tt.from, aStream(7))
			r.send(messageOf(tt.wire...))
			d := nextDelivery(t, tt.d, "x")
			if len(d.Frames) != tt.frames {
				t.Errorf("%s: %v", tt.name, d.Msg)
			}
			must(t, d.AckSync(aDay(t)))
			r.wantSaid(saying{name: "ACK", at: 1})
			if tt.name == "sub" { // what it is not subscribed to is settled too
				r.send(messageOf("y"), messageOf("x"))
				must(t, nextDelivery(t, tt.d, "x").AckSync(aDay(t)))
				for r.said().at != 3 {
				}
			}
			balanced(t, tt.d)
			must(t, tt.d.Close())
		}
	})
}

// TestMessageID: its text is read back.
func TestMessageID(t *testing.T) {
	for _, id := range []socket.MessageID{{}, {Stream: spool.ID{1, 2, 255}, Seq: 1<<64 - 1}} {
		text, err := id.MarshalText()
		must(t, err)
		var back socket.MessageID
		must(t, back.UnmarshalText(text))
		if back != id {
			t.Errorf("%q became %v", text, back)
		}
	}
	for _, bad := range []string{
		"1", "/1", "01/1", "0102030405060708090a0b0c0d0e0f10", "0102030405060708090a0b0c0d0e0f10/x",
	} {
		if err := new(socket.MessageID).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q was taken for a message id", bad)
		}
	}
}
