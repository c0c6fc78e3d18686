package socket_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// TestSpoolEveryCut cuts the connection of a sender with a spool at every byte of either direction: every message
// arrives, once, in order, and the ledger says so.
func TestSpoolEveryCut(t *testing.T) {
	for _, binds := range []bool{false, true} {
		t.Run(fmt.Sprintf("the sender binds %v", binds), func(t *testing.T) {
			everyCut(t, handshakeBytes, func(t *testing.T, net *simnet.Network) bool {
				hosts := []string{"cli", "srv"}
				if binds {
					hosts = []string{"srv", "cli"}
				}
				q := onMedium(t, newMedium(), spool.Options{})
				push, pull := socket.NewPush(on(net, hosts[0]), socket.WithSpool(q)), socket.NewPull(on(net, hosts[1]))
				if binds {
					bindAt(t, push)
					must(t, pull.Connect(server))
				} else {
					bindAt(t, pull)
					must(t, push.Connect(server))
				}
				trade(t, push, pull, 9)
				shut(t, push)
				shut(t, pull)
				must(t, q.Close())
				return net.Stats().Cuts == 1
			})
		})
	}
}

// TestSpoolManyCuts cuts connection after connection at random bytes.
func TestSpoolManyCuts(t *testing.T) {
	cuts := uint64(0)
	for seed := range uint64(40) {
		bubble(t, func(t *testing.T) {
			net := simnet.New(simnet.Config{
				Latency: time.Millisecond, Jitter: time.Millisecond, Seed: seed, CutPerKiB: 0.7, Window: 512,
			})
			q := onMedium(t, newMedium(), spool.Options{})
			x := socket.NewDealer(on(net, "cli"), socket.WithSpool(q))
			y := socket.NewDealer(on(net, "srv"), socket.WithReliable())
			bindAt(t, y)
			must(t, x.Connect(server))
			var all sync.WaitGroup
			all.Go(func() { trade(t, x, y, 200) })
			all.Go(func() { trade(t, y, x, 200) })
			all.Wait()
			cuts += net.Stats().Cuts
			shut(t, x)
			shut(t, y)
			must(t, q.Close())
		})
		if t.Failed() {
			t.Fatalf("^ seed %d", seed)
		}
	}
	t.Logf("%d cuts", cuts)
	if cuts < 200 {
		t.Errorf("%d cuts are not enough to show anything", cuts)
	}
}

// TestSpoolRestartUnderCuts: a sender that is closed and opened again while its connections are cut. The receiver,
// which stays, gets every message once and in order.
func TestSpoolRestartUnderCuts(t *testing.T) {
	for seed := range uint64(20) {
		bubble(t, func(t *testing.T) {
			net := simnet.New(simnet.Config{Latency: time.Millisecond, Seed: seed, CutPerKiB: 0.3, Window: 512})
			m := newMedium()
			pull := socket.NewPull(on(net, "srv"))
			bindAt(t, pull)
			const lives, each = 8, 50
			var all sync.WaitGroup
			all.Go(func() {
				recvAll(t, pull, 0, lives*each)
				time.Sleep(time.Minute)
				if m, err := pull.Recv(quietContext()); err == nil {
					t.Errorf("received %d more than once", number(m))
				}
			})
			for life := range lives {
				q := onMedium(t, m, spool.Options{})
				push := socket.NewPush(on(net, "cli"), socket.WithSpool(q))
				must(t, push.Connect(server))
				sendAll(t, push, life*each, each)
				time.Sleep(time.Duration(seed*7) * time.Millisecond)
				balanced(t, push)
				if life == lives-1 {
					must(t, push.Shutdown(aDay(t)))
				}
				must(t, push.Close())
				balanced(t, push)
				must(t, q.Close())
			}
			all.Wait()
			shut(t, pull)
		})
		if t.Failed() {
			t.Fatalf("^ seed %d", seed)
		}
	}
}

