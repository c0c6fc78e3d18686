package socket

import (
	"fmt"
	"testing"
)

// policies are all there are, in the order of the columns below.
var policies = []Overflow{Block, Reject, DropNewest, DropOldest, Conflate, Disconnect}

func (p Overflow) name() string {
	return [...]string{"Block", "Reject", "DropNewest", "DropOldest", "Conflate", "Disconnect"}[p]
}

// TestOverflowVerdicts: what is done about a message without room, by the way it goes, what it meets and the policy.
func TestOverflowVerdicts(t *testing.T) {
	verdicts := map[string]verdict{
		"wait":        {do: waitForRoom, err: ErrWouldBlock},
		"wait, none":  {do: waitForRoom, err: ErrNoPeers},
		"fail":        {do: failSend, err: ErrWouldBlock},
		"fail, none":  {do: failSend, err: ErrNoPeers},
		"rejected":    {do: failSend, err: errRejected},
		"lost":        {do: failSend, err: ErrPeerLost},
		"drop":        {do: dropNew, why: QueueFull},
		"drop, gone":  {do: dropNew, why: PeerGone},
		"drop, none":  {do: dropNew, why: NoSubscriber},
		"drop both":   {do: dropNewAndPeer, why: QueueFull},
		"drop oldest": {do: dropOld, why: QueueFull},
		"keep":        {do: keepInBacklog},
		"replace one": {do: replaceInBacklog, why: QueueFull},
		"replace all": {do: replaceBacklog, why: QueueFull},
	}
	all := func(v string) [6]string { return [6]string{v, v, v, v, v, v} }
	for _, c := range []struct {
		role  string
		way   way
		state string
		s     situation
		want  [6]string // Block, Reject, DropNewest, DropOldest, Conflate, Disconnect
	}{
		{
			"PUSH DEALER PAIR REQ", balanced, "every peer is full",
			situation{},
			[6]string{"wait", "fail", "drop", "drop oldest", "wait", "wait"},
		},
		{
			"PUSH DEALER PAIR REQ", balanced, "and all has begun to leave",
			situation{begun: true},
			[6]string{"wait", "fail", "drop", "drop", "wait", "wait"},
		},
		{
			"PUSH DEALER PAIR REQ", balanced, "and there is a backlog",
			situation{begun: true, waiting: true},
			[6]string{"wait", "fail", "drop", "replace one", "wait", "wait"},
		},
		{
			"PUSH DEALER PAIR REQ", balanced, "no peer yet",
			situation{peer: gone, expected: true},
			[6]string{"keep", "keep", "keep", "keep", "replace all", "keep"},
		},
		{
			"PUSH DEALER PAIR REQ", balanced, "no peer yet, the backlog at its mark",
			situation{peer: gone, expected: true, atMark: true, begun: true, waiting: true},
			[6]string{"wait, none", "fail, none", "drop", "replace one", "replace all", "wait, none"},
		},
		{
			"PUSH DEALER PAIR REQ", balanced, "no peer, and none to wait for",
			situation{peer: gone, begun: true},
			[6]string{"wait, none", "fail, none", "drop", "wait, none", "wait, none", "wait, none"},
		},
		{
			"PUSH DEALER PAIR REQ", balanced, "no peer any more, but a backlog",
			situation{peer: gone, begun: true, waiting: true},
			[6]string{"wait, none", "fail, none", "drop", "replace one", "wait, none", "wait, none"},
		},

		{
			"PUB XPUB XSUB", published, "the peer is full",
			situation{},
			[6]string{"wait", "rejected", "drop", "drop oldest", "drop", "drop both"},
		},
		{
			"PUB XPUB XSUB", published, "and all has begun to leave",
			situation{begun: true},
			[6]string{"wait", "rejected", "drop", "drop", "drop", "drop both"},
		},
		{
			"PUB XPUB XSUB", published, "full only now that others have it",
			situation{late: true},
			[6]string{"drop", "drop", "drop", "drop oldest", "drop", "drop both"},
		},
		{"PUB XPUB XSUB", published, "the peer has gone", situation{peer: gone, late: true}, all("drop, gone")},
		{"PUB XPUB XSUB", published, "no subscriber", situation{peer: nobody}, all("drop, none")},

		{
			"ROUTER REP", routed, "the peer is full",
			situation{},
			[6]string{"wait", "rejected", "drop", "drop oldest", "wait", "drop both"},
		},
		{
			"ROUTER REP", routed, "and all has begun to leave",
			situation{begun: true},
			[6]string{"wait", "rejected", "drop", "drop", "wait", "drop both"},
		},
		{"ROUTER REP", routed, "the peer has gone", situation{peer: gone}, all("lost")},
		{"ROUTER REP", routed, "no such peer", situation{peer: nobody}, all("lost")},

		{"welcome, last value, probe", given, "the peer is full", situation{}, all("drop")},
		{"welcome, last value, probe", given, "the peer has gone", situation{peer: gone}, all("drop, gone")},
	} {
		for i, policy := range policies {
			t.Run(fmt.Sprint(c.role, "/", c.state, "/", policy.name()), func(t *testing.T) {
				want, known := verdicts[c.want[i]]
				if !known {
					t.Fatalf("%q is no verdict", c.want[i])
				}
				c.s.way, c.s.policy = c.way, policy
				if got := c.s.verdict(); got != want {
					t.Errorf("the verdict is %+v, want %+v (%s)", got, want, c.want[i])
				}
			})
		}
	}
}

// TestOverflowVerdictsHold: what holds for every situation there can be.
func TestOverflowVerdictsHold(t *testing.T) {
	n := 0
	for bits := range 1 << 5 {
		for _, w := range []way{balanced, published, routed, given} {
			for _, peer := range []presence{here, gone, nobody} {
				for _, policy := range policies {
					is := func(bit int) bool { return bits>>bit&1 == 1 }
					s := situation{w, policy, peer, is(0), is(1), is(2), is(3), is(4)}
					v := s.verdict()
					n++
					holds := v.do == waitForRoom || v.do == failSend
					for claim, ok := range map[string]bool{
						"Send has an error if, and only if, the message is not taken": (v.err != nil) == holds,
						"what is dropped has a reason":                                (v.why == "") == (holds || v.do == keepInBacklog),
						"what has begun to leave is not dropped":                      v.do != dropOld || !s.begun,
						"Reject does not wait":                                        v.do != waitForRoom || policy != Reject,
						"only balanced messages have a backlog":                       v.do < keepInBacklog || w == balanced,
						"what others have is not held back":                           !holds || w != published || !s.late,
						"only Block and Reject hold back what is published":           !holds || w != published || policy.holdsBack(),
						"nobody waits for what the socket makes":                      !holds || w != given,
						"an empty backlog has no oldest message":                      v.do != replaceInBacklog || s.waiting,
					} {
						if !ok {
							t.Errorf("%s: %+v makes %+v", claim, s, v)
						}
					}
				}
			}
		}
	}
	if n != 32*4*3*6 {
		t.Errorf("%d situations were tried", n)
	}
}
