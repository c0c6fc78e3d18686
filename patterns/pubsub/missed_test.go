package pubsub_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/patterns/pubsub"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// The tests of this file run under virtual time on a simulated network.

const server = "sim://srv"

// simulated returns a publisher and a subscriber on hosts of a network, connected, with queues of so many messages.
func simulated(t *testing.T, net *simnet.Network, hwm int, patterns ...string) (
	*pubsub.Publisher[int], *pubsub.Subscriber[int],
) {
	t.Helper()
	p := closing(t, pubsub.NewPublisher[int](pubsub.WithXPub(
		socket.WithTransport(net.Host("srv")), socket.WithSendHWM(hwm))))
	s := closing(t, pubsub.NewSubscriber[int](pubsub.WithXSub(
		socket.WithTransport(net.Host("cli")), socket.WithRecvHWM(hwm))))
	bound(t, p, server)
	subscribe(t, p, s, server, patterns...)
	return p, s
}

// until receives events until ctx ends, and returns how many came and how many each said were missed.
func until(t *testing.T, ctx context.Context, s *pubsub.Subscriber[int]) (came, missed int) {
	t.Helper()
	for e, err := range s.Events(ctx) {
		if errors.Is(err, context.DeadlineExceeded) {
			break
		}
		must(t, err)
		came++
		missed += e.Missed
	}
	return came, missed
}

// A subscriber that does not read misses what there is no room for. It learns exactly how many events these are, for
// it is told again once there is room.
func TestMissedIsExact(t *testing.T) {
	for name, published := range map[string]int{"none": 0, "few": 10, "more than there is room for": 5000} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, s := simulated(t, simnet.New(simnet.Config{}), 10, "a.*")
				for i := range published {
					must(t, p.Publish(t.Context(), "a.b", i))
					must(t, p.Publish(t.Context(), "nobody", i))
				}
				time.Sleep(time.Minute) // beats that find no room
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				defer cancel()
				came, told := until(t, ctx, s)
				missed := int(s.Stats().Missed)
				if came+missed != published {
					t.Errorf("%d came and %d were missed, of %d", came, missed, published)
				}
				if published > 1000 && missed == 0 || told > missed {
					t.Errorf("%d missed, %d of them told", missed, told)
				}
				must(t, p.Publish(t.Context(), "a.b", published))
				if e := take(t, s, 1)[0]; told+e.Missed != missed {
					t.Errorf("the next event tells of %d, %d were told before, %d were missed", e.Missed, told, missed)
				}
				if b := p.Bindings()[0]; b.Sent != uint64(published)+1 || b.Dropped < uint64(missed) {
					t.Errorf("the publisher has %d sent and %d dropped; %d were missed", b.Sent, b.Dropped, missed)
				}
			})
		})
	}
}

// While nothing is published, beats become seldom.
func TestBeatsOfAnIdlePublisher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := simulated(t, simnet.New(simnet.Config{}), 1000, "a")
		sent := func() uint64 { return p.Socket().Stats().Accepted.Messages }
		time.Sleep(time.Hour)
		before := sent()
		must(t, p.Publish(t.Context(), "a", 1))
		time.Sleep(500 * time.Millisecond)
		if got := sent() - before; got != 1 {
			t.Errorf("%d messages within half a second, want 1", got)
		}
		time.Sleep(time.Second)
		if got := sent() - before; got != 2 {
			t.Errorf("%d messages within 1.5 s, want 2", got)
		}
		time.Sleep(time.Hour)
		if got := sent() - before; got < 50 || got > 70 {
			t.Errorf("%d messages within an hour", got)
		}
	})
}
