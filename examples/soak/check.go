package main

import (
	"fmt"
	"slices"
)

// check balances what the members of a scenario sent against what they received and against their ledgers. What is
// promised, and so what is looked for:
//
//   - PUSH to PULL, DEALER to DEALER or ROUTER, PAIR, REQ to REP: each message that Send took comes to one receiver,
//     once. A message for which Send returned an error comes to nobody. A request may come again if it may be
//     repeated (WithRetry), and need not come if Do returned an error.
//   - PUB and XPUB to SUB and XSUB, XSUB upstream to XPUB: from the first message of a topic that a subscriber got,
//     each one comes to it, once, but for those sent while it was not connected.
//   - ROUTER to DEALER, REP to REQ: each message comes to its address, once, and to nobody else.
//   - On one connection messages come in the order they were sent. But where a sender had several peers and lost one,
//     what was queued for that one goes to others, later than its number says.
//   - A proxy changes none of this while its connections last.
//   - What did not come was dropped or discarded, and the ledgers of the sockets on its way name as many; or a
//     connection was cut: killed, reset, silent for too long, or ended by the receiver first. A cut explains what was
//     sent between the last message that the receiver had from that connection and the moment when the sender heard
//     of its end, and nothing else (cuts.go). With a proxy in between it explains everything that did not come. A
//     sender that ends by Shutdown with no error, or on Linux by Close, cuts nothing: all it delivered comes, however
//     slow or stopped the receiver is.
//   - Each ledger balances, at every moment; at the end nothing is queued or unread in it, and it has accepted and
//     handed over what its program saw. Delivered by all senders is received by all receivers, less what the cuts
//     explain. Over inproc a cut explains nothing: the two are equal.
//   - Each request has the reply to it, or Do says why not; where nothing was cut, each has its reply.
func check(p *plan, all []*evidence) verdict {
	var v verdict
	calm := !p.disturbed() && !silent(p, all)
	for _, e := range all {
		if m := p.member(e.Member); !m.Proxied && m.Backend == 0 {
			v.Sent += e.accepted() - e.Answers
			v.Received += e.handed() - e.Other
		}
		checkLedger(&v, p, e)
		if calm {
			v.find(lost, e.Asked.failed(), "%s %s: requests without a reply though nothing was cut: %+v",
				e.Role, e.key, e.Asked)
			if e.EndErr != "" && !p.strangers() {
				v.find(lost, 1, "%s %s did not end cleanly though nothing was cut: %s", e.Role, e.key, e.EndErr)
			}
		}
	}
	for i := range p.Flows {
		checkFlow(&v, p, &p.Flows[i], all)
	}
	return v
}

// silent: a member gave another one up for its silence, which on a busy machine proves nothing where either of them has
// heartbeats of a fraction of a second: a PING says how long its sender may be silent, so that one with the default
// gives up as soon.
func silent(p *plan, all []*evidence) bool {
	short := func(k key) bool { return p.member(k.Member).Options.Heartbeat > 0 }
	for _, e := range all {
		for _, c := range e.Conns {
			if c.Silent && c.Peer != (key{}) && (short(e.key) || short(c.Peer)) {
				return true
			}
		}
	}
	return false
}

// checkLedger compares a socket's last ledger with itself and with what its program sent and received.
func checkLedger(v *verdict, p *plan, e *evidence) {
	l := e.Ledger
	if l == nil || e.Killed || e.Failed {
		return
	}
	v.Dropped += total(l.Dropped) + total(l.Discarded)
	if out := l.Delivered + l.Queued + total(l.Dropped); out != l.Accepted {
		v.find(unnamed, difference(out, l.Accepted), "%s %s: accepted %d, but delivered %d, queued %d, dropped %v",
			e.Role, e.key, l.Accepted, l.Delivered, l.Queued, l.Dropped)
	}
	if in := l.Handed + l.Unread + total(l.Discarded); in != l.Received {
		v.find(unnamed, difference(in, l.Received), "%s %s: received %d, but handed %d, unread %d, discarded %v",
			e.Role, e.key, l.Received, l.Handed, l.Unread, l.Discarded)
	}
	v.find(unnamed, l.Queued, "%s %s: queued after its end", e.Role, e.key)
	v.find(unnamed, l.Unread, "%s %s: unread after its end", e.Role, e.key)
	m := p.member(e.Member)
	if n := e.accepted(); n != l.Accepted && countsOnce(m, e) {
		v.find(unnamed, difference(n, l.Accepted), "%s %s: Send took %d, the ledger accepted %d",
			e.Role, e.key, n, l.Accepted)
	}
	if n := e.handed(); n != l.Handed {
		v.find(unnamed, difference(n, l.Handed), "%s %s: Recv returned %d, the ledger handed %d",
			e.Role, e.key, n, l.Handed)
	}
}

