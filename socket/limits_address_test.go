package socket_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// TestMaxPerAddress: one connection more than the limit from one address is turned away, whether the others are peers
// or shake hands still; other addresses are not concerned, and there is room again when one ends.
func TestMaxPerAddress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		network := simnet.New(simnet.Config{})
		pull := socket.NewPull(on(network, "srv"), socket.WithLimits(socket.Limits{MaxPerAddress: 3}),
			socket.WithHandshakeTimeout(time.Hour), socket.WithHeartbeat(0, 0, 0))
		defer shut(t, pull)
		seen := record(pull, nil)
		bindAt(t, pull)
		silent, peer := rawSim(t, network, "a"), rawSim(t, network, "a")
		peer.shake("PUSH")
		second := rawSim(t, network, "a")
		second.shake("PUSH")
		over := rawSim(t, network, "a")
		over.ended()
		other := rawSim(t, network, "b")
		other.shake("PUSH")
		refused := seen.of(socket.HandshakeFailed)
		if len(refused) != 1 || !errors.Is(refused[0].Err, socket.ErrTooManyFromAddress) ||
			refused[0].Address != over.name() {
			t.Fatalf("refused: %v", refused)
		}
		for _, ends := range []*raw{peer, silent} {
			must(t, ends.Close())
			time.Sleep(time.Second)
			next := rawSim(t, network, "a")
			next.shake("PUSH")
		}
		must(t, pull.WaitPeers(aDay(t), 4))
		rawSim(t, network, "a").ended()
		seen.of() // waits until that is counted
		if s := pull.Stats(); s.Refused != (socket.Refusals{TooManyFromAddress: 2}) {
			t.Errorf("refused: %+v", s.Refused)
		}
	})
}

// TestMaxHandshakeRate: an address from which connections come too fast gets in as many as the limit allows; what is
// over it is turned away at once, told once a second, and counted. Another address, and those that are peers, do not
// notice.
func TestMaxHandshakeRate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const rate, times = 5, 100 // a second
		network := simnet.New(simnet.Config{})
		pull := socket.NewPull(on(network, "srv"), socket.WithLimits(socket.Limits{MaxHandshakeRate: rate}))
		defer shut(t, pull)
		seen := record(pull, nil)
		bindAt(t, pull)
		good := socket.NewPush(on(network, "good"))
		defer shut(t, good)
		must(t, good.Connect(server))
		must(t, good.WaitPeers(aDay(t), 1))
		begin := time.Now()
		for i := range 10 * times {
			r := rawSim(t, network, "bad")
			if i%times == 0 {
				send(t, good, fmt.Sprint(i))
				expect(t, pull, fmt.Sprint(i))
			}
			time.Sleep(time.Second / times)
			must(t, r.Close())
		}
		late := socket.NewPush(on(network, "late"))
		defer shut(t, late)
		start := time.Now()
		must(t, late.Connect(server))
		must(t, late.WaitPeers(aDay(t), 1))
		if d := time.Since(start); d > 200*time.Millisecond {
			t.Errorf("another address was let in after %v", d)
		}
		took := time.Since(begin)
		s := pull.Stats()
		in := s.Endpoints[0].Attempts - s.Refused.TooFast - 2
		if want := 10*rate + uint64(took.Seconds()*rate); in < want-2 || in > want+2 {
			t.Errorf("%d were let in, want %d", in, want)
		}
		time.Sleep(2 * time.Second)
		told, sum := 0, uint64(0)
		for _, ev := range seen.of(socket.HandshakeFailed) {
			if errors.Is(ev.Err, socket.ErrTooFast) {
				told++
				sum += max(1, ev.Count)
			}
		}
		if told < 8 || told > 12 || sum != s.Refused.TooFast {
			t.Errorf("%d events tell of %d, want about 11 and %d", told, sum, s.Refused.TooFast)
		}
		seen.wantNoLoss(t)
	})
}

// TestLocalConnectionsAreNotCounted by their address unless that is asked for; over ipc and inproc not even then.
func TestLocalConnectionsAreNotCounted(t *testing.T) {
	for _, count := range []bool{false, true} {
		t.Run(fmt.Sprintf("CountLocal=%t", count), func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				t.Parallel()
				limits := socket.Limits{MaxPerAddress: 1, MaxHandshakeRate: 1, CountLocal: count}
				pull := closing(t, socket.NewPull(socket.WithLimits(limits)))
				at := bind(t, pull, endpoint)
				first := closing(t, socket.NewPush())
				connect(t, first, at)
				must(t, first.WaitPeers(within(t), 1))
				second := closing(t, socket.NewPush(once))
				connect(t, second, at)
				if count && endpoint[:3] == "tcp" {
					if ev := event(t, pull, socket.HandshakeFailed); !errors.Is(ev.Err, socket.ErrTooManyFromAddress) {
						t.Errorf("event %v", ev)
					}
					return
				}
				must(t, second.WaitPeers(within(t), 1))
			})
		})
	}
}
