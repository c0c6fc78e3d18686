package socket

import (
	"time"

	"github.com/yodel-mq/yodel/socket/internal/fairness"
)

// yield lets other goroutines run in place of a reader that always finds something, from time to time, so that one
// busy peer does not starve a quiet one. Whoever reads the link calls it after each read.
func (l *link) yield() {
	r := &l.reading
	now := time.Duration(l.life.read.Load())
	if !r.stream && !r.reader.LastReadFull() { // it is going to wait
		r.yields = now
		return
	}
	every, beside := fairness.NetpollInterval, l.core.in.members.Load() > 1
	if beside {
		every = fairness.YieldInterval
	}
	if now-r.yields < every {
		return
	}
	if beside {
		l.core.yield()
	} else {
		l.core.yielder.ForceNetpoll()
	}
	r.yields = fairness.Resume(now, l.core.now())
}

// busy is since when receivers have always found something. It is guarded by the inbox's recv.
type busy struct {
	since   time.Duration
	yielded time.Duration // when one has let others go first, until the next look at the clock
	taken   int           // messages taken since a look at the clock
}

// lookAfter is how many messages are taken between two looks at the clock.
const lookAfter = 16

// mayYield reports whether a receiver that has just taken something is to let others go first: it has always found
// something for a YieldInterval, so that it has been as bad for quiet peers as a reader that does. recv is held.
func (q *inbox) mayYield() bool {
	if q.members.Load() < 2 {
		return false
	}
	b := &q.busy
	if b.taken++; b.taken < lookAfter && q.prefetch.link == nil {
		return false
	}
	b.taken = 0
	now := q.env.now()
	switch {
	case b.yielded > 0:
		b.since, b.yielded = fairness.Resume(b.yielded, now), 0
	case b.since == 0:
		b.since = now
	}
	if now-b.since < fairness.YieldInterval {
		return false
	}
	b.yielded = now
	return true
}

// yield lets others go first: other threads, and those goroutines whose connections have become readable.
func (c *core) yield() {
	fairness.YieldProcessor()
	c.yielder.ForceNetpoll()
}