// countsOnce: the ledger has each message that was accepted once, whatever the number of peers, or of attempts.
func countsOnce(m *member, e *evidence) bool {
	switch m.Role {
	case rolePub, roleXPub, roleXSub:
		return false
	case roleReq:
		return m.Options.Retry == 0 && e.Asked.failed() == 0 // Do does not tell whether its request left
	}
	return true
}

func difference(a, b uint64) uint64 { return max(a, b) - min(a, b) }

// lives returns the evidence of some members.
func lives(all []*evidence, ids []int) (es []*evidence) {
	for _, e := range all {
		if slices.Contains(ids, e.Member) {
			es = append(es, e)
		}
	}
	return es
}

// checkFlow looks at every message of a flow.
func checkFlow(v *verdict, p *plan, f *flow, all []*evidence) {
	x := flowCheck{v: v, plan: p, flow: f, from: lives(all, f.From), to: lives(all, f.To), via: lives(all, f.Via)}
	for _, s := range x.from {
		for lane, st := range s.Sent {
			x.stream(s, lane, st)
		}
	}
	x.strays()
	x.named()
	x.conserved()
}

// A flowCheck is the check of one flow.
type flowCheck struct {
	v             *verdict
	plan          *plan
	flow          *flow
	from, to, via []*evidence

	missing uint64 // and no cut explains it
	cut     uint64 // missing because of a cut
	told    uint64 // of those missing, found to be lost
	example string
}

// stream checks one stream: what became of each number.
func (x *flowCheck) stream(s *evidence, lane int, st *sent) {
	id := stream{s.key, lane}
	refused := make(numbers)
	st.Refused.each(func(n uint64) { refused[n]++ })
	receivers := x.to
	if x.flow.Kind == direct {
		receivers = lives(x.to, []int{lane})
	}
	got := make(numbers)
	for _, r := range receivers {
		own := got
		if x.flow.Kind == fan {
			own = make(numbers)
		}
		for _, c := range r.Conns {
			x.order(s, r, c.Got[id])
			c.Got[id].each(func(n uint64) {
				own[n]++
				if own[n] > 1 && !x.flow.Again {
					x.v.find(doubled, 1, "message %d of %s came to %s %s again", n, id, r.Role, r.key)
				}
				if refused[n] > 0 || n > st.Last && !s.Killed && !s.Failed {
					x.v.find(unnamed, 1, "message %d of %s came to %s although Send did not take it", n, id, r.key)
				}
			})
		}
		if x.flow.Kind == fan {
			x.subscriber(s, r, id, tally{1, st.Last, refused, own})
		}
	}
	if x.flow.Kind != fan {
		x.account(s, tally{1, st.Last, refused, got}, x.windows(s, receivers, lane))
	}
}

// Numbers counts how often each number came.
type numbers map[uint64]int

// A tally is which numbers of a stream should have come, which Send refused of these, and which came.
type tally struct {
	first, last  uint64
	refused, got numbers
}

// account finds what is missing.
func (x *flowCheck) account(s *evidence, t tally, cuts windows) {
	for n := t.first; n <= t.last; n++ {
		switch {
		case t.refused[n] > 0 || t.got[n] > 0:
		case cuts.have(n):
			x.cut++
		default:
			x.missing++
			if x.example == "" {
				x.example = fmt.Sprintf("%s %s: first message missing: %d of %d", s.Role, s.key, n, t.last)
			}
		}
	}
}

