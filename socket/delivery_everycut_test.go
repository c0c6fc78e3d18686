package socket_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// TestDeliveryEveryCut cuts the connection at every byte while messages are settled in another order than they came in,
// and one of them is given back: each is settled once, and the sender knows it.
func TestDeliveryEveryCut(t *testing.T) {
	everyCut(t, handshakeBytes, func(t *testing.T, net *simnet.Network) bool {
		push, pull := socket.NewPush(on(net, "cli"), socket.WithReliable()), manualPull(t, net)
		defer shut(t, push)
		defer shut(t, pull)
		must(t, push.Connect(server))
		const total = 5
		for n := range total {
			must(t, push.Send(aDay(t), numbered(n, bodySize(n))))
		}
		var open []*socket.Delivery
		times, givenBack := make([]int, total), false
		for slices.Contains(times, 0) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			d, err := pull.Next(ctx)
			cancel()
			if err != nil && len(open) == 0 {
				t.Fatalf("settled %v times, and nothing comes: %v", times, err)
			}
			if err == nil && number(d.Msg) == 2 && !givenBack {
				givenBack = true
				must(t, d.Nak(0))
				continue
			}
			if err == nil {
				open = append(open, d)
			}
			if err == nil && len(open) < 2 && givenBack {
				continue // they are settled in pairs, the later one first
			}
			for _, d := range slices.Backward(open) {
				must(t, d.Ack())
				times[number(d.Msg)]++
			}
			open = nil
		}
		for n, k := range times {
			if k != 1 {
				t.Errorf("message %d was settled %d times", n, k)
			}
		}
		time.Sleep(10 * time.Second)
		nothing(t, pull)
		if st := push.Stats(); st.Delivered.Messages != total || st.Unacknowledged.Messages != 0 {
			t.Errorf("PUSH counts %v", st.Ledger)
		}
		return net.Stats().Cuts == 1
	})
}

// TestInboxEveryCut cuts the connection at every byte to a receiver with an inbox: each message is kept once, and comes
// in order.
func TestInboxEveryCut(t *testing.T) {
	everyCut(t, handshakeBytes, func(t *testing.T, net *simnet.Network) bool {
		push, l := socket.NewPush(on(net, "cli"), socket.WithReliable()), lead(t, net, newMedium())
		must(t, push.Connect(server))
		const total = 4
		for n := range total {
			must(t, push.Send(aDay(t), numbered(n, bodySize(n))))
		}
		for n := range total {
			m, err := l.pull.Recv(aDay(t))
			must(t, err)
			if number(m) != n {
				t.Errorf("%d came, want %d", number(m), n)
			}
		}
		time.Sleep(10 * time.Second)
		if ids := kept(t, l.q); len(ids) != 0 {
			t.Errorf("%v are still kept", ids)
		}
		if st := push.Stats(); st.Delivered.Messages != total {
			t.Errorf("PUSH counts %v", st.Ledger)
		}
		shut(t, push)
		l.end(t)
		return net.Stats().Cuts == 1
	})
}

// TestForget: what was taken of a sender that stays away is forgotten after WithForget; of one that is connected and
// sends nothing it is not.
func TestForget(t *testing.T) {
	for _, tt := range []struct {
		name  string
		opts  []socket.PullOption
		away  time.Duration
		known bool
	}{
		{"in a week", nil, 6 * 24 * time.Hour, true},
		{"after a week", nil, 8 * 24 * time.Hour, false},
		{"after a day", []socket.PullOption{socket.WithForget(24 * time.Hour)}, 26 * time.Hour, false},
		{"never", []socket.PullOption{socket.WithForget(-1)}, 1000 * 24 * time.Hour, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{Latency: time.Millisecond})
				l := lead(t, net, newMedium(), append(tt.opts, socket.WithHeartbeat(0, 0, 0))...)
				gone, idle := openTo(t, net, "gone", "PUSH", aStream(7)), openTo(t, net, "idle", "PUSH", aStream(8))
				for _, r := range []*rawSender{gone, idle} {
					r.send(messageOf("x"))
					r.wantSaid(saying{name: "ACK", at: 1})
				}
				gone.Close()
				time.Sleep(tt.away)
				if _, _, known := l.q.Taken([16]byte{7}); known != tt.known {
					t.Errorf("of the one that is away something is known: %v", known)
				}
				if _, _, known := l.q.Taken([16]byte{8}); !known {
					t.Error("the one that is connected is forgotten")
				}
				l.end(t)
			})
		})
	}
}
