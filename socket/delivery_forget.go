package socket

import (
	"context"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
)

// What was taken of streams that nothing is heard of any more is forgotten (WithForget).

const (
	defaultForget = 7 * 24 * time.Hour
	forgetEvery   = time.Hour
)

// forget runs until the socket closes. It does nothing at first: who was away for as long as this socket was comes back
// then.
func (c *core) forget(ctx context.Context) {
	q, after := c.cfg.taken(), c.cfg.forget
	if after < 0 {
		return
	}
	for {
		select {
		case <-time.After(min(forgetEvery, after)):
		case <-ctx.Done():
			return
		}
		for _, s := range c.in.heard() {
			if _, _, known := q.Taken(s.from.Stream); known {
				_ = q.Take(ctx, s.from, s.low, nil, false) // if that fails it is forgotten too soon, at worst
			}
		}
		_, _ = q.Forget(ctx, after) // the next time, if it fails
	}
}

// A heardStream is a stream that has a link now.
type heardStream struct {
	from spool.Sender
	low  uint64
}

func (q *inbox) heard() (all []heardStream) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range q.streams {
		if s.owner != nil {
			all = append(all, heardStream{s.from, s.low})
		}
	}
	return all
}
