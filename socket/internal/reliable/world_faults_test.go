package reliable

import (
	"slices"
)

// What goes wrong in the world, and how its ends notice.

// notice has an end see that a connection is broken.
func (w *world) notice() bool {
	if w.rnd.IntN(2) == 0 {
		c := w.up(func(c *session) bool { return c.pipe.broken })
		if c == nil {
			return false
		}
		w.lose(c)
		return true
	}
	for _, g := range w.rx {
		for _, p := range g.pipes {
			if p.broken && len(p.toReceiver) == 0 && !p.receiverGone {
				g.r.Lost(p.owner)
				p.receiverGone = true // what it has queued stays
				return true
			}
		}
		g.pipes = slices.DeleteFunc(g.pipes, func(p *pipe) bool { return p.receiverGone && len(p.queue) == 0 })
	}
	return false
}

// lose is the sender's end of a connection.
func (w *world) lose(c *session) {
	w.log("lost link %d to %d", c.link, c.to.name)
	if w.holds(writtenIsCounted) {
		w.wrote(c)
	} else {
		c.open = append(c.flight, c.open...)
		c.flight = nil
	}
	c.s.Lost(c.link, w.now)
	unsent := append(c.open, c.again...)
	c.again = nil
	if w.stays { // what has a number waits for this receiver
		numbered := func(e entry) bool { return e.number > 0 }
		for _, e := range unsent {
			if numbered(e) {
				c.again = append(c.again, e)
			}
		}
		unsent = slices.DeleteFunc(unsent, numbered)
	}
	c.open = nil
	c.pipe.senderGone, c.pipe.broken = true, true
	c.old = append(c.old, oldPipe{c.pipe, c.link})
	c.pipe = nil
	if !w.durable {
		for i, e := range unsent {
			if e.number > 0 {
				c.s.Forget(e.number, 1)
				unsent[i].number = 0
			}
		}
	}
	w.tx.queue = append(unsent, w.tx.queue...)
}

// cut breaks a connection, at a point that leaves nothing, some or all of what is under way.
func (w *world) cut() bool {
	c := w.up(func(c *session) bool { return !c.pipe.broken })
	if c == nil {
		return false
	}
	p := c.pipe
	w.cuts++
	p.broken = true
	p.toReceiver = p.toReceiver[:w.rnd.IntN(len(p.toReceiver)+1)]
	p.toSender = p.toSender[:w.rnd.IntN(len(p.toSender)+1)]
	w.log("cut link %d to %d", c.link, c.to.name)
	return true
}

// crash ends a process, and has it begin again.
func (w *world) crash() bool {
	if w.durable && w.rnd.IntN(2) == 0 {
		w.deaths++
		w.crashSender()
		return true
	}
	if !w.crashes {
		return false
	}
	w.deaths++
	i := w.rnd.IntN(len(w.rx))
	g := w.rx[i]
	w.log("receiver %d.%d dies", g.name, g.lives)
	for _, p := range g.pipes {
		p.broken = true
		p.toReceiver = nil
		p.toSender = p.toSender[:w.rnd.IntN(len(p.toSender)+1)]
	}
	w.rx[i] = w.born(i, g.lives+1, g.disk)
	return true
}

func (w *world) crashSender() {
	w.log("the sender dies")
	tx := &w.tx
	for _, c := range tx.sessions {
		if c.pipe != nil {
			c.pipe.broken, c.pipe.senderGone = true, true
			c.pipe.toReceiver = c.pipe.toReceiver[:w.rnd.IntN(len(c.pipe.toReceiver)+1)]
		}
	}
	*tx = sending{
		stored: tx.stored, settled: tx.settled, epoch: tx.epoch + 1, reserved: tx.reserved,
		done: tx.settled.Clone(), lives: tx.lives + 1,
	}
	for gap := range tx.done.Gaps(1, uint64(len(tx.stored))+1) {
		for n := gap.From; n < gap.To; n++ {
			e := entry{id: tx.stored[n-1], number: n}
			if n < tx.reserved && w.holds(sentIsRemembered) {
				e.redelivered = true
			}
			tx.queue = append(tx.queue, e)
		}
	}
}

// wait has time pass, so that receivers that are lost are given up.
func (w *world) wait() bool {
	w.now += grace / 2
	for i := 0; i < len(w.tx.sessions); i++ {
		c := w.tx.sessions[i]
		if at, ok := c.s.Expires(); !ok || at > w.now {
			continue
		}
		if !w.holds(abandonedIsGone) {
			twin := *c.s
			twin.places.runs, twin.records = slices.Clone(c.s.places.runs), slices.Clone(c.s.records)
			twin.done = c.s.done.Clone()
			c.twin = &twin
		}
		r := c.s.Abandon(true)
		w.log("gives up on %d: %d messages", c.to.name, len(r.Again))
		w.settle(c, r.Settled)
		w.came(c, r.Again)
		w.tx.queue = append(w.entries(r.Again, false), w.tx.queue...)
		slices.SortStableFunc(w.tx.queue, func(a, b entry) int { return compare(a.number, b.number) })
	}
	return true
}

func (w *world) check(err error) {
	if err != nil {
		w.errs = append(w.errs, err)
	}
}
