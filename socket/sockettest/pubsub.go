package sockettest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// pubsub is PUB and SUB (RFC 29).
func pubsub() []behaviour {
	return []behaviour{
		{name: "filter", run: func(p *pairing) {
			pub, a, all := p.local("PUB"), p.remote("SUB"), p.remote("SUB")
			at := pub.bind()
			a.connect(at)
			all.connect(at)
			a.subscribe("A", "sync")
			all.subscribe("")
			synced(pub, "sync", a, all)
			pub.send("B", "not for a")
			pub.send("AA", "a prefix is enough")
			pub.send("", "empty topic")
			pub.send("A", "", "whole")
			a.expect("AA", "a prefix is enough")
			a.expect("A", "", "whole")
			all.expect("B", "not for a")
			all.expect("AA", "a prefix is enough")
			all.expect("", "empty topic")
			all.expect("A", "", "whole")
		}},
		{name: "only-the-first-frame-counts", run: func(p *pairing) {
			pub, sub := p.local("PUB"), p.remote("SUB")
			sub.subscribe("A", "sync")
			p.link(pub, sub)
			synced(pub, "sync", sub)
			pub.send("B", "A")
			pub.send("A", "B")
			sub.expect("A", "B")
		}},
		{name: "whole-messages", run: func(p *pairing) {
			for _, pubBinds := range []bool{true, false} {
				pub, sub := p.local("PUB", Options{NoDrop: true}), p.remote("SUB")
				everything(pub, sub, pubBinds)
			}
		}},
		{name: "whole-messages-received", run: func(p *pairing) {
			for _, pubBinds := range []bool{true, false} {
				sub, pub := p.local("SUB"), p.remote("PUB", Options{NoDrop: true})
				everything(pub, sub, pubBinds)
			}
		}},
		{name: "publisher-never-waits", run: func(p *pairing) {
			pub := p.local("PUB")
			pub.bind()
			for i := range 1500 {
				pub.send("A", fmt.Sprint(i))
			}
		}},
		{name: "subscriber-leaves", run: func(p *pairing) {
			pub, stays, leaves := p.local("PUB"), p.remote("SUB"), p.remote("SUB")
			at := pub.bind()
			for _, s := range []*end{stays, leaves} {
				s.subscribe("")
				s.connect(at)
			}
			synced(pub, "", stays, leaves)
			for i := range 200 {
				if i == 100 {
					leaves.close()
				}
				pub.send("A", fmt.Sprint(i))
				stays.expect("A", fmt.Sprint(i))
			}
		}},
		{name: "subscriptions-are-counted", run: func(p *pairing) {
			sub, pub := p.local("SUB"), p.remote("PUB")
			sub.subscribe("A", "A", "B", "sync")
			p.link(pub, sub)
			synced(pub, "sync", sub)
			sub.unsubscribe("A")
			sub.subscribe("sync2")
			synced(pub, "sync2", sub) // the publisher has seen to all of the above
			pub.send("A", "one subscription left")
			sub.expect("A", "one subscription left")
			sub.unsubscribe("A")
			sub.subscribe("sync3")
			synced(pub, "sync3", sub)
			pub.send("A", "none left")
			pub.send("B", "this one")
			sub.expect("B", "this one")
		}},
		{name: "nothing-without-subscription", run: func(p *pairing) {
			sub, pub, other := p.local("SUB"), p.remote("PUB"), p.remote("SUB")
			at := pub.bind()
			sub.connect(at)
			other.subscribe("")
			other.connect(at)
			synced(pub, "", other)
			pub.send("A")
			other.expect("A")
			sub.subscribe("B")
			synced(pub, "B", sub)
			pub.send("B", "the first")
			sub.expect("B", "the first")
		}},
		{name: "subscribe-at-any-time", run: func(p *pairing) {
			sub, pub := p.local("SUB"), p.remote("PUB")
			sub.subscribe("before ")
			at := p.freed(p.f.Remote, "PUB")
			sub.connect(at)
			sub.subscribe("meanwhile ")
			pub.rebind(at)
			synced(pub, "before ", sub)
			synced(pub, "meanwhile ", sub)
			sub.subscribe("after ")
			synced(pub, "after ", sub)
		}},
		{name: "long-topics", run: longTopics("SUB", "PUB", []int{1, 200, 254, 255, 256, 257, 1000})},
		// libzmq up to 4.3.4 garbles its SUBSCRIBE for 246 to 255 bytes (its issue 4367); see longest-short-topics.
		{name: "long-topics-published", run: longTopics("PUB", "SUB", []int{1, 200, 245, 256, 257, 1000})},
		{name: "longest-short-topics", run: longTopics("PUB", "SUB", []int{246, 247, 254, 255})},
		{name: "drops-only-when-full", needs: []Capability{HighWaterMarks}, run: dropsWhenFull},
		{name: "no-drop", needs: []Capability{HighWaterMarks, NoDropOption, CallContext}, run: noDrop},
		{name: "publisher-restarts", run: publisherRestarts(Options{}, (*end).close)},
		{
			name: "publisher-killed", remote: []Capability{Killing},
			run: publisherRestarts(Options{Killable: true}, (*end).kill),
		},
	}
}

