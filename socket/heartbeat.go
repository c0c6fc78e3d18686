package socket

import (
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// Signs of life (RFC 37, PING and PONG; libzmq ZMQ_HEARTBEAT_*). One timer a link looks at when bytes last came and when
// they last went:
//
//   - PING goes to peers that speak ZMTP 3.1, once an interval unless traffic in both directions makes it needless.
//   - Any byte from the peer is a sign of life, whole frame or not.
//   - A peer is dead after the timeout without one, or after the TTL of its own last PING.
//   - Backpressure is not death: while this side does not read, nothing is expected; while a peer that is not a Yodel
//     does not take what we write, its silence is put down to that. (A Yodel peer gives signs of life even then.)

// pingable reports whether PING may be sent: a 3.0 peer might hand it to its application.
func (l *link) pingable() bool { return l.direct == nil && l.sess.Version.HasCommands() }

// mayPong reports whether the peer understands PONG: it speaks 3.1, or has sent PING.
func (l *link) mayPong() bool { return l.pingable() || l.life.gap.Load() > 0 }

// startHeart begins to watch the link.
func (l *link) startHeart() {
	h := l.core.cfg.heartbeat
	if l.direct != nil || h.interval <= 0 || !l.pingable() {
		return
	}
	l.schedule(min(h.interval, h.timeout))
}

// schedule sets the next beat, and hasten brings it nearer. The timer is made on the first call.
func (l *link) schedule(in time.Duration) { l.setTimer(in, true) }

func (l *link) hasten(in time.Duration) { l.setTimer(in, false) }

func (l *link) setTimer(in time.Duration, later bool) {
	l.life.mu.Lock()
	defer l.life.mu.Unlock()
	select {
	case <-l.gone:
		return
	default:
	}
	due := l.core.now() + in
	if l.life.timer != nil && !later && due >= l.life.due {
		return
	}
	l.life.due = due
	if l.life.timer == nil {
		l.life.timer = time.AfterFunc(in, l.beat)
		return
	}
	l.life.timer.Reset(in)
}

func (l *link) stopHeart() {
	l.life.mu.Lock()
	defer l.life.mu.Unlock()
	if l.life.timer != nil {
		l.life.timer.Stop()
	}
}

// beat looks after the link once.
func (l *link) beat() {
	now := l.core.now()
	h := l.core.cfg.heartbeat
	read, wrote := time.Duration(l.life.read.Load()), time.Duration(l.life.wrote.Load())
	next := time.Duration(1<<63 - 1)
	if limit := l.allowed(); limit > 0 {
		switch {
		case l.life.paused.Load() || l.stuck():
			next = limit
		case now-read >= limit:
			l.fail(ErrHeartbeat)
			return
		default:
			next = read + limit - now
		}
	}
	if h.interval > 0 && l.pingable() {
		if now-read >= h.interval || now-wrote >= h.interval {
			l.sendPing()
		}
		next = min(next, h.interval)
	}
	l.schedule(next)
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

// stuck reports whether the peer's silence may come from not taking what we write.
func (l *link) stuck() bool {
	if l.peer.yodel {
		return false
	}
	l.core.out.mu.Lock()
	defer l.core.out.mu.Unlock()
	return l.out.writing
}

func (l *link) sendPing() {
	ttl := l.core.cfg.heartbeat.ttl
	l.sendCommand(func(b []byte) []byte { return zmtp.AppendPing(b, ttl, nil) })
}

// pinged answers a PING. A peer that sends PINGs and does not read the answers gets no more than a few of them.
func (l *link) pinged(ttl time.Duration, context []byte) {
	now := int64(l.core.now())
	if last := l.life.pinged.Swap(now); last != 0 {
		l.life.gap.Store(max(1, now-last))
	} else {
		l.life.gap.Store(int64(time.Second))
	}
	if l.life.ttl.Store(int64(ttl)); ttl > 0 {
		l.hasten(ttl)
	}
	l.sendPong(context)
}

func (l *link) sendPong(context []byte) {
	l.sendCommand(func(b []byte) []byte {
		if len(b) > maxPongs {
			return b
		}
		return zmtp.AppendPong(b, context)
	})
}

const maxPongs = 1 << 10

// signWhileReading tells a peer in the middle of a long frame, whose PING and our PONG wait behind it, that it arrives.
func (l *link) signWhileReading() {
	if l.mayPong() && l.core.now()-time.Duration(l.life.wrote.Load()) > time.Second {
		l.sendPong(nil)
	}
}

// sendCommand queues a command and sees to it that it is written.
func (l *link) sendCommand(encode func(b []byte) []byte) {
	box := &l.core.out
	box.mu.Lock()
	defer box.mu.Unlock()
	if box.closed {
		return
	}
	l.control(encode)
	l.start(false)
}