// TestSpoolWorkers: several Pulls whose connections are lost again and again get every message once between them, each
// in the order in which it was sent.
func TestSpoolWorkers(t *testing.T) {
	for seed := range uint64(10) {
		bubble(t, func(t *testing.T) {
			net := lossy(seed)
			q := onMedium(t, newMedium(), spool.Options{})
			push := socket.NewPush(on(net, "srv"), socket.WithSpool(q))
			bindAt(t, push)
			const total, workers = 3000, 3
			got := make(chan int, 2*total)
			var pulls []*socket.Pull
			var all sync.WaitGroup
			for i := range workers {
				pull := socket.NewPull(on(net, fmt.Sprintf("worker%d", i)))
				pulls = append(pulls, pull)
				must(t, pull.Connect(server))
				all.Go(func() {
					for m, err := range pull.Messages(t.Context()) {
						if err != nil {
							return // the test is over
						}
						got <- number(m)
					}
				})
			}
			must(t, push.WaitPeers(aDay(t), workers))
			for n := range total {
				must(t, push.Send(aDay(t), numbered(n, 50)))
				time.Sleep(time.Millisecond)
			}
			must(t, push.Shutdown(aDay(t)))
			balanced(t, push)
			if n := q.Stats().Live.Messages; n != 0 {
				t.Errorf("%d are left in the spool", n)
			}
			for _, pull := range pulls {
				balanced(t, pull)
				if n := pull.Stats().Handed.Messages; n < total/workers/10 { // its connection is lost, and waits, again and again
					t.Errorf("one of %d has got %d of %d messages", workers, n, total)
				}
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
			must(t, q.Close())
		})
		if t.Failed() {
			t.Fatalf("^ seed %d", seed)
		}
	}
}

// TestSpoolReassign: what a receiver that is gone has not acknowledged goes to another, which is told that it may have
// been received before, and counts an attempt.
func TestSpoolReassign(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		q := onMedium(t, newMedium(), spool.Options{})
		push := socket.NewPush(on(net, "srv"), socket.WithSpool(q), socket.WithReassign(10*time.Second))
		bindAt(t, push)
		one, two := socket.NewPull(on(net, "one")), socket.NewPull(on(net, "two"))
		must(t, one.Connect(server))
		sendAll(t, push, 0, 100)
		recvAll(t, one, 0, 40)
		time.Sleep(time.Second) // acknowledged
		net.Partition("one")
		net.Cut("one")
		must(t, two.Connect(server))
		sendAll(t, push, 100, 10)
		recvAll(t, two, 100, 10)
		time.Sleep(9 * time.Second)
		if st := two.Stats(); st.Received.Messages != 10 {
			t.Errorf("the other one has %v", st.Ledger)
		}
		balanced(t, push)
		for n := range 60 {
			d, err := two.Next(aDay(t))
			must(t, err)
			if number(d.Msg) != 40+n || d.Attempts != 1 || !d.Redelivered || d.ID.Seq != uint64(41+n) {
				t.Fatalf("received %d, %d attempts, redelivered %v, %v", number(d.Msg), d.Attempts, d.Redelivered, d.ID)
			}
		}
		must(t, push.Shutdown(aDay(t)))
		if st := push.Stats(); st.Delivered.Messages != 110 || st.Redelivered.Messages != 60 {
			t.Errorf("PUSH counts %v, %v redelivered", st.Ledger, st.Redelivered)
		}
		balanced(t, push)
		shut(t, one)
		shut(t, two)
		must(t, q.Close())
	})
}

