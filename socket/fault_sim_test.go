package socket_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

// The tests in fault_*_test.go run on a simulated network under virtual time: an hour costs microseconds, and moments
// are exact. A bubble also fails when a goroutine is left in it.

// bubble runs f under virtual time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// on puts a socket on a host of a simulated network.
func on(net *simnet.Network, host string) socket.Option {
	option := socket.WithTransport(net.Host(host))
	if _, yes := securedNets.Load(net); !yes {
		return option
	}
	mechanism := zmtp.Mechanism(curve.Client(annKey, serverKey.Public()))
	if host == "srv" {
		mechanism = curve.Server(serverKey, curve.Anyone)
	}
	return socket.Together(option, socket.WithSecurity(mechanism))
}

// securedNets are networks on which sockets have CURVE, that of host "srv" as its server.
var securedNets sync.Map

// secureNet makes a network one of them until undone.
func secureNet(net *simnet.Network) (undo func()) {
	securedNets.Store(net, nil)
	return func() { securedNets.Delete(net) }
}

const server = "sim://srv"

// bindAt binds to the address of host "srv".
func bindAt(t testing.TB, s socket.Socket) {
	t.Helper()
	_, err := s.Bind(t.Context(), server)
	must(t, err)
}

// aDay bounds a call that should end much sooner: without it a bubble in which some socket retries would go on for
// ever.
func aDay(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
	t.Cleanup(cancel)
	return ctx
}

// rawSim connects a raw peer on a host to the address of host "srv".
func rawSim(t testing.TB, net *simnet.Network, host string) *raw {
	t.Helper()
	conn, err := net.Host(host).Dial(t.Context(), "srv")
	must(t, err)
	return newRaw(t, conn)
}

// history keeps all events of a socket.
type history struct {
	mu     sync.Mutex
	events []socket.Event
	done   <-chan struct{}
}

// record follows a socket from its first event to its last. each, if set, is called with every event as it comes.
func record(s anyRole, each func(socket.Event)) *history {
	h := new(history)
	h.done = follow(s, func(ev socket.Event) {
		h.mu.Lock()
		h.events = append(h.events, ev)
		h.mu.Unlock()
		if each != nil {
			each(ev)
		}
	})
	return h
}

// of lists the events of the given kinds so far, once every goroutine of the bubble is at rest.
func (h *history) of(kinds ...socket.EventKind) []socket.Event {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []socket.Event
	for _, ev := range h.events {
		if slices.Contains(kinds, ev.Kind) {
			list = append(list, ev)
		}
	}
	return list
}

// losses are the events that end a connection that was up.
func (h *history) losses() []socket.Event {
	return h.of(socket.PeerDown, socket.ProtocolError, socket.LimitHit)
}

// wantNoLoss fails if a connection was lost.
func (h *history) wantNoLoss(t testing.TB) {
	t.Helper()
	for _, ev := range h.losses() {
		t.Errorf("lost: %v", ev)
	}
}

// wantLoss checks that exactly one connection was lost, at that moment and for that reason.
func (h *history) wantLoss(t testing.TB, start time.Time, after time.Duration, want refusal) {
	t.Helper()
	lost := h.losses()
	if len(lost) != 1 {
		t.Fatalf("%d connections lost, want 1: %v", len(lost), lost)
	}
	wantEnd(t, lost[0], want)
	if got := lost[0].Time.Sub(start); got != after {
		t.Errorf("lost after %v, want %v: %v", got, after, lost[0])
	}
}

var silence = refusal{socket.PeerDown, socket.ErrHeartbeat, "sign of life"}

// fill sends numbered messages until there is no room, and returns how many went.
func fill(t testing.TB, s interface {
	socket.Sender
	socket.Socket
}, size int,
) int {
	t.Helper()
	for n := 0; ; n++ {
		synctest.Wait()
		err := s.Send(quietContext(), numbered(n, size))
		if err != nil {
			balanced(t, s)
			return n
		}
		if n > 1_000_000 {
			t.Fatal("a socket without a bottom")
		}
	}
}

func numbered(n, size int) socket.Msg {
	body := make([]byte, max(size, 4))
	body[0], body[1], body[2], body[3] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	return socket.NewMsg(body)
}

func number(m socket.Msg) int {
	b := m.Frames[0]
	return int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3])
}

// drainAll receives numbered messages until none comes for a virtual minute.
func drainAll(t testing.TB, s interface {
	socket.Receiver
	socket.Socket
},
) (numbers []int) {
	t.Helper()
	return drainFor(t, s, time.Minute)
}

// drainFor receives numbered messages until none comes for a time.
func drainFor(t testing.TB, s interface {
	socket.Receiver
	socket.Socket
}, quiet time.Duration,
) (numbers []int) {
	t.Helper()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), quiet)
		m, err := s.Recv(ctx)
		cancel()
		if err != nil {
			return numbers
		}
		numbers = append(numbers, number(m))
		balanced(t, s)
	}
}

// wantNumbers checks for first, first+1, … in order.
func wantNumbers(t testing.TB, got []int, first, count int) {
	t.Helper()
	if len(got) != count {
		t.Errorf("received %d messages, want %d", len(got), count)
	}
	for i, n := range got {
		if n != first+i {
			t.Fatalf("message %d has number %d, want %d", i, n, first+i)
		}
	}
}
