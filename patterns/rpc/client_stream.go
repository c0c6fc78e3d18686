package rpc

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/balance"
)

// Source calls a method that answers with items ([HandleSource]) and yields them. To leave the loop cancels the call.
// If it ends otherwise than by the end of the stream, the last that is yielded is an error, as [Call] returns it.
// Without a deadline in ctx there is none: WithTimeout is not for streams. A call whose first item was yielded is not
// tried again.
//
// The iterator is to be used once.
func Source[Item, Req any](
	ctx context.Context, c *Client, method string, req Req, opts ...CallOption,
) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		left := false
		err := c.invoke(ctx, method, callConfigOf(opts), func(ctx context.Context, out *outgoing) error {
			if err := c.encode(out, req); err != nil {
				return err
			}
			return c.streamed(ctx, out, func(ctx context.Context, a *attempt) error {
				return receive(ctx, c, out, a, yield, &left)
			})
		})
		if err != nil && !left {
			yield(*new(Item), err)
		}
	}
}

// Sink calls a method whose request is any number of items ([HandleSink]) and returns its reply, as [Call] does. It
// asks for items as the service has room for them. If the reply comes before they are all sent the rest is not asked
// for.
func Sink[Resp, Item any](
	ctx context.Context, c *Client, method string, items iter.Seq[Item], opts ...CallOption,
) (resp Resp, err error) {
	err = c.invoke(ctx, method, callConfigOf(opts), func(ctx context.Context, out *outgoing) error {
		return c.streamed(ctx, out, func(ctx context.Context, a *attempt) error {
			if err := c.feed(ctx, a, encoded(c, items)); err != nil && ctx.Err() == nil {
				return err
			}
			res := c.await(ctx, out, a)
			if err := c.close(out, &res); err != nil {
				return err
			}
			return c.decode(&res, func(codec patterns.Codec, body []byte) error { return codec.Decode(body, &resp) })
		})
	})
	return resp, err
}

// Duplex calls a method that gets items and answers with items ([HandleDuplex]): [Sink] and [Source] in one. items are
// asked for by a goroutine of their own, which ends with the call, or when the item comes that it waits for then.
func Duplex[Out, In any](
	ctx context.Context, c *Client, method string, items iter.Seq[In], opts ...CallOption,
) iter.Seq2[Out, error] {
	return func(yield func(Out, error) bool) {
		left := false
		err := c.invoke(ctx, method, callConfigOf(opts), func(ctx context.Context, out *outgoing) error {
			return c.streamed(ctx, out, func(ctx context.Context, a *attempt) error {
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				fed := make(chan error, 1)
				go func() {
					err := c.feed(ctx, a, encoded(c, items))
					if err != nil && ctx.Err() == nil {
						cancel() // what cannot be encoded ends the call
					}
					fed <- err
				}()
				err := receive(ctx, c, out, a, yield, &left)
				select {
				case wrong := <-fed:
					if wrong != nil && !left {
						return wrong
					}
				default:
				}
				return err
			})
		})
		if err != nil && !left {
			yield(*new(Out), err)
		}
	}
}

// streamed begins a call with streams at one replica after the other until one takes it, and then does run.
func (c *Client) streamed(ctx context.Context, out *outgoing, run func(context.Context, *attempt) error) error {
	if ctx.Err() != nil {
		return &CallError{Method: out.info.Method, Err: ctx.Err()}
	}
	if err := out.noStream(); err != nil {
		return err
	}
	c.earn()
	var last outcome
	var tried []*replica
	for n := 0; ; n++ {
		a, err := c.next(ctx, out, &last, n, &tried)
		if err != nil {
			return err
		}
		tried = append(tried, a.replica)
		out.info.Peer = a.conn.Peer
		begun := false
		if last, begun, err = c.begin(ctx, out, a, n); err != nil {
			return err
		}
		if begun {
			defer c.abandon(a, balance.Nothing) // if it is out still
			return run(ctx, a)
		}
		if n+1 >= out.attempts || ctx.Err() != nil || !c.mayRetry(out, &last) {
			return last.err(out, n+1)
		}
	}
}