// everything publishes every shape of message to a subscriber to all.
func everything(pub, sub *end, pubBinds bool) {
	sub.subscribe("")
	if pubBinds {
		sub.p.link(pub, sub)
	} else {
		sub.p.link(sub, pub)
	}
	synced(pub, "", sub)
	oneWay(pub, sub)
	pub.close()
	sub.close()
}

// synced publishes to a topic until all subscribers have received it once, and then sees to it that nothing of this is
// left.
func synced(pub *end, topic string, subs ...*end) {
	p := pub.p
	p.Helper()
	for i, sub := range subs {
		p.until(fmt.Sprintf("%s hears of the subscription of subscriber %d to %.20q", pub.who, i, topic), func() bool {
			pub.send(topic, "sync")
			_, err := sub.take(10 * time.Millisecond)
			return err == nil
		})
	}
	pub.send(topic, "synced")
	for _, sub := range subs {
		sub.drain(topic, "synced")
	}
}

// longTopics subscribes to topics around the sizes at which their encoding changes.
func longTopics(role, peer string, sizes []int) func(p *pairing) {
	return func(p *pairing) {
		a, b := p.local(role), p.remote(peer)
		sub, pub := a, b
		if role == "PUB" {
			sub, pub = b, a
		}
		p.link(pub, sub)
		for _, n := range sizes {
			topic := strings.Repeat(string(rune('a'+n%26)), n)
			sub.subscribe(topic)
			synced(pub, topic, sub)
			sub.unsubscribe(topic)
		}
		sub.subscribe("end")
		synced(pub, "end", sub)
		for _, n := range sizes {
			pub.send(strings.Repeat(string(rune('a'+n%26)), n), "cancelled")
		}
		pub.send("end", "nothing else")
		sub.expect("end", "nothing else")
	}
}

// dropsWhenFull publishes far more than fits to a subscriber that does not receive meanwhile. The publisher never
// waits; what arrives is in order, once, and at least what the queues were promised to hold.
func dropsWhenFull(p *pairing) {
	const hwm = 100
	pub, sub := p.local("PUB", Options{SendHWM: hwm}), p.remote("SUB", Options{RecvHWM: hwm})
	sub.subscribe("")
	p.link(pub, sub)
	synced(pub, "", sub)
	var c Checker
	body := strings.Repeat("x", 32<<10)
	for range 10 * hwm { // 32 MB, more than kernels hold
		pub.send(c.Stamp("pub"), body)
	}
	for ended := false; !ended; {
		received := false
		p.until("something comes", func() bool { // there are hundreds of large messages, but each of them comes soon
			pub.send("end")
			m, err := sub.take(moment)
			for ; err == nil && m[0] != "end"; m, err = sub.take(moment) {
				c.See("sub", m[0])
				received = true
			}
			ended = err == nil
			return ended || received
		})
	}
	r := c.Report()
	if err := c.CheckOnce(); err != nil {
		p.Error(err)
	}
	if r.Received < hwm {
		p.Errorf("%d of %d messages came, fewer than the high-water mark of %d", r.Received, r.Sent, hwm)
	}
	if r.Lost == 0 {
		p.Errorf("all %d messages came; none of the queues was full", r.Sent)
	}
}

// noDrop has the publisher wait for the slow subscriber instead, and go on when there is room.
func noDrop(p *pairing) {
	pub, sub := p.local("PUB", Options{SendHWM: 20, NoDrop: true}), p.remote("SUB", Options{RecvHWM: 20})
	sub.subscribe("")
	p.link(pub, sub)
	synced(pub, "", sub)
	var c Checker
	n := fill(pub, &c, strings.Repeat("x", 64<<10))
	for range n {
		c.See("sub", sub.recv()[0])
	}
	for range 100 {
		pub.send(c.Stamp("a"))
		c.See("sub", sub.recv()[0])
	}
	if err := c.Check(); err != nil {
		p.Fatal(err)
	}
}

// publisherRestarts takes the publisher away from a subscriber with more subscriptions than fit one buffer, and brings
// another in its place, which must hear of all of them.
func publisherRestarts(o Options, goes func(pub *end)) func(p *pairing) {
	return func(p *pairing) {
		const n = 1100
		sub, first := p.local("SUB"), p.remote("PUB", o)
		at := first.bind()
		sub.connect(at)
		topic := func(i int) string { return fmt.Sprintf("topic-%04d-%s/", i, strings.Repeat("x", i%40)) }
		for i := range n {
			sub.subscribe(topic(i))
		}
		synced(first, topic(n-1), sub)
		goes(first)
		second := p.remote("XPUB")
		second.rebind(at)
		held := make(map[string]bool)
		for len(held) < n {
			m := second.recv()
			if len(m) != 1 || m[0] == "" || m[0][0] > 1 {
				p.Fatalf("%s: received %s, want a subscription", second.who, show(m))
			}
			held[m[0][1:]] = m[0][0] == 1
		}
		for i := range n {
			if !held[topic(i)] {
				p.Fatalf("the new publisher has not heard of %q", topic(i))
			}
		}
		second.send(topic(7), "on we go")
		if m := sub.recv(); !slices.Equal(m, []string{topic(7), "on we go"}) {
			p.Fatalf("received %s after the restart", show(m))
		}
	}
}
