package socket

import "time"

// The way out of one link, cheapest case first:
//
//   - Busy: somebody is writing to the connection already. offer only encodes the message into the open batch, under
//     the outbox's lock, about 30 ns for a small one. No goroutine is woken: the writer comes back for the batch when
//     its write returns.
//   - Idle: the caller of Send also writes, by one attempt that does not wait (writeNow): one system call, and no other
//     goroutine has to run.
//   - A stream begins: the message comes so soon after the last write that more are to be expected (rateDetector). The
//     writing is left to a goroutine (writeLoop), so that the next messages gather in the open batch meanwhile. It ends
//     when there is nothing to write.
//
// What is being written is in link_flight.go. All methods are called with core.out.mu held, but for writeLoop and
// writeNow.

// control adds a command. It goes ahead of the messages that wait, and no high-water mark holds it back.
func (l *link) control(encode func(b []byte) []byte) {
	if l.out.silent() {
		return
	}
	l.out.control = encode(l.out.control)
}

// start sees to it that what waits on the link gets written. If it returns true the caller must unlock and call
// writeNow; alone says that the caller may, because it has nothing else to write. Most calls find a writer and return
// at once, which is why that part is small enough to be inlined.
func (l *link) start(alone bool) (byCaller bool) {
	return !l.out.writing && l.carrier.startWriting(alone)
}

func (w *wire) startWriting(alone bool) (byCaller bool) {
	l := w.link
	o := &l.out
	if o.silent() {
		return false
	}
	o.writing = true
	if alone && l.try != nil && (l.out.box.requestReply || !l.sendRate.coalesce(l.out.box.env.now())) && l.load() {
		if l.flight.single() {
			return true
		}
	}
	l.spawn()
	return false
}

// load moves what waits into flight, unless something is in flight already. It returns false if there is nothing to
// write. The caller is the link's writer.
func (l *link) load() bool {
	o := &l.out
	l.loadSubscriptions()
	switch {
	case o.silent():
		return false
	case !l.flight.empty():
		return true
	case o.behind: // no message overtakes a subscription
		l.flight.load(&o.control, nil)
	case o.session != nil:
		o.session.load(l)
	default:
		o.further = o.open.further
		l.flight.load(&o.control, &o.open)
	}
	return !l.flight.empty()
}

// writeNow writes as much as goes without waiting. The caller is the link's writer and has something in flight.
func (l *link) writeNow() {
	var n int
	err := l.writable()
	if err == nil {
		n, err = l.flight.tryWrite(l.try)
	}
	box := l.out.box
	box.mu.Lock()
	l.onWritten(n, err)
	if o := &l.out; o.silent() || l.flight.empty() && o.open.empty() && len(o.control) == 0 && !o.behind && !l.resends() {
		l.handBack()
	} else {
		l.spawn()
	}
	box.mu.Unlock()
	if err != nil {
		l.endOut(err)
	}
}

// spawn leaves the writing to a goroutine.
func (l *link) spawn() {
	l.out.box.env.writers.Add(1)
	go l.out.writeLoop()
}

// writeLoop writes until nothing is left. It runs in its own goroutine, one at most for each link.
//
// In a stream such a goroutine is started for every second write, and to grow its stack beyond the 2 KiB it begins with
// would take longer than all else that is done for a write. So what is seldom needed on the way down from here, and
// takes room, is in functions of its own: tellBurst, placeOldest, session.takeOver, Sender.enterEarly.
func (l *link) writeLoop() {
	defer l.out.box.env.writers.Done()
	box := l.out.box
	var err error
	box.mu.Lock()
	for err == nil && l.load() {
		box.mu.Unlock()
		var n int
		if err = l.writable(); err == nil {
			n, err = l.flight.write(l.conn)
		}
		box.mu.Lock()
		l.onWritten(n, err)
	}
	l.handBack()
	box.mu.Unlock()
	if err != nil {
		l.endOut(err)
	}
}

// onWritten accounts for n more bytes written.
func (l *link) onWritten(n int, err error) {
	o := &l.out
	o.total += int64(n)
	if n > 0 {
		l.life.wrote.Store(int64(l.out.box.env.now()))
	}
	whole := l.flight.advance(n)
	if err != nil {
		o.fallSilent()
	} else if whole {
		l.written(l.flight.land())
	}
}

// written is called when a batch is on the wire whole, settled when it is done with. Where the peer acknowledges
// messages, the link's session comes between the two; what goes to any other is done with once the kernel has it.
func (l *link) written(b *batch) {
	if b.count.Messages > 0 {
		l.life.ttlPending.Store(0)
		if s := l.out.session; s != nil {
			s.keep(l, b)
			return
		}
	}
	l.settled(b)
}

func (l *link) settled(b *batch) {
	n := b.count
	b.recycle()
	l.out.further = 0
	if l.out.finished { // Close did not wait any longer
		return
	}
	l.out.box.delivered(l, n)
	l.reopen()
}

// reopen lets messages in again once the queue is down to half.
func (l *link) reopen() {
	o := &l.out
	if o.full && !o.dead && o.limit.cleared(o.load()) && (o.session == nil || o.session.hasRoom()) {
		o.full = false
		l.hasOpened()
	}
}

// hasOpened tells callers that wait that this link has room, and reports the messages that found it full.
func (l *link) hasOpened() {
	l.out.filled, l.out.named = 0, false
	if l.out.burst > 0 {
		l.tellBurst()
	}
	l.out.box.onRoom()
}

// tellBurst reports the messages that found this link full.
func (l *link) tellBurst() {
	l.out.box.env.events.add(Event{
		Kind: Dropped, Endpoint: l.ep.name, Peer: l.peer, Reason: QueueFull, Count: l.out.burst,
	})
	l.out.burst = 0
}

// handBack ends the writing: the caller, who was the writer, leaves the flight to the next one.
func (l *link) handBack() {
	l.sendRate.wrote(time.Duration(l.life.wrote.Load()))
	l.out.writing = false
	l.finish()
	if l.out.box.writeWaiters.Len() > 0 {
		l.out.box.writeWaiters.WakeAll()
	}
}

// finish accounts for what a link that has left the socket did not write, once nobody writes to it.
func (l *link) finish() {
	o := &l.out
	if !o.removed || o.writing || o.finished {
		return
	}
	o.finished = true
	if o.session != nil && o.joined {
		o.session.lose(l)
		close(o.done)
		return
	}
	o.box.loseOpened(l)
	delivered, unsent, begun := l.carrier.undo()
	l.out.box.delivered(l, delivered)
	if o.feeder() != nil {
		o.feeder().takeBack(l, begun)
		close(o.done)
		return
	}
	if begun && l.out.box.keeps {
		unsent = l.begun(unsent)
	}
	l.out.box.requeue(l, l.unpin(unsent))
	l.out.box.onRoom()
	close(o.done)
}

// dropped counts queued messages of this link as lost.
func (l *link) dropped(why Reason, n Count) {
	l.out.box.ledger(l).drop(why, n)
	l.answered(n.Messages)
}

// A rateDetector tells whether messages come so fast that several are better written together. It is shared by the
// links over which a socket spreads its messages.
type rateDetector struct{ last time.Duration }

// coalesceGap is the time between the end of one write and the next message below which more messages are expected. A
// round trip over loopback takes at least twice as long.
const coalesceGap = 3 * time.Microsecond

// coalesce reports whether a message that comes now should wait for those behind it.
func (r *rateDetector) coalesce(now time.Duration) bool { return now-r.last < coalesceGap }

// wrote notes the end of a write.
func (r *rateDetector) wrote(now time.Duration) { r.last = now }
