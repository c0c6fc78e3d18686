package socket_test

import (
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestNotReadingIsNotDead: a peer that only stops reading is not dropped, for an hour, and nothing is lost.
func TestNotReadingIsNotDead(t *testing.T) {
	t.Run("application does not receive", func(t *testing.T) {
		for _, size := range []int{4, 5000, 100_000} {
			t.Run(fmt.Sprint(size), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					net := simnet.New(simnet.Config{Latency: time.Millisecond, Window: 20_000})
					push, pull := socket.NewPush(on(net, "srv"), socket.WithSendHWM(50)),
						socket.NewPull(on(net, "cli"), socket.WithRecvHWM(10))
					defer shut(t, push)
					defer shut(t, pull)
					seen, also := record(push, nil), record(pull, nil)
					bindAt(t, push)
					must(t, pull.Connect(server))
					must(t, push.WaitPeers(within(t), 1))
					count := fill(t, push, size)
					more := make(chan error, 1)
					go func() { more <- push.Send(aDay(t), numbered(count, size)) }()
					for range 60 {
						time.Sleep(time.Minute)
						balanced(t, push)
						balanced(t, pull)
					}
					seen.wantNoLoss(t)
					also.wantNoLoss(t)
					wantNumbers(t, drainAll(t, pull), 0, count+1)
					must(t, <-more)
					seen.wantNoLoss(t)
					also.wantNoLoss(t)
				})
			})
		}
	})
	t.Run("host stalled", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			// The stalled host hears nothing, so that it must be patient itself: its timeout is two hours. It still
			// sends PINGs, which is what keeps it alive for the other side.
			net := simnet.New(simnet.Config{Latency: time.Millisecond, Window: 20_000})
			push := socket.NewPush(on(net, "srv"))
			pull := socket.NewPull(on(net, "cli"), socket.WithHeartbeat(5*time.Second, 2*time.Hour, 2*time.Hour))
			defer shut(t, push)
			defer shut(t, pull)
			seen, also := record(push, nil), record(pull, nil)
			bindAt(t, push)
			must(t, pull.Connect(server))
			must(t, push.WaitPeers(within(t), 1))
			must(t, pull.WaitPeers(within(t), 1))
			net.Stall("cli") // before the first PING brings a TTL
			count := fill(t, push, 1000)
			time.Sleep(time.Hour)
			seen.wantNoLoss(t)
			also.wantNoLoss(t)
			net.Unstall("cli")
			wantNumbers(t, drainAll(t, pull), 0, count)
			seen.wantNoLoss(t)
			also.wantNoLoss(t)
		})
	})
	t.Run("host stalled, not patient", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			// With the usual timeout it is the stalled side that gives up, for want of any sign of life. The other side
			// never calls it dead.
			net := simnet.New(simnet.Config{Latency: time.Millisecond})
			push, pull := socket.NewPush(on(net, "srv")), socket.NewPull(on(net, "cli"))
			defer shut(t, push)
			defer shut(t, pull)
			seen, also := record(push, nil), record(pull, nil)
			bindAt(t, push)
			must(t, pull.Connect(server))
			must(t, push.WaitPeers(within(t), 1))
			must(t, pull.WaitPeers(within(t), 1))
			start := time.Now()
			net.Stall("cli")
			time.Sleep(16 * time.Second)
			also.wantLoss(t, start, 15*time.Second, silence)
			seen.wantLoss(t, start, 15*time.Second+time.Millisecond, refusal{socket.PeerDown, io.EOF, "closed"})
			time.Sleep(time.Hour)
			net.Unstall("cli")
			time.Sleep(time.Minute)
			for _, ev := range seen.losses() {
				t.Log(ev)
			}
			must(t, push.WaitPeers(within(t), 1))
			must(t, push.Send(within(t), socket.Text("back")))
			expect(t, pull, "back")
		})
	})
	t.Run("a Yodel that gives signs of life", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			net := simnet.New(simnet.Config{Window: 2000})
			push := socket.NewPush(on(net, "srv"))
			defer shut(t, push)
			seen := record(push, nil)
			bindAt(t, push)
			r := rawSim(t, net, "cli")
			r.shake("PULL", yodelProperty)
			count := fill(t, push, 100)
			for range 3600 / 14 {
				time.Sleep(14 * time.Second)
				r.send(zmtp.AppendPong(nil, nil))
			}
			seen.wantNoLoss(t)
			for n := range count {
				if m := r.message(); number(socket.Text(m...)) != n {
					t.Fatalf("message %d is number %d", n, number(socket.Text(m...)))
				}
			}
		})
	})
	t.Run("another peer, silent while we are stuck", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			// A libzmq that does not read does not send PONG either: its silence is put down to that.
			net := simnet.New(simnet.Config{Window: 2000})
			push := socket.NewPush(on(net, "srv"))
			defer shut(t, push)
			seen := record(push, nil)
			bindAt(t, push)
			r := rawSim(t, net, "cli")
			r.shake("PULL")
			count := fill(t, push, 100)
			time.Sleep(time.Hour)
			seen.wantNoLoss(t)
			for n := range count {
				if m := r.message(); number(socket.Text(m...)) != n {
					t.Fatalf("message %d is number %d", n, number(socket.Text(m...)))
				}
			}
			// Once it could read it must speak: the PINGs that wait are all it gets now.
			time.Sleep(time.Minute)
			if n := len(seen.losses()); n != 1 {
				t.Errorf("%d losses, want one: nothing holds the peer back any more", n)
			}
		})
	})
	t.Run("another peer, which we do not read", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			// A peer that sends PINGs while our application is behind gets signs of life as often, though we do not
			// read them.
			net := simnet.New(simnet.Config{Window: 2000})
			pull := socket.NewPull(on(net, "srv"), socket.WithRecvHWM(1))
			defer shut(t, pull)
			seen := record(pull, nil)
			bindAt(t, pull)
			r := rawSim(t, net, "cli")
			r.shake("PUSH")
			for range 3 { // a rhythm of one second
				r.send(zmtp.AppendPing(nil, 3*time.Second, nil))
				time.Sleep(time.Second)
			}
			r.send(messageOf("1"), messageOf("2"), messageOf("3"))
			synctest.Wait()
			r.buf = nil
			for end := time.Now().Add(time.Hour); time.Now().Before(end); {
				must(t, r.SetReadDeadline(time.Now().Add(1100*time.Millisecond)))
				if _, err := r.readFrame(); err != nil {
					t.Fatalf("no sign of life for 1.1s: %v", err)
				}
			}
			seen.wantNoLoss(t)
			for _, want := range []string{"1", "2", "3"} {
				expect(t, pull, want)
				balanced(t, pull)
			}
		})
	})
}

