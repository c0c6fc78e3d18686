package sockettest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// routing is ROUTER and DEALER (RFC 28).
func routing() []behaviour {
	return []behaviour{
		{
			name: "to-whom-it-may-concern", needs: []Capability{Identities}, remote: []Capability{Identities},
			run: func(p *pairing) {
				router := p.local("ROUTER", Options{Mandatory: true})
				at := router.bind()
				var dealers [3]*end
				for i := range dealers {
					dealers[i] = p.remote("DEALER", Options{Identity: fmt.Sprint("dealer-", i)})
					dealers[i].connect(at)
					dealers[i].send("hello", fmt.Sprint(i))
				}
				for range dealers {
					m := router.recv()
					if len(m) != 3 || m[1] != "hello" || m[0] != "dealer-"+m[2] {
						p.Fatalf("received %s, want the sender's identity in front", show(m))
					}
				}
				for round := range 20 {
					for i := range dealers {
						router.send(fmt.Sprint("dealer-", i), fmt.Sprint(round), "", fmt.Sprint(i))
					}
				}
				for i, d := range dealers {
					for round := range 20 {
						d.expect(fmt.Sprint(round), "", fmt.Sprint(i))
					}
				}
			},
		},
		{name: "identities-for-the-nameless", run: func(p *pairing) {
			router := p.local("ROUTER", Options{Mandatory: true})
			at := router.bind()
			seen := make(map[string]bool)
			for i := range 3 {
				d := p.remote("DEALER")
				d.connect(at)
				d.send(fmt.Sprint(i))
				m := router.recv()
				if len(m) != 2 || m[0] == "" || m[1] != fmt.Sprint(i) || seen[m[0]] {
					p.Fatalf("received %s, want a new identity and the message", show(m))
				}
				seen[m[0]] = true
				router.send(m[0], "for you")
				d.expect("for you")
			}
		}},
		{name: "dealer-round-robin", needs: []Capability{ManyEndpoints}, run: roundRobin("DEALER", "DEALER")},
		{name: "dealer-hears-everyone", run: everyoneIsHeard("DEALER", "DEALER")},
		{name: "router-hears-everyone", run: everyoneIsHeard("ROUTER", "DEALER")},
		{name: "dealer-waits-for-a-peer", needs: []Capability{CallContext}, run: func(p *pairing) {
			dealer, peer := p.local("DEALER"), p.remote("DEALER")
			at := dealer.bind()
			dealer.full("early")
			peer.connect(at)
			dealer.send("in time")
			peer.expect("in time")
		}},
		{name: "whole-messages", run: func(p *pairing) {
			p.eachBind("DEALER", "DEALER", func(a, b *end) {
				oneWay(a, b)
				oneWay(b, a)
			})
		}},
		{name: "router-to-router", needs: []Capability{Identities}, remote: []Capability{Identities}, run: func(p *pairing) {
			a, b := p.local("ROUTER", Options{Identity: "a", Mandatory: true}),
				p.remote("ROUTER", Options{Identity: "b", Mandatory: true})
			p.link(a, b)
			p.until("a has b in its book", func() bool { return a.try(p.patience, "b", "hello") == nil })
			b.expect("a", "hello")
			p.until("b has a in its book", func() bool { return b.try(p.patience, "a", "hello to you") == nil })
			a.expect("b", "hello to you")
		}},
		{
			name: "unroutable-is-an-error", needs: []Capability{MandatoryOption}, remote: []Capability{Identities},
			run: func(p *pairing) {
				router, dealer := p.local("ROUTER", Options{Mandatory: true}), p.remote("DEALER", Options{Identity: "known"})
				at := router.bind()
				router.full("unknown", "x")
				dealer.connect(at)
				dealer.send("here I am")
				router.expect("known", "here I am")
				router.full("unknown", "x")
				router.send("known", "x")
				dealer.expect("x")
				dealer.close()
				p.until("the router notices that the dealer has gone", func() bool {
					return router.try(p.patience, "known", "x") != nil
				})
			},
		},
		{name: "unroutable-is-dropped", remote: []Capability{Identities}, run: func(p *pairing) {
			router, dealer := p.local("ROUTER"), p.remote("DEALER", Options{Identity: "known"})
			at := router.bind()
			dealer.connect(at)
			dealer.send("here I am")
			router.expect("known", "here I am")
			router.send("unknown", "x")
			router.send("known", "y")
			dealer.expect("y")
		}},
		{
			name: "accepted-means-routed", needs: []Capability{MandatoryOption}, remote: []Capability{Identities},
			run: func(p *pairing) {
				// The first message that Send accepts for a peer that is only just connecting arrives, every time.
				for range 20 {
					router, dealer := p.local("ROUTER", Options{Mandatory: true}), p.remote("DEALER", Options{Identity: "d"})
					dealer.connect(router.bind())
					p.until("the dealer is known", func() bool { return router.try(p.patience, "d", "x") == nil })
					dealer.expect("x")
					dealer.close()
					router.close()
				}
			},
		},
		{
			name: "handover", needs: []Capability{MandatoryOption, HandoverOption, RawPeers}, remote: []Capability{Identities},
			run: func(p *pairing) {
				// The peer that had the name is a raw one, since any other would come back for it.
				router := p.local("ROUTER", Options{Mandatory: true, Handover: true})
				at := router.bind()
				old := p.greeted(at, "DEALER", zmtp31, zmtp.Property{Name: zmtp.PropertyIdentity, Value: []byte("name")})
				old.write(frames("1"))
				router.expect("name", "1")
				router.send("name", "for the first")
				if body := old.message(); body != "for the first" {
					p.Fatalf("the first peer got %q", body)
				}
				second := p.remote("DEALER", Options{Identity: "name"})
				second.connect(at)
				second.send("2")
				router.expect("name", "2")
				router.send("name", "for the second")
				second.expect("for the second")
				old.refused("a peer whose name was taken over")
			},
		},
		{
			name: "the-first-keeps-the-name", needs: []Capability{MandatoryOption}, remote: []Capability{Identities},
			run: func(p *pairing) {
				router, first, second := p.local("ROUTER", Options{Mandatory: true}), p.remote("DEALER", Options{Identity: "name"}),
					p.remote("DEALER", Options{Identity: "name"})
				at := router.bind()
				first.connect(at)
				first.send("1")
				router.expect("name", "1")
				second.connect(at)
				for i := range 10 {
					router.send("name", fmt.Sprint(i))
					first.expect(fmt.Sprint(i))
				}
				second.nothing()
			},
		},
		{
			name: "the-next-in-line", needs: []Capability{MandatoryOption}, remote: []Capability{Identities},
			run: func(p *pairing) {
				// A peer that was refused because its name was taken gets in when the first one leaves, without being
				// restarted.
				router, first, second := p.local("ROUTER", Options{Mandatory: true}), p.remote("DEALER", Options{Identity: "name"}),
					p.remote("DEALER", Options{Identity: "name"})
				at := router.bind()
				first.connect(at)
				first.send("1")
				router.expect("name", "1")
				second.connect(at)
				second.nothing() // time to be refused
				first.close()
				insist(second, router, "name")
				p.until("the second can be reached", func() bool { return router.try(p.patience, "name", "x") == nil })
				second.drain("x")
			},
		},
		{
			name: "same-name-again-and-again", needs: []Capability{MandatoryOption, PeerCount}, remote: []Capability{Identities},
			run: func(p *pairing) {
				// A peer that reconnects under its name is the one that gets the messages, at once.
				router := p.local("ROUTER", Options{Mandatory: true})
				at := router.bind()
				for i := range 30 {
					d := p.remote("DEALER", Options{Identity: "name"})
					d.connect(at)
					d.send("hello", fmt.Sprint(i))
					router.expect("name", "hello", fmt.Sprint(i))
					router.send("name", fmt.Sprint(i))
					d.expect(fmt.Sprint(i))
					d.close()
					router.peers(0)
				}
			},
		},
		{
			name: "named-by-the-router", needs: []Capability{MandatoryOption, Naming}, remote: []Capability{Identities},
			run: func(p *pairing) {
				router := p.local("ROUTER", Options{Mandatory: true})
				for _, name := range []string{"one", "two"} {
					dealer := p.remote("DEALER", Options{Identity: "what it calls itself"})
					router.must(router.Socket.(Namer).ConnectAs(dealer.bind(), name), "connect as "+name)
					p.until("the dealer is known", func() bool { return router.try(p.patience, name, "hello") == nil })
					dealer.expect("hello")
					dealer.send("and hello to you")
					router.expect(name, "and hello to you")
				}
				for _, name := range []string{"one", "two"} {
					router.send(name, "once more")
				}
				router.full("what it calls itself", "x")
			},
		},
		{
			name: "full-peer", needs: []Capability{MandatoryOption, HighWaterMarks, CallContext},
			remote: []Capability{Identities},
			run: func(p *pairing) {
				// A peer that does not receive holds up messages for itself and nobody else, and is served on when it does.
				router := p.local("ROUTER", Options{Mandatory: true, Block: true, SendHWM: 5})
				slow, quick := p.remote("DEALER", Options{Identity: "slow", RecvHWM: 5}),
					p.remote("DEALER", Options{Identity: "quick"})
				at := router.bind()
				for _, d := range []*end{slow, quick} {
					d.connect(at)
					d.send("hello")
					router.recv()
				}
				n := 0
				for ; router.takes("slow", fmt.Sprint(n), big); n++ {
					if n > 100_000 {
						p.Fatalf("%s took %d messages that nobody receives", router.who, n)
					}
				}
				router.send("quick", "not affected")
				quick.expect("not affected")
				for i := range n {
					slow.expect(fmt.Sprint(i), big)
				}
				router.send("slow", "room again")
				slow.expect("room again")
			},
		},
		{name: "probe", needs: []Capability{ProbeOption}, run: func(p *pairing) {
			dealer, router := p.local("DEALER", Options{Probe: true}), p.remote("ROUTER")
			p.link(router, dealer)
			dealer.send("data")
			if m := router.recv(); len(m) != 2 || m[1] != "" {
				p.Fatalf("received %s first, want an empty message", show(m))
			}
			if m := router.recv(); !slices.Equal(m[1:], []string{"data"}) {
				p.Fatalf("received %s then, want the data", show(m))
			}
		}},
	}
}

// insist sends until something arrives: a peer that was refused may have sent into the connection that was about to
// end.
func insist(from, to *end, want ...string) {
	from.p.Helper()
	from.p.until(from.who+" gets through to "+to.who, func() bool {
		_ = from.try(moment, "insist")
		m, err := to.take(moment)
		return err == nil && slices.Equal(m, append(want, "insist"))
	})
}

// big is a body of which few fit into a kernel's buffers.
var big = strings.Repeat("0123456789abcdef", 256<<10/16)
