package socket

import (
	"time"
)

// The way out of one link, cheapest case first:
//
//   - Busy: offer appends the encoded frames to the open batch under the outbox's lock, about 30 ns for a small
//     message. No goroutine is woken: the one in drain comes back for the batch when its write returns.
//   - Idle: the goroutine that sends also writes, by one non-blocking attempt (start, writeNow): one system call, no
//     other goroutine involved.
//   - In between, a stream that starts: after a message that came right behind the last one, start leaves the writing
//     to drain, in a goroutine that lives as long as there is something to write.
//
// All methods are called with core.out.mu held, except drain and writeNow.

// offer gives the link a message, unless it is full or dead.
func (l *link) offer(m *parcel) bool {
	if l.direct != nil {
		return l.direct.offer(m)
	}
	o := &l.out
	if o.full || o.dead {
		return false
	}
	conflate := o.overflow == Conflate
	if conflate {
		l.dropOpen()
	}
	if m.wire != nil {
		o.open.addEncoded(m.wire, m.size)
	} else {
		o.open.add(m.frames, m.size)
	}
	if len(m.frames) > 1 {
		o.open.further += uint64(len(m.frames)) - 1
	}
	o.attempts.add(int(o.queued.Messages), m.begun)
	o.queued.add(m.size)
	o.counts.accepted.add(m.size)
	if !conflate && l.core.cfg.sendMark.reached(o.load()) {
		o.full = true
		l.filled()
	}
	return true
}

// another is the short way of a message behind others of its kind: into the run that is kept for a peer in this
// process, or into the batch that a writer comes back for. It is for a socket with one peer, and costs about half of
// what the way through offer does.
func (l *link) another(m Msg, size int) bool {
	if l.direct != nil {
		return l.direct.another(m, size)
	}
	o := &l.out
	if !o.writing || o.full || o.dead || len(m.Frames) != 1 || !o.open.another(m.Frames[0]) {
		return false
	}
	o.queued.add(size)
	o.counts.accepted.add(size)
	if l.core.cfg.sendMark.reached(o.load()) {
		o.full = true
		l.filled()
	}
	l.core.out.accept(size)
	return true
}

// control appends a command, which no high-water mark holds back.
func (l *link) control(encode func(b []byte) []byte) {
	if l.out.dead {
		return
	}
	l.out.control = encode(l.out.control)
}

// start sees to it that what was put on the link gets written. If it returns true the caller must unlock and call
// writeNow; alone says that the caller may, for it has nothing else to write.
func (l *link) start(alone bool) (byCaller bool) {
	o := &l.out
	if o.writing || o.dead || l.direct != nil {
		return false
	}
	o.writing = true
	if alone && l.try != nil && (l.core.out.requestReply || !l.pace.streaming(l.core.now())) && l.take() {
		if len(o.vec) == 1 {
			return true
		}
	}
	l.spawn()
	return false
}

// take moves what waits into flight, unless something is in flight already. It returns false if there is nothing.
func (l *link) take() bool {
	o := &l.out
	l.hear()
	if o.dead || len(o.vec) == 0 && len(o.control) == 0 && o.open.empty() {
		return false
	}
	if len(o.vec) > 0 {
		return true
	}
	o.control, o.ctlBusy = o.ctlBusy[:0], o.control
	if !o.behind { // no message overtakes a subscription
		o.open, o.flight = o.flight, o.open
	}
	if len(o.ctlBusy) > 0 {
		o.vec = append(o.vec, o.ctlBusy)
	}
	o.vec = o.flight.vectors(o.vec)
	return true
}

// writeNow writes as much as goes without waiting. The caller is the link's writer and has something in flight.
func (l *link) writeNow() {
	var n int
	err := l.writable()
	if err == nil {
		n, err = l.try.TryWrite(l.out.vec[0])
	}
	box := &l.core.out
	box.mu.Lock()
	l.wrote(n, err)
	if l.out.dead || len(l.out.vec) == 0 && l.out.open.empty() && len(l.out.control) == 0 && !l.out.behind {
		l.pace.idle(l.core.now())
		l.rest()
	} else {
		l.spawn()
	}
	box.mu.Unlock()
	if err != nil {
		l.endOut(err)
	}
}

// spawn starts drain; a method value made once saves an allocation each time.
func (l *link) spawn() {
	l.core.wg.Add(1)
	go l.out.drain()
}

