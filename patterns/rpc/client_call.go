package rpc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/balance"
	"github.com/yodel-mq/yodel/patterns/internal/reply"
	"github.com/yodel-mq/yodel/socket"
)

// Call calls a method of a service and returns its reply: for an error of the handler a [*patterns.Error], and where
// no reply has come a [*CallError]. It returns when ctx ends, which the handler learns, or after WithTimeout.
//
// The call goes to the replica with fewest calls out. If it is lost before any handler can have begun, or refused, it
// goes to another one; see [Idempotent] and [Attempts] for more.
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
	head := patterns.Head{Method: out.info.Method, Type: out.typ, Headers: out.info.Headers}
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
	out := &outgoing{callConfig: cfg, info: &Info{Method: method, Headers: patterns.HeadersFrom(ctx)}}
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
	for n := 0; ; n++ {
		a, err := c.next(ctx, out, &last, n, &tried)
		if err != nil {
			return last, err
		}
		tried = append(tried, a.replica)
		out.info.Peer = a.conn.Peer
		last = c.attempt(ctx, out, a, n)
		if last.lost == nil {
			out.info.Trailers = last.head.Headers
			if last.head.Code == "" {
				return last, nil
			}
		}
		if n+1 >= out.attempts || ctx.Err() != nil || !c.mayRetry(out, &last) {
			return last, last.err(out, n+1)
		}
	}
}

