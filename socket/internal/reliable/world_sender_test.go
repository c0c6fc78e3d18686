package reliable

import (
	"fmt"
	"slices"
)

// What the sender of the world does: it takes messages over, connects, writes, comes back from writing.

// produce has the application send a message, or the disk sync.
func (w *world) produce() bool {
	tx := &w.tx
	if len(tx.unsynced) > 0 && w.rnd.IntN(2) == 0 {
		w.sync()
		return true
	}
	if w.next == w.total || len(tx.queue) > 20 {
		return false
	}
	id := w.next
	w.next++
	if !w.durable {
		tx.queue = append(tx.queue, entry{id: id})
		return true
	}
	tx.unsynced = append(tx.unsynced, id)
	if !w.holds(durableBeforeSent) {
		tx.queue = append(tx.queue, entry{id: id, number: uint64(len(tx.stored) + len(tx.unsynced))})
	}
	return true
}

// sync is a commit of the sender's: messages, and what is settled so far.
func (w *world) sync() {
	tx := &w.tx
	for _, id := range tx.unsynced {
		tx.stored = append(tx.stored, id)
		if w.holds(durableBeforeSent) {
			tx.queue = append(tx.queue, entry{id: id, number: uint64(len(tx.stored))})
		}
	}
	tx.unsynced = nil
	tx.settled = tx.done.Clone()
}

// connect opens a connection to a receiver that has none.
func (w *world) connect() bool {
	g := w.rx[w.rnd.IntN(len(w.rx))]
	c := w.session(g)
	if c.pipe != nil {
		return false
	}
	p := &pipe{life: g.lives}
	var open Open
	var err error
	if w.durable {
		low := w.tx.done.Floor()
		if !w.holds(floorIsTold) {
			low = 1
		}
		c.link, open, err = c.s.OpenAt(low, uint64(len(w.tx.stored)+len(w.tx.unsynced))+1)
	} else {
		c.link, open, err = c.s.Open()
	}
	if err != nil {
		w.errs = append(w.errs, err)
		return false
	}
	if !w.holds(lowIsUnsettled) {
		open.Low = open.Next
	}
	c.pipe = p
	p.toReceiver = append(p.toReceiver, frame{kind: 'o', open: open})
	g.pipes = append(g.pipes, p)
	w.log("connect to %d.%d: link %d low %d next %d", g.name, g.lives, c.link, open.Low, open.Next)
	return true
}

// session finds what the sender has with a receiver.
func (w *world) session(g *receiving) *session {
	for _, c := range w.tx.sessions {
		if c.id == g.id {
			c.to = g
			return c
		}
	}
	c := &session{id: g.id, to: g}
	cfg := SenderConfig[[]entry]{
		Epoch: w.tx.epoch, Nonce: w.tx.epoch * 77, Durable: w.durable, Shared: w.receivers > 1,
		Window: Limit{Messages: uint64(1 + w.rnd.IntN(10))}, Grace: grace,
	}
	if !w.durable {
		cfg.Size = func(p []entry, skip, n uint64) uint64 { return sizes(p[skip : skip+n]) }
	}
	if w.partition || w.receivers == 1 && (w.disk || !w.crashes) {
		cfg.Grace = -1
	}
	c.s = NewSender(cfg)
	w.tx.sessions = append(w.tx.sessions, c)
	return c
}

func sizes(p []entry) (n uint64) {
	for _, e := range p {
		n += size(e.id)
	}
	return n
}

func size(id int) uint64 { return uint64(id%7 + 1) }

// up returns a session that may send, in random order.
func (w *world) up(ok func(c *session) bool) *session {
	n := len(w.tx.sessions)
	if n == 0 {
		return nil
	}
	first := w.rnd.IntN(n)
	for i := range n {
		if c := w.tx.sessions[(first+i)%n]; c.pipe != nil && !c.pipe.senderGone && ok(c) {
			return c
		}
	}
	return nil
}