// drain writes until nothing is left. It runs in its own goroutine, one at most for each link.
func (l *link) drain() {
	defer l.core.wg.Done()
	box := &l.core.out
	var err error
	box.mu.Lock()
	for err == nil && l.take() {
		box.mu.Unlock()
		var n int
		n, err = l.write()
		box.mu.Lock()
		l.wrote(n, err)
	}
	l.pace.idle(l.core.now())
	l.rest()
	box.mu.Unlock()
	if err != nil {
		l.endOut(err)
	}
}

// write writes what is in flight, whole.
func (l *link) write() (int, error) {
	if err := l.writable(); err != nil {
		return 0, err
	}
	o := &l.out
	if len(o.vec) == 1 {
		return l.conn.Write(o.vec[0])
	}
	o.rest = o.vec // WriteTo takes off what it has written
	n, err := o.rest.WriteTo(l.conn)
	return int(n), err
}

// wrote accounts for n more bytes written.
func (l *link) wrote(n int, err error) {
	o := &l.out
	o.written += n
	o.total += int64(n)
	if n > 0 {
		l.life.wrote.Store(int64(l.core.now()))
	}
	if err != nil {
		o.dead = true
		return
	}
	if len(o.vec) == 1 && n < len(o.vec[0]) { // only writeNow, with one vector, writes in part without an error
		o.vec[0] = o.vec[0][n:]
		return
	}
	clear(o.vec)
	o.vec = o.vec[:0]
	done := o.flight.count
	if done.Messages > 0 {
		l.life.armed.Store(0)
	}
	o.flight.recycle()
	o.written = 0
	if cap(o.ctlBusy) > slabSize {
		o.ctlBusy = nil // a large resubscription is over
	}
	l.core.out.delivered(l, done)
	l.reopen()
}

// reopen lets messages in again once the queue is down to half.
func (l *link) reopen() {
	o := &l.out
	if o.full && !o.dead && l.core.cfg.sendMark.cleared(o.load()) {
		o.full = false
		l.opened()
	}
}

// opened tells those who wait that this link has room, and reports the messages that found it full.
func (l *link) opened() {
	l.out.filled, l.out.named = 0, false
	if l.out.burst > 0 {
		l.core.events.add(Event{Kind: Dropped, Endpoint: l.ep.name, Peer: l.peer, Reason: QueueFull, Count: l.out.burst})
		l.out.burst = 0
	}
	l.core.out.opened()
}

// rest ends the caller's turn as the link's writer.
func (l *link) rest() {
	l.out.writing = false
	l.settle()
}

// settle closes the books of a link that has left the socket, once nobody writes to it.
func (l *link) settle() {
	o := &l.out
	if !o.removed || o.writing || o.isSettled {
		return
	}
	o.isSettled = true
	delivered, unsent, begun := o.flight.undo(max(0, o.written-len(o.ctlBusy)))
	_, waiting, _ := o.open.undo(0)
	if l.direct != nil {
		unsent = l.direct.unsent()
	}
	l.core.out.delivered(l, delivered)
	unsent = append(unsent, waiting...)
	if begun && l.core.out.keeps {
		unsent = l.begun(unsent)
	}
	l.core.out.recovered(l, unsent)
	o.vec, o.control, o.ctlBusy = nil, nil, nil
	close(o.settled)
}

// dropOpen drops what has not begun to leave, for Conflate.
func (l *link) dropOpen() {
	n := l.out.open.count
	l.out.open.recycle()
	l.dropped(QueueFull, n)
}

// dropped counts queued messages of this link as lost.
func (l *link) dropped(why Reason, n Count) {
	l.out.queued = l.out.queued.minus(n)
	l.out.counts.dropped.add(why, n)
	l.answered(n.Messages)
	box := &l.core.out
	box.counts.queued = box.counts.queued.minus(n)
	box.counts.dropped.add(why, n)
}

// missed counts a message that was for this link and that it did not take.
func (l *link) missed(why Reason, size int) {
	n := Count{1, uint64(size)}
	l.out.counts.accepted = l.out.counts.accepted.plus(n)
	l.out.counts.dropped.add(why, n)
	box := &l.core.out
	box.counts.accepted = box.counts.accepted.plus(n)
	box.counts.dropped.add(why, n)
}

// refused counts a message that was for this link and found it full.
func (l *link) refused(size int) {
	l.missed(QueueFull, size)
	l.out.burst++
	l.nameSlow()
}

// A pace tells a lone message from a stream. It is shared by the links among which a socket spreads its messages.
type pace struct{ last time.Duration }

// streamGap is the time between the end of one write and the next message below which a stream is assumed. A round
// trip over loopback takes at least twice as long.
const streamGap = 3 * time.Microsecond

func (p *pace) streaming(now time.Duration) bool { return now-p.last < streamGap }
func (p *pace) idle(now time.Duration)           { p.last = now }
