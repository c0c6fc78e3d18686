package socket_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// A sendingLife is one of a sender's with a spool, on host "cli".
type sendingLife struct {
	push *socket.Push
	q    *spool.Spool
	disk *medium
}

func leadSender(t testing.TB, net *simnet.Network, d *medium) *sendingLife {
	t.Helper()
	l := &sendingLife{disk: d, q: onMedium(t, d, spool.Options{})}
	l.push = socket.NewPush(on(net, "cli"), socket.WithSpool(l.q), atOnce)
	must(t, l.push.Connect(server))
	return l
}

func (l *sendingLife) kill(t testing.TB, net *simnet.Network) *medium {
	t.Helper()
	net.Partition("cli")
	net.Cut("cli")
	d := l.disk.copied()
	must(t, l.push.Close())
	must(t, l.q.Close())
	net.Heal()
	return d
}

// TestSpoolToInbox: a sender with a spool and a receiver with an inbox, each of which is killed again and again, on a
// network that cuts their connections: every message that was accepted comes, in order, once into the inbox, and once
// to the application but for those that say that they may have come before.
func TestSpoolToInbox(t *testing.T) {
	for seed := range uint64(5) {
		bubble(t, func(t *testing.T) {
			net := simnet.New(simnet.Config{Latency: time.Millisecond, Seed: seed, MeanLife: 100 * time.Millisecond})
			rnd := rand.New(rand.NewPCG(seed, 7))
			out, in := leadSender(t, net, newMedium()), lead(t, net, newMedium(), socket.WithRecvHWM(20))
			const total = 800
			times, sent, next, kills := make([]int, total), 0, 0, 0
			var order []int // of first times
			for deadline := time.Now().Add(time.Hour); slices.Contains(times, 0); {
				if time.Now().After(deadline) {
					t.Fatalf("message %d does not come; %v; %v", slices.Index(times, 0), out.push.Stats(), in.pull.Stats())
				}
				for n := rnd.IntN(30); n > 0 && sent < total; n-- {
					must(t, out.push.Send(aDay(t), numbered(sent, 40)))
					sent++
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rnd.IntN(60))*time.Millisecond)
				for n := rnd.IntN(60); n > 0; n-- {
					dv, err := in.pull.Next(ctx)
					if err != nil {
						break
					}
					n := number(dv.Msg)
					if times[n]++; times[n] == 1 {
						order = append(order, n)
					} else if !dv.Redelivered {
						t.Errorf("message %d came again and does not say so", n)
					}
					next = max(next, n+1)
				}
				cancel()
				balanced(t, in.pull)
				balanced(t, out.push)
				kept(t, in.q)
				switch rnd.IntN(8) {
				case 0:
					kills++
					out = leadSender(t, net, out.kill(t, net))
				case 1:
					kills++
					in = lead(t, net, in.kill(t, net), socket.WithRecvHWM(20))
				case 2:
					kills++
					in.end(t)
					in = lead(t, net, in.disk, socket.WithRecvHWM(20))
				}
			}
			if !slices.IsSorted(order) {
				t.Errorf("the order is %v", order)
			}
			if kills < 10 || net.Stats().Cuts < 10 {
				t.Errorf("%d kills and %d cuts", kills, net.Stats().Cuts)
			}
			time.Sleep(time.Minute)
			if n := out.q.Stats().Live.Messages; n != 0 {
				t.Errorf("the sender still has %d messages", n)
			}
			shut(t, out.push)
			must(t, out.q.Close())
			in.end(t)
		})
		if t.Failed() {
			t.Fatalf("^ seed %d", seed)
		}
	}
}

// TestSpoolToWorkers: a message that a worker keeps for too long, or gives back, goes to another one, and says how
// often it was begun; one that nobody wants ends among the dead letters of its sender.
func TestSpoolToWorkers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		d := newMedium()
		q := onMedium(t, d, spool.Options{MaxDeliveries: 3})
		push := socket.NewPush(on(net, "srv"), socket.WithSpool(q))
		bindAt(t, push)
		one := socket.NewPull(on(net, "one"), socket.WithManualAck(), socket.WithMaxUnsettled(1))
		must(t, one.Connect(server))
		must(t, push.Send(aDay(t), socket.Text("job")))
		dv := nextDelivery(t, one, "job")
		if dv.Attempts != 0 || dv.Redelivered || dv.ID.Stream != q.ID() {
			t.Errorf("at first it is %+v", dv)
		}
		begin := time.Now()
		dv = nextDelivery(t, one, "job") // after the lease, of 30 s
		if took := time.Since(begin); dv.Attempts != 1 || !dv.Redelivered || took < 30*time.Second || took > 40*time.Second {
			t.Errorf("after %v it is %+v", took, dv)
		}
		must(t, dv.Nak(time.Minute))
		begin = time.Now()
		dv = nextDelivery(t, one, "job")
		if took := time.Since(begin); dv.Attempts != 2 || took < time.Minute {
			t.Errorf("after %v it is %+v", took, dv)
		}
		must(t, dv.Term("poison"))
		must(t, push.Send(aDay(t), socket.Text("another")))
		must(t, nextDelivery(t, one, "another").AckSync(aDay(t)))
		time.Sleep(time.Second)
		for letter, err := range q.DeadLetters(t.Context()) {
			must(t, err)
			if string(letter.Frames[0]) != "job" || letter.Reason == "" {
				t.Errorf("a dead letter is %+v", letter)
			}
		}
		if st := q.Stats(); st.Dead.Messages != 1 || st.Live.Messages != 0 {
			t.Errorf("the spool counts %+v", st)
		}
		balanced(t, push)
		shut(t, push)
		shut(t, one)
		must(t, q.Close())
	})
}
