package socket_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// TestTakeBackFromTheBacklog: what waits for a first peer can be taken back, and the rest goes in order.
func TestTakeBackFromTheBacklog(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		d, r := closing(t, socket.NewDealer(quick(), socket.WithSendHWM(100))), closing(t, socket.NewDealer())
		at := unused(t, endpoint)
		connect(t, d, at)
		for i := range 100 {
			send(t, d, fmt.Sprint(i), "a frame more")
		}
		blocked(t, d)
		odd := func(m socket.Msg) bool { return atoi(t, m.Frames[0])%2 == 1 }
		if n := d.TakeBack(odd); n != 50 {
			t.Errorf("%d were taken back, want 50", n)
		}
		if n := d.TakeBack(odd); n != 0 {
			t.Errorf("%d were taken back again", n)
		}
		if n := d.Stats().Dropped[socket.GivenUp]; n.Messages != 50 {
			t.Errorf("the ledger has %v as given up", n)
		}
		balanced(t, d)
		send(t, d, "100", "there is room")
		bind(t, r, at)
		for i := range 51 {
			if m := recv(t, r); string(m.Frames[0]) != fmt.Sprint(2*i) {
				t.Fatalf("received %s, want %d", m, 2*i)
			}
		}
		nothing(t, r)
	})
}

// TestTakeBackFromAQueue: what is queued for a peer that does not read can be taken back but for what has begun to
// leave, whoever waits for room goes on, and what was sent to that peer alone stays so.
func TestTakeBackFromAQueue(t *testing.T) {
	d := closing(t, socket.NewDealer(socket.WithSendHWM(200)))
	at := bind(t, d, "tcp://127.0.0.1:*")
	r := closing(t, socket.NewDealer(socket.WithRecvHWM(1)))
	connect(t, r, at)
	waitPeers(t, d, 1)
	p := d.Stats().Peers[0].Peer
	large := strings.Repeat("x", 1<<19) // all of them are below half of the mark in bytes
	sent := 0
	for ; sent < 60; sent++ { // fills the kernel
		must(t, d.TrySend(socket.Text("keep", fmt.Sprint(sent), large)))
	}
	var want []string
	for i := range 60 {
		kind := []string{"keep", "take"}[i%2]
		if i%3 == 0 {
			must(t, d.SendTo(within(t), p, socket.Text(kind, fmt.Sprint(sent+i), "")))
		} else {
			send(t, d, kind, fmt.Sprint(sent+i), "")
		}
		if kind == "keep" {
			want = append(want, fmt.Sprint(sent+i))
		}
	}
	for d.TrySend(socket.Text("take", "-1", "")) == nil {
	}
	waited := inBackground(func() error { return d.Send(within(t), socket.Text("keep", "last", "")) })
	queued, dropped := d.Stats().Queued.Messages, d.Stats().Dropped[socket.GivenUp].Messages
	n := d.TakeBack(func(m socket.Msg) bool { return string(m.Frames[0]) == "take" })
	if n < 30 || uint64(n) > queued {
		t.Errorf("%d of %d were taken back", n, queued)
	}
	if now := d.Stats().Dropped[socket.GivenUp].Messages; now != dropped+uint64(n) {
		t.Errorf("the ledger has %d as given up, want %d", now, n)
	}
	balanced(t, d)
	must(t, <-waited)
	for i := range sent {
		if m := recv(t, r); string(m.Frames[1]) != fmt.Sprint(i) || m.Size() < 1<<19 {
			t.Fatalf("received %.40s, want %d", m, i)
		}
	}
	for _, number := range append(want, "last") {
		expect(t, r, "keep", number, "")
	}
	nothing(t, r)
}
