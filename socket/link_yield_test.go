//go:build unix

package socket

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/fairness"
)

// A stream has its reader let others go first, and messages that come one by one do not.
func TestWhoYields(t *testing.T) {
	calls := func(c *core) int { return c.yielder.Calls() }
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	t.Run("one by one", func(t *testing.T) {
		rep, req := NewRep(), NewReq()
		defer rep.Close()
		defer req.Close()
		endpoint, err := rep.Bind(ctx, "tcp://127.0.0.1:0")
		must(t, err)
		must(t, req.Connect(endpoint))
		for begin := time.Now(); time.Since(begin) < 10*fairness.NetpollInterval; {
			must(t, req.Send(ctx, Text("request")))
			m, err := rep.Recv(ctx)
			must(t, err)
			must(t, rep.Send(ctx, m))
			_, err = req.Recv(ctx)
			must(t, err)
		}
		if calls(rep.core)+calls(req.core) > 0 {
			t.Error("it has")
		}
	})
	stream := func(t *testing.T, others int) {
		pull, push := NewPull(), NewPush(WithLinger(0))
		defer pull.Close()
		endpoint, err := pull.Bind(ctx, "tcp://127.0.0.1:0")
		must(t, err)
		for range others {
			other := NewPush()
			defer other.Close()
			must(t, other.Connect(endpoint))
		}
		must(t, push.Connect(endpoint))
		must(t, pull.WaitPeers(ctx, 1+others))
		var sender sync.WaitGroup
		sender.Go(func() {
			for push.Send(ctx, NewMsg(make([]byte, 100))) == nil {
			}
		})
		for calls(pull.core) < 100 {
			if _, err := pull.Recv(ctx); err != nil {
				t.Errorf("it has %d times: %v", calls(pull.core), err)
				break
			}
		}
		must(t, push.Close())
		sender.Wait()
	}
	t.Run("stream", func(t *testing.T) { stream(t, 0) })
	t.Run("stream beside another peer", func(t *testing.T) { stream(t, 1) })
}

// A receiver that always finds something has others run, too, where peers wait for answers, unless there is only one.
func TestReceiverYields(t *testing.T) {
	for _, c := range []struct {
		name   string
		peers  int
		yields bool
	}{
		{"two peers", 2, true},
		{"one peer", 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			const each = 4 * lookAfter
			rep := NewRep()
			defer rep.Close()
			endpoint, err := rep.Bind(ctx, "tcp://127.0.0.1:0")
			must(t, err)
			for range c.peers {
				dealer := NewDealer()
				defer dealer.Close()
				must(t, dealer.Connect(endpoint))
				for range each {
					must(t, dealer.Send(ctx, NewMsg(nil, []byte("request"))))
				}
			}
			for rep.Stats().Unread.Messages < uint64(c.peers*each) && ctx.Err() == nil {
				time.Sleep(time.Millisecond)
			}
			before, begin := rep.yielder.Calls(), time.Now()
			for range c.peers * each {
				m, err := rep.Recv(ctx)
				must(t, err)
				for begin := time.Now(); time.Since(begin) < fairness.YieldInterval; {
				}
				must(t, rep.Send(ctx, m))
			}
			calls := rep.yielder.Calls() - before
			if most := int(time.Since(begin) / fairness.YieldInterval); calls > most || (calls > 0) != c.yields {
				t.Errorf("%d times in %v", calls, time.Since(begin))
			}
		})
	}
}

// TestReceiverReadsOnAfterALongYield: a receiver who has let others go first counts its own time from when it is back,
// and takes on for as long as it was gone, up to 5 ms, if those were not readers.
func TestReceiverReadsOnAfterALongYield(t *testing.T) {
	for _, tt := range []struct {
		gone time.Duration
		want int // messages taken until it yields again, at 10 µs each
	}{
		{10 * time.Microsecond, 32},
		{time.Millisecond, 32},
		{5100 * time.Microsecond, 528},
		{time.Second, 528},
	} {
		t.Run(tt.gone.String(), func(t *testing.T) {
			r := newRig(t, inboxConfig{})
			r.answers = true
			yields := 0
			r.env.yield = func() {
				yields++
				r.clock += tt.gone
			}
			a, b := r.join(mark{}), r.join(mark{})
			r.bring(a, series("a", 1000)...)
			r.bring(b, series("b", 1000)...)
			taken := func(until int) (n int) {
				for ; yields < until && n < 1900; n++ {
					r.recvOne()
					r.clock += 10 * time.Microsecond
				}
				return n
			}
			taken(1)
			if got := taken(2); got < tt.want-16 || got > tt.want+16 {
				t.Errorf("yielded again after %d messages, want about %d", got, tt.want)
			}
		})
	}
}
