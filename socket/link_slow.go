package socket

import "time"

// A peer whose queue has been full for some time is named by an event and, if the application has asked for that, cut
// off (WithSlowPeer). A queue is full from its high-water mark on until it is down to half.

// filled notes that the queue is full. core.out.mu is held.
func (l *link) filled() {
	o, env := &l.out, &l.out.box.env
	if o.filled != 0 {
		return
	}
	o.filled = max(1, env.now())
	if next := min(orNever(env.cfg.slowAfter), orNever(env.cfg.slowLimit)); next < never {
		env.schedule(l, next)
	}
}

// orNever is a time after which something is due, never if it is none.
func orNever(d time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return never
}

// checkFull names a peer whose queue has been full for too long. It returns when to look again, and whether the peer
// is to be cut off now.
func (l *link) checkFull(now time.Duration) (next time.Duration, cut bool) {
	o := &l.out
	cfg := o.box.env.cfg
	o.box.mu.Lock()
	defer o.box.mu.Unlock()
	if o.filled == 0 || o.dead {
		return never, false
	}
	long := now - o.filled
	next = min(orNever(cfg.slowAfter-long), orNever(cfg.slowLimit-long))
	if cfg.slowAfter > 0 && long >= cfg.slowAfter {
		l.nameSlow()
	}
	return next, cfg.slowLimit > 0 && long >= cfg.slowLimit
}

// nameSlow adds a SlowPeer event, once until the peer's queue has room again. core.out.mu is held.
func (l *link) nameSlow() {
	if !l.out.named {
		l.out.named = true
		l.out.box.env.events.add(Event{Kind: SlowPeer, Endpoint: l.ep.name, Peer: l.peer})
	}
}
