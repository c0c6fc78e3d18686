package socket_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// A speaker sends, receives, or both.
type speaker interface{ socket.Socket }

// A reliablePair is two reliable sockets and who sends to whom.
type reliablePair struct {
	name string
	new  func(a, b socket.Option) (x, y speaker)
	both bool // y sends, too
}

var reliablePairs = []reliablePair{
	{"push to pull", func(a, b socket.Option) (x, y speaker) {
		return socket.NewPush(a, socket.WithReliable()), socket.NewPull(b)
	}, false},
	{"dealer to dealer", func(a, b socket.Option) (x, y speaker) {
		return socket.NewDealer(a, socket.WithReliable()), socket.NewDealer(b, socket.WithReliable())
	}, true},
	{"dealer to one that does not ask for it", func(a, b socket.Option) (x, y speaker) {
		return socket.NewDealer(a, socket.WithReliable()), socket.NewDealer(b)
	}, false},
}

// TestReliableEveryCut cuts the connection of a reliable pair at every byte of either direction: every message arrives,
// once, in order, and the ledgers say so.
func TestReliableEveryCut(t *testing.T) {
	for _, p := range reliablePairs[:2] {
		for _, binds := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/the sender binds %v", p.name, binds), func(t *testing.T) {
				everyCut(t, handshakeBytes, func(t *testing.T, net *simnet.Network) bool {
					hostX, hostY := "cli", "srv"
					if binds {
						hostX, hostY = "srv", "cli"
					}
					x, y := p.new(on(net, hostX), on(net, hostY))
					defer shut(t, x)
					defer shut(t, y)
					if binds {
						bindAt(t, x)
						must(t, y.Connect(server))
					} else {
						bindAt(t, y)
						must(t, x.Connect(server))
					}
					const total = 9
					var all sync.WaitGroup
					all.Go(func() { tradeOf(t, x, y, total, bodySize) })
					if p.both {
						all.Go(func() { tradeOf(t, y, x, total, bodySize) })
					}
					all.Wait()
					return net.Stats().Cuts == 1
				})
			})
		}
	}
}

// TestReliableManyCuts cuts connection after connection at random bytes, in the middle of the second handshake too.
func TestReliableManyCuts(t *testing.T) {
	for _, p := range reliablePairs {
		t.Run(p.name, func(t *testing.T) {
			cuts := uint64(0)
			for seed := range uint64(40) {
				bubble(t, func(t *testing.T) {
					net := simnet.New(simnet.Config{
						Latency: time.Millisecond, Jitter: time.Millisecond, Seed: seed, CutPerKiB: 0.7, Window: 512,
					})
					x, y := p.new(on(net, "cli"), on(net, "srv"))
					defer shut(t, x)
					defer shut(t, y)
					bindAt(t, y)
					must(t, x.Connect(server))
					var all sync.WaitGroup
					all.Go(func() { trade(t, x, y, 200) })
					if p.both {
						all.Go(func() { trade(t, y, x, 200) })
					}
					all.Wait()
					cuts += net.Stats().Cuts
				})
				if t.Failed() {
					t.Fatalf("^ seed %d", seed)
				}
			}
			t.Logf("%d cuts", cuts)
			if cuts < 200 {
				t.Errorf("%d cuts are not enough to show anything", cuts)
			}
		})
	}
}

// trade has one socket send numbered messages to another, in pieces and with pauses, and checks what arrives and what
// the ledgers say.
func trade(t *testing.T, from, to speaker, total int) {
	tradeOf(t, from, to, total, func(n int) int { return 5 * n % 50 })
}

// tradeOf is trade with bodies of the given sizes.
func tradeOf(t *testing.T, from, to speaker, total int, size func(n int) int) {
	sender, receiver := from.(socket.Sender), to.(socket.Receiver)
	var got []int
	var all sync.WaitGroup
	all.Go(func() {
		for len(got) < total {
			m, err := receiver.Recv(aDay(t))
			if err != nil {
				t.Errorf("receive: %v", err)
				return
			}
			got = append(got, number(m))
			balanced(t, to)
		}
		time.Sleep(quietAfter)
		if m, err := receiver.Recv(quietContext()); err == nil {
			t.Errorf("received %d more than once", number(m))
		}
	})
	for n := range total {
		m := numbered(n, 0)
		m.Frames = append(m.Frames, nil, []byte(strings.Repeat("x", size(n))))
		if err := sender.Send(aDay(t), m); err != nil {
			t.Errorf("send: %v", err)
			return
		}
		balanced(t, from)
		if n == total/2 {
			time.Sleep(12 * time.Second) // long enough for acknowledgements and for PINGs both ways
		}
	}
	all.Wait()
	wantNumbers(t, got, 0, total)
	for range 100 { // until the last acknowledgement is there, maybe over yet another connection
		time.Sleep(time.Second)
		if from.Stats().Unacknowledged.Messages == 0 {
			break
		}
	}
	out, in := from.Stats(), to.Stats()
	if out.Accepted.Messages != uint64(total) || out.Delivered.Messages != uint64(total) ||
		out.Queued.Messages+out.Unacknowledged.Messages != 0 || len(out.Dropped) != 0 {
		t.Errorf("the sender counts %v", out.Ledger)
	}
	if in.Handed.Messages != uint64(total) || in.Unread.Messages != 0 {
		t.Errorf("the receiver counts %v", in.Ledger)
	}
	for why := range in.Discarded {
		if why != socket.Duplicate {
			t.Errorf("the receiver has discarded %v", in.Discarded)
		}
	}
}
