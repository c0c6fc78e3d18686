package sockettest

import "fmt"

// xpub is XPUB and XSUB, publishers that see subscriptions and subscribers that send them (RFC 29).
func xpub() []behaviour {
	return []behaviour{
		{name: "shows-subscriptions", run: func(p *pairing) {
			pub, sub := p.local("XPUB"), p.remote("SUB")
			sub.subscribe("A")
			p.link(pub, sub)
			pub.expect("\x01A")
			sub.subscribe("A", "B") // A twice is once on the wire
			pub.expect("\x01B")
			sub.unsubscribe("A")
			sub.unsubscribe("A")
			pub.expect("\x00A")
			pub.send("A", "nobody any more")
			pub.send("B", "this one")
			sub.expect("B", "this one")
		}},
		{name: "first-and-last-only", needs: []Capability{PeerCount}, run: changes(Options{},
			"\x01A", "\x01b", "\x00b", "\x00A", "\x00end")},
		{name: "every-subscription", needs: []Capability{PeerCount, VerboseOption}, run: changes(Options{Verbose: true},
			"\x01A", "\x01A", "\x01b", "\x00b", "\x00A", "\x00end")},
		{name: "every-cancellation", needs: []Capability{PeerCount, VerboseOption}, run: changes(Options{Verboser: true},
			"\x01A", "\x01A", "\x01b", "\x00A", "\x00b", "\x00A", "\x00end")},
		{name: "departure-cancels", run: func(p *pairing) {
			pub, sub := p.local("XPUB"), p.remote("SUB")
			sub.subscribe("A")
			p.link(pub, sub)
			pub.expect("\x01A")
			sub.close()
			pub.expect("\x00A")
		}},
		{name: "no-drop", needs: []Capability{HighWaterMarks, NoDropOption, CallContext}, run: func(p *pairing) {
			pub, sub := p.local("XPUB", Options{SendHWM: 5, NoDrop: true}), p.remote("SUB", Options{RecvHWM: 5})
			sub.subscribe("")
			p.link(pub, sub)
			pub.expect("\x01")
			var c Checker
			for range fill(pub, &c, big) {
				c.See("sub", sub.recv()[0])
			}
			if err := c.Check(); err != nil {
				p.Fatal(err)
			}
		}},
		{name: "upstream-messages", run: func(p *pairing) {
			pub, sub := p.local("XPUB"), p.remote("XSUB")
			p.link(pub, sub)
			sub.send("\x01A")
			pub.expect("\x01A")
			sub.send("to", "the publisher")
			pub.expect("to", "the publisher")
			pub.send("A", "down")
			sub.expect("A", "down")
			sub.send("\x00A")
			pub.expect("\x00A")
		}},
		{name: "xsub-subscribes-by-message", run: func(p *pairing) {
			sub, pub := p.local("XSUB"), p.remote("XPUB")
			p.link(pub, sub)
			sub.send("\x01A")
			pub.expect("\x01A")
			pub.send("B")
			pub.send("A")
			sub.expect("A")
			sub.send("\x00A")
			pub.expect("\x00A")
		}},
		{name: "forwarder", run: func(p *pairing) {
			// PUB - XSUB, the application in between, XPUB - SUB: subscriptions go up, messages down.
			front, back := p.local("XSUB"), p.local("XPUB")
			pub, sub := p.remote("XPUB"), p.remote("SUB")
			p.link(front, pub)
			p.link(back, sub)
			sub.subscribe("A")
			front.send(back.recv()...)
			pub.expect("\x01A")
			for i := range 10 {
				pub.send("B", "not asked for")
				pub.send("A", fmt.Sprint(i))
				back.send(front.recv()...)
				sub.expect("A", fmt.Sprint(i))
			}
			sub.unsubscribe("A")
			front.send(back.recv()...)
			pub.expect("\x00A")
		}},
		{name: "manual", needs: []Capability{ManualOption, PeerCount}, run: manual},
		{name: "manual-departure", needs: []Capability{ManualOption, PeerCount}, run: func(p *pairing) {
			// The publisher hears the end of what was asked for, which may be other than what was granted.
			pub, a, b := p.local("XPUB", Options{Manual: true}), p.remote("SUB"), p.remote("SUB")
			at := p.link(pub, a)
			a.subscribe("A")
			pub.expect("\x01A")
			pub.subscribe("A granted")
			a.close()
			pub.expect("\x00A")
			b.subscribe("")
			b.connect(at)
			pub.expect("\x01")
			pub.subscribe("B")
			pub.send("A granted", "to one who has gone")
			pub.send("B", "this one")
			b.expect("B", "this one")
		}},
		{name: "welcome", needs: []Capability{WelcomeOption}, run: func(p *pairing) {
			pub := p.local("XPUB", Options{Welcome: "welcome"})
			at := pub.bind()
			for _, topic := range []string{"w", "A"} {
				sub := p.remote("SUB")
				sub.subscribe(topic)
				sub.connect(at)
				pub.expect("\x01" + topic)
				pub.send(topic, "published")
				if topic == "w" { // the other one has not asked for it
					sub.expect("welcome")
				}
				sub.expect(topic, "published")
			}
		}},
		{name: "last-value", needs: []Capability{LastValueOption}, run: func(p *pairing) {
			for _, role := range []string{"PUB", "XPUB"} {
				pub, early, late := p.local(role, Options{LastValue: 2}), p.remote("SUB"), p.remote("SUB")
				at := pub.bind()
				pub.send("A/0", "forgotten: two topics follow")
				pub.send("A/1", "old")
				pub.send("A/2", "new")
				pub.send("A/1", "new")
				early.subscribe("A")
				early.connect(at)
				early.expect("A/2", "new") // in the order in which they were published
				early.expect("A/1", "new")
				late.subscribe("A/1")
				late.connect(at)
				late.expect("A/1", "new")
				late.subscribe("A/2") // any new subscription is one
				late.expect("A/2", "new")
				pub.send("A/1", "newer")
				early.expect("A/1", "newer") // nothing twice
				late.expect("A/1", "newer")
				for _, e := range []*end{pub, early, late} {
					e.close()
				}
			}
		}},
		{name: "subscriber-killed", remote: []Capability{Killing}, run: func(p *pairing) {
			pub, killed, stays := p.local("XPUB"), p.remote("SUB", Options{Killable: true}), p.remote("SUB")
			killed.subscribe("A", "B")
			at := pub.bind()
			killed.connect(at)
			want := map[string]bool{"\x01A": true, "\x01B": true}
			shown := func() {
				p.Helper()
				for n := len(want); n > 0; n-- {
					if m := pub.recv(); !want[m[0]] {
						p.Fatalf("%s: shown %s, want one of %v", pub.who, show(m), want)
					} else {
						delete(want, m[0])
					}
				}
			}
			shown()
			stays.subscribe("C")
			stays.connect(at)
			pub.expect("\x01C")
			killed.kill()
			want = map[string]bool{"\x00A": true, "\x00B": true}
			shown()
			pub.send("A", "nobody any more")
			pub.send("C", "as ever")
			stays.expect("C", "as ever")
		}},
	}
}

