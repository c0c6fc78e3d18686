package socket

import (
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// What is sent for the heartbeat's sake: PING, the PONGs that answer the peer's, and keepalives, which are PONGs that
// answer nothing.

func (l *link) sendPing() {
	now := int64(l.core.now())
	if l.life.ping.Load() <= l.life.read.Load() {
		l.core.out.mu.Lock()
		l.life.pingOffset.Store(l.out.total)
		l.core.out.mu.Unlock()
	}
	l.life.ping.Store(now)
	l.life.pings.Add(1)
	l.life.ttlPending.Store(now)
	ttl := l.core.cfg.heartbeat.ttl
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
	}
}

// answer answers the PINGs that one read has brought, and acknowledges messages if much is owed.
func (l *link) answer() {
	r := &l.reading
	if r.ackDue {
		r.ackDue = false
		l.payAcks()
	}
	if !r.pinged {
		return
	}
	now := int64(l.core.now())
	// The shortest time between two counts, or before the first: PINGs that waited behind what we did not read come
	// late. A bunch of them says nothing.
	gap := now - l.life.pinged.Swap(now)
	if known := l.life.peerInterval.Load(); gap >= int64(minGap) && (known == 0 || gap < known) {
		l.life.peerInterval.Store(gap)
	}
	if l.life.ttl.Store(int64(r.ttl)); r.ttl > 0 {
		l.core.heartbeats.schedule(l, r.ttl)
	}
	l.sendPongs(r.pongs)
	r.pinged, r.pongs = false, r.pongs[:0]
	if cap(r.pongs) > maxKeepaliveBytes {
		r.pongs = nil // a flood, or what waited while we did not read
	}
}

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
	every := time.Duration(l.life.peerInterval.Load()) / 2
	if l.peer.yodel {
		every = l.peer.heartbeatTimeout * 2 / 3
	}
	if every == 0 {
		return 0
	}
	return max(every, minKeepaliveInterval)
}

// keepAlive sends a keepalive if one is due.
func (l *link) keepAlive() {
	if every := l.keepaliveInterval(); every > 0 && l.keepaliveDue(every) <= 0 {
		if end := l.peerEnd(); end != nil {
			l.endOut(end)
			return
		}
		l.sendKeepalive()
	}
}

// keepaliveDue is the time left until the next keepalive.
func (l *link) keepaliveDue(every time.Duration) time.Duration {
	return time.Duration(l.life.wrote.Load()) + every - l.core.now()
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
