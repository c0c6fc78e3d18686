package socket

import "maps"

// The way out's half of the ledger. A message that Send takes is accepted and queued until it is delivered to the
// transport or dropped for a reason. The verbs below are all that changes a column: each enters the same in the account
// of a link and in that of its socket, and leaves both balanced, so that
//
//	accepted + recovered = delivered + queued + spooled + unacked + requeued + the sum of dropped
//
// holds whenever core.out.mu is free. Over a reliable link a message is unacked between the two: written, and not known
// to have been received. Messages that are for no link, or for none yet, have an account of their own
// beside those of the links. What a sender has added to a batch for a peer in this process by appendFast is entered
// later, before anybody looks.
//
// Of a socket with a store, messages that are on disk and on no link are spooled, and the socket's account is balanced
// with these and with what was found there (spooled.recovered, spooled.onDisk). Their number is exact; how many bytes
// they have is known only of those that Send has stored or that were read, so that what the store loses is taken for
// the average, and what is wrong with that is put right once they are read (unspool).

// outCounts is one account. It is guarded by core.out.mu.
type outCounts struct {
	accepted, delivered, queued, unacked, requeued Count
	dropped                                        reasons
}

// An outLedger is the two accounts in which a message is entered: that of the link it is for, or of messages without a
// link, and that of the socket.
type outLedger struct{ link, socket *outCounts }

// ledger returns the accounts of a link, or of what has none if l is nil.
func (o *outbox) ledger(l *link) outLedger {
	if l == nil {
		return outLedger{&o.unassigned, &o.counts}
	}
	return outLedger{&l.out.counts, &o.counts}
}

// account enters a message in the ledger that a link has taken.
func (o *outbox) account(l *link, m *outgoing) {
	n := Count{1, uint64(m.size)}
	if m.backlogged {
		requeue(&o.unassigned, &l.out.counts, n)
	} else {
		o.ledger(l).accept(n)
	}
}

// accept enters messages that are queued.
func (a outLedger) accept(n Count) {
	a.link.accept(n)
	a.socket.accept(n)
}

// deliver enters queued messages that the transport has.
func (a outLedger) deliver(n Count) {
	a.link.deliver(n)
	a.socket.deliver(n)
}

// drop enters queued messages that will not be delivered.
func (a outLedger) drop(why Reason, n Count) {
	a.link.drop(why, n)
	a.socket.drop(why, n)
}

// write enters queued messages that the transport has, and that the peer is to acknowledge.
func (a outLedger) write(n Count) {
	a.link.write(n)
	a.socket.write(n)
}

// acknowledge enters messages that the peer has acknowledged.
func (a outLedger) acknowledge(n Count) {
	a.link.acknowledge(n)
	a.socket.acknowledge(n)
}

// recall makes messages that were not acknowledged queued ones again, for another peer.
func (a outLedger) recall(n Count) {
	a.link.recall(n)
	a.socket.recall(n)
}

// enterSent enters messages that Send has stored.
func (sp *spooled) enterSent(n Count) {
	sp.box.ledger(nil).accept(n)
	sp.respool(n)
}

// recover enters messages that were found in the store.
func (sp *spooled) recover(n Count) {
	sp.recovered.increase(n)
	sp.onDisk.increase(n)
}

// sentAfterAll makes messages that were found in the store such that Send has stored: it was slower than their reader.
func (sp *spooled) sentAfterAll(n Count) {
	sp.recovered.decrease(n)
	sp.box.unassigned.accepted.increase(n)
	sp.box.counts.accepted.increase(n)
}

// respool makes messages that are queued for no link such that are in the store alone.
func (sp *spooled) respool(n Count) {
	sp.box.unassigned.unqueue(n)
	sp.box.counts.unqueue(n)
	sp.onDisk.increase(n)
}

// unspool makes messages of the store queued ones, whose size is known now.
func (sp *spooled) unspool(n Count) {
	sp.weighSpooled(n)
	sp.onDisk.decrease(n)
	sp.box.unassigned.queued.increase(n)
	sp.box.counts.queued.increase(n)
}

