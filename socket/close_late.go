package socket

import (
	"maps"
	"slices"
)

// A connection may not have ended when the time of Close is up: its transport hangs, or the machine is too busy to run
// its goroutines. They end when they can. But who reads the ledger after Close must find it final, and each peer gone:
// so Close itself takes such a connection out of the socket's books, and nothing changes them from then on.

// settle ends the membership of the links that are left.
func (c *core) settle() {
	c.mu.Lock()
	late := slices.Collect(maps.Keys(c.links))
	clear(c.links)
	c.mu.Unlock()
	for _, l := range late {
		l.condemn(ErrDisconnected)
	}
	c.out.mu.Lock()
	for _, l := range late {
		c.out.remove(l)
		l.writeOff()
	}
	c.out.mu.Unlock()
	c.in.settle()
	for _, l := range late {
		l.tellDown(l.cause())
	}
}

// writeOff drops what somebody is still writing to a link. Should the peer get it after all, it counts as dropped
// nevertheless. core.out.mu is held.
func (l *link) writeOff() {
	o := &l.out
	if o.finished {
		return
	}
	o.finished = true
	if o.feeder() != nil {
		o.feeder().takeBack(l, false)
	}
	if s := o.session; s != nil {
		o.session = nil // what is still written, or acknowledged, is nobody's
		s.writeOff(l)
	}
	l.dropped(SocketClosed, o.counts.queued)
	o.box.drained()
	close(o.done)
}

// settle has what still comes count no more.
func (q *inbox) settle() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.settled = true
}
