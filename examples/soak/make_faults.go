package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/examples/internal/child"
)

// faults chooses what goes wrong: nothing in one of four plans, else up to four things, one after the other, and for
// receivers of what ends cleanly often one that lasts beyond that end.
func (k maker) faults() {
	n := 0
	if k.chance(75) {
		n = 1 + k.IntN(4)
	}
	at := k.p.For / 8
	every := (k.p.For - at) / time.Duration(n+1)
	for i := range n {
		st, ok := k.fault()
		if !ok {
			continue
		}
		st.At = at + time.Duration(i)*every + k.between(0, every/4+time.Millisecond)
		if st.How != floodDeaf {
			st.For = min(st.For, max(every, 50*time.Millisecond))
		}
		k.p.Steps = append(k.p.Steps, st)
	}
	if m := k.receiver(); m != nil && k.chance(50) {
		st := step{Do: stepPause, Member: m.ID, At: k.p.For - 200*time.Millisecond}
		st.For = k.between(500*time.Millisecond, 3*time.Second)
		if child.CanSuspend && k.p.Transport != "inproc" && k.chance(50) {
			st.Do = stepStop
		}
		k.p.Steps = append(k.p.Steps, st)
	}
	slices.SortStableFunc(k.p.Steps, func(a, b step) int { return cmp.Compare(a.At, b.At) })
}

// receiver is a member that only receives, nil if there is none.
func (k maker) receiver() *member {
	for _, i := range k.Perm(len(k.p.Members)) {
		if m := &k.p.Members[i]; !m.Source && !m.Proxied && m.Backend == 0 && m.Role != roleReq && m.Role != roleRep {
			return m
		}
	}
	return nil
}

// fault is one thing that can happen to a member chosen at random.
func (k maker) fault() (step, bool) {
	m := &k.p.Members[k.IntN(len(k.p.Members))]
	can := k.possible(m)
	if len(can) == 0 {
		return step{}, false
	}
	st := step{Do: can[k.IntN(len(can))], Member: m.ID, For: k.between(50*time.Millisecond, 1500*time.Millisecond)}
	if st.Do == stepFlood {
		st.How = k.floodOf(m)
		if st.How == floodGarbage {
			k.p.loosen(m.ID) // some of it may be a message
		}
		if st.How == floodDeaf {
			st.For = patience + 3*time.Second // to the end: who asks beside it must not wait for it
			k.p.loosen(m.ID)
		}
	}
	return st, true
}

// possible lists the steps that a member allows.
func (k maker) possible(m *member) (can []string) {
	apart := k.p.Transport != "inproc"
	add := func(ok bool, what ...string) {
		if ok {
			can = append(can, what...)
		}
	}
	proxy := m.Proxied || m.Backend > 0
	receives := m.Role != rolePush && m.Role != rolePub && m.Role != roleReq
	add(apart && child.CanSuspend, stepStop)
	add(receives && !proxy, stepPause, stepPause)
	add(apart && m.Binds, stepFlood, stepFlood)
	add(m.Role == roleSub || m.Role == roleXSub, stepFlap)
	if k.p.mild() {
		return can
	}
	add(apart, stepKill)
	add(m.Relay, stepCut, stepStall)
	add(m.Binds && !proxy, stepMove)
	add(len(m.To) > 0 && !proxy, stepRejoin)
	add(!proxy && m.Role != roleReq && m.Role != roleRep, stepReplace)
	add(m.Source && k.sources() > 1 && !k.p.sole(m.ID), stepEnd)
	return can
}

// mild: no connection is cut, so that everything must arrive. Half of the plans are, and most of those with a proxy, of
// whose messages a cut on one side says little about the other.
func (p *plan) mild() bool {
	round := p.Number / len(patterns)
	if slices.ContainsFunc(p.Members, func(m member) bool { return m.Proxied }) {
		return round%8 != 7
	}
	return round%2 == 0
}

// sole: nobody else receives what others send to the member.
func (p *plan) sole(id int) bool {
	return slices.ContainsFunc(p.Flows, func(f flow) bool { return f.Kind == spread && slices.Equal(f.To, []int{id}) })
}

func (k maker) sources() (n int) {
	for _, m := range k.p.Members {
		if m.Source {
			n++
		}
	}
	return n
}

// floodOf is a flood that a role bears without messages of strangers, or for them.
func (k maker) floodOf(m *member) string {
	switch m.Role {
	case rolePush, roleDealer, rolePair, roleReq, roleXSub:
		return k.pick(floodHalfOpen, floodConnect) // a peer would be sent messages
	}
	if m.Role == rolePull || m.Role == roleSub || m.Options.Overflow == "block" {
		return k.pick(floodPing, floodTopics, floodGarbage, floodHalfOpen, floodConnect, floodClaims)
	}
	return k.pick(floodPing, floodTopics, floodGarbage, floodHalfOpen, floodConnect, floodClaims, floodDeaf, floodDeaf)
}

// loosen says of a member's flows that strangers have a part in its ledger.
func (p *plan) loosen(id int) {
	for i, f := range p.Flows {
		if slices.Contains(slices.Concat(f.From, f.To, f.Via), id) {
			p.Flows[i].Loose = true
			for _, to := range f.To {
				p.member(to).Strange = true
			}
		}
	}
}
