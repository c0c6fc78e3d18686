package socket_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A life is one of a receiver's, from the opening of its spool on.
type life struct {
	pull *socket.Pull
	q    *spool.Spool
	disk *medium
}

// lead begins a life on host "srv".
func lead(t testing.TB, net *simnet.Network, d *medium, opts ...socket.PullOption) *life {
	t.Helper()
	l := &life{disk: d, q: onMedium(t, d, spool.Options{})}
	l.pull = socket.NewPull(append(opts, on(net, "srv"), socket.WithInbox(l.q))...)
	bindAt(t, l.pull)
	return l
}

// end ends it in order.
func (l *life) end(t testing.TB) {
	t.Helper()
	shut(t, l.pull)
	must(t, l.q.Close())
}

// kill ends it at this moment: what it does later nobody sees.
func (l *life) kill(t testing.TB, net *simnet.Network) (d *medium) {
	t.Helper()
	net.Partition("srv")
	net.Cut("srv")
	d = l.disk.copied()
	must(t, l.pull.Close())
	must(t, l.q.Close())
	net.Heal()
	return d
}

// TestInbox: a message is delivered once it is on disk, is received in order, in this life or the next, and then is
// gone.
func TestInbox(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		d := newMedium()
		l := lead(t, net, d)
		push := socket.NewPush(on(net, "cli"), socket.WithReliable())
		must(t, push.Connect(server))
		for n := range 100 {
			must(t, push.Send(aDay(t), numbered(n, 10)))
		}
		time.Sleep(time.Second)
		if st := push.Stats(); st.Delivered.Messages != 100 {
			t.Errorf("before anything was received PUSH counts %v", st.Ledger)
		}
		if n := len(kept(t, l.q)); n != 100 {
			t.Errorf("%d messages are kept", n)
		}
		for n := range 40 {
			m, err := l.pull.Recv(aDay(t))
			must(t, err)
			if number(m) != n || m.From == nil {
				t.Fatalf("%d came from %v, want %d", number(m), m.From, n)
			}
			balanced(t, l.pull)
		}
		if st := l.pull.Stats(); st.Received.Messages != 100 || st.Handed.Messages != 40 || st.Stored.Messages != 100 ||
			st.Loaded.Messages != 100 || st.Unread.Messages != 60 {
			t.Errorf("PULL counts %v", st.Ledger)
		}
		l.end(t)
		if st := l.pull.Stats(); st.Stored.Messages != 160 || len(st.Discarded) != 0 {
			t.Errorf("at the end PULL counts %v", st.Ledger)
		}
		must(t, push.Send(aDay(t), numbered(100, 10)))

		l = lead(t, net, d)
		for n := range 101 - 40 {
			dv, err := l.pull.Next(aDay(t))
			must(t, err)
			if number(dv.Msg) != n+40 || dv.Redelivered != (n < 60) ||
				n < 60 && dv.ID.Seq != uint64(n)+41 { // after BYE the sender begins anew
				t.Fatalf("%d came, %v redelivered %v, want %d", number(dv.Msg), dv.ID, dv.Redelivered, n+40)
			}
			wantEnded(t, dv, socket.ErrSettled)
		}
		time.Sleep(time.Second)
		if ids := kept(t, l.q); len(ids) != 0 {
			t.Errorf("%v are still kept", ids)
		}
		nothing(t, l.pull)
		_, err := l.pull.TryRecv()
		wantError(t, err, socket.ErrWouldBlock)
		shut(t, push)
		l.end(t)
	})
}

