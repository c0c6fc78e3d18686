package sockettest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// queues is what waits where, and for how long.
func queues() []behaviour {
	return []behaviour{
		{name: "sum-of-both-marks", needs: []Capability{ExactQueues, HighWaterMarks, CallContext}, run: func(p *pairing) {
			for _, h := range []struct{ send, recv int }{{1, 1}, {2, 3}, {500, 500}} {
				for _, connectFirst := range []bool{false, true} {
					push, pull := p.local("PUSH", Options{SendHWM: h.send}), p.remote("PULL", Options{RecvHWM: h.recv})
					at := p.endpoint()
					if connectFirst {
						push.connect(at)
						pull.bindAt(at)
					} else {
						pull.bindAt(at)
						push.connect(at)
					}
					push.peers(1)
					var c Checker
					if n := fill(push, &c); n != h.send+h.recv {
						p.Errorf("marks of %d and %d hold %d messages, want %d", h.send, h.recv, n, h.send+h.recv)
					}
					push.close()
					pull.close()
				}
			}
		}},
		{name: "backpressure", needs: []Capability{HighWaterMarks, CallContext}, run: func(p *pairing) {
			// A sender that is faster waits; all it got rid of arrives, in order, and then there is room again.
			push, pull := p.local("PUSH", Options{SendHWM: 10}), p.remote("PULL", Options{RecvHWM: 10})
			p.link(pull, push)
			var c Checker
			for range 3 {
				n := fill(push, &c, big)
				if n < 10 {
					p.Fatalf("%d messages were taken, fewer than the high-water mark of 10", n)
				}
				for range n {
					c.See("pull", pull.recv()[0])
				}
				push.send(c.Stamp("a"))
				c.See("pull", pull.recv()[0])
			}
			if err := c.Check(); err != nil {
				p.Fatal(err)
			}
		}},
		{
			name: "received-and-not-read", needs: []Capability{HighWaterMarks},
			remote: []Capability{HighWaterMarks, CallContext},
			run: func(p *pairing) {
				// The same with the local side as the slow one: it stops reading, and the sender waits.
				pull, push := p.local("PULL", Options{RecvHWM: 10}), p.remote("PUSH", Options{SendHWM: 10})
				p.link(pull, push)
				var c Checker
				for range fill(push, &c, big) {
					c.See("pull", pull.recv()[0])
				}
				push.send(c.Stamp("a"))
				c.See("pull", pull.recv()[0])
				if err := c.Check(); err != nil {
					p.Fatal(err)
				}
			},
		},
		{name: "queue-before-a-peer", needs: []Capability{HighWaterMarks, CallContext}, run: func(p *pairing) {
			// Without a peer yet, a connecting socket takes as many messages as its mark says.
			at := p.freed(p.f.Remote, "PULL")
			push := p.local("PUSH", Options{SendHWM: 7})
			push.connect(at)
			var c Checker
			if n := fill(push, &c); n != 7 {
				p.Errorf("%d messages were taken, want 7", n)
			}
			pull := p.remote("PULL")
			pull.rebind(at)
			for range 7 {
				c.See("pull", pull.recv()[0])
			}
			if err := c.Check(); err != nil {
				p.Fatal(err)
			}
		}},
		{name: "immediate", needs: []Capability{ImmediateOption, CallContext, ManyEndpoints}, run: func(p *pairing) {
			dead := p.freed(p.f.Remote, "PULL")
			push, pull := p.local("PUSH", Options{Immediate: true}), p.remote("PULL")
			push.connect(dead)
			push.full("for nobody")
			at := pull.bind()
			push.connect(at)
			push.peers(1)
			for i := range 20 {
				push.send(fmt.Sprint(i))
			}
			for i := range 20 {
				pull.expect(fmt.Sprint(i))
			}
			pull.close()
			push.peers(0)
			push.full("for nobody again")
			pull = p.remote("PULL")
			pull.rebind(at)
			push.send("back")
			pull.expect("back")
		}},
		{name: "nothing-for-the-dead", needs: []Capability{ManyEndpoints}, run: func(p *pairing) {
			// While one endpoint is live nothing is queued for one that is not, without asking for it.
			dead := p.freed(p.f.Remote, "PULL")
			push, pull := p.local("PUSH"), p.remote("PULL")
			push.connect(dead)
			push.connect(pull.bind())
			push.peers(1)
			for i := range 20 {
				push.send(fmt.Sprint(i))
			}
			for i := range 20 {
				pull.expect(fmt.Sprint(i))
			}
		}},
		{name: "latest", needs: []Capability{LatestOption}, run: func(p *pairing) {
			pull, push := p.local("PULL", Options{Latest: true}), p.remote("PUSH")
			p.link(pull, push)
			for i := range 20 {
				push.send(fmt.Sprint(i))
			}
			last := -1
			for last < 19 {
				n := 0
				if _, err := fmt.Sscan(pull.recv()[0], &n); err != nil || n <= last {
					p.Fatalf("received %d after %d, %v", n, last, err)
				}
				last = n
			}
			pull.nothing()
			push.send("next")
			pull.expect("next")
		}},
		{name: "sender-closes", run: func(p *pairing) {
			// What was sent leaves before the sender does.
			push, pull := p.local("PUSH"), p.remote("PULL")
			p.link(pull, push)
			for i := range 100 {
				push.send(fmt.Sprint(i))
			}
			push.close()
			for i := range 100 {
				pull.expect(fmt.Sprint(i))
			}
		}},
		{name: "read-after-the-sender-has-gone", needs: []Capability{PeerCount}, run: func(p *pairing) {
			pull, push := p.local("PULL"), p.remote("PUSH")
			p.link(pull, push)
			for i := range 100 {
				push.send(fmt.Sprint(i))
			}
			push.close()
			pull.peers(0)
			for i := range 100 {
				pull.expect(fmt.Sprint(i))
			}
		}},
		{name: "deadlines", needs: []Capability{CallContext}, run: func(p *pairing) {
			pull, push := p.local("PULL"), p.local("PUSH")
			push.bind()
			pull.bind()
			for name, call := range map[string]func(ctx context.Context) error{
				"Recv": func(ctx context.Context) error { _, err := pull.Recv(ctx); return err },
				"Send": func(ctx context.Context) error { return push.Send(ctx, asBytes([]string{"x"})) },
			} {
				start := time.Now()
				ctx, cancel := context.WithTimeout(p.Context(), moment)
				err := call(ctx)
				if took := time.Since(start); took < moment-time.Millisecond {
					p.Errorf("%s gave up after %v of %v", name, took, moment)
				}
				if !errors.Is(err, context.DeadlineExceeded) {
					p.Errorf("%s: %v, want an error that matches the context's", name, err)
				}
				cancel()
			}
		}},
		{name: "given-up-and-not-lost", needs: []Capability{CallContext}, run: func(p *pairing) {
			// Calls that gave up have no part in what comes later.
			pull, push := p.local("PULL"), p.remote("PUSH")
			p.link(pull, push)
			for i := range 5 {
				_, _ = pull.take(time.Millisecond)
				push.send(fmt.Sprint(i))
				pull.expect(fmt.Sprint(i))
			}
		}},
		{
			name: "many-goroutines", needs: []Capability{ManyGoroutines}, remote: []Capability{ManyGoroutines},
			run: func(p *pairing) {
				// Messages of several frames from many goroutines stay whole, and each comes to one receiver once.
				push, pull := p.local("PUSH"), p.remote("PULL")
				p.link(pull, push)
				const goroutines, each = 16, 50
				var c Checker
				var fs []func()
				for g := range goroutines {
					name := fmt.Sprint(g)
					fs = append(fs, func() {
						for range each {
							stamp := c.Stamp(name)
							push.send(stamp, strings.Repeat("x", g*40), stamp)
						}
					}, func() {
						for range each {
							m := pull.recv()
							if len(m) != 3 || m[0] != m[2] {
								p.Errorf("received %s, which is not one message", show(m))
							}
							c.See("receiver "+name, m[0])
						}
					})
				}
				p.abreast(fs...)
				if err := c.Check(); err != nil {
					p.Fatal(err)
				}
			},
		},
	}
}
