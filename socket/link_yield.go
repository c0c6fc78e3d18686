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
	if !r.stream && !r.reader.Flooding() { // it is going to wait
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
	r.yields = now
	if beside {
		fairness.YieldProcessor()
	}
	l.core.yielder.ForceNetpoll()
}
