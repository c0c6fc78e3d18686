package socket_test

import (
	"errors"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// TestMaxPeers: one peer more than the limit is turned away by name, on every transport, and gets in when another
// leaves.
func TestMaxPeers(t *testing.T) {
	refused := func(ev socket.Event) bool {
		return ev.Kind == socket.HandshakeFailed && errors.Is(ev.Err, socket.ErrTooManyPeers)
	}
	eachTransport(t, func(t *testing.T, endpoint string) {
		pull := closing(t, socket.NewPull(socket.WithLimits(socket.Limits{MaxPeers: 2})))
		at := bind(t, pull, endpoint)
		var in []*socket.Push
		for range 2 {
			push := closing(t, socket.NewPush())
			connect(t, push, at)
			in = append(in, push)
		}
		waitPeers(t, pull, 2)
		late := closing(t, socket.NewPush())
		connect(t, late, at)
		eventWhere(t, pull, "the third is turned away", refused)
		if n := len(pull.Stats().Peers); n != 2 {
			t.Errorf("%d peers, want 2", n)
		}
		must(t, in[0].Close())
		send(t, late, "late")
		expect(t, pull, "late")
	})
}

// TestMaxPeersCountsWhatComesIn: what a socket connects to itself takes nobody's place.
func TestMaxPeersCountsWhatComesIn(t *testing.T) {
	pull := closing(t, socket.NewPull(socket.WithLimits(socket.Limits{MaxPeers: 1})))
	for range 3 {
		push := closing(t, socket.NewPush())
		connect(t, pull, bind(t, push, "tcp://127.0.0.1:*"))
	}
	waitPeers(t, pull, 3)
	push := closing(t, socket.NewPush())
	connect(t, push, bind(t, pull, "tcp://127.0.0.1:*"))
	waitPeers(t, pull, 4)
}

// TestMaxPeersAtOnce: of a crowd that shakes hands at the same time no more get in than are allowed.
func TestMaxPeersAtOnce(t *testing.T) {
	const limit, crowd = 5, 50
	s := socket.NewPull(socket.WithLimits(socket.Limits{MaxPeers: limit}))
	defer shut(t, s)
	at := bind(t, s, "tcp://127.0.0.1:*")
	var all []*raw
	for range crowd {
		all = append(all, rawDial(t, at))
	}
	for _, r := range all {
		r.send(greeting(3, 1), readyOf("PUSH"))
	}
	waitPeers(t, s, limit)
	waitUntil(t, "the others are turned away", func() bool {
		if n := len(s.Stats().Peers); n > limit {
			t.Fatalf("%d peers, the limit is %d", n, limit)
		}
		return s.Stats().Refused.TooManyPeers == crowd-limit
	})
	if n := s.Stats().Events[socket.HandshakeFailed]; n != crowd-limit {
		t.Errorf("%d handshakes failed, want %d", n, crowd-limit)
	}
}
