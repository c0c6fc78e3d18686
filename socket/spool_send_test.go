package socket_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// openSpool opens a spool in a directory, for a socket to send from.
func openSpool(t testing.TB, dir string, opts spool.Options) *spool.Spool {
	t.Helper()
	q, err := spool.Open(dir, opts)
	must(t, err)
	return q
}

// sendAll sends messages with the numbers from from on.
func sendAll(t testing.TB, s socket.Sender, from, n int) {
	t.Helper()
	for i := range n {
		must(t, s.Send(aDay(t), numbered(from+i, 20)))
	}
}

// recvAll receives n messages, which have to be those with the numbers from from on, in order.
func recvAll(t testing.TB, s socket.Receiver, from, n int) {
	t.Helper()
	for i := range n {
		m, err := s.Recv(aDay(t))
		must(t, err)
		if got := number(m); got != from+i {
			t.Fatalf("received %d, want %d", got, from+i)
		}
	}
}

// settledAll waits until a socket has nothing in its spool any more.
func settledAll(t testing.TB, s socket.Socket) {
	t.Helper()
	for range 1000 {
		if st := s.Stats(); st.Spooled.Messages+st.Queued.Messages+st.Unacknowledged.Messages == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("something is left: %v", s.Stats().Ledger)
}

// TestSpoolStartOrder: it does not matter which of the two is there first, even if the other one comes a day later.
func TestSpoolStartOrder(t *testing.T) {
	for _, late := range []time.Duration{0, 24 * time.Hour} {
		for _, binds := range []bool{false, true} {
			t.Run(fmt.Sprintf("after %v, the sender binds %v", late, binds), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					net := simnet.New(simnet.Config{Latency: time.Millisecond})
					q := openSpool(t, t.TempDir(), spool.Options{})
					hosts := []string{"cli", "srv"}
					if binds {
						slices.Reverse(hosts)
					}
					push, pull := socket.NewPush(on(net, hosts[0]), socket.WithSpool(q)), socket.NewPull(on(net, hosts[1]))
					if binds {
						bindAt(t, push)
					} else {
						must(t, push.Connect(server))
					}
					sendAll(t, push, 0, 100)
					time.Sleep(late)
					if st := push.Stats(); st.Accepted.Messages != 100 || st.Spooled.Messages != 100 {
						t.Errorf("PUSH counts %v", st.Ledger)
					}
					balanced(t, push)
					if binds {
						must(t, pull.Connect(server))
					} else {
						bindAt(t, pull)
					}
					recvAll(t, pull, 0, 100)
					sendAll(t, push, 100, 100)
					recvAll(t, pull, 100, 100)
					settledAll(t, push)
					if st := push.Stats(); st.Delivered != st.Accepted || st.Delivered.Messages != 200 {
						t.Errorf("PUSH counts %v", st.Ledger)
					}
					shut(t, push)
					shut(t, pull)
					must(t, q.Close())
				})
			})
		}
	}
}

// TestSpoolRestart: a sender that is closed and opened again, with its spool, goes on where it was. A receiver that
// stays gets each message once.
func TestSpoolRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net, dir := simnet.New(simnet.Config{Latency: time.Millisecond}), t.TempDir()
		pull := socket.NewPull(on(net, "srv"))
		bindAt(t, pull)
		got := 0
		for life := range 10 {
			q := openSpool(t, dir, spool.Options{})
			push := socket.NewPush(on(net, "cli"), socket.WithSpool(q))
			must(t, push.Connect(server))
			sendAll(t, push, life*50, 50)
			balanced(t, push)
			recvAll(t, pull, got, 20)
			got += 20
			must(t, push.Close())
			balanced(t, push)
			if st := push.Stats(); st.Queued.Messages+st.Unacknowledged.Messages+st.Dropped[socket.SocketClosed].Messages != 0 {
				t.Errorf("in life %d, closed, PUSH counts %v", life, st.Ledger)
			}
			must(t, q.Close())
		}
		q := openSpool(t, dir, spool.Options{})
		push := socket.NewPush(on(net, "cli"), socket.WithSpool(q))
		must(t, push.Connect(server))
		recvAll(t, pull, got, 500-got)
		must(t, push.Shutdown(aDay(t)))
		if n := q.Stats().Live.Messages; n != 0 {
			t.Errorf("%d are left in the spool", n)
		}
		nothing(t, pull)
		shut(t, pull)
		must(t, q.Close())
	})
}

// TestSpoolRestartRedelivers: what an earlier life of the sender has left may have come to a receiver that is gone. The
// one that is left has all that it was sent itself, and is told all the same.
func TestSpoolRestartRedelivers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net, dir := simnet.New(simnet.Config{Latency: time.Millisecond}), t.TempDir()
		q := openSpool(t, dir, spool.Options{})
		push := socket.NewPush(on(net, "srv"), socket.WithSpool(q))
		bindAt(t, push)
		gone, left := socket.NewPull(on(net, "gone"), socket.WithManualAck()), socket.NewPull(on(net, "left"))
		must(t, gone.Connect(server))
		must(t, push.WaitPeers(aDay(t), 1))
		sendAll(t, push, 0, 10)
		for range 10 {
			_, err := gone.Next(aDay(t))
			must(t, err)
		}
		net.Partition("gone")
		net.Cut("gone")
		must(t, left.Connect(server))
		sendAll(t, push, 10, 10)
		recvAll(t, left, 10, 10)
		must(t, push.Close())
		must(t, q.Close())

		q = openSpool(t, dir, spool.Options{})
		push = socket.NewPush(on(net, "srv"), socket.WithSpool(q))
		bindAt(t, push)
		sendAll(t, push, 20, 1)
		for n := range 10 {
			d, err := left.Next(aDay(t))
			must(t, err)
			if number(d.Msg) != n || !d.Redelivered {
				t.Fatalf("message %d comes, told to be redelivered: %v; want %d, true", number(d.Msg), d.Redelivered, n)
			}
		}
		d, err := left.Next(aDay(t))
		must(t, err)
		if number(d.Msg) != 20 || d.Redelivered {
			t.Errorf("message %d comes, told to be redelivered: %v; want 20, false", number(d.Msg), d.Redelivered)
		}
		must(t, push.Shutdown(aDay(t)))
		shut(t, left)
		shut(t, gone)
		must(t, q.Close())
	})
}