// weighSpooled has at least so many bytes be spooled, and no more than that if there are no other messages: what was
// lost, found or settled unseen was taken for as much more or less.
func (sp *spooled) weighSpooled(n Count) {
	var more, less uint64
	switch has := sp.onDisk; {
	case has.Bytes < n.Bytes:
		more = n.Bytes - has.Bytes
	case has.Messages == n.Messages:
		less = has.Bytes - n.Bytes
	}
	if more == less {
		return
	}
	sp.onDisk.Bytes += more - less
	lossy := sp.lossy
	lost := sp.box.counts.dropped[lossy]
	switch {
	case lost.Messages > 0 && (less > 0 || lost.Bytes >= more):
		sp.box.counts.dropped.put(lossy, Count{lost.Messages, lost.Bytes + less - more})
	case sp.recovered.Bytes >= less:
		sp.recovered.Bytes += more - less
	default:
		sp.box.counts.delivered.increase(Count{Bytes: less})
	}
}

// spooledPart is so many of the messages that are spooled, of average size.
func (sp *spooled) spooledPart(messages uint64) Count {
	all := sp.onDisk
	messages = min(messages, all.Messages)
	if messages == all.Messages {
		return all
	}
	return Count{messages, all.Bytes / all.Messages * messages}
}

// miss enters messages that are accepted and dropped at once, and are never queued.
func (a outLedger) miss(why Reason, n Count) {
	a.accept(n)
	a.drop(why, n)
}

// requeue makes queued messages of one account queued messages of another: of a link that has them from the backlog, or
// of the backlog that has them from a lost link. To the socket it makes no difference.
func requeue(from, to *outCounts, n Count) {
	from.unqueue(n)
	from.requeued = from.requeued.plus(n)
	to.accept(n)
}

// retain makes messages that were not acknowledged over a link that is lost those of its session, or the session's
// those of the next link to the same peer.
func retain(from, to *outCounts, n Count) {
	from.unwrite(n)
	from.requeued = from.requeued.plus(n)
	to.accepted, to.unacked = to.accepted.plus(n), to.unacked.plus(n)
}

func (c *outCounts) accept(n Count) { // spelled out so that it is inlined in Send
	c.accepted.Messages += n.Messages
	c.accepted.Bytes += n.Bytes
	c.queued.Messages += n.Messages
	c.queued.Bytes += n.Bytes
}

func (c *outCounts) deliver(n Count) {
	c.unqueue(n)
	c.delivered = c.delivered.plus(n)
}

func (c *outCounts) drop(why Reason, n Count) {
	c.unqueue(n)
	c.dropped.add(why, n)
}

func (c *outCounts) write(n Count) {
	c.unqueue(n)
	c.unacked = c.unacked.plus(n)
}

func (c *outCounts) acknowledge(n Count) {
	c.unwrite(n)
	c.delivered = c.delivered.plus(n)
}

func (c *outCounts) recall(n Count) {
	c.unwrite(n)
	c.queued = c.queued.plus(n)
}

func (c *outCounts) unwrite(n Count) {
	if asserting && (c.unacked.Messages < n.Messages || c.unacked.Bytes < n.Bytes) {
		panic("socket: a ledger is to give up more than is unacknowledged")
	}
	c.unacked = c.unacked.minus(n)
}

func (c *outCounts) unqueue(n Count) {
	if asserting && (c.queued.Messages < n.Messages || c.queued.Bytes < n.Bytes) {
		panic("socket: a ledger is to give up more than is queued")
	}
	c.queued = c.queued.minus(n)
}

func (c *outCounts) fill(l *Ledger) {
	l.Accepted, l.Delivered, l.Queued, l.Requeued = c.accepted, c.delivered, c.queued, c.requeued
	l.Unacknowledged = c.unacked
	l.Dropped = maps.Clone(c.dropped)
}
