package socket_test

import (
	"errors"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// What does not depend on bytes on the wire is as without security: marks, what is dropped at them, the ledger. That
// cuts do no other harm everyCut shows.

// TestSecuredOverflow: with CURVE, while a peer does not read, the mark holds under each policy, and all that is not
// dropped arrives in order.
func TestSecuredOverflow(t *testing.T) {
	const total, mark = 300, 10
	for _, tt := range []struct {
		name   string
		policy socket.Overflow
	}{
		{"reject", socket.Reject},
		{"drop newest", socket.DropNewest},
		{"drop oldest", socket.DropOldest},
		{"conflate", socket.Conflate},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{Latency: time.Millisecond, Window: 500})
				defer secureNet(net)()
				push := socket.NewPush(on(net, "cli"), socket.WithSendHWM(mark), socket.WithOverflow(tt.policy))
				pull := socket.NewPull(on(net, "srv"))
				bindAt(t, pull)
				must(t, push.Connect(server))
				must(t, push.WaitPeers(aDay(t), 1))
				net.Stall("srv")
				taken := 0
				for n := range total {
					switch err := push.TrySend(numbered(n, 20)); {
					case err == nil:
						taken++
					case !errors.Is(err, socket.ErrWouldBlock):
						t.Fatal(err)
					}
					balanced(t, push)
				}
				st := push.Stats()
				if st.Accepted.Messages != uint64(taken) || st.Queued.Messages > 2*mark {
					t.Errorf("%d were taken, PUSH counts %v", taken, st.Ledger)
				}
				net.Unstall("srv")
				got := drainFor(t, pull, quietAfter)
				dropped := push.Stats().Dropped[socket.QueueFull].Messages
				if uint64(len(got))+dropped != uint64(taken) || len(got) >= total/2 {
					t.Errorf("%d were taken, %d dropped, %d received", taken, dropped, len(got))
				}
				for i, n := range got {
					if i > 0 && n <= got[i-1] {
						t.Fatalf("received %v", got)
					}
				}
				if p := pull.Stats().Received.Messages; p != uint64(len(got)) {
					t.Errorf("PULL counts %d, received %d", p, len(got))
				}
				shut(t, push)
				shut(t, pull)
			})
		})
	}
}
