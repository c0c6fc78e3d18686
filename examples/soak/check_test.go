package main

import (
	"maps"
	"strings"
	"testing"
	"time"
)

// at is a moment of a scenario.
func at(seconds float64) time.Time {
	return time.Unix(1000, 0).Add(time.Duration(seconds * float64(time.Second)))
}

// rs are the runs of some numbers.
func rs(numbers ...uint64) (out runs) {
	for _, n := range numbers {
		out.add(n)
	}
	return out
}

// upTo are the runs of 1 to n.
func upTo(n uint64) runs { return runs{{1, n, 1}} }

// twoSockets is the evidence of a sender that sent ten messages and of the receiver that got them, and the plan.
func twoSockets(kind string) (p *plan, s, r *evidence) {
	p = &plan{
		Members: []member{{ID: 1, Role: rolePush, To: []int{2}}, {ID: 2, Role: rolePull, Binds: true}},
		Flows:   []flow{{Kind: kind, From: []int{1}, To: []int{2}}},
	}
	lane := 0
	switch kind {
	case fan:
		p.Members[0].Role, p.Members[1].Role = rolePub, roleSub
		p.Members[0].Topics, p.Members[1].Topics = []string{topicOf(1)}, []string{topicOf(1)}
		lane = 1
	case direct:
		p.Members[0].Role, p.Members[1].Role = roleRouter, roleDealer
		lane = 2
	}
	s = &evidence{
		key: key{1, 0}, Role: p.Members[0].Role, Began: at(5), Ended: at(6),
		Sent:   map[int]*sent{lane: {Last: 10}},
		Conns:  []*conn{{Peer: key{2, 0}, Up: at(0), Down: true, DownAt: at(6), Ending: true, Clean: true, Sent: map[int]uint64{lane: 10}}},
		Ledger: &ledger{Accepted: 10, Delivered: 10},
	}
	r = &evidence{
		key: key{2, 0}, Role: p.Members[1].Role, Began: at(7), Ended: at(7),
		Conns:  []*conn{{Peer: key{1, 0}, Up: at(0), Down: true, DownAt: at(6), Got: map[stream]runs{{key{1, 0}, lane}: upTo(10)}}},
		Ledger: &ledger{Received: 10, Handed: 10},
	}
	return p, s, r
}

// lane0 is the only stream of a sender that spreads.
var lane0 = stream{key{1, 0}, 0}

