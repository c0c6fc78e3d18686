package sockettest

import (
	"fmt"
	"slices"
	"strings"
)

// pipeline is PUSH and PULL (RFC 30).
func pipeline() []behaviour {
	return []behaviour{
		{name: "whole-messages", run: func(p *pairing) {
			p.eachBind("PUSH", "PULL", func(push, pull *end) { oneWay(push, pull) })
			p.eachBind("PULL", "PUSH", func(pull, push *end) { oneWay(push, pull) })
		}},
		{name: "order", run: func(p *pairing) {
			push, pull := p.local("PUSH"), p.remote("PULL")
			p.link(pull, push)
			const n = 1000
			p.abreast(func() {
				for i := range n {
					push.send(fmt.Sprint(i), strings.Repeat("x", i%300))
				}
			}, func() {
				for i := range n {
					pull.expect(fmt.Sprint(i), strings.Repeat("x", i%300))
				}
			})
		}},
		{name: "round-robin", needs: []Capability{ManyEndpoints}, run: roundRobin("PUSH", "PULL")},
		{name: "everyone-is-heard", run: everyoneIsHeard("PULL", "PUSH")},
		{name: "send-waits-for-a-first-peer", needs: []Capability{CallContext}, run: func(p *pairing) {
			push, pull := p.local("PUSH"), p.remote("PULL")
			at := push.bind()
			push.full("early")
			pull.connect(at)
			push.send("in time")
			pull.expect("in time") // and what was refused is not there
		}},
		{name: "send-waits-after-the-last-peer", needs: []Capability{CallContext, PeerCount}, run: func(p *pairing) {
			push, pull := p.local("PUSH"), p.remote("PULL")
			at := p.link(push, pull)
			push.send("x")
			pull.expect("x")
			pull.close()
			push.peers(0)
			push.full("to nobody")
			again := p.remote("PULL")
			again.connect(at)
			push.send("y")
			again.expect("y")
		}},
		{name: "connect-before-bind", run: func(p *pairing) {
			at := p.freed(p.f.Remote, "PULL")
			push := p.local("PUSH")
			push.connect(at)
			p.abreast(func() {
				for i := range 5 {
					push.send("queued", fmt.Sprint(i))
				}
			}, func() {
				pull := p.remote("PULL")
				pull.rebind(at)
				for i := range 5 {
					pull.expect("queued", fmt.Sprint(i))
				}
			})
		}},
		{name: "several-endpoints", needs: []Capability{ManyEndpoints, Unbinding}, run: func(p *pairing) {
			pull := p.local("PULL")
			var at [2]string
			for i := range at {
				at[i] = pull.bind()
			}
			pushes := []*end{p.remote("PUSH"), p.remote("PUSH"), p.remote("PUSH")}
			pushes[0].connect(at[0])
			pushes[1].connect(at[1])
			pull.connect(pushes[2].bind())
			for i, push := range pushes {
				push.send(fmt.Sprint(i))
				pull.expect(fmt.Sprint(i))
			}
			pull.must(pull.Unbind(at[0]), "unbind")
			for _, i := range []int{1, 2} {
				pushes[i].send("still there")
				pull.expect("still there")
			}
		}},
		{
			name: "unsent-goes-to-another-peer", needs: []Capability{HighWaterMarks, ManyEndpoints, CallContext, Unbinding},
			run: func(p *pairing) {
				// What was queued for a peer that is given up is not lost with it.
				push, slow, quick := p.local("PUSH", Options{SendHWM: 50}), p.remote("PULL", Options{RecvHWM: 1}), p.remote("PULL")
				at := slow.bind()
				push.connect(at)
				push.peers(1)
				var c Checker
				sent := fill(push, &c, big)
				push.connect(quick.bind())
				push.peers(2)
				push.must(push.Disconnect(at), "disconnect")
				p.until("most of it is there", func() bool {
					for _, e := range []*end{quick, slow} {
						if m, err := e.take(moment / 8); err == nil {
							c.See(e.who, m[0])
						}
					}
					return c.Report().Lost <= sent/2
				})
				seeAll(p, quick, &c)
				seeAll(p, slow, &c)
				if c.Report().Doubled != nil {
					p.Fatal(c.Check())
				}
			},
		},
	}
}