// order checks that what came on one connection is in the order it was sent.
func (x *flowCheck) order(s, r *evidence, rs runs) {
	if !x.ordered(s) {
		return
	}
	var last uint64
	rs.each(func(n uint64) {
		if n < last {
			x.v.find(disordered, 1, "message %d of %s came to %s %s after message %d", n, s.key, r.Role, r.key, last)
		}
		last = max(last, n)
	})
}

// ordered: nothing that the sender had queued for one peer can have gone to another, and a proxy on the way had no two
// connections that would take turns.
func (x *flowCheck) ordered(s *evidence) bool {
	if len(x.via) == 0 && (x.flow.Kind != spread || oneAtATime(s)) {
		return true
	}
	for _, e := range append([]*evidence{s}, x.via...) {
		for _, c := range e.Conns {
			if c.Down && (!c.Ending || !c.Clean) {
				return false
			}
		}
	}
	return true
}

// oneAtATime: the socket had no two connections at the same time.
func oneAtATime(e *evidence) bool {
	cs := e.sorted()
	for i, c := range cs {
		if i+1 < len(cs) && (!c.Down || c.DownAt.After(cs[i+1].Up)) {
			return false
		}
	}
	return true
}

// strays finds messages that came where they should not.
func (x *flowCheck) strays() {
	if x.flow.Kind != direct {
		return
	}
	for _, r := range x.to {
		for _, c := range r.Conns {
			for id, rs := range c.Got {
				if slices.Contains(x.flow.From, id.From.Member) && id.Lane != r.Member {
					x.v.find(wrong, rs.count(), "messages of %s came to %s %s", id, r.Role, r.key)
				}
			}
		}
	}
}

// named compares what is missing with what the ledgers name as dropped on the way out or discarded on the way in.
func (x *flowCheck) named() {
	x.v.Cut += x.cut
	var names, before uint64
	for _, e := range x.from {
		before += e.dropped() + e.Asked.failed() // by the error of Do
	}
	for _, e := range x.via {
		names += e.dropped() + e.discarded()
	}
	for _, e := range x.to {
		names += e.discarded()
	}
	if x.flow.Kind == fan && len(x.via) > 0 {
		before *= uint64(len(x.to)) // what does not come to the proxy comes to no subscriber
	}
	names += before
	if x.missing > names {
		x.v.find(lost, x.missing-names, "%s; %d missing, %d dropped or discarded by name", x.example, x.missing, names)
		x.told = x.missing - names
	}
}

// conserved compares the ledgers of both ends of each hop: what the one side delivered the other has received.
func (x *flowCheck) conserved() {
	if x.flow.Loose {
		return
	}
	from := x.from
	if len(x.flow.Via) == 2 {
		x.hop(from, lives(x.via, x.flow.Via[:1]))
		from = lives(x.via, x.flow.Via[1:])
	}
	x.hop(from, x.to)
}

func (x *flowCheck) hop(from, to []*evidence) {
	var delivered, received, changes, retried uint64
	broken := false
	for _, s := range from {
		if s.Killed || s.Failed || s.Ledger == nil {
			return
		}
		delivered += s.Ledger.Delivered
		for _, r := range to {
			broken = broken || len(x.downs(s, r)) > 0
		}
		if s.Role == roleReq {
			retried += difference(s.Ledger.Accepted, s.accepted())
		}
	}
	for _, r := range to {
		if r.Killed || r.Failed || r.Ledger == nil {
			return
		}
		received += r.Ledger.Received
		if r.Role == roleXPub { // it receives changes of subscriptions too, which nobody sent as messages
			received -= r.Other
			changes += r.discarded()
		}
	}
	if received > delivered+changes {
		x.v.find(unnamed, received-delivered-changes, "received by all: %d; delivered by all: %d", received, delivered)
	}
	explained := x.told + x.cut + retried // of a request that was sent again, the first went with its connection
	if x.plan.Transport == "inproc" {
		explained = x.told
	} else if broken && (x.flow.Kind == fan || len(x.via) > 0) {
		return // not counted there
	}
	if delivered > received+explained {
		x.v.find(lost, delivered-received-explained, "delivered by all: %d; received by all: %d; explained: %d",
			delivered, received, explained)
	}
}
