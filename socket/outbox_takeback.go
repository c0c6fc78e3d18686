package socket

// TakeBack takes back messages that Send has accepted and that have not begun to leave, those of which match returns
// true, as for calls that nobody waits for any more. They are dropped, and counted as [GivenUp]; the result is how many
// they are. There is room for others then.
//
// What was written to a connection, or is being written, is past that, over inproc everything that a peer has been
// sent; so is what a reliable peer that was lost is to be sent again, and what is in a spool. match is called with each
// message that waits, oldest first for each peer, and with a lock held for which every Send waits: it must be quick,
// call no method of the socket, and neither change nor keep the frames.
func (s *Dealer) TakeBack(match func(Msg) bool) (n int) {
	if s.out.spooled != nil {
		return 0
	}
	return s.out.takeBack(match)
}

func (o *outbox) takeBack(match func(Msg) bool) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return 0
	}
	n = o.takeBackWaiting(match)
	var freed []*link
	for _, l := range o.links {
		if w, ok := l.carrier.(*wire); ok {
			if k := w.takeBack(match); k > 0 {
				n += k
				freed = append(freed, l)
			}
		}
	}
	for _, l := range freed { // not before: it has messages of the backlog be placed
		l.reopen()
	}
	if n > 0 {
		o.drained()
		o.spaceWaiters.WakeAll()
	}
	return n
}

// takeBackWaiting takes messages out of the backlog.
func (o *outbox) takeBackWaiting(match func(Msg) bool) (n int) {
	b, kept := &o.backlog, 0
	for range b.n {
		m := b.queue.pop()
		if !match(m) {
			b.queue.push(m)
			kept++
			continue
		}
		b.attempts.remove(kept, 1)
		b.further -= m.further()
		o.ledger(nil).drop(GivenUp, m.count())
		n++
	}
	return n
}

// takeBack takes messages out of the open batch, which is encoded anew without them.
func (w *wire) takeBack(match func(Msg) bool) int {
	l := w.link
	o := &l.out
	if o.dead || o.stored != nil || o.open.empty() {
		return 0
	}
	ahead := int(o.counts.queued.Messages - o.open.count.Messages) // in flight
	_, waiting, _ := o.open.undo(0, nil)
	var taken Count
	for _, m := range waiting {
		if !match(Msg{Frames: m.Frames}) {
			o.open.append(m)
			continue
		}
		o.attempts.remove(ahead+int(o.open.count.Messages), 1)
		taken.add(m.Size())
	}
	if taken.Messages > 0 {
		l.dropped(GivenUp, taken)
	}
	return int(taken.Messages)
}
