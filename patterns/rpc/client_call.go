package rpc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/balance"
)

// Call calls a method of a service and returns its reply: for an error of the handler a [*patterns.Error], and where
// no reply has come a [*CallError]. It returns when ctx ends, which the handler learns, or after WithTimeout.
//
// The call goes to the replica with fewest calls out. If it is lost before any handler can have begun, or refused, it
// goes to another one; see [Idempotent], [Once], [Hedge] and [Attempts] for more.
func Call[Resp, Req any](ctx context.Context, c *Client, method string, req Req, opts ...CallOption) (Resp, error) {
	var resp Resp
	err := c.call(ctx, method, req, callConfigOf(opts), func(codec patterns.Codec, body []byte) error {
		return codec.Decode(body, &resp)
	})
	return resp, err
}

// An outgoing is a call of a client.
type outgoing struct {
	callConfig
	info   *Info
	body   []byte
	typ    string
	window uint64 // credit for the first items, of a call with streams
	held   *holder
	hedged bool // it was sent to a second replica while the first had it
	ran    bool // a handler may have begun, by an attempt that is over or by an earlier call with the same key
}

func (c *Client) call(ctx context.Context, method string, req any, cfg callConfig,
	decode func(patterns.Codec, []byte) error,
) error {
	if _, ok := ctx.Deadline(); !ok && c.cfg.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.cfg.timeout)
		defer cancel()
	}
	return c.invoke(ctx, method, cfg, func(ctx context.Context, out *outgoing) error {
		if out.hedge > 0 && !out.idempotent {
			return fmt.Errorf("rpc: call %s: %w", method, errHedge)
		}
		if err := c.encode(out, req); err != nil {
			return err
		}
		res, err := c.attempts(ctx, out)
		if err != nil {
			return err
		}
		return c.decode(&res, decode)
	})
}

// encode makes a request of a value.
func (c *Client) encode(out *outgoing, req any) (err error) {
	if out.body, out.typ, err = encode(c.codecs[0], req); err != nil {
		return fmt.Errorf("rpc: call %s: the request: %w", out.info.Method, err)
	}
	head := patterns.Head{Method: out.info.Method, Type: out.typ, Key: out.key, Headers: out.info.Headers}
	if err := head.Validate(); err != nil {
		return fmt.Errorf("rpc: call %s: %w", out.info.Method, err)
	}
	return nil
}

func (c *Client) decode(res *outcome, decode func(patterns.Codec, []byte) error) error {
	codec, err := c.codecs.of(res.head.Type)
	if err == nil {
		err = decode(codec, res.body)
	}
	if err != nil {
		return patterns.Errorf(patterns.CodeInternal, "the reply: %w", err)
	}
	return nil
}

// invoke makes a call within the middleware, and counts it.
func (c *Client) invoke(ctx context.Context, method string, cfg callConfig,
	do func(context.Context, *outgoing) error,
) error {
	if err := validName(method); err != nil {
		return err
	}
	begin := time.Now()
	out := &outgoing{callConfig: cfg, info: &Info{Method: method, Headers: patterns.HeadersFrom(ctx), Key: cfg.key}}
	err := through(ctx, c.cfg.middleware, out.info, func(ctx context.Context) error { return do(ctx, out) })
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.counters.of(method)
	m.Calls++
	m.Busy += time.Since(begin)
	if err != nil {
		m.Failed++
	}
	if errors.Is(err, ErrOverloaded) {
		m.Overloaded++
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		m.Canceled++
	}
	return err
}

// attempts sends a call to one replica after the other until there is a reply that stands.
func (c *Client) attempts(ctx context.Context, out *outgoing) (outcome, error) {
	var last outcome
	var tried []*replica
	if ctx.Err() != nil { // a send takes what there is room for
		return last, &CallError{Method: out.info.Method, Err: ctx.Err()}
	}
	c.earn()
	if out.key != "" && !out.idempotent {
		c.hold(out)
		defer c.release(out.held)
	}
	for n := 0; ; {
		a, err := c.next(ctx, out, &last, n, &tried)
		if err != nil {
			return last, err
		}
		tried = append(tried, a.replica)
		var copies int
		last, copies = c.attempt(ctx, out, a, n, &tried)
		n += copies
		out.info.Peer = last.peer
		if last.lost == nil {
			out.info.Trailers = last.head.Headers
			if last.head.Code == "" {
				return last, nil
			}
		}
		if n >= out.attempts || ctx.Err() != nil || !c.mayRetry(out, &last) {
			return last, last.err(out, n)
		}
	}
}

// next begins attempt n of a call. The error is that of the call, which is over: of the last attempt, if there was
// one.
func (c *Client) next(ctx context.Context, out *outgoing, last *outcome, n int, tried *[]*replica) (*attempt, error) {
	// Whoever has not begun leaves no trace, so that another one can at once, if the call may go there.
	if n > 0 && (!last.notBegun() || c.bound(out)) && !pause(ctx, n-1) {
		return nil, last.err(out, n)
	}
	a, why, err := c.pick(ctx, out, *tried)
	if why == balance.Tried { // all have had it: again from the first
		*tried = nil
		if last.notBegun() && !pause(ctx, n-1) {
			return nil, last.err(out, n)
		}
		a, why, err = c.pick(ctx, out, nil)
	}
	switch {
	case err != nil:
		return nil, &CallError{
			Method: out.info.Method, Peer: last.peer, Attempts: n, MayHaveRun: out.ran, Err: err,
		}
	case why == balance.Found:
		if n > 0 {
			c.mu.Lock()
			c.counters.of(out.info.Method).Retried++
			c.mu.Unlock()
		}
		return a, nil
	case n > 0 && (last.lost == nil || out.ran):
		return nil, last.err(out, n)
	}
	c.mu.Lock()
	failure := c.failure
	c.mu.Unlock()
	if failure == nil {
		failure = ErrNoResponders
	} else {
		failure = fmt.Errorf("%w: %w", ErrNoResponders, failure)
	}
	return nil, &CallError{Method: out.info.Method, Err: failure}
}

// pause waits before retry n, and tells whether there is time left.
func pause(ctx context.Context, n int) bool {
	d := balance.Pause(n, rand.Float64())
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
