package spool

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// collect takes what waits, up to the size of a commit.
func (s *Spool) collect() *group {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := &group{}
	now := s.env.now()
	if s.full != nil && !now.Before(s.fullUntil) {
		s.full = nil
	}
	limit, most := int(min(maxGroup, s.opts.SegmentBytes/4)), s.mostMessages()
	rest, messages := s.queue[:0], 0
	var a ahead
	for i, r := range s.queue {
		if s.waitsForTurn(r) {
			rest = append(rest, r)
			continue
		}
		if held := a.holds(r); held && r.try {
			s.queued -= r.size
			s.abandon(r)
			s.finish(r, fullError(s.full))
			continue
		} else if held || r.need == forMessages && s.full != nil && !r.try {
			rest = append(rest, r)
			a.waits(r)
			continue
		}
		if len(g.reqs) > 0 && (g.size+r.size > limit || r.messages > 0 && uint64(messages+r.messages) > most) {
			rest = append(rest, s.queue[i:]...)
			break
		}
		g.take(r)
		messages += r.messages
	}
	clear(s.queue[len(rest):])
	s.queue = rest
	for _, r := range g.reqs {
		s.queued -= r.size
	}
	s.collectOwed(g)
	g.assemble()
	return g
}

// mostMessages is how many messages a group may bring without more of them than MaxMessages: of many that come at once
// those go ahead that have room, or that can have it when older ones go. The caller holds the lock.
func (s *Spool) mostMessages() uint64 {
	most := uint64(s.opts.MaxMessages)
	switch {
	case most == 0:
		return math.MaxUint64
	case s.opts.Overflow == DropOldest:
		return most
	}
	return most - min(most, s.lag(0, s.written))
}

func (g *group) take(r *request) {
	g.reqs = append(g.reqs, r)
	g.size += r.size
	g.need = max(g.need, r.need)
}

// assemble makes the batch of what was taken.
func (g *group) assemble() {
	g.bundle = bundle{}
	g.need = forState
	for _, r := range g.reqs {
		g.add(r.recs...)
		g.need = max(g.need, r.need)
	}
	g.add(g.state...)
}

// collectOwed adds what is owed. The caller holds the lock.
func (s *Spool) collectOwed(g *group) {
	if s.owed.empty() {
		return
	}
	budget := perRecord
	o := owed{settled: make(map[uint16][]ranges.Range), attempts: make(map[attemptKey]bool)}
	left := owed{settled: make(map[uint16][]ranges.Range), attempts: make(map[attemptKey]bool)}
	for _, id := range slices.Sorted(maps.Keys(s.owed.settled)) {
		c := s.st.cursors[id]
		if c == nil {
			continue
		}
		floor := c.set.Floor()
		var above []ranges.Range
		for _, r := range merge(s.owed.settled[id]) {
			switch {
			case r.To <= floor:
				o.settled[id] = append(o.settled[id], r)
			case budget > 0:
				budget--
				above = append(above, r)
				o.settled[id] = append(o.settled[id], r)
			default:
				left.settled[id] = append(left.settled[id], r)
			}
		}
		g.state = append(g.state, settledRecord(id, floor, above))
	}
	for _, k := range slices.SortedFunc(maps.Keys(s.owed.attempts), attemptKey.compare) {
		if budget <= 0 {
			left.attempts[k] = true
			continue
		}
		if a, ok := s.st.attempts[k]; ok {
			budget -= 16
			g.state = append(g.state, attemptRecord(k, a))
		}
		o.attempts[k] = true
	}
	for _, v := range s.owed.void {
		g.state = append(g.state, voidRecord(v.Range, v.damaged))
	}
	o.void = s.owed.void
	g.owed, s.owed = o, left
	s.flying++
	if left.empty() {
		s.owedSince = time.Time{}
	}
}

// merge sorts ranges and joins those that touch.
func merge(rs []ranges.Range) []ranges.Range {
	set := ranges.Set{}
	for _, r := range rs {
		set.AddRange(max(r.From, 1), r.To)
	}
	return set.Above()
}