// next begins attempt n of a call. The error is that of the call, which is over: of the last attempt, if there was
// one.
func (c *Client) next(ctx context.Context, out *outgoing, last *outcome, n int, tried *[]*replica) (*attempt, error) {
	if n > 0 && !last.notBegun() { // whoever has not begun leaves no trace, so that another can at once
		if !pause(ctx, n-1) {
			return nil, last.err(out, n)
		}
	}
	a, why, err := c.pick(ctx, out.info.Method, *tried)
	if why == balance.Tried { // all have had it: again from the first
		*tried = nil
		if last.notBegun() && !pause(ctx, n-1) {
			return nil, last.err(out, n)
		}
		a, why, err = c.pick(ctx, out.info.Method, nil)
	}
	switch {
	case err != nil:
		return nil, &CallError{Method: out.info.Method, Attempts: n, Err: err}
	case why == balance.Found:
		if n > 0 {
			c.mu.Lock()
			c.counters.of(out.info.Method).Retried++
			c.mu.Unlock()
		}
		return a, nil
	case n > 0 && (last.lost == nil || last.sent):
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

// pick registers an attempt at the best replica that was not tried, and waits for a first one if it may come.
func (c *Client) pick(ctx context.Context, method string, tried []*replica) (
	a *attempt, why balance.Why, err error,
) {
	var had func(*replica) bool
	if len(tried) > 0 {
		had = func(r *replica) bool { return slices.Contains(tried, r) }
	}
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return nil, balance.NoReplica, socket.ErrClosed
		}
		now := time.Now()
		var r *replica
		if r, why, _ = c.set.Pick(now, had); why == balance.Found {
			a = c.register(r, method)
			c.mu.Unlock()
			return a, why, nil
		}
		patience, change := c.patience(now), c.change
		if why == balance.Overloaded && tried == nil { // the first attempt goes to the one that is likely to be ready first
			if r, ok := c.set.PickBusy(); ok {
				a = c.register(r, method)
				c.mu.Unlock()
				return a, balance.Found, nil
			}
		}
		if why != balance.NoReplica || patience <= 0 {
			c.mu.Unlock()
			return nil, why, nil
		}
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
func (c *Client) register(r *replica, method string) *attempt {
	for {
		c.lastID++
		if _, late := r.late[c.lastID]; r.calls[c.lastID] == nil && !late {
			break
		}
	}
	a := &attempt{replica: r, conn: r.conn, id: c.lastID, method: method, done: make(chan outcome, 1)}
	r.calls[a.id] = a
	return a
}

// attempt sends a call to a replica and waits for what becomes of it.
func (c *Client) attempt(ctx context.Context, out *outgoing, a *attempt, n int) outcome {
	if err := c.send(ctx, out, a, n); err != nil {
		return outcome{peer: a.conn.Peer, lost: err}
	}
	return c.await(ctx, a)
}

// send sends a call. The error says why it was not sent.
func (c *Client) send(ctx context.Context, out *outgoing, a *attempt, n int) error {
	head := patterns.Head{
		Method: out.info.Method, Type: out.typ, Headers: out.info.Headers, Attempt: uint64(n), Window: out.window,
	}
	if end, ok := ctx.Deadline(); ok {
		head.Left = time.Until(end) // what is past is a millisecond
	}
	err := a.conn.Send(ctx, a.message(&head, out.body))
	if err == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.giveUp(a, balance.Nothing)
	if errors.Is(err, socket.ErrPeerLost) && a.replica.conn == a.conn {
		c.set.Down(time.Now(), a.replica) // which Down will tell of, once all that it sent has been seen
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// await waits for what becomes of a call that was sent.
func (c *Client) await(ctx context.Context, a *attempt) (res outcome) {
	select {
	case res = <-a.done:
	case <-ctx.Done():
		late := errors.Is(ctx.Err(), context.DeadlineExceeded)
		o := balance.Nothing
		if late {
			o = balance.TimedOut
		}
		if !c.abandon(a, o) {
			res = <-a.done
			break
		}
		res.lost = ctx.Err()
	}
	res.peer, res.sent = a.conn.Peer, true
	return res
}

// abandon gives a call up and tells the replica so, which knows its deadline itself. It tells whether it was out
// still.
func (c *Client) abandon(a *attempt, o balance.Outcome) bool {
	c.mu.Lock()
	out := c.giveUp(a, o)
	c.mu.Unlock()
	if out && o != balance.TimedOut && a.conn.Converses() {
		_ = a.conn.TrySend(a.message(&patterns.Head{Kind: patterns.KindCancel}, nil))
	}
	return out
}

// giveUp takes an attempt out of the table whose caller does not wait any more, and tells whether it was there. mu is
// held.
func (c *Client) giveUp(a *attempt, o balance.Outcome) bool {
	r := a.replica
	if r.conn != a.conn || r.calls[a.id] != a {
		return false
	}
	if r.late == nil {
		r.late = make(map[uint32]string)
	}
	for id := range r.late {
		if len(r.late) < maxLate {
			break
		}
		delete(r.late, id)
	}
	r.late[a.id] = a.method
	c.forget(a, o)
	return true
}

func (a *attempt) message(head *patterns.Head, body []byte) socket.Msg {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 64), a.id)
	b = head.AppendTo(b)
	frames := [][]byte{b[:4:4], nil, b[4:], body}
	if head.Kind != patterns.KindMessage && body == nil {
		frames = frames[:3]
	}
	return socket.Msg{Frames: frames}
}

func (c *Client) earn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.budget.Earn()
}

// mayRetry tells whether a call may be tried again after what its last attempt has come to.
func (c *Client) mayRetry(out *outgoing, last *outcome) bool {
	switch {
	case errors.Is(last.lost, socket.ErrClosed):
		return false
	case last.lost != nil && !last.sent:
		return true
	case last.lost != nil:
		if !out.idempotent {
			return false
		}
	case last.head.Code == patterns.CodeUnavailable && last.head.NotBegun: // it shuts down
		return true
	case last.head.Code == patterns.CodeOverloaded && last.head.NotBegun:
	case last.head.Code == patterns.CodeUnavailable, last.head.Code == patterns.CodeAborted:
		if !out.idempotent {
			return false
		}
	default:
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.budget.Take(time.Now())
}

// An outcome is what has become of an attempt: a reply, or lost.
type outcome struct {
	head patterns.Head
	body []byte
	lost error
	peer *socket.Peer
	sent bool // so that a handler may have begun
}

func (o *outcome) notBegun() bool { return o.lost != nil && !o.sent || o.head.NotBegun }

// err is the error of a call whose last attempt this is, after so many.
func (o *outcome) err(out *outgoing, attempts int) error {
	if o.lost != nil {
		return &CallError{Method: out.info.Method, Peer: o.peer, Attempts: attempts, MayHaveRun: o.sent, Err: o.lost}
	}
	return reply.ToError(&o.head, o.body)
}
