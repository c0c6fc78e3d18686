package pubsub

import "slices"

// An acks is what a member of groups knows of the deliveries of one connection, which the publisher numbers from 1.
// What it says of them is absolute, so that a word that is lost is made good by the next: all up to floor are settled,
// and those in done. A number that neither has come nor is settled was dropped on the way, and is asked for again.
//
// The publisher tells with each delivery which is the lowest that is not settled there. What is below is forgotten, so
// that what has been dropped does not stay for ever.
type acks struct {
	floor  uint64 // all up to here are settled
	last   uint64 // the highest that has come
	done   []span // above the floor, in order, with room between them
	atHand map[uint64]struct{}
}

// A span is the numbers from lo to hi.
type span struct{ lo, hi uint64 }

// most of what is said at a time.
const (
	mostSpans = 64
	mostHoles = 256
)

// came notes a delivery. It returns false for one that has come before.
func (a *acks) came(u, lowest uint64) bool {
	if u <= a.last {
		return false
	}
	a.last = u
	if a.atHand == nil {
		a.atHand = make(map[uint64]struct{})
	}
	a.atHand[u] = struct{}{}
	if lowest > a.floor+1 {
		a.raise(min(lowest, u) - 1)
	}
	return true
}

// raise makes everything up to floor settled.
func (a *acks) raise(floor uint64) {
	a.floor = max(a.floor, floor)
	for len(a.done) > 0 && a.done[0].lo <= a.floor+1 {
		a.floor = max(a.floor, a.done[0].hi)
		a.done = slices.Delete(a.done, 0, 1)
	}
}

// settle notes that a delivery is done with. It returns false if it was not at hand.
func (a *acks) settle(u uint64) bool {
	if !a.drop(u) {
		return false
	}
	if u <= a.floor {
		return true
	}
	i, _ := slices.BinarySearchFunc(a.done, u, func(s span, u uint64) int {
		if s.lo < u {
			return -1
		}
		return 1
	})
	a.done = slices.Insert(a.done, i, span{u, u})
	if i+1 < len(a.done) && a.done[i+1].lo == u+1 {
		a.done[i].hi = a.done[i+1].hi
		a.done = slices.Delete(a.done, i+1, i+2)
	}
	if i > 0 && a.done[i-1].hi+1 == u {
		a.done[i-1].hi = a.done[i].hi
		a.done = slices.Delete(a.done, i, i+1)
	}
	a.raise(a.floor)
	return true
}

// drop notes that a delivery is not at hand any more, without being settled: it is asked for again.
func (a *acks) drop(u uint64) bool {
	_, had := a.atHand[u]
	delete(a.atHand, u)
	return had
}

// spans is what is settled above the floor, lo and hi in turn. What there is too much of is said later.
func (a *acks) spans() (list []uint64) {
	for _, s := range a.done[:min(len(a.done), mostSpans)] {
		list = append(list, s.lo, s.hi)
	}
	return list
}

// holes are the deliveries to be asked for again, up to number top.
func (a *acks) holes(top uint64) (list []uint64) {
	u := a.floor + 1
	for i := 0; i <= len(a.done); i++ {
		end := max(a.last, top) + 1
		if i < len(a.done) {
			end = a.done[i].lo
		}
		for ; u < end && len(list) < mostHoles; u++ {
			if _, here := a.atHand[u]; !here {
				list = append(list, u)
			}
		}
		if i < len(a.done) {
			u = a.done[i].hi + 1
		}
	}
	return list
}

// covers tells whether number u is settled by a floor and spans as they travel.
func covers(floor uint64, spans []uint64, u uint64) bool {
	if u <= floor {
		return true
	}
	for i := 0; i+1 < len(spans); i += 2 {
		if spans[i] <= u && u <= spans[i+1] {
			return true
		}
	}
	return false
}
