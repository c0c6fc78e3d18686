package socket

import (
	"time"

	"github.com/yodel-mq/yodel/socket/internal/fairness"
)

// yield lets other goroutines run in place of a reader that always finds something, from time to time, so that one
// busy peer does not starve a quiet one. Whoever reads the link calls it after each read.
func (l *link) yield() {
	t := &l.in.turn
	now := time.Duration(l.life.read.Load())
	if !t.stream && !t.reader.Flooding() { // it is going to wait
		t.yields = now
		return
	}
	every, beside := fairness.NetpollInterval, l.core.in.members.Load() > 1
	if beside {
		every = fairness.YieldInterval
	}
	if now-t.yields < every {
		return
	}
	t.yields = now
	if beside {
		fairness.YieldProcessor()
	}
	l.core.yielder.ForceNetpoll()
}
