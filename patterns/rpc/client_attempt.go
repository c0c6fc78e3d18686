package rpc

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/balance"
	"github.com/yodel-mq/yodel/patterns/internal/reply"
	"github.com/yodel-mq/yodel/socket"
)

// attempt sends a call to a replica, and to a second one if it is to be hedged, and waits for what becomes of it. It
// returns how many have had it, of which tried has the second too.
func (c *Client) attempt(
	ctx context.Context, out *outgoing, a *attempt, n int, tried *[]*replica,
) (res outcome, copies int) {
	if err := c.send(ctx, out, a, n); err != nil {
		res = outcome{peer: a.conn.Peer, lost: err}
		c.note(out, a, &res)
		return res, 1
	}
	if out.hedge > 0 && !out.hedged && n+1 < out.attempts {
		return c.hedge(ctx, out, a, n, tried)
	}
	return c.await(ctx, out, a), 1
}

// note remembers whether a handler may have begun a call, when an attempt of it is over.
func (c *Client) note(out *outgoing, a *attempt, res *outcome) {
	begun := !res.notBegun()
	out.ran = out.ran || begun
	if a.held != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		a.held.over(begun)
	}
}

// request is a call as attempt n sends it.
func (a *attempt) request(ctx context.Context, out *outgoing, n int) socket.Msg {
	head := patterns.Head{
		Method: out.info.Method, Type: out.typ, Key: out.key, Headers: out.info.Headers, Attempt: uint64(n),
		Window: out.window,
	}
	if end, ok := ctx.Deadline(); ok {
		head.Left = time.Until(end) // what is past is a millisecond
	}
	return a.message(&head, out.body)
}

// send sends a call. The error says why it was not sent.
func (c *Client) send(ctx context.Context, out *outgoing, a *attempt, n int) error {
	return c.unsent(ctx, a, a.conn.Send(ctx, a.request(ctx, out, n)))
}

// unsent gives up an attempt that could not be sent because of err, if that is not nil.
func (c *Client) unsent(ctx context.Context, a *attempt, err error) error {
	if err == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.giveUp(a, balance.Nothing)
	if errors.Is(err, socket.ErrPeerLost) && a.replica.conn == a.conn {
		a.replica.lost = time.Now()
		c.set.Down(a.replica.lost, a.replica) // which Down will tell of, once all that it sent has been seen
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// await waits for what becomes of a call that was sent.
func (c *Client) await(ctx context.Context, out *outgoing, a *attempt) (res outcome) {
	select {
	case res = <-a.done:
	case <-ctx.Done():
		if !c.abandon(a, ending(ctx)) {
			res = <-a.done
			break
		}
		res.lost = ctx.Err()
	}
	res.peer, res.sent = a.conn.Peer, true
	c.note(out, a, &res)
	return res
}

// ending is what it says of a replica that ctx has ended while it had a call.
func ending(ctx context.Context) balance.Outcome {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return balance.TimedOut
	}
	return balance.Nothing
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

// mayRetry tells whether a call may be tried again after what its last attempt has come to, and takes that from the
// budget.
func (c *Client) mayRetry(out *outgoing, last *outcome) bool {
	again, free := out.again(last)
	if !again || free {
		return again
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.budget.Take(time.Now())
}

// again tells whether what an attempt has come to is not what the call comes to, as long as another can be made; and
// whether that is free.
func (out *outgoing) again(last *outcome) (again, free bool) {
	switch {
	case errors.Is(last.lost, socket.ErrClosed):
		return false, false
	case last.lost != nil && !last.sent:
		return true, true
	case last.lost != nil:
		return out.idempotent || out.held != nil && serviceID(last.peer) != "", false
	case last.head.Code == patterns.CodeUnavailable && last.head.NotBegun: // it shuts down
		return true, true
	case last.head.Code == patterns.CodeOverloaded && last.head.NotBegun:
		return true, false
	case last.head.Code == patterns.CodeUnavailable, last.head.Code == patterns.CodeAborted:
		return out.idempotent, false
	default:
		return false, false
	}
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
	err := o.lost
	if err == nil {
		told := reply.ToError(&o.head, o.body)
		if !o.head.NotBegun || !out.ran {
			return told
		}
		err = told // which is true of this attempt only
	}
	return &CallError{
		Method: out.info.Method, Peer: o.peer, Attempts: attempts, MayHaveRun: o.sent && !o.head.NotBegun || out.ran,
		Err: err,
	}
}
