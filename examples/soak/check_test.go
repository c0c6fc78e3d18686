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

// but4 is what comes of ten messages if one is lost on the way.
var but4 = rs(1, 2, 3, 5, 6, 7, 8, 9, 10)

// Planted is the evidence of a sender that sent ten messages and of the receiver that got them, and the plan.
type planted struct {
	p    *plan
	s, r *evidence
	via  [2]*evidence // of a proxy
	lane int
}

func newPlanted(kind string) *planted {
	p := &plan{
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
	out := &conn{Peer: key{2, 0}, Up: at(0), Down: true, DownAt: at(6), Ending: true, Clean: true}
	out.Sent = map[int]uint64{lane: 10}
	in := &conn{Peer: key{1, 0}, Up: at(0), Down: true, DownAt: at(6)}
	in.Got = map[stream]runs{{key{1, 0}, lane}: upTo(10)}
	return &planted{
		p: p, lane: lane,
		s: &evidence{
			key: key{1, 0}, Role: p.Members[0].Role, Began: at(5), Ended: at(6), Conns: []*conn{out},
			Sent: map[int]*sent{lane: {Last: 10}}, Ledger: &ledger{Accepted: 10, Delivered: 10},
		},
		r: &evidence{
			key: key{2, 0}, Role: p.Members[1].Role, Began: at(7), Ended: at(7), Conns: []*conn{in},
			Ledger: &ledger{Received: 10, Handed: 10},
		},
	}
}

// gets makes the receiver one that got just these, and says so.
func (x *planted) gets(got runs) {
	x.r.Conns[0].Got[stream{key{1, 0}, x.lane}] = got
	x.r.Ledger.Handed, x.r.Ledger.Received = got.count(), got.count()
}

// delivers makes the sender's ledger one that delivered n.
func (x *planted) delivers(n uint64) { x.s.Ledger.Accepted, x.s.Ledger.Delivered = n, n }

// proxied puts a proxy in between, whose ledgers have what came and went.
func (x *planted) proxied() {
	x.p.Members = append(x.p.Members, member{ID: 3, Role: rolePull, Backend: 4},
		member{ID: 4, Role: rolePush, Proxied: true})
	x.p.Flows[0].Via = []int{3, 4}
	x.via[0] = &evidence{key: key{3, 0}, Other: 10, Ledger: &ledger{Received: 10, Handed: 10}}
	x.via[1] = &evidence{key: key{4, 0}, Sent: map[int]*sent{0: {Last: 10}}, Ledger: &ledger{Accepted: 10, Delivered: 10}}
	x.s.Conns[0].Peer, x.r.Conns[0].Peer = key{3, 0}, key{4, 0}
}

// cut makes it two connections: the sender lost the first when it had sent 7 messages.
func (x *planted) cut(before, after runs) {
	x.p.Steps = []step{{Do: stepCut, Member: 2}}
	x.gets(before)
	last := *x.s.Conns[0]
	last.Up = at(3)
	first := &conn{Peer: key{2, 0}, Up: at(0), Down: true, DownAt: at(2), Sent: map[int]uint64{x.lane: 7}}
	x.s.Conns = []*conn{first, &last}
	second := &conn{Peer: key{1, 0}, Up: at(3), Down: true, DownAt: at(6)}
	if len(after) > 0 {
		second.Got = map[stream]runs{{key{1, 0}, x.lane}: after}
	}
	x.r.Conns = append(x.r.Conns, second)
	x.r.Ledger.Handed += after.count()
	x.r.Ledger.Received += after.count()
}

// silence has a request go without its reply, and its requester give a peer up that was silent. One member has short
// heartbeats.
func silence(short, peer int) func(x *planted) {
	return func(x *planted) {
		x.p.Members[0].Role, x.s.Asked.Lost = roleReq, 1
		if short > 0 {
			x.p.member(short).Options.Heartbeat = time.Millisecond
		}
		x.s.Conns = append(x.s.Conns, &conn{Peer: key{Member: peer}, Up: at(1), Down: true, DownAt: at(2), Silent: true})
	}
}

// TestCloseKeepsWhatWasDelivered: where the system lets it.
func TestCloseKeepsWhatWasDelivered(t *testing.T) {
	x := newPlanted(spread)
	x.gets(upTo(7))
	x.s.ByClose = true
	v := check(x.p, []*evidence{x.s, x.r})
	if found := v.Columns[lost] == 3; found != closeKeeps || v.Cut+v.Columns[lost] != 3 {
		t.Errorf("lost %d, cut %d", v.Columns[lost], v.Cut)
	}
}

// TestCheckerSeesWhatIsPlanted: each fault that the checker is there for, and what only looks like one.
func TestCheckerSeesWhatIsPlanted(t *testing.T) {
	type found map[string]uint64
	for name, c := range map[string]struct {
		kind  string
		plant func(x *planted)
		want  found
		cut   uint64
	}{
		"nothing":           {spread, func(*planted) {}, nil, 0},
		"nothing fanned":    {fan, func(*planted) {}, nil, 0},
		"nothing addressed": {direct, func(*planted) {}, nil, 0},

		"lost":               {spread, func(x *planted) { x.gets(but4) }, found{lost: 1}, 0},
		"lost, the last":     {spread, func(x *planted) { x.gets(upTo(7)) }, found{lost: 3}, 0},
		"lost of a topic":    {fan, func(x *planted) { x.gets(but4) }, found{lost: 1}, 0},
		"lost, a topic's":    {fan, func(x *planted) { x.gets(upTo(9)) }, found{lost: 1}, 0},
		"lost, to somebody":  {direct, func(x *planted) { x.gets(upTo(9)) }, found{lost: 1}, 0},
		"lost by the ledger": {spread, func(x *planted) { x.delivers(11) }, found{lost: 1, unnamed: 1}, 0},
		"subscribed late":    {fan, func(x *planted) { x.gets(runs{{4, 10, 1}}); x.delivers(7) }, nil, 0},
		"dropped by name": {spread, func(x *planted) {
			x.gets(upTo(9))
			x.s.Ledger.Delivered, x.s.Ledger.Dropped = 9, map[string]uint64{"queue full": 1}
		}, nil, 0},
		"discarded by name": {spread, func(x *planted) {
			x.gets(upTo(9))
			x.r.Ledger.Received, x.r.Ledger.Discarded = 10, map[string]uint64{"socket closed": 1}
		}, nil, 0},
		"a clean end that was none": {
			spread, func(x *planted) { x.s.EndErr = "3 messages not delivered" }, found{lost: 1}, 0,
		},
		"by a connection that broke while its socket closed": {spread, func(x *planted) {
			x.gets(upTo(7))
			x.s.ByClose, x.s.Conns[0].Clean = true, false
		}, nil, 3},
		"a request without a reply": {spread, func(x *planted) {
			x.p.Members[0].Role, x.s.Asked.Lost = roleReq, 1
		}, found{lost: 1}, 0},

		"a request, its peer was silent for its own short heartbeats":    {spread, silence(1, 2), nil, 0},
		"a request, its peer was silent for the peer's short heartbeats": {spread, silence(2, 2), nil, 0},
		"a request, its peer was silent for the default":                 {spread, silence(0, 2), found{lost: 1}, 0},
		"a request, a stranger was silent":                               {spread, silence(1, 0), found{lost: 1}, 0},

		"through a proxy":         {spread, func(x *planted) { x.proxied() }, nil, 0},
		"lost through a proxy":    {spread, func(x *planted) { x.proxied(); x.gets(but4) }, found{lost: 1}, 0},
		"lost before a proxy":     {spread, func(x *planted) { x.proxied(); x.delivers(11) }, found{lost: 1, unnamed: 1}, 0},
		"a topic through a proxy": {fan, func(x *planted) { x.proxied(); x.gets(upTo(9)) }, found{lost: 1}, 0},
		"a proxy was killed": {spread, func(x *planted) {
			x.proxied()
			x.gets(upTo(4))
			x.via[1].Killed = true
		}, nil, 6},

		"doubled":       {spread, func(x *planted) { x.gets(append(upTo(10), rs(10)...)) }, found{doubled: 1, unnamed: 1}, 0},
		"doubled topic": {fan, func(x *planted) { x.gets(append(upTo(10), rs(10)...)) }, found{doubled: 1, unnamed: 1}, 0},
		"repeated, which requests may be": {spread, func(x *planted) {
			x.gets(append(upTo(10), rs(10)...))
			x.delivers(11)
			x.p.Flows[0].Again, x.p.Members[0].Role, x.p.Members[0].Options.Retry = true, roleReq, 1
		}, nil, 0},

		"out of order": {
			spread, func(x *planted) { x.gets(rs(1, 3, 2, 4, 5, 6, 7, 8, 9, 10)) }, found{disordered: 1}, 0,
		},
		"out of order, a topic": {
			fan, func(x *planted) { x.gets(rs(1, 2, 3, 4, 5, 6, 7, 8, 10, 9)) }, found{disordered: 1}, 0,
		},

		"out of order, beside a peer that was lost": {spread, func(x *planted) {
			x.gets(rs(1, 3, 2, 4, 5, 6, 7, 8, 9, 10))
			lost := &conn{Peer: key{3, 0}, Up: at(1), Down: true, DownAt: at(2), Sent: map[int]uint64{0: 5}}
			x.s.Conns = append(x.s.Conns, lost)
		}, nil, 0},
		"out of order, one connection after the other": {spread, func(x *planted) {
			x.cut(upTo(7), rs(8, 10, 9))
		}, found{disordered: 1}, 0},

		// the number, and the ledgers
		"never sent":       {spread, func(x *planted) { x.gets(upTo(11)) }, found{unnamed: 2}, 0},
		"refused and came": {spread, func(x *planted) { x.s.Sent[0].Refused = rs(4) }, found{unnamed: 2}, 0},
		"refused": {spread, func(x *planted) {
			x.gets(but4)
			x.s.Sent[0].Refused = rs(4)
			x.delivers(9)
		}, nil, 0},
		"in no column of the sender": {spread, func(x *planted) {
			x.s.Ledger.Accepted, x.s.Sent[0].Last = 11, 11
		}, found{unnamed: 1, lost: 1}, 0},
		"in no column of the receiver": {spread, func(x *planted) { x.r.Ledger.Received = 9 }, found{unnamed: 1, lost: 1}, 0},
		"queued after the end": {spread, func(x *planted) {
			x.gets(upTo(9))
			x.s.Ledger.Delivered, x.s.Ledger.Queued = 9, 1
		}, found{unnamed: 1, lost: 1}, 0},
		"unread after the end": {spread, func(x *planted) {
			x.gets(upTo(9))
			x.r.Ledger.Received, x.r.Ledger.Unread = 10, 1
		}, found{unnamed: 1, lost: 1}, 0},
		"handed over and never received": {spread, func(x *planted) {
			x.r.Ledger.Handed, x.r.Ledger.Received = 12, 12
		}, found{unnamed: 4}, 0},
		"at another address": {direct, func(x *planted) {
			x.s.Sent[9] = &sent{Last: 1}
			x.delivers(11)
			x.r.Conns[0].Got[stream{key{1, 0}, 9}] = rs(1)
			x.r.Ledger.Handed, x.r.Ledger.Received = 11, 11
		}, found{wrong: 1, lost: 1}, 0},

		"lost by a cut":     {spread, func(x *planted) { x.cut(upTo(4), runs{{8, 10, 1}}) }, nil, 3},
		"lost before a cut": {spread, func(x *planted) { x.cut(rs(1, 3, 4), runs{{8, 10, 1}}) }, found{lost: 1}, 3},
		"lost after a cut":  {spread, func(x *planted) { x.cut(upTo(4), runs{{9, 10, 1}}) }, found{lost: 1}, 3},
		"a topic, by a cut": {fan, func(x *planted) { x.cut(upTo(4), runs{{8, 10, 1}}) }, nil, 3},
		"a topic, its subscription not back at the end": {fan, func(x *planted) { x.cut(upTo(4), nil) }, nil, 6},
		"a topic, its subscription not back before another one's": {fan, func(x *planted) {
			x.cut(upTo(4), nil)
			x.s.Conns[1].Assigned = 3
			x.r.Conns[1].Got = map[stream]runs{{key{1, 0}, 2}: upTo(3)}
			x.s.Sent[2] = &sent{Last: 3}
			x.delivers(13)
			x.r.Ledger.Handed, x.r.Ledger.Received = 7, 7
		}, nil, 6},
		"a topic, its subscription back and nothing came": {fan, func(x *planted) {
			x.cut(upTo(4), nil)
			x.s.Conns[1].Assigned = 3
		}, found{lost: 6}, 0},
		"a topic, its subscriber back when all was over": {fan, func(x *planted) {
			x.cut(upTo(4), nil)
			x.r.Conns = x.r.Conns[:1]
		}, nil, 6},
		"a topic, then its publisher was killed": {fan, func(x *planted) {
			x.gets(rs(1, 2, 4))
			x.s.Killed = true
		}, found{lost: 1}, 6},
		"a topic, no cut": {fan, func(x *planted) { x.cut(rs(1, 3, 4), runs{{8, 10, 1}}) }, found{lost: 1}, 3},
		"over inproc no cut explains anything": {spread, func(x *planted) {
			x.cut(upTo(4), runs{{8, 10, 1}})
			x.p.Transport = "inproc"
		}, found{lost: 3}, 0},
		"with a receiver that was killed": {spread, func(x *planted) {
			x.p.Steps = []step{{Do: stepKill, Member: 2}}
			x.gets(upTo(4))
			x.r.Killed = true
		}, nil, 6},
		"dropped by a sender that was killed": {spread, func(x *planted) {
			x.p.Steps = []step{{Do: stepKill, Member: 1}}
			x.gets(but4)
			x.s.Killed, x.s.Ledger, x.s.Ended, x.s.Began = true, nil, time.Time{}, time.Time{}
			x.s.Named[0] = 1
		}, nil, 0},
		"before what a killed receiver got": {spread, func(x *planted) {
			x.p.Steps = []step{{Do: stepKill, Member: 2}}
			x.gets(rs(1, 3, 4))
			x.r.Killed = true
		}, found{lost: 1}, 6},
		"with a sender that was killed": {spread, func(x *planted) {
			x.p.Steps = []step{{Do: stepKill, Member: 1}}
			x.gets(upTo(4))
			x.s.Killed, x.s.Ledger, x.s.Ended, x.s.Began = true, nil, time.Time{}, time.Time{}
		}, nil, 6},
		"to a receiver that ended first": {spread, func(x *planted) {
			x.gets(upTo(4))
			x.r.Began, x.r.Ended = at(5.5), at(5.6)
		}, nil, 6},
	} {
		t.Run(name, func(t *testing.T) {
			x := newPlanted(c.kind)
			c.plant(x)
			all := []*evidence{x.s, x.r}
			if x.via[0] != nil {
				all = append(all, x.via[:]...)
			}
			v := check(x.p, all)
			if !maps.Equal(v.Columns, c.want) || v.Cut != c.cut {
				t.Errorf("found %v, cut %d; want %v, cut %d:\n%s",
					v.Columns, v.Cut, c.want, c.cut, strings.Join(v.Notes, "\n"))
			}
		})
	}
}
