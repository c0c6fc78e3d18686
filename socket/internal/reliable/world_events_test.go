package reliable

import (
	"errors"
	"fmt"
	"slices"
)

// The receiving side of the world, and what goes wrong in it.

// arrive has a receiver read from one of its connections.
func (w *world) arrive() bool {
	g := w.rx[w.rnd.IntN(len(w.rx))]
	if len(g.stale) > 0 && w.rnd.IntN(3) == 0 {
		w.ownLate(g)
		return true
	}
	if len(g.pipes) == 0 {
		return false
	}
	p := g.pipes[w.rnd.IntN(len(g.pipes))]
	did := false
	for n := 1 + w.rnd.IntN(4); n > 0 && len(p.toReceiver) > 0; n-- {
		if !w.read(g, p) {
			break
		}
		did = true
	}
	return did
}

// read takes one frame, or several messages that follow each other. It returns false if there is no room.
func (w *world) read(g *receiving, p *pipe) bool {
	f := p.toReceiver[0]
	owner := p.owner
	if !w.holds(ownership) {
		owner = g.r.Owner()
	}
	switch f.kind {
	case 'o':
		w.opened(g, p, f.open)
	case 'n':
		w.check(g.r.Next(owner, f.next))
	case 'l':
		w.check(g.r.Low(owner, f.at))
	case 'm':
		if len(p.queue) >= 12 {
			return false
		}
		n := 1
		for n < len(p.toReceiver) && n < 5 && p.toReceiver[n].kind == 'm' {
			n++
		}
		n = w.put1(g, p, owner, p.toReceiver[:n])
		p.toReceiver = p.toReceiver[n:]
		return true
	}
	p.toReceiver = p.toReceiver[1:]
	return true
}

// put1 judges messages that follow each other, and returns how many are dealt with.
func (w *world) put1(g *receiving, p *pipe, owner Link, ms []frame) int {
	v, k := g.r.Judge(owner, uint64(len(ms)))
	if k == 0 || k > uint64(len(ms)) {
		w.errs = append(w.errs, fmt.Errorf("Judge returned %d of %d", k, len(ms)))
		return len(ms)
	}
	switch v {
	case Void:
		w.log("  %d.%d voids %d", g.name, g.lives, k)
	case Duplicate:
		w.log("  %d.%d drops %d from number %d", g.name, g.lives, k, g.r.NextNumber())
		if w.holds(duplicatesAreCounted) {
			w.due(g, g.r.Dropped(w.now, k, 0))
		} else {
			g.r.next += k
			g.r.flagged = Next{}
		}
	case Take:
		k = uint64(1 + w.rnd.IntN(int(k))) // for want of room
		flags := g.r.Flags()
		for i, f := range ms[:k] {
			it := item{id: f.id, number: g.r.NextNumber() + uint64(i), flagged: flags.Redelivered}
			p.queue = append(p.queue, it)
			w.log("  %d.%d takes %d as number %d", g.name, g.lives, it.id, it.number)
		}
		g.r.Took(k)
		if !w.holds(setNotWatermark) {
			g.r.taken.Raise(g.r.taken.End())
		}
		if !w.holds(commitBeforeAck) {
			w.due(g, g.r.Settle(w.now, k, 0))
		}
		w.most = max(w.most, len(g.r.taken.Above()))
	}
	return int(k)
}

// opened has a connection become the owner of the stream.
func (w *world) opened(g *receiving, p *pipe, o Open) {
	if !w.holds(haveWithOwnership) && g.r.Owner() != 0 && !p.broken {
		before := *g.r
		before.taken, before.done = g.r.taken.Clone(), g.r.done.Clone()
		before.places.runs, before.fresh = slices.Clone(g.r.places.runs), nil
		_, yes := before.Open(o)
		g.stale = append(g.stale, lateOpened{p, o, yes})
		return
	}
	link, yes := g.r.Open(o)
	w.own(g, p, link, yes)
}

func (w *world) ownLate(g *receiving) {
	f := g.stale[0]
	g.stale = g.stale[1:]
	link, _ := g.r.Open(f.open)
	w.own(g, f.pipe, link, f.yes)
}

func (w *world) own(g *receiving, p *pipe, link Link, yes Opened) {
	if link != 0 {
		p.owner = link
		if w.holds(oldQueueFirst) {
			for _, q := range g.pipes {
				if q != p {
					p.queue = append(q.queue, p.queue...)
					q.queue = nil
				}
			}
		}
	}
	if !w.holds(heldIsKept) {
		yes.Held = nil
	}
	if !w.holds(heldIsNotDone) {
		for _, h := range yes.Held {
			yes.Done.AddRange(h.From, h.To)
		}
		yes.Held = nil
	}
	w.log("  %d.%d owned by link %d: %+v", g.name, g.lives, link, yes)
	w.answer(p, frame{kind: 'O', yes: yes})
}

func (w *world) answer(p *pipe, f frame) {
	if !p.broken {
		p.toSender = append(p.toSender, f)
	}
}

