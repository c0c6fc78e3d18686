package reliable

import (
	"errors"
	"fmt"
	"slices"
)

// What the sender of the world does about what receivers say.

// listen has the sender read what a receiver says.
func (w *world) listen() bool {
	if w.rnd.IntN(5) == 0 && w.listenBehind() {
		return true
	}
	c := w.up(func(c *session) bool { return len(c.pipe.toSender) > 0 })
	if c == nil {
		return false
	}
	f := c.pipe.toSender[0]
	switch f.kind {
	case 'O':
		r, err := c.s.Opened(c.link, f.yes)
		if err != nil {
			w.errs = append(w.errs, err)
			break
		}
		w.missed(c, f.yes.Known, r.StateLost)
		w.settle(c, r.Settled)
		w.came(c, r.Again)
		w.log("  goes on with %d again, %d settled", len(r.Again), r.Settled.Messages)
		c.again = append(w.entries(r.Again, true), c.again...)
		if w.durable {
			w.forget(&r)
		}
		if c.twin != nil {
			c.again, c.twin = append(w.twins(c.twin), c.again...), nil
		}
		c.unnamed = !w.durable
	case 'a':
		c.had, c.heardOf = true, c.pipe.life
		w.acked(c, c.link, f.ack)
		if low := w.low(c); w.holds(floorIsTold) && c.s.TellLow(low) {
			w.push(c, frame{kind: 'l', at: low, above: slices.Clone(w.above(c))})
		}
	case 'k', 't':
		piece, freed, ok, err := c.s.GiveBack(c.link, c.queued(), f.at)
		if errors.Is(err, ErrNotWritten) {
			w.wrote(c)
			return true // and asks again
		}
		c.had, c.heardOf = true, c.pipe.life
		w.check(err)
		w.settle(c, freed)
		if ok {
			w.came(c, []Piece[[]entry]{piece})
		}
		switch {
		case !ok:
		case f.kind == 'k':
			w.tx.queue = append(w.entries([]Piece[[]entry]{piece}, w.durable), w.tx.queue...)
		default:
			for _, e := range w.entries([]Piece[[]entry]{piece}, true) {
				w.refused[e.id]++
			}
			if w.durable {
				w.tx.done.Add(piece.Number)
			}
		}
	}
	c.pipe.toSender = c.pipe.toSender[1:]
	return true
}

// missed checks what the sender is told when a receiver has answered: that it has lost its state, once, if it has said
// before that it has had something, and otherwise not.
func (w *world) missed(c *session, known Knowledge, told bool) {
	if !w.holds(metIsAcknowledged) {
		c.s.met = true
	}
	lost := c.had && known == Nothing && c.heardOf < c.pipe.life
	switch {
	case told && !lost:
		w.errs = append(w.errs, fmt.Errorf("life %d of receiver %d is said to have lost its state", c.pipe.life, c.to.name))
	case lost && !told:
		w.errs = append(w.errs, fmt.Errorf("life %d of receiver %d has lost its state", c.pipe.life, c.to.name))
	}
	if known != Nothing {
		c.had, c.heardOf = true, c.pipe.life
	} else {
		c.had = false
	}
}

func (w *world) acked(c *session, link Link, a Ack) {
	done, err := c.s.Ack(link, c.queued(), a)
	w.check(err)
	w.settle(c, done)
}

// listenBehind has the sender read what came by a connection that it has given up.
func (w *world) listenBehind() bool {
	for _, c := range w.tx.sessions {
		if len(c.old) == 0 {
			continue
		}
		o := c.old[0]
		if len(o.pipe.toSender) == 0 {
			c.old = c.old[1:]
			return true
		}
		if f := o.pipe.toSender[0]; f.kind == 'a' {
			if !w.holds(positionsOfLink) {
				o.link = c.link
			}
			w.acked(c, o.link, f.ack)
		}
		o.pipe.toSender = o.pipe.toSender[1:]
		return true
	}
	return false
}

// above is what is settled beyond the lowest number that is not.
func (w *world) above(c *session) []Range {
	if !w.durable {
		_, above := c.s.Settled(1 + w.rnd.IntN(4))
		return above
	}
	return w.tx.done.Above()
}

func (w *world) low(c *session) uint64 {
	if w.durable {
		return w.tx.done.Floor()
	}
	return c.s.Low()
}

// forget takes out of what is to be sent what a receiver has, as it turns out.
func (w *world) forget(r *Resumption[[]entry]) {
	has := w.tx.done.Clone()
	for _, h := range r.Held {
		has.AddRange(h.From, h.To)
	}
	known := func(e entry) bool {
		if has.Contains(e.number) {
			w.log("  forgets number %d", e.number)
		}
		return has.Contains(e.number)
	}
	w.tx.queue = slices.DeleteFunc(w.tx.queue, known)
	for _, c := range w.tx.sessions {
		c.again = slices.DeleteFunc(c.again, known)
	}
}

// entries makes messages again of what comes back; with their numbers if they keep them.
func (w *world) entries(pieces []Piece[[]entry], numbered bool) (es []entry) {
	for _, p := range pieces {
		for i := range p.Count {
			e := entry{number: p.Number + i, attempts: p.Attempts, redelivered: p.Redelivered}
			if w.durable {
				all := slices.Concat(w.tx.stored, w.tx.unsynced)
				if e.number > uint64(len(all)) {
					continue // was lost with the process, for want of a sync
				}
				e.id = all[e.number-1]
			} else {
				e.id = p.Payload[p.Skip+i].id
			}
			if !numbered && !w.durable {
				e.number = 0
			}
			es = append(es, e)
		}
	}
	return es
}

// twins are what is sent again though another receiver has got it.
func (w *world) twins(s *Sender[[]entry]) (es []entry) {
	return w.entries(slices.Collect(s.pieces()), true)
}