// TestInboxKilled: the receiver is killed again and again at any moment. Nothing is lost, and nothing is kept twice;
// the application gets twice only what it may have had, and that says so.
func TestInboxKilled(t *testing.T) {
	for seed := range uint64(3) {
		for _, manual := range []bool{false, true} {
			bubble(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{Latency: time.Millisecond, Seed: seed, MeanLife: 200 * time.Millisecond})
				push := socket.NewPush(on(net, "cli"), socket.WithReliable(), socket.WithReassign(-1), atOnce)
				must(t, push.Connect(server))
				const total = 600
				var sender sync.WaitGroup
				sender.Go(func() {
					for n := range total {
						if err := push.Send(aDay(t), numbered(n, 50)); err != nil {
							t.Errorf("send: %v", err)
						}
						time.Sleep(time.Millisecond)
					}
				})
				times, over := make([]int, total), make([]bool, total)
				settled := make([]bool, total) // on disk
				rnd := rand.New(rand.NewPCG(seed, 3))
				opts := []socket.PullOption{socket.WithMaxUnsettled(30), socket.WithRecvHWM(50)}
				if manual {
					opts = append(opts, socket.WithManualAck())
				}
				d, lives := newMedium(), 0
				for ; slices.Contains(over, false); lives++ {
					l := lead(t, net, d, opts...)
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rnd.IntN(100))*time.Millisecond)
					var open []*socket.Delivery
					last := -1
					for slices.Contains(over, false) {
						dv, err := l.pull.Next(ctx)
						if err != nil {
							break
						}
						n := number(dv.Msg)
						if times[n]++; times[n] > 1 && !dv.Redelivered {
							t.Errorf("message %d came again and does not say so", n)
						}
						if settled[n] {
							t.Errorf("message %d came again after it was settled", n)
						}
						if n < last {
							t.Errorf("message %d came after %d", n, last)
						}
						last = n
						balanced(t, l.pull)
						if !manual {
							over[n] = true
							continue
						}
						open = append(open, dv)
						for len(open) > rnd.IntN(25) {
							i := rnd.IntN(len(open))
							n := number(open[i].Msg)
							if rnd.IntN(2) == 0 {
								must(t, open[i].AckSync(aDay(t)))
								settled[n] = true
							} else {
								must(t, open[i].Ack())
							}
							over[n] = true
							open = slices.Delete(open, i, i+1)
						}
					}
					cancel()
					ids := kept(t, l.q)
					if lives > 200 {
						t.Fatalf("seed %d: message %d does not come; %v are kept; %v; %v", seed, slices.Index(over, false), ids,
							push.Stats(), l.pull.Stats())
					}
					if rnd.IntN(3) == 0 {
						l.end(t)
					} else {
						d = l.kill(t, net)
					}
				}
				sender.Wait()
				for n, k := range times {
					if k == 0 {
						t.Errorf("message %d did not come", n)
					}
				}
				if lives < 3 || net.Stats().Cuts == 0 {
					t.Errorf("%d lives and %d cuts", lives, net.Stats().Cuts)
				}
				shut(t, push)
			})
		}
	}
}

// TestInboxVerbs: what the verbs do to a message that is kept.
func TestInboxVerbs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		d := newMedium()
		opts := []socket.PullOption{
			socket.WithManualAck(), socket.WithAckWait(10 * time.Second), socket.WithHeartbeat(0, 0, 0),
		}
		l := lead(t, net, d, opts...)
		r := openTo(t, net, "cli", "PUSH", aStream(7))
		for n := range 6 {
			r.send(messageOf(fmt.Sprint(n)))
		}
		var dv []*socket.Delivery
		for n := range 6 {
			dv = append(dv, nextDelivery(t, l.pull, fmt.Sprint(n)))
		}
		for r.said().at != 6 { // all of them are on disk
		}
		must(t, dv[0].AckSync(aDay(t)))
		must(t, dv[1].Nak(5*time.Second))
		must(t, dv[2].Term("poison"))
		time.Sleep(4 * time.Second)
		nothing(t, l.pull)
		must(t, dv[3].InProgress())
		again := nextDelivery(t, l.pull, "1")
		if !again.Redelivered || again.Attempts != 1 || again.ID != dv[1].ID {
			t.Errorf("what was given back is %+v", again)
		}
		must(t, again.Ack())
		time.Sleep(6 * time.Second) // the leases of 4 and 5 are over, that of 3 is not
		wantEnded(t, dv[4], socket.ErrExpired)
		again = nextDelivery(t, l.pull, "4")
		wantEnded(t, dv[2], socket.ErrSettled)
		if st := l.pull.Stats(); st.Unsettled.Messages != 2 {
			t.Errorf("%v are unsettled", st.Unsettled)
		}
		for letter, err := range l.q.DeadLetters(t.Context()) {
			must(t, err)
			if string(letter.Frames[0]) != "2" || letter.Reason != "poison" || letter.Origin.Seq != 3 {
				t.Errorf("a dead letter is %+v", letter)
			}
		}
		if n := l.q.Stats().Dead.Messages; n != 1 {
			t.Errorf("there are %d dead letters", n)
		}
		balanced(t, l.pull)
		time.Sleep(time.Second)
		d = l.kill(t, net)
		wantEnded(t, again, socket.ErrClosed)

		l = lead(t, net, d, opts...)
		for _, n := range []int{3, 4, 5} { // neither settled nor given up
			if dv := nextDelivery(t, l.pull, fmt.Sprint(n)); !dv.Redelivered {
				t.Errorf("it is %+v", dv)
			}
		}
		nothing(t, l.pull)
		l.end(t)
	})
}

