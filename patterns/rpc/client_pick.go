package rpc

import (
	"context"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/patterns/internal/balance"
	"github.com/yodel-mq/yodel/socket"
)

// pick registers an attempt at the best replica that was not tried, and waits for a first one if it may come.
func (c *Client) pick(ctx context.Context, out *outgoing, tried []*replica) (a *attempt, why balance.Why, err error) {
	for {
		c.mu.Lock()
		a, why, patience, err := c.choose(time.Now(), out, tried)
		if patience <= 0 {
			c.mu.Unlock()
			return a, why, err
		}
		change := c.change
		c.waiting++
		c.mu.Unlock()
		timer := time.NewTimer(patience)
		select {
		case <-change:
		case <-timer.C:
		case <-ctx.Done():
			err = ctx.Err()
		}
		timer.Stop()
		c.mu.Lock()
		c.waiting--
		c.mu.Unlock()
		if err != nil {
			return nil, why, err
		}
	}
}

// choose registers an attempt at a replica. If it has neither an attempt nor an error, one may come within patience, if
// that is more than 0. mu is held.
func (c *Client) choose(now time.Time, out *outgoing, tried []*replica) (
	a *attempt, why balance.Why, patience time.Duration, err error,
) {
	if c.closed {
		return nil, balance.NoReplica, 0, socket.ErrClosed
	}
	if out.held != nil && out.held.id != "" {
		out.ran = true // by an attempt that is out, if by none that is over; it may be that of a call which began with this
		return c.sameAgain(now, out)
	}
	var had func(*replica) bool
	if len(tried) > 0 {
		had = func(r *replica) bool { return slices.Contains(tried, r) }
	}
	r, why, _ := c.set.Pick(now, had)
	if why == balance.Overloaded && tried == nil { // the first attempt goes to the one that is likely to be ready first
		if busy, ok := c.set.PickBusy(); ok {
			r, why = busy, balance.Found
		}
	}
	switch why {
	case balance.Found:
		return c.register(r, out), why, 0, nil
	case balance.NoReplica:
		return nil, why, c.patience(now), nil
	default:
		return nil, why, 0, nil
	}
}

// patience returns for how long a call waits for a replica that may come. mu is held.
func (c *Client) patience(now time.Time) (d time.Duration) {
	if !c.served {
		d = c.born.Add(c.cfg.patience).Sub(now)
	}
	for _, until := range c.trying {
		d = max(d, until.Sub(now))
	}
	return d
}

// register makes an attempt that has an id of its own. mu is held.
func (c *Client) register(r *replica, out *outgoing) *attempt {
	for {
		c.lastID++
		if _, late := r.late[c.lastID]; r.calls[c.lastID] == nil && !late {
			break
		}
	}
	a := &attempt{replica: r, conn: r.conn, id: c.lastID, method: out.info.Method, done: make(chan outcome, 1)}
	r.calls[a.id] = a
	if out.held != nil && r.id != "" {
		a.held = out.held
		a.held.begin(r)
	}
	return a
}
