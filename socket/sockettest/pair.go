package sockettest

import "fmt"

// pair is PAIR (RFC 31).
func pair() []behaviour {
	return []behaviour{
		{name: "both-ways", run: func(p *pairing) {
			p.eachBind("PAIR", "PAIR", func(a, b *end) {
				oneWay(a, b)
				oneWay(b, a)
			})
		}},
		{
			name: "both-ways-at-once", needs: []Capability{ManyGoroutines}, remote: []Capability{ManyGoroutines},
			run: func(p *pairing) {
				a, b := p.local("PAIR"), p.remote("PAIR")
				p.link(a, b)
				const n = 500
				way := func(from, to *end) []func() {
					return []func(){func() {
						for i := range n {
							from.send(fmt.Sprint(i))
						}
					}, func() {
						for i := range n {
							to.expect(fmt.Sprint(i))
						}
					}}
				}
				p.abreast(append(way(a, b), way(b, a)...)...)
			},
		},
		{name: "one-peer-only", run: func(p *pairing) {
			a, first, second := p.local("PAIR"), p.remote("PAIR"), p.remote("PAIR")
			at := p.link(a, first)
			second.connect(at)
			_ = second.try(moment, "may I?")
			for i := range 20 {
				a.send(fmt.Sprint(i))
				first.expect(fmt.Sprint(i))
				first.send("re", fmt.Sprint(i))
				a.expect("re", fmt.Sprint(i))
			}
		}},
		{name: "the-next-in-line", needs: []Capability{PeerCount}, run: func(p *pairing) {
			a, first, second := p.local("PAIR"), p.remote("PAIR"), p.remote("PAIR")
			at := p.link(a, first)
			second.connect(at)
			second.nothing() // time to be refused
			first.close()
			insist(second, a)
			a.send("yes")
			second.expect("yes")
		}},
		{name: "waits-for-a-peer", needs: []Capability{CallContext}, run: func(p *pairing) {
			a, b := p.local("PAIR"), p.remote("PAIR")
			at := a.bind()
			a.full("early")
			b.connect(at)
			a.send("in time")
			b.expect("in time")
		}},
	}
}
