package reliable

import "slices"

// A message that the application refuses for good is settled here at once, but the sender has to hear why: to it a
// message that is merely settled was received. So TERM may not get lost with its link. Over the next one such a message
// is among those that the receiver holds, and TERM is said again, until the sender says that it has settled it. If it
// had heard of it before, it takes no notice.

// A refusal is a message that was refused, and why.
type refusal struct {
	number uint64
	reason string
}

// A Term is what TERM has to say: the position of a message, and why nobody wants it.
type Term struct {
	Pos    uint64
	Reason string
}

// MaxRefused is how many refusals a receiver remembers until it is told that they are settled. Of more, the earliest
// may be taken for received by a sender whose link is lost.
const MaxRefused = 16 << 10

// Terminate records that a message is settled as one that nobody wants. It returns the position that TERM has to name.
// TERM must be sent before any later ACK.
func (r *Receiver) Terminate(number uint64, reason string) (pos uint64, known bool) {
	pos, ok := r.find(number)
	if !ok {
		return 0, false
	}
	r.done.Add(pos)
	if len(r.refused) >= MaxRefused {
		r.refused = slices.Delete(r.refused, 0, len(r.refused)-MaxRefused+1)
	}
	r.refused = append(r.refused, refusal{number, reason})
	return pos, true
}

// Terms returns what TERM has to say of messages that were refused over earlier links. It is asked right after Open,
// and they go out before any ACK.
func (r *Receiver) Terms() (terms []Term) {
	for i, f := range r.refused {
		terms = append(terms, Term{r.arrived - uint64(len(r.refused)-i), f.reason})
	}
	return terms
}

// holdRefused adds to what the receiver holds the messages that were refused, by their numbers, each of which is one.
func (r *Receiver) holdRefused(held []Range) []Range {
	slices.SortFunc(r.refused, func(a, b refusal) int { return compare(a.number, b.number) })
	first := len(held)
	for _, f := range r.refused {
		if i := len(held) - 1; i >= first && held[i].To == f.number {
			held[i].To++
			continue
		}
		held = append(held, Range{From: f.number, To: f.number + 1})
	}
	return held
}

// forgetRefused forgets the refusals of messages that the sender has settled.
func (r *Receiver) forgetRefused(settled func(number uint64) bool) {
	r.refused = slices.DeleteFunc(r.refused, func(f refusal) bool { return settled(f.number) })
}

// sum is how many numbers are in ranges.
func sum(all []Range) (n uint64) {
	for _, r := range all {
		n += r.Len()
	}
	return n
}
