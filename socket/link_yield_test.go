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