// TestCheckerSeesWhatIsPlanted: each fault that the checker is there for, and what only looks like one.
func TestCheckerSeesWhatIsPlanted(t *testing.T) {
	// A message less than there should be, wherever ledgers are asked.
	gets := func(r *evidence, got runs) {
		for id := range r.Conns[0].Got {
			r.Conns[0].Got[id] = got
		}
		r.Ledger.Handed = got.count()
		r.Ledger.Received = got.count()
	}
	for name, c := range map[string]struct {
		kind  string
		plant func(p *plan, s, r *evidence)
		want  map[string]uint64
		cut   uint64
	}{
		"nothing":           {kind: spread},
		"nothing fanned":    {kind: fan},
		"nothing addressed": {kind: direct},
		"one lost":          {kind: spread, plant: func(_ *plan, _, r *evidence) { gets(r, rs(1, 2, 3, 5, 6, 7, 8, 9, 10)) }, want: map[string]uint64{lost: 1}},
		"the last lost":     {kind: spread, plant: func(_ *plan, _, r *evidence) { gets(r, upTo(7)) }, want: map[string]uint64{lost: 3}},
		"one lost of a topic": {
			kind: fan, plant: func(_ *plan, _, r *evidence) { gets(r, rs(1, 2, 3, 5, 6, 7, 8, 9, 10)) }, want: map[string]uint64{lost: 1},
		},
		"the last of a topic lost":     {kind: fan, plant: func(_ *plan, _, r *evidence) { gets(r, upTo(9)) }, want: map[string]uint64{lost: 1}},
		"one lost to an address":       {kind: direct, plant: func(_ *plan, _, r *evidence) { gets(r, upTo(9)) }, want: map[string]uint64{lost: 1}},
		"one lost in the ledgers only": {kind: spread, plant: func(_ *plan, s, _ *evidence) { s.Ledger.Accepted, s.Ledger.Delivered = 11, 11 }, want: map[string]uint64{lost: 1, unnamed: 1}},
		"a subscriber that came late":  {kind: fan, plant: func(_ *plan, s, r *evidence) { gets(r, runs{{4, 10, 1}}); s.Ledger.Accepted, s.Ledger.Delivered = 7, 7 }},
		"one dropped by name": {kind: spread, plant: func(_ *plan, s, r *evidence) {
			gets(r, upTo(9))
			s.Ledger.Delivered, s.Ledger.Dropped = 9, map[string]uint64{"queue full": 1}
		}},
		"one discarded by name": {kind: spread, plant: func(_ *plan, _, r *evidence) {
			gets(r, upTo(9))
			r.Ledger.Received, r.Ledger.Discarded = 10, map[string]uint64{"socket closed": 1}
		}},
		"doubled": {kind: spread, plant: func(_ *plan, s, r *evidence) {
			gets(r, rs(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10))
			s.Ledger.Accepted, s.Ledger.Delivered = 11, 11
			s.Sent[0].Refused = nil
		}, want: map[string]uint64{doubled: 1, unnamed: 1}},
		"doubled to a subscriber": {kind: fan, plant: func(_ *plan, _, r *evidence) {
			gets(r, rs(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10))
		}, want: map[string]uint64{doubled: 1, unnamed: 1}},
		"repeated, which requests may be": {kind: spread, plant: func(p *plan, s, r *evidence) {
			gets(r, rs(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10))
			p.Flows[0].Again, p.Members[0].Role, p.Members[0].Options.Retry = true, roleReq, 1
			s.Ledger.Accepted, s.Ledger.Delivered = 11, 11
		}},
		"out of order": {kind: spread, plant: func(_ *plan, _, r *evidence) {
			gets(r, rs(1, 3, 2, 4, 5, 6, 7, 8, 9, 10))
		}, want: map[string]uint64{disordered: 1}},
		"out of order, of a topic": {kind: fan, plant: func(_ *plan, _, r *evidence) {
			gets(r, rs(1, 2, 3, 4, 5, 6, 7, 8, 10, 9))
		}, want: map[string]uint64{disordered: 1}},
		"never sent": {kind: spread, plant: func(_ *plan, _, r *evidence) {
			gets(r, upTo(11))
		}, want: map[string]uint64{unnamed: 2}}, // by its number, and by the ledgers
		"received although refused": {kind: spread, plant: func(_ *plan, s, _ *evidence) {
			s.Sent[0].Refused = rs(4)
		}, want: map[string]uint64{unnamed: 2}}, // by its number, and by the ledger
		"refused and not received": {kind: spread, plant: func(_ *plan, s, r *evidence) {
			s.Sent[0].Refused = rs(4)
			gets(r, rs(1, 2, 3, 5, 6, 7, 8, 9, 10))
			s.Ledger.Accepted, s.Ledger.Delivered = 9, 9
		}},
		"accepted and in no column":    {kind: spread, plant: func(_ *plan, s, _ *evidence) { s.Ledger.Accepted = 11; s.Sent[0].Last = 11 }, want: map[string]uint64{unnamed: 1, lost: 1}},
		"received and in no column":    {kind: spread, plant: func(_ *plan, s, r *evidence) { r.Ledger.Received = 9; s.Ledger.Delivered = 10 }, want: map[string]uint64{unnamed: 1, lost: 1}},
		"queued after the end":         {kind: spread, plant: func(_ *plan, s, r *evidence) { gets(r, upTo(9)); s.Ledger.Delivered, s.Ledger.Queued = 9, 1 }, want: map[string]uint64{unnamed: 1, lost: 1}},
		"unread after the end":         {kind: spread, plant: func(_ *plan, _, r *evidence) { gets(r, upTo(9)); r.Ledger.Received, r.Ledger.Unread = 10, 1 }, want: map[string]uint64{unnamed: 1, lost: 1}},
		"handed over and not received": {kind: spread, plant: func(_ *plan, _, r *evidence) { r.Ledger.Handed, r.Ledger.Received = 12, 12 }, want: map[string]uint64{unnamed: 4}},
		"at another address": {kind: direct, plant: func(p *plan, s, r *evidence) {
			r.Conns[0].Got[stream{key{1, 0}, 9}] = rs(1)
			r.Ledger.Handed, r.Ledger.Received = 11, 11
			s.Ledger.Accepted, s.Ledger.Delivered = 11, 11
			s.Sent[9] = &sent{Last: 1}
		}, want: map[string]uint64{wrong: 1, lost: 1}},
		"a clean end that was none": {kind: spread, plant: func(_ *plan, s, _ *evidence) {
			s.EndErr = "socket: shutdown: 3 messages were not delivered"
		}, want: map[string]uint64{lost: 1}},
		"lost by a cut": {kind: spread, plant: func(p *plan, s, r *evidence) {
			p.Steps = []step{{Do: stepCut, Member: 2}}
			cutAfter(s, r, 7)
			gets(r, upTo(4))
			r.Conns = append(r.Conns, &conn{Peer: key{1, 0}, Up: at(3), Got: map[stream]runs{lane0: {{8, 10, 1}}}})
			r.Ledger.Received, r.Ledger.Handed = 7, 7
		}, cut: 3},
		"lost before a cut": {kind: spread, plant: func(p *plan, s, r *evidence) {
			p.Steps = []step{{Do: stepCut, Member: 2}}
			cutAfter(s, r, 7)
			gets(r, rs(1, 3, 4))
			r.Conns = append(r.Conns, &conn{Peer: key{1, 0}, Up: at(3), Got: map[stream]runs{lane0: {{8, 10, 1}}}})
			r.Ledger.Received, r.Ledger.Handed = 6, 6
		}, want: map[string]uint64{lost: 1}, cut: 3},
		"lost after a cut": {kind: spread, plant: func(p *plan, s, r *evidence) {
			p.Steps = []step{{Do: stepCut, Member: 2}}
			cutAfter(s, r, 7)
			gets(r, upTo(4))
			r.Conns = append(r.Conns, &conn{Peer: key{1, 0}, Up: at(3), Got: map[stream]runs{lane0: {{9, 10, 1}}}})
			r.Ledger.Received, r.Ledger.Handed = 6, 6
		}, want: map[string]uint64{lost: 1}, cut: 3},
		"lost with a receiver that was killed": {kind: spread, plant: func(p *plan, s, r *evidence) {
			p.Steps = []step{{Do: stepKill, Member: 2}}
			gets(r, upTo(4))
			r.Killed = true
		}, cut: 6},
		"lost before what a killed receiver got": {kind: spread, plant: func(p *plan, _, r *evidence) {
			p.Steps = []step{{Do: stepKill, Member: 2}}
			gets(r, rs(1, 3, 4))
			r.Killed = true
		}, want: map[string]uint64{lost: 1}, cut: 6},
		"lost with a sender that was killed": {kind: spread, plant: func(p *plan, s, r *evidence) {
			p.Steps = []step{{Do: stepKill, Member: 1}}
			gets(r, upTo(4))
			s.Killed, s.Ledger, s.Ended, s.Began = true, nil, time.Time{}, time.Time{}
		}, cut: 6},
		"lost to a receiver that ended first": {kind: spread, plant: func(p *plan, s, r *evidence) {
			gets(r, upTo(4))
			r.Began, r.Ended = at(5.5), at(5.6)
		}, cut: 6},
		"a request without a reply": {kind: spread, plant: func(p *plan, s, r *evidence) {
			p.Members[0].Role = roleReq
			s.Asked.Lost = 1
		}, want: map[string]uint64{lost: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			p, s, r := twoSockets(c.kind)
			if c.plant != nil {
				c.plant(p, s, r)
			}
			v := check(p, []*evidence{s, r})
			if !maps.Equal(v.Columns, c.want) || v.Cut != c.cut {
				t.Errorf("found %v, cut %d; want %v, cut %d:\n%s", v.Columns, v.Cut, c.want, c.cut, strings.Join(v.Notes, "\n"))
			}
		})
	}
}

// cutAfter gives the sender a first connection that it lost when it had sent n messages, and another one.
func cutAfter(s, _ *evidence, n uint64) {
	s.Conns = []*conn{
		{Peer: key{2, 0}, Up: at(0), Down: true, DownAt: at(2), Sent: map[int]uint64{0: n}},
		{Peer: key{2, 0}, Up: at(3), Down: true, DownAt: at(6), Ending: true, Clean: true, Sent: map[int]uint64{0: 10}},
	}
}
