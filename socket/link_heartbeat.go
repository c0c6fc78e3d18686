package socket

import (
	"time"

	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// Signs of life (RFC 37, PING and PONG; libzmq ZMQ_HEARTBEAT_*). Now and then (link_heartbeat_timer.go) one looks at
// when bytes last came from a peer:
//
//   - Any byte from the peer is a sign of life, whole frame or not. A peer is dead after the timeout without one, or
//     after the TTL of its own last PING.
//   - PING goes to peers that speak ZMTP 3.1 after an interval in which nothing came, or up to an eighth of one
//     sooner: an idle process with a thousand peers wakes up eight times in that time, not a thousand times. It asks
//     the peer to drop us after the TTL; if nothing else goes to the peer for most of that time, a PONG takes it
//     back.
//   - Backpressure is not death. While this side does not read, nothing is expected, and peers that would lose
//     patience get a PONG from time to time. While a peer that is not a Yodel does not take what we write, or has not
//     come to our PING behind all that it has not read yet, its silence is put down to that, as long as its host
//     answers the kernel; a Yodel gives signs of life even then. A peer that was sent the end of our stream is not
//     asked for signs any more: its host's answers are all that counts. The silence that counts begins after it.
//   - Nor is a stall of this process: when a beat comes late, what the peer sent meanwhile may still wait to be read.
//   - A peer that says 3.1 and hangs up on its first PING, as the Erlang implementation chumak does, is no worse for
//     it the next time: it is treated as a 3.0 peer (endpoint_known.go).
//   - Nothing is sent that is not needed. To write to a peer that has closed makes the kernels throw away what that
//     peer sent last and we have not read yet.

// pingable reports whether PING may be sent: a 3.0 peer might hand it to its application, and some that say 3.1 cannot
// stand it.
func (l *link) pingable() bool {
	return l.life.pingable
}

// startHeart begins to watch the link.
func (l *link) startHeart() {
	h := l.core.cfg.heartbeat
	if h.interval <= 0 || !l.pingable() {
		return
	}
	l.probeWithin(int(h.timeout.Milliseconds() / 4)) // the heartbeat timeout then shows whether the host answers
	l.core.heart.hasten(l, min(l.pingDue()-l.core.now(), h.timeout))
}

// pingDue is when PING is to go if nothing comes until then: for all the socket's links at one of a few points in time.
func (l *link) pingDue() time.Duration {
	every := l.core.cfg.heartbeat.interval
	due := time.Duration(max(l.life.read.Load(), l.life.ping.Load())) + every
	if grid := every / 8; grid > 0 {
		due -= due % grid
	}
	return due
}

// beat looks after the link once, so late after it was due. A PING that comes meanwhile may ask for a beat before the
// one found here.
func (l *link) beat(late time.Duration) {
	now := l.core.now()
	h := l.core.cfg.heartbeat
	next := never
	if by := time.Duration(l.life.retired.Load()); by > 0 {
		if now >= by {
			l.failLater(ErrDisconnected)
			return
		}
		next = by - now
	}
	look, slow := l.checkFull(now)
	if slow {
		l.failLater(ErrSlow)
		return
	}
	next = min(next, look)
	if limit := l.allowed(); limit > 0 {
		silence, look := l.silence(now, limit, late)
		if silence >= limit {
			l.core.heart.running.Go(l.giveUp)
			return
		}
		next = min(next, look)
	}
	if h.interval > 0 && l.pingable() {
		if now >= l.pingDue() && !l.life.paused.Load() {
			l.sendPing()
		}
		next = min(next, max(l.pingDue()-now, h.interval/8))
	}
	if armed := time.Duration(l.life.armed.Load()); armed > 0 {
		left := armed + h.ttl*2/3 - now
		if left <= 0 {
			l.sendSign()
		} else {
			next = min(next, left)
		}
	}
	next = min(next, l.core.in.checkRate(l, late), l.core.in.checkStarved(l), l.checkRefused(now))
	if next < never {
		l.core.heart.hasten(l, next)
	}
}

// failLater is fail for the heart: other links do not wait for a transport whose Close takes its time.
func (l *link) failLater(cause error) {
	l.core.heart.running.Go(func() { l.fail(cause) })
}

// silence is how long the peer has owed a sign of life, and when to look again.
func (l *link) silence(now, limit, late time.Duration) (silent, look time.Duration) {
	stuck := l.stuck() || l.behind()
	if l.life.paused.Load() || late > limit/8 || stuck && !l.hostSilent() {
		l.life.excused.Store(int64(now))
	}
	silent = now - time.Duration(max(l.life.read.Load(), l.life.excused.Load()))
	if silent >= limit && l.unread() {
		l.life.excused.Store(int64(now)) // it is we who are late
		silent = 0
	}
	look = limit - silent
	if _, known := l.conn.(transport.Inspector); stuck && known {
		look = min(look, limit/8)
	}
	return silent, look
}

// stuck reports whether the peer's silence may come from not taking what we write, or from not being asked any more.
func (l *link) stuck() bool {
	l.core.out.mu.Lock()
	defer l.core.out.mu.Unlock()
	return l.out.ending || l.out.writing && !l.peer.yodel
}

// behind reports whether a peer that is not a Yodel has not come to our PING yet, because it has not read what went
// before.
func (l *link) behind() bool {
	if l.peer.yodel || l.life.ping.Load() <= l.life.read.Load() {
		return false
	}
	state, known := l.inspect()
	l.core.out.mu.Lock()
	defer l.core.out.mu.Unlock()
	return known && l.out.total-int64(state.Untaken) < l.life.asked.Load()
}

// inVain is how many times in a row a host has to leave the kernel without an answer to count as silent: once may be
// the time that an answer takes.
const inVain = 2

// hostSilent reports whether the peer's host, too, does not answer.
func (l *link) hostSilent() bool {
	state, known := l.inspect()
	return known && state.Unanswered >= inVain
}

// unread reports whether bytes have come that nobody has read yet.
func (l *link) unread() bool {
	state, known := l.inspect()
	return known && state.Unread > 0
}

// allowed is the silence after which the peer counts as dead, 0 for any.
func (l *link) allowed() (limit time.Duration) {
	if h := l.core.cfg.heartbeat; h.interval > 0 && l.pingable() {
		limit = h.timeout
	}
	if ttl := time.Duration(l.life.ttl.Load()); ttl > 0 && (limit == 0 || ttl < limit) {
		limit = ttl
	}
	return limit
}

func (l *link) sendPing() {
	now := int64(l.core.now())
	if l.life.ping.Load() <= l.life.read.Load() {
		l.core.out.mu.Lock()
		l.life.asked.Store(l.out.total)
		l.core.out.mu.Unlock()
	}
	l.life.ping.Store(now)
	l.life.pings.Add(1)
	l.life.armed.Store(now)
	ttl := l.core.cfg.heartbeat.ttl
	l.sendCommand(true, func(b []byte) []byte {
		if len(b) > maxSigns {
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

// answer answers the PINGs that one read has brought.
func (l *link) answer() {
	r := &l.reading
	if !r.pinged {
		return
	}
	now := int64(l.core.now())
	// The shortest time between two counts, or before the first: PINGs that waited behind what we did not read come
	// late. A bunch of them says nothing.
	gap := now - l.life.pinged.Swap(now)
	if known := l.life.gap.Load(); gap >= int64(minGap) && (known == 0 || gap < known) {
		l.life.gap.Store(gap)
	}
	if l.life.ttl.Store(int64(r.ttl)); r.ttl > 0 {
		l.core.heart.hasten(l, r.ttl)
	}
	l.sendPongs(r.pongs)
	r.pinged, r.pongs = false, r.pongs[:0]
	if cap(r.pongs) > maxSigns {
		r.pongs = nil // a flood, or what waited while we did not read
	}
}

// sendPongs sends PONGs that are encoded already. A peer that does not read them gets no more than a few.
func (l *link) sendPongs(pongs []byte) {
	l.life.armed.Store(0)
	l.sendCommand(true, func(b []byte) []byte {
		if len(b) > maxSigns {
			return b
		}
		return append(b, pongs...)
	})
}

// sendSign sends a sign of life that the peer did not ask for.
func (l *link) sendSign() { l.sendPongs(bareSign) }

var bareSign = zmtp.AppendPong(nil, nil)

// How many bytes of signs of life may wait for a peer that takes nothing, before the last PONGs of one write, and how
// many bytes of PONGs make one write.
const (
	maxSigns = 1 << 10
	maxPongs = 16 << 10
)

// minSign bounds how often a peer gets a sign of life unasked, however short the silence is that it says it bears.
const minSign = 25 * time.Millisecond

// minGap is the time between two of the peer's PINGs below which they count as one bunch.
const minGap = 10 * time.Millisecond

// signEvery is how often the peer needs a sign of life while its PINGs may wait unread, 0 for never. A Yodel has told
// how long it bears silence; any other peer is known by its PINGs.
func (l *link) signEvery() time.Duration {
	every := time.Duration(l.life.gap.Load()) / 2
	if l.peer.yodel {
		every = l.peer.patience * 2 / 3
	}
	if every == 0 {
		return 0
	}
	return max(every, minSign)
}

// sign gives a sign of life if it is time for one.
func (l *link) sign() {
	if every := l.signEvery(); every > 0 && l.signDue(every) <= 0 {
		if end := l.peerEnd(); end != nil {
			l.endOut(end)
			return
		}
		l.sendSign()
	}
}

// signDue is the time left until the next sign of life.
func (l *link) signDue(every time.Duration) time.Duration {
	return time.Duration(l.life.wrote.Load()) + every - l.core.now()
}

// sendCommand queues a command and sees to it that it is written. With alone, as for PING and PONG, the caller
// writes, as far as that goes without waiting, and wakes nobody; a run of commands is left to writeLoop.
func (l *link) sendCommand(alone bool, encode func(b []byte) []byte) {
	box := &l.core.out
	box.mu.Lock()
	now := false
	if !box.closed {
		l.control(encode)
		now = l.start(alone)
	}
	box.mu.Unlock()
	if now {
		l.writeNow()
	}
}
