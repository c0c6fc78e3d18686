package socket_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestCrowd: 1,000 silent connections and 200 that send a byte now and then do not keep a good peer out. When there are
// more of them than handshakes are allowed, the oldest give way, which is counted. After Close nothing is left.
//
// The time a good peer takes is the one thing measured against the clock in these tests; the best of three counts.
func TestCrowd(t *testing.T) {
	const (
		silent    = 1000
		tricklers = 200
		allowed   = 1024
		soon      = 200 * time.Millisecond
	)
	before, files := goleak.IgnoreCurrent(), openFiles(t)
	pull := socket.NewPull(socket.WithHandshakeTimeout(time.Minute))
	at, err := pull.Bind(t.Context(), "tcp://127.0.0.1:0")
	must(t, err)
	told := uint64(0)
	following := follow(pull, func(ev socket.Event) {
		switch {
		case ev.Kind == socket.HandshakeFailed && errors.Is(ev.Err, socket.ErrEvicted):
			told += max(1, ev.Count)
		case ev.Kind == socket.Missed:
			t.Errorf("the reader of events is too slow: %v", ev)
		}
	})

	var crowd []*raw
	for range silent + tricklers {
		crowd = append(crowd, rawDial(t, at))
	}
	const over = silent + tricklers - allowed
	waitUntil(t, "the oldest have given way", func() bool { return pull.Stats().Refused.Evicted >= over })
	for _, r := range crowd[:over] {
		r.ended()
	}
	if n := pull.Stats().Refused.Evicted; n != over { // and so nobody else
		t.Errorf("%d were evicted, want %d", n, over)
	}

	// A byte of the greeting each, at once and then every quarter of a second until the good peers are through.
	trickling, stop := context.WithCancel(t.Context())
	var trickle sync.WaitGroup
	trickle.Go(func() {
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		good := greeting(3, 1)
		for n := 0; n < len(good)-1; n++ {
			for _, r := range crowd[silent:] {
				_, _ = r.Write(good[n : n+1])
			}
			select {
			case <-tick.C:
			case <-trickling.Done():
				return
			}
		}
	})
	best := time.Duration(1<<63 - 1)
	for n := range 3 {
		push := socket.NewPush()
		start := time.Now()
		must(t, push.Connect(at))
		must(t, push.WaitPeers(within(t), 1))
		best = min(best, time.Since(start))
		must(t, push.Send(within(t), socket.Text(fmt.Sprint("through ", n))))
		expect(t, pull, fmt.Sprint("through ", n))
		shut(t, push)
		if best < soon {
			break
		}
	}
	if best > soon {
		t.Errorf("a good peer took %v to connect, want at most %v", best, soon)
	}
	stop()
	trickle.Wait()

	evicted := pull.Stats().Refused.Evicted
	shut(t, pull)
	<-following
	if told != evicted {
		t.Errorf("events tell of %d that were evicted, want %d", told, evicted)
	}
	for _, r := range crowd {
		r.Close()
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
	if n := openFiles(t); n > files {
		t.Errorf("%d files open before, %d after", files, n)
	}
}

// TestHandshakeCap: with room for three handshakes, the fourth connection ends the first, and so on.
func TestHandshakeCap(t *testing.T) {
	pull := socket.NewPull(socket.WithLimits(socket.Limits{MaxHandshakes: 3}), socket.WithHandshakeTimeout(time.Minute))
	defer shut(t, pull)
	at, err := pull.Bind(t.Context(), "tcp://127.0.0.1:0")
	must(t, err)
	var crowd []*raw
	dial := func() {
		r := rawDial(t, at)
		crowd = append(crowd, r)
		eventWhere(t, pull, "accepted", func(ev socket.Event) bool {
			return ev.Kind == socket.Accepted && ev.Address == r.name()
		})
	}
	for range 3 {
		dial()
	}
	for i := range 5 {
		dial()
		crowd[i].ended()
		waitUntil(t, "that is counted", func() bool { return pull.Stats().Refused.Evicted == uint64(i+1) })
	}
	ev := wantRefusal(t, pull, crowd[0].name(), refusal{failed, socket.ErrEvicted, "newer"})
	if ev.Endpoint != at {
		t.Errorf("event at %q, want %q", ev.Endpoint, at)
	}
	// A handshake that is through counts no more: three at a time, any number in all.
	for _, r := range crowd[5:] {
		r.shake("PUSH")
	}
	must(t, pull.WaitPeers(within(t), 3))
	for n := range 4 {
		dial()
		crowd[len(crowd)-1].shake("PUSH")
		must(t, pull.WaitPeers(within(t), 4+n))
	}
	for i, r := range crowd[5:] {
		r.send(messageOf(fmt.Sprint(i)))
		expect(t, pull, fmt.Sprint(i))
	}
}

// TestTrickle: a handshake that comes a byte at a time is as good as any other, on every role.
func TestTrickle(t *testing.T) {
	for _, role := range roles {
		t.Run(role.name, func(t *testing.T) {
			t.Parallel()
			s := role.open()
			defer shut(t, s)
			at, err := s.Bind(t.Context(), "tcp://127.0.0.1:0")
			must(t, err)
			r := rawDial(t, at)
			for _, b := range append(greeting(3, 1), readyOf(role.peer)...) {
				r.send([]byte{b})
			}
			for _, b := range zmtp.AppendPing(nil, 0, []byte("slow")) {
				r.send([]byte{b})
			}
			r.take(zmtp.GreetingSize)
			if got := r.pong(); got != "slow" {
				t.Errorf("PONG carries %q", got)
			}
			balanced(t, s)
		})
	}
}

// follow calls f for every event until the socket closes.
func follow(s anyRole, f func(socket.Event)) (done <-chan struct{}) {
	end := make(chan struct{})
	go func() {
		defer close(end)
		for ev := range s.Events(context.Background()) {
			f(ev)
		}
	}()
	return end
}

// openFiles counts this process's file descriptors where the system tells, and is 0 elsewhere.
func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}