// TestSpoolForked: a copy of a spool's directory is refused by a receiver that has heard of the original, and so is the
// original once it has gone on from an earlier state. Neither loses what it has.
func TestSpoolForked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		m := newMedium()
		pull := socket.NewPull(on(net, "srv"))
		bindAt(t, pull)
		run := func(m *medium, opts spool.Options, do func(push *socket.Push, q *spool.Spool)) {
			q := onMedium(t, m, opts)
			push := socket.NewPush(on(net, "cli"), socket.WithSpool(q))
			must(t, push.Connect(server))
			do(push, q)
			balanced(t, push)
			must(t, push.Close())
			must(t, q.Close())
		}
		run(m, spool.Options{}, func(push *socket.Push, _ *spool.Spool) {
			sendAll(t, push, 0, 10)
			recvAll(t, pull, 0, 10)
			settledAll(t, push)
		})
		backup := m.copied()
		run(m, spool.Options{}, func(push *socket.Push, _ *spool.Spool) {
			sendAll(t, push, 10, 10)
			recvAll(t, pull, 10, 10)
			settledAll(t, push)
		})
		run(backup.copied(), spool.Options{}, func(push *socket.Push, q *spool.Spool) { // the same epoch, another nonce
			sendAll(t, push, 20, 5)
			event(t, push, socket.Forked)
			if st := push.Stats(); st.Spooled.Messages != 5 {
				t.Errorf("PUSH counts %v", st.Ledger)
			}
		})
		run(m, spool.Options{}, func(push *socket.Push, _ *spool.Spool) { // the original goes on
			sendAll(t, push, 30, 5)
			recvAll(t, pull, 30, 5)
			settledAll(t, push)
		})
		run(backup.copied(), spool.Options{}, func(push *socket.Push, _ *spool.Spool) { // now of an earlier epoch
			sendAll(t, push, 40, 5)
			event(t, push, socket.Fenced)
		})
		run(backup, spool.Options{Fork: true}, func(push *socket.Push, _ *spool.Spool) { // a stream of its own
			sendAll(t, push, 50, 5)
			recvAll(t, pull, 50, 5)
			settledAll(t, push)
		})
		nothing(t, pull)
		shut(t, pull)
	})
}

// TestSpoolBrokenDisk: while the disk fails Send says so, what is stored is delivered and acknowledged all the same,
// and once the disk works again all goes on.
func TestSpoolBrokenDisk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		m := newMedium()
		q := onMedium(t, m, spool.Options{})
		push, pull := socket.NewPush(on(net, "cli"), socket.WithSpool(q)), socket.NewPull(on(net, "srv"))
		must(t, push.Connect(server))
		sendAll(t, push, 0, 50)
		m.set(func(m *medium) { m.broken = true })
		if err := push.Send(aDay(t), numbered(1000, 20)); !errors.Is(err, errBroken) {
			t.Errorf("Send says %v", err)
		}
		bindAt(t, pull)
		recvAll(t, pull, 0, 50)
		time.Sleep(time.Second)
		if st := push.Stats(); st.Delivered.Messages != 50 || st.Accepted.Messages != 50 {
			t.Errorf("PUSH counts %v", st.Ledger)
		}
		balanced(t, push)
		m.set(func(m *medium) { m.broken = false })
		sendAll(t, push, 50, 50)
		recvAll(t, pull, 50, 50)
		settledAll(t, push)
		balanced(t, push)
		must(t, push.Shutdown(aDay(t)))
		shut(t, pull)
		must(t, q.Close())
	})
}

// TestSpoolFullDisk: Send returns ErrSpoolFull at once; what is stored is delivered, and makes room.
func TestSpoolFullDisk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		m := newMedium()
		m.left = 2 << 20
		q := onMedium(t, m, spool.Options{Overflow: spool.Reject})
		push, pull := socket.NewPush(on(net, "cli"), socket.WithSpool(q)), socket.NewPull(on(net, "srv"))
		must(t, push.Connect(server))
		sent := 0
		for ; ; sent++ {
			begin := time.Now()
			err := push.Send(aDay(t), numbered(sent, 10_000))
			if err != nil {
				if !errors.Is(err, socket.ErrSpoolFull) || time.Since(begin) > 100*time.Millisecond || sent < 50 {
					t.Fatalf("Send of message %d says %v after %v", sent, err, time.Since(begin))
				}
				break
			}
		}
		bindAt(t, pull)
		recvAll(t, pull, 0, sent)
		settledAll(t, push)
		time.Sleep(10 * time.Second)
		sendAll(t, push, sent, 50)
		recvAll(t, pull, sent, 50)
		must(t, push.Shutdown(aDay(t)))
		balanced(t, push)
		shut(t, pull)
		must(t, q.Close())
	})
}

