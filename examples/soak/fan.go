package main

import (
	"slices"
	"strconv"
	"strings"
)

// A publisher's lanes are its topics: lane 3 is everything under "t3.". What an XSUB sends upstream is on lane 0.
const upstream = 0

func topicOf(lane int) string { return "t" + strconv.Itoa(lane) + "." }

func laneOf(topic string) int {
	n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(topic, "t"), "."))
	return n
}

// subscriber checks what of a stream came to one subscriber of it: from the first message that it got, all, less what
// was sent between the end of one of its connections and the first message on the next. If that brought none, nothing
// more need have been sent when the subscription was back.
func (x *flowCheck) subscriber(s, r *evidence, id stream, t tally) {
	asked := slices.Contains(x.plan.member(r.Member).Topics, topicOf(id.Lane))
	if id.Lane == upstream {
		asked = r.Role == roleXPub // the only one to receive it
	}
	if !asked {
		return // or only for a while
	}
	if cuts := x.viaOf(s, r); cuts != nil {
		x.account(s, t, cuts)
		return
	}
	var cuts windows
	var first, last uint64
	for _, c := range r.sorted() {
		rs := c.Got[id]
		if len(rs) == 0 {
			continue
		}
		if first == 0 {
			first = rs[0].First
		} else if rs[0].First > last+1 {
			cuts = append(cuts, window{last, rs[0].First - 1})
		}
		rs.each(func(n uint64) { last = max(last, n) })
	}
	if x.late(s, r) || x.back(s, r, id) {
		cuts = append(cuts, window{last, forever})
	}
	if first == 0 {
		first = 1
		if r.Life > 0 || s.Life > 0 {
			return // it may have come when all was over
		}
	}
	t.first = first
	x.account(s, t, cuts)
}

// back: the last connection between a publisher and a subscriber came after one that ended, and brought nothing of a
// stream. It must have brought something if the publisher's ledger has messages for it.
func (x *flowCheck) back(s, r *evidence, id stream) bool {
	theirs, mine := r.with(s.key), s.with(r.key)
	n := len(theirs)
	if len(mine) > n {
		return true // it was not up yet, as the subscriber saw it
	}
	if n < 2 || len(theirs[n-1].Got[id]) > 0 {
		return false
	}
	return len(theirs[n-1].Got) > 0 || len(mine) < n || mine[len(mine)-1].Assigned == 0
}

// viaOf is what cuts explain when there is a proxy in between.
func (x *flowCheck) viaOf(s, r *evidence) windows {
	if len(x.via) == 0 {
		return nil
	}
	return x.windowsVia(s, []*evidence{r})
}

// late: the last connection between a publisher and a subscriber did not see the publisher's clean end.
func (x *flowCheck) late(s, r *evidence) bool {
	if len(x.via) > 0 {
		return false
	}
	mine := s.with(r.key)
	return s.Killed || s.Failed || len(mine) == 0 || slices.Contains(x.downs(s, r), mine[len(mine)-1])
}