// TestSlowBody: a large message that arrives slowly is a sign of life all along, and its sender gets some too.
func TestSlowBody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{})
		pull := socket.NewPull(on(net, "srv"), socket.WithHeartbeat(time.Second, 3*time.Second, 3*time.Second))
		defer shut(t, pull)
		seen := record(pull, nil)
		bindAt(t, pull)
		r := rawSim(t, net, "cli")
		r.shake("PUSH")
		const size = 1_000_000
		r.send(claim(0, size))
		last := time.Now()
		go func() {
			for range size / 1000 {
				time.Sleep(2 * time.Second)
				r.send(make([]byte, 1000))
			}
		}()
		got := make(chan socket.Msg)
		go func() {
			m, _ := pull.Recv(t.Context())
			got <- m
		}()
		for {
			must(t, r.SetReadDeadline(last.Add(3*time.Second)))
			if _, err := r.readFrame(); err != nil {
				t.Fatalf("the sender gets no sign of life for 3s: %v", err)
			}
			last = time.Now()
			select {
			case m := <-got:
				if m.Size() != size {
					t.Errorf("received %d bytes", m.Size())
				}
				seen.wantNoLoss(t)
				return
			default:
			}
		}
	})
}

// TestPingsDoNotPileUp: to a peer that takes nothing, a long wait leaves a few PINGs and not one for each interval.
func TestPingsDoNotPileUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Window: 2000})
		push := socket.NewPush(on(net, "srv"), socket.WithHeartbeat(100*time.Millisecond, time.Hour, time.Hour))
		defer shut(t, push)
		bindAt(t, push)
		r := rawSim(t, net, "cli")
		r.shake("PULL")
		count := fill(t, push, 100)
		time.Sleep(time.Hour) // 36,000 intervals
		must(t, r.SetReadDeadline(time.Now().Add(time.Millisecond)))
		pings, messages := 0, 0
		for {
			f, err := r.readFrame()
			if err != nil {
				break
			}
			if f.command() == zmtp.CommandPing {
				pings++
			} else {
				messages++
			}
		}
		if messages != count || pings < 1 || pings > 1000 {
			t.Errorf("%d messages and %d PINGs waited, want %d and at most 1000", messages, pings, count)
		}
	})
}