// TestSpoolExpiry: a message whose time is over is not sent, and one that is in time says how much it has left.
func TestSpoolExpiry(t *testing.T) {
	bubble(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))) // a spool keeps no expiry before 2026
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		q := onMedium(t, newMedium(), spool.Options{MaxAge: time.Hour})
		push, pull := socket.NewPush(on(net, "cli"), socket.WithSpool(q)), socket.NewPull(on(net, "srv"))
		must(t, push.Connect(server))
		sendAll(t, push, 0, 10)
		time.Sleep(2 * time.Hour)
		r, err := push.SendReceipt(aDay(t), numbered(10, 20))
		must(t, err)
		time.Sleep(59 * time.Minute)
		bindAt(t, pull)
		d, err := pull.Next(aDay(t))
		must(t, err)
		if left := time.Until(d.Expires); number(d.Msg) != 10 || left > time.Minute || left < 50*time.Second {
			t.Errorf("received %d, which expires in %v", number(d.Msg), left)
		}
		must(t, r.Wait(aDay(t)))
		if d.ID != r.ID() {
			t.Errorf("the receipt is of %v, the delivery of %v", r.ID(), d.ID)
		}
		settledAll(t, push)
		if st := push.Stats(); st.Dropped[socket.Expired].Messages != 10 || st.Delivered.Messages != 1 {
			t.Errorf("PUSH counts %v", st.Ledger)
		}
		balanced(t, push)
		must(t, push.Shutdown(aDay(t)))
		shut(t, pull)
		must(t, q.Close())
	})
}

// TestReceipt: it tells what becomes of a message: received, lost, or still in the spool.
func TestReceipt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		q := onMedium(t, newMedium(), spool.Options{})
		push := socket.NewPush(on(net, "cli"), socket.WithSpool(q))
		pull := socket.NewPull(on(net, "srv"), socket.WithManualAck())
		bindAt(t, pull)
		must(t, push.Connect(server))
		var receipts []*socket.Receipt
		for n := range 4 {
			r, err := push.SendReceipt(aDay(t), numbered(n, 20))
			must(t, err)
			receipts = append(receipts, r)
		}
		var ds []*socket.Delivery
		for range 4 {
			d, err := pull.Next(aDay(t))
			must(t, err)
			ds = append(ds, d)
		}
		time.Sleep(time.Second)
		ended, cancel := context.WithCancelCause(t.Context())
		enough := errors.New("enough")
		cancel(enough)
		if err := receipts[1].Wait(ended); !errors.Is(err, enough) || receipts[1].Err() != nil {
			t.Errorf("before it is done the receipt says %v, %v", err, receipts[1].Err())
		}
		must(t, ds[1].Ack())
		must(t, receipts[1].Wait(aDay(t)))
		must(t, ds[0].Term("no good"))
		if err := receipts[0].Wait(aDay(t)); !errors.Is(err, socket.ErrLost) {
			t.Errorf("of a dead letter the receipt says %v", err)
		}
		n, err := q.Purge(aDay(t), spool.Filter{To: ds[2].ID.Seq + 1})
		must(t, err)
		if n.Messages != 1 {
			t.Errorf("%v were purged", n)
		}
		must(t, ds[2].Nak(0))
		if err := receipts[2].Wait(aDay(t)); !errors.Is(err, socket.ErrLost) {
			t.Errorf("of what was purged the receipt says %v", err)
		}
		balanced(t, push)
		must(t, push.Close())
		if err := receipts[3].Wait(aDay(t)); !errors.Is(err, socket.ErrClosed) {
			t.Errorf("of what is in the spool the receipt says %v", err)
		}
		balanced(t, push)
		st := push.Stats()
		if st.Delivered.Messages != 1 || st.Spooled.Messages != 1 || st.Dropped[socket.Purged].Messages != 1 ||
			st.Dropped[socket.DeadLettered].Messages != 1 {
			t.Errorf("PUSH counts %v", st.Ledger)
		}
		shut(t, pull)
		must(t, q.Close())
		plain := socket.NewPush()
		if _, err := plain.SendReceipt(aDay(t), socket.Text("x")); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("without a spool SendReceipt says %v", err)
		}
		must(t, plain.Close())
	})
}