// TestInboxStays: what a socket has not settled when it closes is for the next socket on the same spool.
func TestInboxStays(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		l := lead(t, net, newMedium(), socket.WithManualAck())
		push := socket.NewPush(on(net, "cli"), socket.WithReliable())
		must(t, push.Connect(server))
		for n := range 50 {
			must(t, push.Send(aDay(t), numbered(n, 10)))
		}
		time.Sleep(time.Second)
		for n := range 20 {
			dv, err := l.pull.Next(aDay(t))
			must(t, err)
			if n%2 == 0 {
				must(t, dv.Ack())
			}
		}
		shut(t, l.pull)
		l.pull = socket.NewPull(on(net, "srv"), socket.WithInbox(l.q))
		for n := range 40 { // without Bind
			m, err := l.pull.Recv(aDay(t))
			must(t, err)
			if want := max(2*n+1, n+10); n < 10 && number(m) != 2*n+1 || n >= 10 && number(m) != n+10 {
				t.Errorf("%d came, want %d", number(m), want)
			}
		}
		shut(t, push)
		l.end(t)
		_, err := l.pull.Recv(aDay(t))
		wantError(t, err, socket.ErrClosed)
	})
}

// TestInboxSpoolClosed: a spool that is closed too early is an error of Recv, and of Bind.
func TestInboxSpoolClosed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		l := lead(t, net, newMedium())
		time.AfterFunc(time.Second, func() { l.q.Close() })
		_, err := l.pull.Recv(aDay(t))
		wantError(t, err, spool.ErrClosed)
		_, err = l.pull.TryRecv()
		wantError(t, err, spool.ErrClosed)
		shut(t, l.pull)
		late := socket.NewPull(on(net, "srv"), socket.WithInbox(l.q))
		_, err = late.Bind(t.Context(), server)
		wantError(t, err, spool.ErrClosed)
		shut(t, late)
	})
}

// TestInboxFull: while the spool is full nothing is acknowledged and nothing lost; what is too large for it is left
// out.
func TestInboxFull(t *testing.T) {
	for _, overflow := range []spool.Overflow{spool.Block, spool.Reject} {
		t.Run(fmt.Sprint(overflow), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{Latency: time.Millisecond})
				q := onMedium(t, newMedium(), spool.Options{MaxMessages: 20, Overflow: overflow, MaxBytes: 1 << 20})
				pull := socket.NewPull(on(net, "srv"), socket.WithInbox(q), socket.WithRecvHWM(5))
				bindAt(t, pull)
				push := socket.NewPush(on(net, "cli"), socket.WithReliable(), socket.WithSendHWM(1000))
				must(t, push.Connect(server))
				for n := range 200 {
					must(t, push.Send(aDay(t), numbered(n, 10)))
				}
				time.Sleep(time.Minute)
				if st := push.Stats(); st.Delivered.Messages != 20 {
					t.Errorf("PUSH counts %v", st.Ledger)
				}
				must(t, push.Send(aDay(t), numbered(200, 700<<10)))
				must(t, push.Send(aDay(t), numbered(200, 10)))
				wantNumbers(t, drainAll(t, pull), 0, 201)
				if st := pull.Stats(); st.Discarded[socket.TooLarge].Messages != 1 {
					t.Errorf("PULL counts %v", st.Ledger)
				}
				if st := push.Stats(); st.Delivered.Messages != 202 {
					t.Errorf("PUSH counts %v", st.Ledger)
				}
				shut(t, push)
				shut(t, pull)
				must(t, q.Close())
			})
		})
	}
}