// begin sends a call and waits until something has come of it. If that is that it has not begun it returns so.
func (c *Client) begin(ctx context.Context, out *outgoing, a *attempt, n int) (last outcome, begun bool, err error) {
	c.mu.Lock()
	a.stream, out.window = newStream(c.cfg.window)
	foreign := !a.conn.Converses()
	if foreign {
		c.giveUp(a, balance.Nothing)
	}
	c.mu.Unlock()
	if foreign {
		return last, false, patterns.Errorf(patterns.CodeUnimplemented, "%s is no Service, and has no streams", a.conn.Peer)
	}
	if err := c.send(ctx, out, a, n); err != nil {
		return outcome{peer: a.conn.Peer, lost: err}, false, nil
	}
	select {
	case <-a.stream.arrived:
		signal(a.stream.arrived)
	case <-a.stream.credited:
		signal(a.stream.credited)
	case <-ctx.Done(): // as whoever reads next finds out
	}
	select {
	case last = <-a.done:
		last.peer, last.sent = a.conn.Peer, true
		if last.notBegun() {
			return last, false, nil
		}
		a.done <- last
	default:
	}
	return last, true, nil
}

// close is the error that a call with streams has come to.
func (c *Client) close(out *outgoing, res *outcome) error {
	if res.lost == nil {
		out.info.Trailers = res.head.Headers
		if res.head.Code == "" {
			return nil
		}
	}
	return res.err(out, 1)
}

// receive yields the items of a call until its end. left is set if yield wants no more.
func receive[Item any](
	ctx context.Context, c *Client, out *outgoing, a *attempt, yield func(Item, error) bool, left *bool,
) error {
	for {
		it, credit, err := a.stream.next(ctx)
		switch {
		case errors.Is(err, io.EOF) || err != nil && ctx.Err() != nil:
			res := c.await(ctx, out, a)
			return c.close(out, &res)
		case err != nil:
			return err
		}
		if credit > 0 { // of one that is gone the end tells
			_ = a.conn.Send(ctx, a.message(&patterns.Head{Kind: patterns.KindCredit, Window: credit}, nil))
		}
		v, err := decodeItem[Item](c.codecs, it)
		if err != nil {
			return patterns.Errorf(patterns.CodeInternal, "%w", err)
		}
		if !yield(v, nil) {
			*left = true
			return nil
		}
	}
}

// feed sends items, and that it was all, as the replica has room for them, until the call is over.
func (c *Client) feed(ctx context.Context, a *attempt, items iter.Seq2[item, error]) error {
	for it, err := range items {
		if err != nil {
			return err
		}
		switch err := a.stream.ready(ctx, len(it.body), a.stream.finished); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		err := a.conn.Send(ctx, a.message(&patterns.Head{Kind: patterns.KindItem, Type: it.typ}, it.body))
		if err != nil {
			return ctx.Err() // or it is lost, which its end tells
		}
	}
	if ctx.Err() != nil { // items may have ended for that, so that these are not all
		return ctx.Err()
	}
	_ = a.conn.Send(ctx, a.message(&patterns.Head{Kind: patterns.KindEnd}, nil))
	return ctx.Err()
}

// encoded encodes items as they are asked for.
func encoded[Item any](c *Client, items iter.Seq[Item]) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		for v := range items {
			body, typ, err := encode(c.codecs[0], v)
			if err != nil {
				err = patterns.Errorf(patterns.CodeInvalidArgument, "the item: %w", err)
			}
			if !yield(item{typ, body}, err) || err != nil {
				return
			}
		}
	}
}

// about takes an item or credit that has come for a call. mu is held.
func (c *Client) about(a *attempt, head *patterns.Head, body []byte) {
	var err error
	switch {
	case a == nil || a.stream == nil:
		c.stray++
	case head.Kind == patterns.KindItem:
		err = a.stream.push(item{head.Type, body})
	default:
		err = a.stream.grant(head.Window)
	}
	if err != nil { // the replica's fault
		c.forget(a, balance.Answered)
		a.finish(outcome{head: patterns.Head{Code: patterns.CodeInternal, Text: err.Error()}})
		_ = a.conn.TrySend(a.message(&patterns.Head{Kind: patterns.KindCancel}, nil))
	}
}
