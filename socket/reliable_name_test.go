package socket_test

import (
	"errors"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// TestOneNameTwiceInAProcess: of two sockets of a process that were given one name, and of one that is connected twice
// to a peer, that which came last is served for as long as it is there: they do not take over from each other for ever.
func TestOneNameTwiceInAProcess(t *testing.T) {
	for _, twice := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			net := simnet.New(simnet.Config{Latency: time.Millisecond})
			push := socket.NewPush(on(net, "srv"), socket.WithReliable())
			bindAt(t, push)
			const other = "sim://srv:2"
			_, err := push.Bind(t.Context(), other)
			must(t, err)
			told := record(push, nil)
			first := socket.NewPull(on(net, "one"), socket.WithName("one"))
			must(t, first.Connect(server))
			sendAll(t, push, 0, 1)
			recvAll(t, first, 0, 1)
			time.Sleep(time.Minute) // and has said so
			second := first
			if !twice {
				second = socket.NewPull(on(net, "two"), socket.WithName("one"))
			}
			must(t, second.Connect(other))
			time.Sleep(10 * time.Minute)
			sendAll(t, push, 1, 3)
			recvAll(t, second, 1, 3)
			if got := told.of(socket.PeerDown); len(got) != 1 || !errors.Is(got[0].Err, socket.ErrSuperseded) {
				t.Errorf("a socket twice %v: in ten minutes %d were given up, want the first: %v", twice,
					len(got), got)
			}
			for _, e := range told.of(socket.HandshakeFailed) {
				if !errors.Is(e.Err, socket.ErrTakenOver) {
					t.Errorf("a socket twice %v: the first is refused with %v", twice, e.Err)
				}
			}
			must(t, second.Disconnect(other))
			sendAll(t, push, 4, 1)
			recvAll(t, first, 4, 1) // once the other is not there
			shut(t, first)
			if !twice {
				shut(t, second)
			}
			shut(t, push)
		})
	}
}
