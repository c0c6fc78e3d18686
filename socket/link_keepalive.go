package socket

import (
	"time"

	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// What is sent for the heartbeat's sake: PING, the PONGs that answer the peer's, and keepalives, which are PONGs that
// answer nothing.

func (l *link) sendPing(ttl time.Duration) {
	now := int64(l.core.now())
	if l.life.ping.Load() <= l.life.read.Load() {
		l.core.out.mu.Lock()
		l.life.pingOffset.Store(l.out.total)
		l.core.out.mu.Unlock()
	}
	l.life.ping.Store(now)
	l.life.pings.Add(1)
	l.timePing(now)
	if ttl == 0 { // takes back what an earlier one asked for
		now = 0
	}
	l.life.ttlPending.Store(now)
	l.sendCommand(func(b []byte) []byte {
		if len(b) > maxKeepaliveBytes {
			return b // the peer takes nothing: one PING that waits is as good as many
		}
		return zmtp.AppendPing(b, ttl, nil)
	})
}

// heard notes a PING or PONG of the peer.
func (l *link) heard() {
	if !l.life.answered.Load() {
		l.life.answered.Store(true)
		l.core.known.answered(l)
	}
}

// pinged takes note of a PING. Answers to the PINGs that one read brings leave together.
func (l *link) pinged(ttl time.Duration, context []byte) {
	r := &l.reading
	r.pinged, r.ttl = true, ttl
	r.pongs = zmtp.AppendPong(r.pongs, context)
	if len(r.pongs) >= maxPongs {
		l.answer()
		if len(r.pongs) > 0 { // not now; the last of a flood will do
			r.pongs = zmtp.AppendPong(r.pongs[:0], context)
		}
	}
}

// answer answers the PINGs that one read has brought, and acknowledges messages if much is owed.
func (l *link) answer() {
	r := &l.reading
	if r.ackDue {
		r.ackDue = false
		l.payAcks()
	}
	if r.pinged {
		r.pinged = false
		l.noteInterval()
		if l.life.ttl.Store(int64(r.ttl)); r.ttl > 0 {
			l.core.heartbeats.schedule(l, r.ttl)
		}
	}
	if len(r.pongs) > 0 && l.staysOpen() {
		l.sendOwed()
	}
}

// sendOwed sends the PONGs that are owed.
func (l *link) sendOwed() {
	r := &l.reading
	l.sendPongs(r.pongs)
	r.pongs = r.pongs[:0]
	if cap(r.pongs) > maxKeepaliveBytes {
		r.pongs = nil // a flood, or what waited while we did not read
	}
}

// noteInterval notes how often the peer sends PING.
func (l *link) noteInterval() {
	now := int64(l.core.now())
	// The shortest time between two counts: PINGs that waited behind what we did not read come late. A bunch of them says
	// nothing. Nor does the time before the first, if that may have waited.
	before := l.life.pinged.Swap(now)
	switch gap, known := now-before, l.life.peerInterval.Load(); {
	case gap < int64(minGap):
	case before == 0 && l.life.behind.Load():
		l.life.peerInterval.Store(min(gap, int64(2*guessedInterval)))
		l.life.guessed.Store(true)
	case l.life.guessed.Swap(false), known == 0, gap < known:
		l.life.peerInterval.Store(gap)
	}
}

// staysOpen reports whether the peer may be written to though what it has sent last may be under way still: its kernel
// throws that away if it closes before it has read what is written. A Yodel waits for our end of stream before it
// closes. Another one on this host that closes does so as soon as it has written everything, so that one which has, and
// has stood open for a while since, is not about to. What is not written now is to be tried again soon.
func (l *link) staysOpen() bool {
	if l.peer.yodel || !l.unread() {
		return true
	}
	far, ok := l.conn.(transport.FarInspector)
	if !ok {
		return true
	}
	if end := l.farEnd(); end != nil {
		l.endOut(end)
		return false
	}
	if _, known := far.FarOpen(); !known || far.Harmless() {
		l.life.openSince.Store(0)
		return true
	}
	now := int64(l.core.now())
	l.life.openSince.CompareAndSwap(0, now)
	return now-l.life.openSince.Load() >= min(max(l.life.peerInterval.Load()/4, int64(openLeast)), int64(openMost))
}

// How long a peer that has written everything must have stood open: a quarter of the time between its PINGs, within
// these bounds. It bears silence for longer than that time.
const (
	openLeast = 10 * time.Millisecond
	openMost  = 100 * time.Millisecond
)

// sendPongs sends PONGs that are encoded already. A peer that does not read them gets no more than a few.
func (l *link) sendPongs(pongs []byte) {
	l.life.ttlPending.Store(0)
	l.sendCommand(func(b []byte) []byte {
		if len(b) > maxKeepaliveBytes {
			return b
		}
		return append(b, pongs...)
	})
}

// sendKeepalive sends a PONG that the peer did not ask for.
func (l *link) sendKeepalive() { l.sendPongs(bareKeepalive) }

var bareKeepalive = zmtp.AppendPong(nil, nil)

// How many bytes of PING and PONG may wait for a peer that takes nothing, before the last PONGs of one write, and how
// many bytes of PONGs make one write.
const (
	maxKeepaliveBytes = 1 << 10
	maxPongs          = 16 << 10
)

// minKeepaliveInterval bounds how often a peer gets a keepalive, however short the heartbeat timeout is that it
// claims.
const minKeepaliveInterval = 25 * time.Millisecond

// minGap is the time between two of the peer's PINGs below which they count as one bunch.
const minGap = 10 * time.Millisecond

// keepaliveInterval is how often the peer needs a keepalive while its PINGs may wait unread, 0 for never. A Yodel has
// told its heartbeat timeout; that of any other peer is guessed from the time between its PINGs.
func (l *link) keepaliveInterval() time.Duration {
	if l.peer.yodel {
		return atLeast(minKeepaliveInterval, l.peer.heartbeatTimeout*2/3)
	}
	every := time.Duration(l.life.peerInterval.Load()) / 2
	if l.life.paused.Load() && (every == 0 || every > guessedInterval) && l.mayGuess() {
		every = guessedInterval
	}
	return atLeast(minKeepaliveInterval, every)
}

// atLeast is d, or least if d is less and not zero.
func atLeast(least, d time.Duration) time.Duration {
	if d == 0 {
		return 0
	}
	return max(d, least)
}

// guessedInterval is how often a peer gets a keepalive while it is not read and its PINGs do not tell: the first may
// lie behind more than its patience lasts for. A libzmq counts from when it has written a PING, and takes any frame for
// an answer.
const guessedInterval = 100 * time.Millisecond

// mayGuess reports whether a peer may be taken for one that beats before it is known to: one of which can be known what
// becomes of it. What is written to one that has closed, or that closes before it has read it, costs all that its
// kernel still holds, and peers that close behind a backlog are many, those that beat from their first message on are
// few.
func (l *link) mayGuess() bool {
	const unknown, yes, no = 0, 1, 2
	far, ok := l.conn.(transport.FarInspector)
	if !ok || !l.pingable() {
		return false
	}
	if l.life.guess.Load() == unknown {
		guess := int32(no)
		if _, known := far.FarOpen(); known {
			guess = yes
		}
		l.life.guess.Store(guess)
	}
	return l.life.guess.Load() == yes
}

// keepAlive sends a keepalive if one is due. It is called by whoever reads.
func (l *link) keepAlive() { l.keepAliveAt(l.core.now()) }

// keepAliveRead is keepAlive right after a read, whose time it goes by: most reads need no second look at the clock.
func (l *link) keepAliveRead() { l.keepAliveAt(time.Duration(l.life.read.Load())) }

func (l *link) keepAliveAt(now time.Duration) {
	every := l.keepaliveInterval()
	if every == 0 || l.keepaliveDue(every, now) > 0 {
		return
	}
	if end := l.farEnd(); end != nil {
		l.endOut(end)
		return
	}
	if !l.peer.yodel && !l.isHeldUp() && (l.life.pinged.Load() == 0 || !l.staysOpen()) {
		return
	}
	if !l.peer.yodel && !l.life.answered.Load() {
		l.sendPing(0) // one that cannot stand it is recognised by that
		return
	}
	if len(l.reading.pongs) > 0 {
		l.sendOwed()
		return
	}
	l.sendKeepalive()
}

// isHeldUp reports whether a peer on this host waits for us with what it has to write yet, so that it has neither
// closed nor is about to: it reads what we write first. One that has written everything loses nothing by giving us up.
func (l *link) isHeldUp() bool {
	far, ok := l.conn.(transport.FarInspector)
	return ok && far.Harmless()
}

// keepaliveDue is the time left until the next keepalive.
func (l *link) keepaliveDue(every, now time.Duration) time.Duration {
	return time.Duration(l.life.wrote.Load()) + every - now
}

// sendCommand queues a command and sees to it that it is written. The caller writes, as far as that goes without
// waiting, and wakes nobody.
func (l *link) sendCommand(encode func(b []byte) []byte) {
	box := &l.core.out
	box.mu.Lock()
	now := false
	if !box.closed {
		l.control(encode)
		now = l.start(true)
	}
	box.mu.Unlock()
	if now {
		l.writeNow()
	}
}