// load has a link take messages.
func (w *world) load() bool {
	c := w.up(func(c *session) bool { return c.s.Room() && len(c.open) < 4 })
	if c == nil {
		return false
	}
	did := false
	for n := 1 + w.rnd.IntN(3); n > 0; n-- {
		e, ok := w.pick(c)
		if !ok {
			break
		}
		c.open = append(c.open, e)
		did = true
	}
	return did
}

// pick takes the next message for a receiver.
func (w *world) pick(c *session) (entry, bool) {
	tx := &w.tx
	if len(c.again) > 0 && (w.holds(againFirst) || len(tx.queue) == 0) {
		e := c.again[0]
		c.again = c.again[1:]
		return e, true
	}
	for i, e := range tx.queue {
		if w.partition && int(e.number)%w.receivers != c.to.name {
			continue
		}
		if w.durable && e.number >= tx.reserved {
			tx.reserved = e.number + numberStep // synced before it is sent
		}
		tx.queue = slices.Delete(tx.queue, i, i+1)
		return e, true
	}
	return entry{}, false
}

// write puts something of what a link has taken on the wire, or comes back from having written it.
func (w *world) write() bool {
	c := w.up(func(c *session) bool { return c.queued() > 0 })
	if c == nil {
		return false
	}
	if len(c.flight) > 0 && (len(c.open) == 0 || w.rnd.IntN(3) == 0) {
		w.wrote(c)
		return true
	}
	n := 1 + w.rnd.IntN(len(c.open))
	for i, e := range c.open[:n] {
		w.put(c, e, uint64(len(c.flight)+i))
	}
	c.flight = append(c.flight, c.open[:n]...)
	c.open = slices.Clone(c.open[n:])
	return true
}

// put sends one message, which has others ahead of it of which Wrote is not told. Numbers are settled here in place of
// where the link takes it, which comes to the same.
func (w *world) put(c *session, e entry, ahead uint64) {
	place := Next{Number: e.number, Attempts: e.attempts, Redelivered: e.redelivered}
	if !w.holds(redeliveredIsSaid) {
		place.Attempts, place.Redelivered = 0, false
	}
	if w.durable || e.attempts > 0 || e.redelivered || e.number > 0 || c.unnamed {
		if e.number == 0 {
			c.unnamed = false
		}
		next, needed := c.s.Place(ahead, place)
		if needed && w.holds(numbersAreSaid) {
			w.push(c, frame{kind: 'n', next: next})
		}
	}
	w.push(c, frame{kind: 'm', id: e.id})
	w.log("  sends %d number %d to %d", e.id, e.number, c.to.name)
}

func (w *world) push(c *session, f frame) {
	if !c.pipe.broken {
		c.pipe.toReceiver = append(c.pipe.toReceiver, f)
	}
}

func (w *world) wrote(c *session) {
	n := uint64(len(c.flight))
	c.account.Messages += n
	c.account.Bytes += sizes(c.flight)
	done := c.s.Wrote(c.link, n, sizes(c.flight), c.flight)
	c.flight = nil
	w.settle(c, done)
	w.balance(c)
}

// settle enters what a receiver has settled.
func (w *world) settle(c *session, done Settlement[[]entry]) {
	c.account.Messages -= done.Messages
	c.account.Bytes -= done.Bytes
	for _, n := range done.Numbers {
		if w.durable {
			w.log("  settled %v by %d", n, c.to.name)
			w.tx.done.AddRange(n.From, n.To)
		}
	}
}

// came enters what has come back from a link.
func (w *world) came(c *session, pieces []Piece[[]entry]) {
	for _, p := range pieces {
		c.account.Messages -= p.Count
		c.account.Bytes -= p.Bytes
	}
	w.balance(c)
}

// balance compares what the Sender says is unacknowledged with what it was told and has said since. Where it is given
// no sizes, bytes are not exact, and what an earlier life has sent is unknown.
func (w *world) balance(c *session) {
	messages, bytes := c.s.Unacknowledged()
	if !w.durable && (Limit{messages, bytes}) != c.account {
		w.errs = append(w.errs, fmt.Errorf("%d messages, %d bytes are unacknowledged, and should be %+v", messages, bytes,
			c.account))
	}
}
