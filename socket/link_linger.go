package socket

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/yodel-mq/yodel/transport"
)

// hangUp closes the connection. A half-closed one, of which the peer has not read everything, is left to a
// lingeringClose.
func (l *link) hangUp() {
	l.out.box.mu.Lock()
	linger := l.out.ending && (l.out.counts.delivered.Messages > 0 || l.in.stream != nil)
	l.out.box.mu.Unlock()
	if state, known := l.inspect(); !linger || !known || state.Ended || l.core.lingering.Load() >= maxLingering {
		l.conn.Close()
		return
	}
	_ = l.conn.SetReadDeadline(longAgo) // frees who reads
	l.core.lingering.Add(1)
	lingeringClose{l.conn, l.conn.(transport.Inspector), &l.core.lingering}.begin()
}

// maxLingering is how many connections of a socket are left open at a time.
const maxLingering = 256

// A lingeringClose keeps a half-closed connection open until the peer has closed, for at most lingerMost, after the
// socket has: without a goroutine or anything in memory but this. Closed sooner, it would answer the next byte of the
// peer, such as a PONG, with a reset, and the kernel would throw away what it has not taken yet. The end of the
// process closes it too.
type lingeringClose struct {
	conn net.Conn
	look transport.Inspector
	open *atomic.Int32 // how many there are
}

const (
	lingerMost = 2 * time.Minute
	lingerLook = 100 * time.Millisecond // the first look, later ones come less often
)

func (c lingeringClose) begin() {
	begin := time.Now()
	var timer *time.Timer
	next := lingerLook
	look := func() {
		state, known := c.look.Inspect()
		if !known || state.Ended || time.Since(begin) > lingerMost {
			c.conn.Close()
			c.open.Add(-1)
			return
		}
		next = min(2*next, time.Second)
		timer.Reset(next)
	}
	timer = time.AfterFunc(time.Hour, look)
	timer.Reset(next)
}