// shapes are messages with empty frames everywhere, and sizes around the steps of the wire format and of common
// buffers.
func shapes() (all [][]string) {
	all = [][]string{{""}, {"", "a"}, {"a", "", "b"}, {"a", ""}, {"", "", ""}, {"", "a", "", "", "b", ""}}
	for _, n := range []int{1, 254, 255, 256, 257, 8191, 8192, 8193, 65535, 65536} {
		all = append(all, []string{sized(n)}, []string{"head", sized(n), "tail"})
	}
	return append(all, []string{"head", sized(1 << 20), "tail"})
}

// sized returns n bytes that say so.
func sized(n int) string {
	return strings.Repeat(fmt.Sprintf("%d,", n), 1+n/2)[:n]
}

// oneWay sends every shape of message.
func oneWay(from, to *end) {
	from.p.Helper()
	from.p.abreast(func() {
		for _, m := range shapes() {
			from.send(m...)
		}
	}, func() {
		for _, m := range shapes() {
			to.expect(m...)
		}
	})
}

// roundRobin gives each of three peers its turn.
func roundRobin(role, peers string) func(p *pairing) {
	return func(p *pairing) {
		const n, rounds = 3, 10
		from := p.local(role)
		var to [n]*end
		for i := range to {
			to[i] = p.remote(peers)
			from.connect(to[i].bind())
			from.peers(i + 1)
		}
		var c Checker
		for range n * rounds {
			from.send(c.Stamp(role))
		}
		for i, e := range to {
			for range rounds {
				c.See(fmt.Sprint("peer ", i), e.recv()[0])
			}
		}
		if err := c.Check(); err != nil {
			p.Fatal(err)
		}
		for _, e := range to {
			e.nothing()
		}
	}
}

// everyoneIsHeard has one peer send without end and another one once.
func everyoneIsHeard(role, peers string) func(p *pairing) {
	return func(p *pairing) {
		to, loud, quiet := p.local(role), p.remote(peers), p.remote(peers)
		at := to.bind()
		loud.connect(at)
		quiet.connect(at)
		w := newWindow()
		p.abreast(func() {
			for w.take() {
				loud.send("loud", "noise")
			}
			loud.send("loud", "end")
		}, func() {
			quiet.send("quiet", "end")
		}, func() {
			heard := func(name string) {
				for m := []string(nil); !slices.Equal(m, []string{name, "end"}); w.give() {
					m = to.recv()
					m = m[len(m)-2:] // an identity may stand in front
				}
			}
			func() {
				defer w.close()
				heard("quiet")
			}()
			heard("loud")
		})
	}
}

// drain receives until a given message has come. An identity in front does not matter.
func (e *end) drain(frames ...string) {
	e.p.Helper()
	for {
		if m := e.recv(); strings.HasSuffix(show(m), strings.TrimPrefix(show(frames), "[")) {
			return
		}
	}
}

// fill sends stamped messages until no more are taken, and returns how many were.
func fill(e *end, c *Checker, more ...string) int {
	e.p.Helper()
	for n := 0; ; n++ {
		if n > 100_000 {
			e.p.Fatalf("%s: took %d messages that nobody receives, without end", e.who, n)
		}
		if !e.takes(append([]string{c.Stamp("a")}, more...)...) {
			c.Unsend("a")
			return n
		}
	}
}

// seeAll receives until nothing comes for a moment; what should be there is for the caller to check.
func seeAll(p *pairing, e *end, c *Checker) {
	p.Helper()
	for misses := 0; misses < 5; {
		m, err := e.take(moment)
		if err != nil {
			misses++
			continue
		}
		misses = 0
		c.See(e.who, m[0])
	}
}
