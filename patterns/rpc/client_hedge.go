package rpc

import (
	"context"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/patterns/internal/balance"
)

// hedge waits for what becomes of attempt n of a call, which was sent, and if that takes long sends the call to a
// second replica beside it. The first of the two that comes to something which the call can come to wins, and the
// other is cancelled. It returns how many have had the call.
func (c *Client) hedge(
	ctx context.Context, out *outgoing, first *attempt, n int, tried *[]*replica,
) (res outcome, copies int) {
	late := time.NewTimer(out.hedge)
	defer late.Stop()
	select {
	case res := <-first.done:
		first.done <- res // as await takes it from there
		return c.await(ctx, out, first), 1
	case <-ctx.Done():
		return c.await(ctx, out, first), 1
	case <-late.C:
	}
	second := c.beside(ctx, out, n+1, *tried)
	if second == nil {
		return c.await(ctx, out, first), 1
	}
	out.hedged = true
	*tried = append(*tried, second.replica)
	select {
	case res := <-first.done:
		first.done <- res
	case res := <-second.done:
		second.done <- res
		first, second = second, first
	case <-ctx.Done():
	}
	res = c.await(ctx, out, first)
	if again, _ := out.again(&res); again && ctx.Err() == nil {
		return c.await(ctx, out, second), 2
	}
	c.abandon(second, ending(ctx))
	return res, 2
}

// beside sends a call, as its attempt n, to a replica that has not had it. It returns nil if there is none that takes
// it at once, or no budget left.
func (c *Client) beside(ctx context.Context, out *outgoing, n int, tried []*replica) *attempt {
	c.mu.Lock()
	now := time.Now()
	r, why, _ := c.set.Pick(now, func(r *replica) bool { return slices.Contains(tried, r) })
	if why != balance.Found {
		c.mu.Unlock()
		return nil
	}
	if !c.budget.Take(now) {
		c.set.Done(now, r, balance.Nothing)
		c.mu.Unlock()
		return nil
	}
	a := c.register(r, out)
	c.mu.Unlock()
	if c.unsent(ctx, a, a.conn.TrySend(a.request(ctx, out, n))) != nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counters.of(out.info.Method).Hedged++
	return a
}