// manual has two peers ask for topics and be given part of them.
func manual(p *pairing) {
	pub, a, b := p.local("XPUB", Options{Manual: true}), p.remote("SUB"), p.remote("SUB")
	at := pub.bind()
	a.connect(at)
	b.connect(at)
	pub.peers(2)
	a.peers(1)
	b.peers(1) // what is subscribed before comes in any order
	a.subscribe("a")
	pub.expect("\x01a")
	pub.subscribe("a/1")
	b.subscribe("b", "a/2")
	pub.expect("\x01b")
	pub.subscribe("b/1", "b/2")
	pub.expect("\x01a/2")
	for _, topic := range []string{"a", "a/1", "a/2", "b", "b/1", "b/2"} {
		pub.send(topic, "1")
	}
	a.expect("a/1", "1")
	b.expect("b/1", "1")
	b.expect("b/2", "1")
	pub.unsubscribe("b/1")
	pub.send("b/1", "taken back")
	pub.send("b/2", "2")
	b.expect("b/2", "2")
	pub.send("a/1", "2")
	a.expect("a/1", "2")
}

// changes has two subscribers subscribe to the same topic and cancel it, and compares what the publisher is shown.
func changes(o Options, want ...string) func(p *pairing) {
	return func(p *pairing) {
		pub, a, b := p.local("XPUB", o), p.remote("SUB"), p.remote("SUB")
		at := pub.bind()
		a.connect(at)
		b.connect(at)
		pub.peers(2)
		a.peers(1)
		b.peers(1)
		shown := func(last string) {
			p.Helper()
			for m := ""; m != last; {
				if m = pub.recv()[0]; len(want) == 0 || m != want[0] {
					p.Fatalf("%s: shown %q, want %q", pub.who, m, want)
				}
				want = want[1:]
			}
		}
		a.subscribe("A")
		shown("\x01A")
		b.subscribe("A", "b") // what follows on the same connection tells when the first has come
		shown("\x01b")
		b.unsubscribe("A", "b")
		shown("\x00b")
		a.subscribe("end")
		pub.expect("\x01end")
		a.unsubscribe("A", "end")
		shown("\x00end")
	}
}