// TestSpoolTwoSocketsOfOneProcess: a socket may take over the spool of one that was closed, and no other.
func TestSpoolTwoSocketsOfOneProcess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		q := openSpool(t, t.TempDir(), spool.Options{})
		pull := socket.NewPull(on(net, "srv"))
		bindAt(t, pull)
		one, two := socket.NewPush(on(net, "cli"), socket.WithSpool(q)), socket.NewPush(on(net, "cli"), socket.WithSpool(q))
		must(t, one.Connect(server))
		if err := two.Connect(server); !errors.Is(err, spool.ErrInUse) {
			t.Errorf("Connect of a second socket says %v", err)
		}
		if err := two.Send(aDay(t), socket.Text("x")); !errors.Is(err, spool.ErrInUse) {
			t.Errorf("Send of a second socket says %v", err)
		}
		sendAll(t, one, 0, 30)
		recvAll(t, pull, 0, 10)
		must(t, one.Close())
		must(t, two.Close())
		three := socket.NewPush(on(net, "cli"), socket.WithSpool(q))
		must(t, three.Connect(server))
		sendAll(t, three, 30, 30)
		recvAll(t, pull, 10, 50)
		must(t, three.Shutdown(aDay(t)))
		balanced(t, three)
		nothing(t, pull)
		shut(t, pull)
		must(t, q.Close())
	})
}

// TestSpoolOverTCP: the same over real connections, one of which is cut again and again.
func TestSpoolOverTCP(t *testing.T) {
	q := openSpool(t, t.TempDir(), spool.Options{SyncEvery: time.Millisecond})
	push, pull := closing(t, socket.NewPush(socket.WithSpool(q), atOnce)), closing(t, socket.NewPull())
	t.Cleanup(func() { must(t, push.Close()); must(t, q.Close()) })
	at := bind(t, pull, "tcp://127.0.0.1:*")
	cut := newCutter(t, at, 1, 50, 20<<10)
	connect(t, push, cut.endpoint)
	const total = 20_000
	sent := make(chan error, 1)
	go func() {
		for i := range total {
			if err := push.Send(within(t), numbered(i, 50)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for i := range total {
		m, err := pull.Recv(within(t))
		must(t, err)
		if got := number(m); got != i {
			t.Fatalf("received %d, want %d (%d cuts); %v; %v; %+v", got, i, cut.done(), push.Stats(), pull.Stats(),
				q.Stats().Cursors)
		}
	}
	must(t, <-sent)
	must(t, push.Shutdown(within(t)))
	if st := push.Stats(); st.Delivered.Messages != total || st.Spooled.Messages != 0 {
		t.Errorf("PUSH counts %v", st.Ledger)
	}
	t.Logf("%d cuts", cut.done())
}

// TestSpoolFull: without room Send returns an error or waits, as the spool's options say, and goes on once there is
// some.
func TestSpoolFull(t *testing.T) {
	for _, overflow := range []spool.Overflow{spool.Reject, spool.Block, spool.DropOldest} {
		t.Run(fmt.Sprint(overflow), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{Latency: time.Millisecond})
				q := openSpool(t, t.TempDir(), spool.Options{MaxMessages: 100, Overflow: overflow})
				push, pull := socket.NewPush(on(net, "cli"), socket.WithSpool(q)), socket.NewPull(on(net, "srv"))
				must(t, push.Connect(server))
				sendAll(t, push, 0, 100)
				begin := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err := push.Send(ctx, numbered(100, 20))
				took, next := time.Since(begin), 0
				switch overflow {
				case spool.Reject:
					if !errors.Is(err, socket.ErrSpoolFull) || !errors.Is(err, spool.ErrFull) || took > 100*time.Millisecond {
						t.Errorf("Send says %v after %v", err, took)
					}
				case spool.Block:
					if !errors.Is(err, socket.ErrSpoolFull) || !errors.Is(err, context.DeadlineExceeded) || took != time.Minute {
						t.Errorf("Send says %v after %v", err, took)
					}
				case spool.DropOldest:
					must(t, err)
					time.Sleep(time.Second)
					if st := push.Stats(); st.Dropped[socket.SpoolFull].Messages != 1 || st.Spooled.Messages != 100 {
						t.Errorf("PUSH counts %v", st.Ledger)
					}
					next = 1
				}
				if overflow != spool.DropOldest {
					if err := push.TrySend(numbered(100, 20)); !errors.Is(err, socket.ErrWouldBlock) {
						t.Errorf("TrySend says %v", err)
					}
				}
				balanced(t, push)
				bindAt(t, pull)
				recvAll(t, pull, next, 100)
				settledAll(t, push)
				must(t, push.Send(aDay(t), numbered(500, 20)))
				recvAll(t, pull, 500, 1)
				must(t, push.Shutdown(aDay(t)))
				balanced(t, push)
				shut(t, pull)
				must(t, q.Close())
			})
		})
	}
}
