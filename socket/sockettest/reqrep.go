package sockettest

import (
	"fmt"
	"slices"
)

// reqrep is REQ and REP (RFC 28).
func reqrep() []behaviour {
	return []behaviour{
		{name: "ask-and-reply", run: func(p *pairing) {
			p.eachBind("REQ", "REP", func(req, rep *end) { bounce(req, rep) })
			p.eachBind("REP", "REQ", func(rep, req *end) { bounce(req, rep) })
		}},
		{name: "whole-messages", run: func(p *pairing) {
			req, rep := p.local("REQ", Options{Correlate: true}), p.remote("REP")
			p.link(rep, req)
			for _, m := range shapes() {
				req.send(m...)
				rep.expect(m...)
				rep.send(m...)
				req.expect(m...)
			}
		}},
		{name: "round-robin", needs: []Capability{ManyEndpoints}, run: func(p *pairing) {
			req := p.local("REQ")
			var reps [3]*end
			for i := range reps {
				reps[i] = p.remote("REP")
				req.connect(reps[i].bind())
				req.peers(i + 1)
			}
			asked := make(map[int]int)
			for i := range 9 {
				req.send(fmt.Sprint(i))
				who := -1
				p.until("one of the peers gets the request", func() bool {
					for j, rep := range reps {
						if m, err := rep.take(moment / 8); err == nil && slices.Equal(m, []string{fmt.Sprint(i)}) {
							who = j
							return true
						}
					}
					return false
				})
				asked[who]++
				reps[who].send("reply", fmt.Sprint(i))
				req.expect("reply", fmt.Sprint(i))
			}
			for i := range reps {
				if asked[i] != 3 {
					p.Errorf("of 9 requests the peers got %v, want 3 each", asked)
					break
				}
			}
		}},
		{name: "everyone-gets-their-own-reply", run: func(p *pairing) {
			rep := p.local("REP")
			at := rep.bind()
			reqs := []*end{p.remote("REQ"), p.remote("REQ"), p.remote("REQ")}
			for _, req := range reqs {
				req.connect(at)
			}
			for round := range 10 {
				for i, req := range reqs {
					req.send(fmt.Sprintf("%d from %d", round, i))
				}
				for range reqs {
					m := rep.recv()
					rep.send(append([]string{"re"}, m...)...)
				}
				for i, req := range reqs {
					req.expect("re", fmt.Sprintf("%d from %d", round, i))
				}
			}
		}},
		{name: "request-on-the-wire", needs: []Capability{PlainRequests}, run: func(p *pairing) {
			req, router := p.local("REQ"), p.remote("ROUTER")
			p.link(router, req)
			for range 3 {
				req.send("a", "", "b")
				m := router.recv()
				if want := []string{m[0], "", "a", "", "b"}; !slices.Equal(m, want) {
					p.Fatalf("the request arrived as %s, want %s", show(m), show(want))
				}
				router.send(m[0], "", "re", "", "b")
				req.expect("re", "", "b")
			}
		}},
		{name: "deep-envelope", run: func(p *pairing) {
			rep, dealer := p.local("REP"), p.remote("DEALER")
			p.link(rep, dealer)
			for _, envelope := range [][]string{{""}, {"a", ""}, {"a", "b", "c", ""}} {
				dealer.send(append(slices.Clone(envelope), "body", "", "rest")...)
				rep.expect("body", "", "rest")
				rep.send("reply", "")
				dealer.expect(append(slices.Clone(envelope), "reply", "")...)
			}
		}},
		{name: "request-without-envelope", run: func(p *pairing) {
			rep, dealer := p.local("REP"), p.remote("DEALER")
			p.link(rep, dealer)
			dealer.send("no delimiter anywhere")
			dealer.send("", "a proper one")
			rep.expect("a proper one")
			rep.send("reply")
			dealer.expect("", "reply")
		}},
		{name: "strictly-in-turn", needs: []Capability{CallContext}, run: func(p *pairing) {
			req, rep := p.local("REQ", Options{Correlate: true}), p.local("REP")
			p.link(rep, req)
			req.refusesRecv("before any request")
			rep.full("a reply to nothing")
			req.send("1")
			req.full("a second request")
			rep.expect("1")
			rep.refusesRecv("before the reply")
			rep.send("one")
			req.expect("one")
			rep.full("a second reply")
			req.send("2")
			rep.expect("2")
			rep.send("two")
			req.expect("two")
		}},
		{name: "only-the-matching-reply", needs: []Capability{CorrelateOption}, run: func(p *pairing) {
			req, router := p.local("REQ", Options{Correlate: true}), p.remote("ROUTER")
			p.link(router, req)
			req.send("first")
			m := router.recv()
			if len(m) != 4 || m[2] != "" || m[3] != "first" {
				p.Fatalf("the request arrived as %s, want peer, number, empty, request", show(m))
			}
			id, number := m[0], m[1]
			router.send(id, "\x00\x00\x00\x01", "", "another number")
			router.send(id, "\xff\xff\xff\xfe", "", "another number")
			router.send(id, number, "", "the reply")
			router.send(id, number, "", "the reply once more")
			req.expect("the reply")
			req.send("second")
			m = router.recv()
			if m[1] == number {
				p.Fatalf("two requests have the same number %q", number)
			}
			router.send(id, m[1], "", "the second reply")
			req.expect("the second reply")
		}},
		{name: "malformed-replies", needs: []Capability{CorrelateOption}, run: func(p *pairing) {
			req, router := p.local("REQ", Options{Correlate: true}), p.remote("ROUTER")
			p.link(router, req)
			req.send("first")
			m := router.recv()
			id, number := m[0], m[1]
			router.send(id, number, "no delimiter")
			router.send(id, "", "no number")
			router.send(id, "not four bytes", "", "x")
			router.send(id, number, "", "the reply")
			req.expect("the reply")
		}},
		{name: "only-a-proper-reply", needs: []Capability{PlainRequests}, run: func(p *pairing) {
			req, router := p.local("REQ"), p.remote("ROUTER")
			p.link(router, req)
			req.send("first")
			id := router.recv()[0]
			router.send(id, "no delimiter")
			router.send(id, "bad", "", "something in front of it")
			router.send(id, "", "the reply")
			req.expect("the reply")
		}},
		{name: "relaxed", needs: []Capability{RelaxedOption, CorrelateOption}, run: func(p *pairing) {
			req, rep := p.local("REQ", Options{Relaxed: true, Correlate: true}), p.remote("REP")
			p.link(rep, req)
			for i := range 3 {
				req.send("given up", fmt.Sprint(i))
				rep.expect("given up", fmt.Sprint(i))
				req.send("asked instead", fmt.Sprint(i))
				rep.send("late")
				rep.expect("asked instead", fmt.Sprint(i))
				rep.send("reply", fmt.Sprint(i))
				req.expect("reply", fmt.Sprint(i))
			}
		}},
		{name: "relaxed-before-anybody-is-there", needs: []Capability{RelaxedOption, CorrelateOption}, run: func(p *pairing) {
			at := p.freed(p.f.Remote, "REP")
			req := p.local("REQ", Options{Relaxed: true, Correlate: true})
			req.connect(at)
			for i := range 3 {
				req.send(fmt.Sprint(i))
			}
			rep := p.remote("REP")
			rep.rebind(at)
			for m := ""; m != "2"; {
				m = rep.recv()[0]
				rep.send("re", m)
			}
			req.expect("re", "2")
		}},
		{name: "requester-gone", run: func(p *pairing) {
			rep, gone, next := p.local("REP"), p.remote("REQ"), p.remote("REQ")
			at := rep.bind()
			gone.connect(at)
			gone.send("and away")
			rep.expect("and away")
			gone.close()
			next.connect(at)
			next.send("still there?")
			// The reply has nowhere to go, which may be an error but must not stop the socket.
			_ = rep.try(p.patience, "too late")
			rep.expect("still there?")
			rep.send("yes")
			next.expect("yes")
		}},
		{name: "asked-before-anybody-is-there", run: func(p *pairing) {
			at := p.freed(p.f.Remote, "REP")
			req := p.local("REQ")
			req.connect(at)
			p.abreast(func() {
				req.send("ping")
				req.expect("pong")
			}, func() {
				rep := p.remote("REP")
				rep.rebind(at)
				rep.expect("ping")
				rep.send("pong")
			})
		}},
		// Recv must end: a reply that cannot come is not waited for, or the request goes to a peer that can.
		{name: "peer-lost-is-told", run: peerLost(Options{}, (*end).close)},
		{name: "peer-killed-is-told", remote: []Capability{Killing}, run: peerLost(Options{Killable: true}, (*end).kill)},
		{name: "broker", needs: []Capability{ManyGoroutines}, run: func(p *pairing) {
			// REQ - ROUTER, the application in between, DEALER - REP: envelopes find their way back.
			router, dealer := p.local("ROUTER", Options{Mandatory: true}), p.local("DEALER")
			front, back := router.bind(), dealer.bind()
			const clients, workers, rounds = 4, 3, 20
			var fs []func()
			pump := func(from, to *end) func() {
				return func() {
					for range clients * rounds {
						to.send(from.recv()...)
					}
				}
			}
			fs = append(fs, pump(router, dealer), pump(dealer, router))
			stop := make(chan struct{})
			for range workers {
				rep := p.remote("REP")
				rep.connect(back)
				fs = append(fs, func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						if m, err := rep.take(moment / 4); err == nil {
							rep.send(append(m, "done")...)
						}
					}
				})
			}
			asked := make(chan struct{}, clients)
			for i := range clients {
				req := p.remote("REQ", Options{Correlate: true})
				req.connect(front)
				fs = append(fs, func() {
					defer func() {
						if asked <- struct{}{}; len(asked) == clients {
							close(stop)
						}
					}()
					for j := range rounds {
						req.send(fmt.Sprint(i), "", fmt.Sprint(j))
						req.expect(fmt.Sprint(i), "", fmt.Sprint(j), "done")
					}
				})
			}
			p.abreast(fs...)
		}},
	}
}

