package socket

import (
	"time"

	"github.com/yodel-mq/yodel/transport"
)

// Heartbeats (RFC 37, PING and PONG; libzmq ZMQ_HEARTBEAT_*). From time to time a link is checked
// (link_heartbeat_timer.go):
//
//   - Any byte from the peer is a sign of life, whole frame or not. A peer is dead after the timeout without one, or
//     after the TTL of its own last PING.
//   - A PING is due one interval after the last byte received, rounded down to a multiple of an eighth of the
//     interval, so that the timers of many idle peers coincide: 8 wake-ups an interval, whatever the number of peers.
//     Only peers that speak ZMTP 3.1 get PING. It asks the peer to drop us after the TTL; if nothing else goes to the
//     peer for most of that time, a PONG takes the request back. None is sent while bytes wait to be read: they are
//     what it would ask for.
//   - Backpressure is not death. While this side does not read, nothing is expected of the peer, and a peer that would
//     time out gets a PONG nobody asked for as a keepalive. While a peer that is not a Yodel does not take what we
//     write, or has not come to our PING behind all that it has not read yet, its silence is put down to that, as long
//     as its host answers the kernel; a Yodel sends keepalives even then. A peer that was sent the end of our stream is
//     not asked for signs of life any more: its host's answers are all that counts. The silence that counts begins
//     after such a time.
//   - Nor is a stall of this process: when a check comes late, what the peer sent meanwhile may still wait to be read.
//   - A peer that says 3.1 and hangs up on its first PING, as the Erlang implementation chumak does, is no worse for
//     it the next time: it is treated as a 3.0 peer (endpoint_known.go).
//   - Nothing is sent that is not needed. To write to a peer that has closed makes the kernels throw away what that
//     peer sent last and we have not read yet. So a peer that is not a Yodel, of which we do not know whether it beats,
//     gets signs of life while we are behind only if it can be seen to have more to write than there is room for: on
//     this host. That it has not closed would not do: it may close before it has read them, which is as bad.

// pingable reports whether PING may be sent: a 3.0 peer might hand it to its application, and some that say 3.1
// cannot stand it.
func (l *link) pingable() bool {
	return l.life.pingable
}

// startHeartbeat begins to check the link.
func (l *link) startHeartbeat() {
	h := l.core.cfg.heartbeat
	if h.interval <= 0 || !l.pingable() {
		return
	}
	l.probeWithin(int(h.timeout.Milliseconds() / 4)) // the heartbeat timeout then shows whether the host answers
	l.core.heartbeats.schedule(l, min(l.pingDue()-l.core.now(), h.timeout))
}

// pingDue is when PING is to go if nothing comes until then: for all the socket's links at one of a few points in
// time.
func (l *link) pingDue() time.Duration {
	every := l.core.cfg.heartbeat.interval
	due := time.Duration(max(l.life.read.Load(), l.life.ping.Load())) + every
	if grid := every / 8; grid > 0 {
		due -= due % grid
	}
	return due
}

// check checks the link once, so late after its deadline, and sets the next deadline. A PING that comes meanwhile may
// ask for an earlier one.
func (l *link) check(late time.Duration) {
	now := l.core.now()
	h := l.core.cfg.heartbeat
	next := never
	l.payAcks()
	if by := time.Duration(l.life.closeAt.Load()); by > 0 {
		if now >= by {
			l.failLater(l.endingCause())
			return
		}
		next = by - now
	}
	next = min(next, l.checkDrain(now))
	look, slow := l.checkFull(now)
	if slow {
		l.failLater(ErrSlow)
		return
	}
	next = min(next, look)
	if limit := l.allowed(); limit > 0 {
		silence, look := l.silence(now, limit, late)
		if silence >= limit {
			l.core.heartbeats.running.Go(func() { l.cutOff(ErrHeartbeat) })
			return
		}
		next = min(next, look)
	}
	if h.interval > 0 && l.pingable() {
		if now >= l.pingDue() && !l.life.paused.Load() && !l.unread() {
			l.sendPing(h.ttl)
		}
		next = min(next, max(l.pingDue()-now, h.interval/8))
	}
	if since := time.Duration(l.life.ttlPending.Load()); since > 0 {
		left := since + h.ttl*2/3 - now
		if left <= 0 {
			l.sendKeepalive()
		} else {
			next = min(next, left)
		}
	}
	next = min(next, l.core.in.checkRate(l, late), l.core.in.checkStarved(l), l.checkRefused(now))
	if next < never {
		l.core.heartbeats.schedule(l, next)
	}
}

// failLater is fail for check: other links do not wait for a transport whose Close takes its time.
func (l *link) failLater(cause error) {
	l.core.heartbeats.running.Go(func() { l.fail(cause) })
}

// silence is how long the peer has owed a sign of life, and when to look again.
func (l *link) silence(now, limit, late time.Duration) (silent, look time.Duration) {
	stuck := l.stuck() || l.behind()
	if l.life.paused.Load() || late > limit/8 || stuck && !l.hostSilent() {
		l.life.graceUntil.Store(int64(now))
	}
	silent = now - time.Duration(max(l.life.read.Load(), l.life.graceUntil.Load()))
	if silent >= limit && l.unread() {
		l.life.graceUntil.Store(int64(now)) // it is we who are late
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
	return known && l.out.total-int64(state.Untaken) < l.life.pingOffset.Load()
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
