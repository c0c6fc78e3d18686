package reliable

import (
	"fmt"
	"slices"
)

// What the receivers of the world do.

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
		w.check(g.r.Low(owner, f.at, f.above...))
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
	if !w.holds(refusedIsSaidAgain) {
		g.r.refused = nil
	}
	link, yes := g.r.Open(o)
	if !w.holds(lossIsSaidAgain) {
		g.r.known = Everything
	}
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
	for _, t := range g.r.Terms() {
		w.answer(p, frame{kind: 't', at: t.Pos})
	}
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
		pos, ok := g.r.Terminate(it.number, "")
		if ok && p != nil {
			w.answer(p, frame{kind: 't', at: pos})
		}
		w.refusedBy[it.id]++
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

// A lateOpened is an answer that was made before the connection became the owner.
type lateOpened struct {
	pipe *pipe
	open Open
	yes  Opened
}
