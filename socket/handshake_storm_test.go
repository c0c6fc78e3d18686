package socket_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// TestHandshakeStorm: when many more peers than handshakes are allowed come at once, as after the restart of a hub,
// each gets its time, and nobody has to come twice.
func TestHandshakeStorm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: 10 * time.Millisecond})
		router := socket.NewRouter(on(net, "srv"), socket.WithLimits(socket.Limits{MaxHandshakes: 50}))
		defer shut(t, router)
		seen := record(router, nil)
		bindAt(t, router)
		const n = 500
		for i := range n {
			dealer := socket.NewDealer(on(net, fmt.Sprint("cli", i)))
			defer shut(t, dealer)
			must(t, dealer.Connect(server))
		}
		must(t, router.WaitPeers(aDay(t), n))
		for _, ev := range seen.of(socket.HandshakeFailed) {
			if errors.Is(ev.Err, socket.ErrEvicted) {
				t.Fatalf("event %v, want none like it", ev)
			}
		}
	})
}
