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
	}
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