// TestInboxExpired: what has expired when it comes is not kept; what does later is the spool's.
func TestInboxExpired(t *testing.T) {
	bubble(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))) // expiry on disk is not from before 2026
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		l := lead(t, net, newMedium(), socket.WithHeartbeat(0, 0, 0), socket.WithRecvHWM(1))
		r := openTo(t, net, "cli", "PUSH", aStream(7))
		for n := range 9 {
			ttl := time.Duration(n%3) * 10 * time.Second
			r.send(zmtp.AppendNext(nil, zmtp.Next{Number: uint64(n) + 1, TTL: ttl}), messageOf(fmt.Sprint(n)))
		}
		time.Sleep(15 * time.Second)
		for _, n := range []int{0, 2, 3, 5, 6, 8} {
			if dv := nextDelivery(t, l.pull, fmt.Sprint(n)); dv.Expires.IsZero() != (n%3 == 0) {
				t.Errorf("message %d expires %v", n, dv.Expires)
			}
		}
		nothing(t, l.pull)
		if n := l.q.Stats().Expired.Messages + l.pull.Stats().Discarded[socket.Expired].Messages; n != 3 {
			t.Errorf("%d have expired: %v", n, l.pull.Stats().Ledger)
		}
		l.end(t)
	})
}

// TestInboxRoles: the other roles keep what they need to go on after a restart.
func TestInboxRoles(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		for _, tt := range []struct {
			name string
			from func() socket.Sender
			make func(q *spool.Spool) deliverer
			sent []string
			want []string
		}{
			{
				"router", func() socket.Sender {
					return socket.NewDealer(on(net, "cli"), socket.WithReliable(), socket.WithIdentity("me"))
				},
				func(q *spool.Spool) deliverer {
					return socket.NewRouter(on(net, "srv"), socket.WithInbox(q), socket.WithReliable())
				},
				[]string{"x"},
				[]string{"me", "x"},
			},
			{
				"rep", func() socket.Sender { return socket.NewReq(on(net, "cli"), socket.WithReliable()) },
				func(q *spool.Spool) deliverer {
					return socket.NewRep(on(net, "srv"), socket.WithInbox(q), socket.WithReliable())
				},
				[]string{"x"},
				[]string{"x"},
			},
			{
				"dealer", func() socket.Sender { return socket.NewDealer(on(net, "cli"), socket.WithReliable()) },
				func(q *spool.Spool) deliverer { return socket.NewDealer(on(net, "srv"), socket.WithInbox(q)) },
				[]string{"x"},
				[]string{"x"},
			},
		} {
			d := newMedium()
			q := onMedium(t, d, spool.Options{})
			to, from := tt.make(q), tt.from()
			bindAt(t, to)
			must(t, from.Connect(server))
			must(t, from.Send(aDay(t), socket.Text(tt.sent...)))
			time.Sleep(time.Second)
			if st := from.Stats(); st.Delivered.Messages != 1 {
				t.Errorf("%s: the sender counts %v", tt.name, st.Ledger)
			}
			net.Partition("srv")
			net.Cut("srv")
			d = d.copied()
			shut(t, to)
			must(t, q.Close())
			net.Heal()

			q = onMedium(t, d, spool.Options{})
			to = tt.make(q)
			bindAt(t, to)
			time.Sleep(time.Minute) // the peer has come back
			m, err := to.Recv(aDay(t))
			must(t, err)
			if m.String() != socket.Text(tt.want...).String() {
				t.Errorf("%s: %v came, want %q", tt.name, m, tt.want)
			}
			if s, ok := to.(socket.Sender); ok {
				reply := socket.Text("reply")
				if tt.name == "router" {
					reply = socket.Text("me", "reply")
				}
				must(t, s.Send(aDay(t), reply))
				m, err := from.(socket.Receiver).Recv(aDay(t))
				must(t, err)
				if m.String() != socket.Text("reply").String() {
					t.Errorf("%s: %v came back", tt.name, m)
				}
			}
			shut(t, from)
			shut(t, to)
			must(t, q.Close())
		}
	})
}