// receive has an application take messages, or be done with them.
func (w *world) receive() bool {
	g := w.rx[w.rnd.IntN(len(w.rx))]
	if w.manual && len(g.inHand) > 0 && (len(g.inHand) > 5 || w.rnd.IntN(2) == 0) {
		w.verb(g)
		return true
	}
	var from []*pipe
	for _, p := range g.pipes {
		if len(p.queue) > 0 {
			from = append(from, p)
		}
	}
	if len(from) == 0 {
		return false
	}
	p := from[w.rnd.IntN(len(from))]
	n := 1
	if w.disk {
		n += w.rnd.IntN(len(p.queue))
	}
	for _, it := range p.queue[:n] {
		w.deliver(g, it)
	}
	items := p.queue[:n]
	p.queue = p.queue[n:]
	if w.manual {
		g.inHand = append(g.inHand, items...)
		return true
	}
	for _, it := range items {
		w.settledBy[it.id]++
	}
	if w.holds(commitBeforeAck) {
		w.due(g, g.r.Settle(w.now, uint64(n), 0))
	}
	if w.disk {
		m := g.r.Memory()
		g.disk = &m
	}
	return true
}

// deliver hands a message to an application, or puts it on the receiver's disk.
func (w *world) deliver(g *receiving, it item) {
	w.delivered = append(w.delivered, delivery{g.name, g.lives, it.id, it.flagged})
	w.times[it.id]++
	if !it.flagged {
		w.unflagged[it.id]++
	}
	w.log("  %d.%d delivers %d", g.name, g.lives, it.id)
}

// verb has an application that settles one by one do so, in any order.
func (w *world) verb(g *receiving) {
	i := w.rnd.IntN(len(g.inHand))
	it := g.inHand[i]
	g.inHand = slices.Delete(g.inHand, i, i+1)
	p := g.ownerPipe()
	if !w.calm && w.rnd.IntN(4) == 0 {
		pos, ok := g.r.GiveBack(it.number)
		if !ok {
			w.errs = append(w.errs, fmt.Errorf("number %d is not held", it.number))
			return
		}
		if !w.holds(givenBackIsForgotten) {
			g.r.taken.Add(it.number)
		}
		if p == nil {
			return
		}
		if !w.holds(givenBackBeforeAck) {
			g.r.owed++
			w.due(g, true)
		}
		w.answer(p, frame{kind: 'k', at: pos})
		return
	}
	if w.rnd.IntN(8) == 0 {
		pos, ok := g.r.Terminate(it.number)
		if ok && p != nil {
			w.answer(p, frame{kind: 't', at: pos})
		}
	} else {
		due, ok := g.r.SettleNumber(w.now, it.number, 0)
		if !ok {
			w.errs = append(w.errs, fmt.Errorf("number %d is not held", it.number))
		}
		w.due(g, due)
	}
	w.settledBy[it.id]++
}

// ownerPipe is the connection that owns the stream.
func (g *receiving) ownerPipe() *pipe {
	for _, p := range g.pipes {
		if p.owner != 0 && p.owner == g.r.Owner() {
			return p
		}
	}
	return nil
}

func (w *world) due(g *receiving, due bool) {
	if due {
		w.ack(g)
	}
}

// acknowledge is the timer.
func (w *world) acknowledge() bool {
	g := w.rx[w.rnd.IntN(len(w.rx))]
	if at, ok := g.r.AckAt(); !ok || at > w.now {
		return false
	}
	w.ack(g)
	return true
}

func (w *world) ack(g *receiving) {
	a, ok := g.r.Acknowledge()
	if p := g.ownerPipe(); ok && p != nil {
		w.log("  %d.%d acknowledges %+v", g.name, g.lives, a)
		w.answer(p, frame{kind: 'a', ack: a})
	}
}

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
		w.settle(c, r.Settled)
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
		w.acked(c, c.link, f.ack)
		if low := w.low(c); w.holds(floorIsTold) && c.s.TellLow(low) {
			w.push(c, frame{kind: 'l', at: low})
		}
	case 'k', 't':
		piece, freed, ok, err := c.s.GiveBack(c.link, c.queued(), f.at)
		if errors.Is(err, ErrNotWritten) {
			w.wrote(c)
			return true // and asks again
		}
		w.check(err)
		w.settle(c, freed)
		switch {
		case !ok:
		case f.kind == 'k':
			w.tx.queue = append(w.entries([]Piece[[]entry]{piece}, w.durable), w.tx.queue...)
		case w.durable:
			w.tx.done.Add(piece.Number)
		}
	}
	c.pipe.toSender = c.pipe.toSender[1:]
	return true
}

func (w *world) acked(c *session, link Link, a Ack) {
	done, err := c.s.Ack(link, c.queued(), a)
	w.check(err)
	w.settle(c, done)
}

// listenBehind has the sender read what came by a connection that it has given up.
func (w *world) listenBehind() bool {
	for _, c := range w.tx.sessions {
		for i, o := range c.old {
			if len(o.pipe.toSender) == 0 {
				c.old = slices.Delete(c.old, i, i+1)
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
	}
	return false
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
	c.again, c.open = nil, nil
	c.pipe.senderGone, c.pipe.broken = true, true
	c.old = append(c.old, oldPipe{c.pipe, c.link})
	c.pipe = nil
	if !w.durable {
		for i := range unsent {
			unsent[i].number = 0
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
		alive: true, stored: tx.stored, settled: tx.settled, epoch: tx.epoch + 1, reserved: tx.reserved,
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

// A lateOpened is an answer that was made before the connection became the owner.
type lateOpened struct {
	pipe *pipe
	open Open
	yes  Opened
}
