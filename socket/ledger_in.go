package socket

import "maps"

// The way in's half of the ledger. A message that comes is received and unread until it is handed to the application
// or discarded for a reason. The verbs below are all that changes a column: each enters the same in a link's account
// and in its socket's, and leaves both balanced, so that
//
//	received + loaded = handed + unread + stored + the sum of discarded
//
// holds whenever core.in.mu is free. What receivers have taken from the prefetch buffer is entered later
// (inbox.settle), before anybody looks.

// inCounts is one account. It is guarded by core.in.mu.
type inCounts struct {
	received, handed, unread Count
	disk                     *diskCounts // nil for nothing
	further                  uint64      // frames in unread messages beyond the first of each
	discarded                reasons
}

// diskCounts are what went to and came from an inbox on disk.
type diskCounts struct{ stored, loaded Count }

// An inLedger is the two accounts in which a message is entered: that of the link it came by and that of the socket.
type inLedger struct{ link, socket *inCounts }

func (q *inbox) ledger(l *link) inLedger { return inLedger{&l.in.counts, &q.counts} }

// receive enters messages that have come, with so many frames beyond the first of each.
func (a inLedger) receive(n Count, further uint64) {
	a.link.receive(n, further)
	a.socket.receive(n, further)
}

// hand enters unread messages that the application has got.
func (a inLedger) hand(n Count, further uint64) {
	a.link.hand(n, further)
	a.socket.hand(n, further)
}

// store enters unread messages that are on disk now.
func (a inLedger) store(n Count, further uint64) {
	a.link.store(n, further)
	a.socket.store(n, further)
}

// load enters messages that were read from there.
func (a inLedger) load(n Count, further uint64) {
	a.link.load(n, further)
	a.socket.load(n, further)
}

// discard enters unread messages that the application will not get.
func (a inLedger) discard(why Reason, n Count, further uint64) {
	a.link.discard(why, n, further)
	a.socket.discard(why, n, further)
}

// reject enters messages that are discarded as they come, and are never unread.
func (a inLedger) reject(why Reason, n Count) {
	a.receive(n, 0)
	a.discard(why, n, 0)
}

// discardAll enters all that is unread in one account as discarded: for the end of a socket, whose account then has
// more to discard than those of its links, since some may not have been admitted yet.
func (c *inCounts) discardAll(why Reason) { c.discard(why, c.unread, c.further) }

// transfer makes messages unread of one link unread of another, as if it had brought them.
func transfer(from, to *inCounts, n Count, further uint64) {
	from.takeUnread(n, further)
	from.received.decrease(n)
	to.receive(n, further)
}

// copy returns an account of its own with the same in it.
func (c *inCounts) copy() inCounts {
	d := *c
	d.discarded = maps.Clone(c.discarded)
	if c.disk != nil {
		disk := *c.disk
		d.disk = &disk
	}
	return d
}

func (c *inCounts) receive(n Count, further uint64) {
	c.received.increase(n)
	c.unread.increase(n)
	c.further += further
}

func (c *inCounts) hand(n Count, further uint64) {
	c.takeUnread(n, further)
	c.handed.increase(n)
}

func (c *inCounts) store(n Count, further uint64) {
	c.takeUnread(n, further)
	c.onDisk().stored.increase(n)
}

func (c *inCounts) onDisk() *diskCounts {
	if c.disk == nil {
		c.disk = new(diskCounts)
	}
	return c.disk
}

func (c *inCounts) load(n Count, further uint64) {
	c.onDisk().loaded.increase(n)
	c.unread.increase(n)
	c.further += further
}

func (c *inCounts) discard(why Reason, n Count, further uint64) {
	c.takeUnread(n, further)
	c.discarded.add(why, n)
}

func (c *inCounts) takeUnread(n Count, further uint64) {
	if asserting && (c.unread.Messages < n.Messages || c.unread.Bytes < n.Bytes || c.further < further) {
		panic("socket: a ledger is to give up more than is unread")
	}
	c.unread.decrease(n)
	c.further -= further
}

func (c *inCounts) fill(l *Ledger) {
	l.Received, l.Handed, l.Unread = c.received, c.handed, c.unread
	if c.disk != nil {
		l.Stored, l.Loaded = c.disk.stored, c.disk.loaded
	}
	l.Discarded = maps.Clone(c.discarded)
}

// add is fill for a second account of the same socket.
func (c *inCounts) add(l *Ledger) {
	l.Received.increase(c.received)
	l.Handed.increase(c.handed)
	l.Unread.increase(c.unread)
	if c.disk != nil {
		l.Stored.increase(c.disk.stored)
		l.Loaded.increase(c.disk.loaded)
	}
	for why, n := range c.discarded {
		(*reasons)(&l.Discarded).add(why, n)
	}
}