// TestInboxSub: a Sub keeps what it is subscribed to, and hands out what it still is.
func TestInboxSub(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		q := onMedium(t, newMedium(), spool.Options{})
		sub := socket.NewSub(on(net, "srv"), socket.WithInbox(q), socket.WithSubscription("a", "b"),
			socket.WithHeartbeat(0, 0, 0))
		bindAt(t, sub)
		r := openTo(t, net, "cli", "PUB", aStream(7))
		for _, topic := range []string{"a", "b", "c", "b", "a"} {
			r.send(messageOf(topic))
		}
		time.Sleep(time.Second)
		if ids := kept(t, q); len(ids) != 4 {
			t.Errorf("%v are kept", ids)
		}
		must(t, sub.Unsubscribe("b"))
		expectSoon := func(want string) {
			t.Helper()
			m, err := sub.Recv(aDay(t))
			must(t, err)
			if string(m.Bytes()) != want {
				t.Errorf("%v came, want %s", m, want)
			}
		}
		expectSoon("a")
		expectSoon("a")
		nothing(t, sub)
		if st := sub.Stats(); st.Discarded[socket.NotSubscribed].Messages != 3 {
			t.Errorf("SUB counts %v", st.Ledger)
		}
		shut(t, sub)
		must(t, q.Close())
	})
}

// TestInboxOfPlainPeers: what comes without acknowledgements is kept too.
func TestInboxOfPlainPeers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		d := newMedium()
		l := lead(t, net, d)
		push := socket.NewPush(on(net, "cli"))
		must(t, push.Connect(server))
		for n := range 100 {
			must(t, push.Send(aDay(t), numbered(n, 10)))
		}
		time.Sleep(time.Second)
		shut(t, push)
		d = l.kill(t, net)
		l = lead(t, net, d)
		for n := range 100 {
			dv, err := l.pull.Next(aDay(t))
			must(t, err)
			if number(dv.Msg) != n || dv.ID != (socket.MessageID{}) || dv.From != nil {
				t.Fatalf("%d came, %v from %v, want %d", number(dv.Msg), dv.ID, dv.From, n)
			}
		}
		l.end(t)
	})
}

// TestFencedAndForked: a sender that is a copy, or was put back to an earlier state, is refused, with an event, also by
// a receiver that was started anew.
func TestFencedAndForked(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart %v", restart), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{Latency: time.Millisecond})
				d := newMedium()
				l := lead(t, net, d, socket.WithHeartbeat(0, 0, 0))
				open := aStream(7)
				open.Epoch, open.Durable = 5, true
				r := openTo(t, net, "cli", "PUSH", open)
				if r.opened.Status != zmtp.OpenOK || r.opened.Known != 0 {
					t.Errorf("a new stream: %+v", r.opened)
				}
				r.send(messageOf("0"), messageOf("1"), messageOf("2"))
				if s := r.said(); s.at != 3 {
					t.Errorf("%+v was said", s)
				}
				r.Close()
				if restart {
					d = l.kill(t, net)
					l = lead(t, net, d, socket.WithHeartbeat(0, 0, 0))
				}
				for _, tt := range []struct {
					name               string
					epoch, nonce, next uint64
					status             zmtp.OpenStatus
					kind               socket.EventKind
				}{
					{"an earlier one", 4, 1, 4, zmtp.OpenFenced, socket.Fenced},
					{"a copy", 5, 2, 4, zmtp.OpenForked, socket.Forked},
					{"one that was put back", 6, 1, 2, zmtp.OpenForked, socket.Forked},
					{"the next one", 6, 1, 4, zmtp.OpenOK, 0},
				} {
					open.Epoch, open.Nonce, open.Next, open.Link = tt.epoch, tt.nonce, tt.next, 2
					r := openTo(t, net, "cli", "PUSH", open)
					if r.opened.Status != tt.status {
						t.Errorf("%s: %+v", tt.name, r.opened)
					}
					if tt.kind != 0 {
						eventWhere(t, l.pull, tt.name, func(ev socket.Event) bool { return ev.Kind == tt.kind && ev.Peer != nil })
					} else if o := r.opened; o.Known == 0 || o.Floor != 4 || len(o.Done)+len(o.Held) != 0 {
						t.Errorf("%s: %+v", tt.name, r.opened)
					}
					r.Close()
				}
				l.end(t)
			})
		})
	}
}
