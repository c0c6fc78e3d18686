package main

import (
	"math/rand/v2"
	"slices"
	"time"
)

// The patterns, in the order in which scenarios take them.
var patterns = []string{
	"pipeline",       // PUSH to PULL
	"pubsub",         // PUB and XPUB to SUB and XSUB, and XSUB upstream to XPUB
	"requests",       // REQ and REP
	"routing",        // DEALER and ROUTER, both ways
	"proxied-work",   // PUSH, a proxy of PULL and PUSH, PULL
	"pair",           // PAIR, both ways
	"acks",           // DEALER that ends while a ROUTER acknowledges
	"proxied-topics", // PUB, a proxy of XSUB and XPUB, SUB
	"dealers",        // DEALER to DEALER
	"proxied-calls",  // REQ, a proxy of ROUTER and DEALER, REP
	"mix",            // anything, in one process
}

// A maker makes one plan.
type maker struct {
	*rand.Rand
	p *plan
}

// makePlan makes the plan of a number. It depends on nothing else.
func makePlan(seed uint64, number int) *plan {
	k := maker{rand.New(rand.NewPCG(seed, uint64(number))), &plan{Seed: seed, Number: number}}
	k.p.Pattern = patterns[number%len(patterns)]
	k.p.Transport = k.pick("tcp", "tcp", "tcp", "ipc", "ipc", "inproc")
	k.p.For = k.between(2*time.Second, 5*time.Second)
	if k.p.Pattern == "mix" {
		k.mixing()
		return k.p
	}
	k.members()
	k.place()
	k.faults()
	return k.p
}

func (k maker) pick(from ...string) string { return from[k.IntN(len(from))] }

func (k maker) chance(percent int) bool { return k.IntN(100) < percent }

func (k maker) between(from, to time.Duration) time.Duration {
	return from + time.Duration(k.Int64N(int64(to-from))).Round(time.Millisecond)
}

// add adds a member in a process of its own.
func (k maker) add(role string) *member {
	id := len(k.p.Members) + 1
	k.p.Members = append(k.p.Members, member{ID: id, Role: role, Process: id - 1, Options: k.settings()})
	return &k.p.Members[id-1]
}

// settings are a socket's, the defaults for half of all.
func (k maker) settings() (o settings) {
	if k.chance(50) {
		o.HWM = []int{3, 20, 200}[k.IntN(3)]
	}
	if k.chance(40) {
		o.Heartbeat = []time.Duration{100 * time.Millisecond, 250 * time.Millisecond}[k.IntN(2)]
	}
	if k.chance(40) {
		o.Buffers = []int{64 << 10, 256 << 10}[k.IntN(2)]
	}
	return o
}

// sends makes a member one that sends.
func (k maker) sends(m *member) {
	m.Source = true
	m.Rate = []int{100, 500, 2000}[k.IntN(3)]
	m.Size = [][2]int{{noteSize, noteSize}, {noteSize, 400}, {noteSize, 3000}, {noteSize, 60_000}}[k.IntN(4)]
	if m.Size[1] > 10_000 {
		m.Rate = min(m.Rate, 500)
	}
	m.Close = k.chance(15)
}

// join connects members to others that bind, through a relay now and then.
func (k maker) join(binds, connects []int) {
	for _, id := range binds {
		m := k.p.member(id)
		m.Binds = true
		m.Relay = k.p.Transport != "inproc" && k.chance(40)
	}
	for _, id := range connects {
		k.p.member(id).To = slices.Clone(binds)
	}
}

// either joins two sides, of which any may bind.
func (k maker) either(a, b []int) {
	if k.chance(50) {
		a, b = b, a
	}
	k.join(a, b)
}

// slow makes some of the receivers slow, as far as they can be through a few seconds after the senders.
func (k maker) slow(senders, receivers []int) {
	total := 0
	for _, id := range senders {
		total += k.p.member(id).Rate
	}
	each := max(1, total*int(k.p.For.Seconds()+1)/len(receivers))
	for _, id := range receivers {
		if k.chance(40) {
			k.p.member(id).Delay = time.Duration(k.Int64N(int64(8*time.Second) / int64(each))).Round(time.Microsecond)
		}
	}
}

// some adds one to n members.
func (k maker) some(role string, n int) (ids []int) {
	for range 1 + k.IntN(n) {
		ids = append(ids, k.add(role).ID)
	}
	return ids
}

// place puts members into one process where they must be in one.
func (k maker) place() {
	if k.p.Transport == "inproc" {
		for i := range k.p.Members {
			k.p.Members[i].Process = 0
		}
	} else { // a proxy's two sockets are in one, and those after it move up
		n := -1
		for i := range k.p.Members {
			if !k.p.Members[i].Proxied {
				n++
			}
			k.p.Members[i].Process = n
		}
	}
	k.p.Early = k.chance(40)
	for _, m := range k.p.Members {
		if m.Binds && !m.Relay && k.p.Transport == "tcp" {
			k.p.Early = false // nobody knows the port before it is bound
		}
	}
}
