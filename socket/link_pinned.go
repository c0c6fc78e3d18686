package socket

// A message that the caller sent to one peer of a socket that otherwise chooses (Dealer.SendTo) is pinned: when that
// peer is lost it does not go to another, as what waits beside it does, but is dropped.

// pins tells which messages of a batch are pinned. Most batches have none.
type pins struct {
	at    []uint64 // their numbers, rising
	front uint64   // the number of the first message in the batch
}

// pin says that the last message is pinned.
func (b *batch) pin() {
	if b.pins == nil {
		b.pins = new(pins)
	}
	b.pins.at = append(b.pins.at, b.pins.front+b.count.Messages-1)
}

// isPinned reports whether the first message is.
func (p *pins) isPinned() bool { return p != nil && len(p.at) > 0 && p.at[0] == p.front }

// shift notes that the first message was taken off.
func (p *pins) shift() {
	if p == nil {
		return
	}
	if p.isPinned() {
		p.at = p.at[1:]
	}
	p.front++
}

// reset forgets all messages.
func (p *pins) reset() *pins {
	if p != nil {
		p.at, p.front = p.at[:0], 0
	}
	return p
}

// pinned is the From of a pinned message that a batch has given back.
var pinned = new(Peer)

// unpin drops the pinned ones of the messages that a lost link had not written, and returns the others. core.out.mu is
// held.
func (l *link) unpin(unsent []Msg) []Msg {
	var dropped Count
	left := unsent[:0]
	for _, m := range unsent {
		if m.From != pinned {
			left = append(left, m)
			continue
		}
		dropped.add(m.Size())
		l.out.attempts.remove(len(left), 1)
	}
	clear(unsent[len(left):])
	if dropped.Messages > 0 {
		l.dropped(l.lostReason(), dropped)
		l.out.box.drained()
	}
	return left
}