// peerLost takes the peer away from a requester that waits for its reply, and brings another in its place.
func peerLost(o Options, goes func(rep *end)) func(p *pairing) {
	return func(p *pairing) {
		req, rep := p.local("REQ", Options{Correlate: true}), p.remote("REP", o)
		at := rep.bind()
		req.connect(at)
		req.send("to a peer that leaves")
		rep.expect("to a peer that leaves")
		goes(rep)
		next := p.remote("REP")
		next.rebind(at)
		done := make(chan struct{})
		p.abreast(func() {
			defer close(done)
			if _, err := req.take(p.patience); err != nil {
				req.send("again")
				req.expect("reply")
			}
		}, func() {
			for {
				if _, err := next.take(moment); err == nil {
					next.send("reply")
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
}

// bounce sends two-part messages back and forth.
func bounce(req, rep *end) {
	req.p.Helper()
	for i := range 50 {
		req.send("ping", fmt.Sprint(i))
		rep.expect("ping", fmt.Sprint(i))
		rep.send("pong", fmt.Sprint(i))
		req.expect("pong", fmt.Sprint(i))
	}
}

// refusesRecv checks that Recv gives nothing, because it is not the socket's turn.
func (e *end) refusesRecv(when string) {
	e.p.Helper()
	if m, err := e.take(moment); err == nil {
		e.p.Fatalf("%s: received %s %s", e.who, show(m), when)
	}
}
