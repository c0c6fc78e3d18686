package socket

import "slices"

// A round is the order in which the links of an inbox hand out what waits in their queues: one message each in turn,
// so that receiving is fair among peers. Who comes with nothing waiting, a peer that sends one request and waits for
// the answer, goes first (as new flows do in FQ-CoDel, RFC 8290): it waits for the message being worked on, not for
// one of each peer that always has some. Those still get their turn after every aheadMost of such in a row.
//
// The zero round is empty. It is guarded by its inbox's mu.
type round struct {
	links []*link
	next  int
	ahead int // how many links, from next on, go first
	row   int // how many of such have had their turn since any other
}

const aheadMost = 8

// enter adds a link that had nothing waiting.
func (r *round) enter(l *link) {
	if r.row+r.ahead >= aheadMost {
		r.addLast(l)
		return
	}
	if at := r.next + r.ahead; at == len(r.links) { // as a rule, and this is faster
		r.links = append(r.links, l)
	} else {
		r.links = slices.Insert(r.links, at, l)
	}
	r.ahead++
}

// addLast adds a link to those that take turns.
func (r *round) addLast(l *link) {
	if r.next == len(r.links) {
		r.next = 0 // else it would be next
	}
	r.links = append(r.links, l)
}

// turn is the link whose turn it is; there is one.
func (r *round) turn() *link {
	if r.next >= len(r.links) {
		r.next = 0
	}
	return r.links[r.next]
}

// took ends that link's turn; more says that it has more.
func (r *round) took(more bool) {
	if r.ahead > 0 {
		r.ahead--
		r.row++
	} else {
		r.row = 0
	}
	switch last := len(r.links) - 1; {
	case more:
		r.next++
	case r.next == last: // faster than Delete
		r.links[last] = nil
		r.links = r.links[:last]
	default:
		r.links = slices.Delete(r.links, r.next, r.next+1)
	}
}

// remove takes out a link that has lost what it had.
func (r *round) remove(l *link) {
	i := slices.Index(r.links, l)
	switch {
	case i < 0:
		return
	case i < r.next:
		r.next--
	case i < r.next+r.ahead:
		r.ahead--
	}
	r.links = slices.Delete(r.links, i, i+1)
}

// replace has another link take a link's place, and reports whether that had one.
func (r *round) replace(l, by *link) bool {
	i := slices.Index(r.links, l)
	if i >= 0 {
		r.links[i] = by
	}
	return i >= 0
}

// othersFirst has all others come before a link that is in the round.
func (r *round) othersFirst(l *link) {
	r.next, r.ahead = slices.Index(r.links, l)+1, 0
}
