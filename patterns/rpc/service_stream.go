package rpc

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
)

// maxStreams is how many calls with streams of one caller there may be at once.
const maxStreams = 128

// HandleSource makes h answer a method with any number of items, as [Handle] does with one reply. The caller gets them
// as it reads them: h is not asked for the next while a window of them ([WithWindow]) waits there. An error ends the
// stream. h is left in its yield when the call has ended otherwise. Streams do not count among the handlers that run
// at once.
func HandleSource[Req, Item any](s *Service, name string, h func(context.Context, Req) iter.Seq2[Item, error]) {
	s.registerStream(name, source, func(ctx context.Context, r *request) (result, error) {
		req, err := decode[Req](r.codec, r.body)
		if err != nil {
			return result{}, err
		}
		return result{}, sendItems(ctx, r, h(ctx, req))
	})
}

// HandleSink makes h answer a method whose request is any number of items. h gets them as they come; the iterator ends
// with an error if they do not come to their end. Its caller sends no more than a window ahead ([WithWindow]).
func HandleSink[Item, Resp any](
	s *Service, name string, h func(context.Context, iter.Seq2[Item, error]) (Resp, error),
) {
	s.registerStream(name, sink, func(ctx context.Context, r *request) (result, error) {
		resp, err := h(ctx, receiveItems[Item](ctx, r))
		if err != nil {
			return result{}, err
		}
		return encodeResult(r.codec, resp)
	})
}

// HandleDuplex makes h answer a method with items while it gets items: [HandleSink] and [HandleSource] in one.
func HandleDuplex[In, Out any](
	s *Service, name string, h func(context.Context, iter.Seq2[In, error]) iter.Seq2[Out, error],
) {
	s.registerStream(name, duplex, func(ctx context.Context, r *request) (result, error) {
		return result{}, sendItems(ctx, r, h(ctx, receiveItems[In](ctx, r)))
	})
}

// sendItems sends what a handler yields until the caller wants no more.
func sendItems[Item any](ctx context.Context, r *request, items iter.Seq2[Item, error]) error {
	for v, err := range items {
		if err != nil {
			return err
		}
		body, typ, err := encode(r.codec, v)
		if err != nil {
			return patterns.Errorf(patterns.CodeInternal, "the item: %w", err)
		}
		if err := r.stream.ready(ctx, len(body), r.stream.failure); err != nil {
			return err
		}
		if err := r.send(ctx, &patterns.Head{Kind: patterns.KindItem, Type: typ}, body); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// receiveItems yields what a caller sends. It gives credit as items are taken, and the first when it is begun.
func receiveItems[Item any](ctx context.Context, r *request) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		credit := r.credit
		r.credit = 0 // for it was given
		for {
			if credit > 0 {
				if err := r.send(ctx, &patterns.Head{Kind: patterns.KindCredit, Window: credit}, nil); err != nil {
					yield(*new(Item), err)
					return
				}
			}
			var v Item
			it, more, err := r.stream.next(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil {
				v, err = decodeItem[Item](r.codecs, it)
			}
			if !yield(v, err) || err != nil {
				return
			}
			credit = more
		}
	}
}

func decodeItem[Item any](cs codecs, it item) (v Item, err error) {
	codec, err := cs.of(it.typ)
	if err == nil {
		err = codec.Decode(it.body, &v)
	}
	if err != nil {
		return v, patterns.Errorf(patterns.CodeInvalidArgument, "the item: %w", err)
	}
	return v, nil
}

// about takes what comes for a call that is there: an item, the end of them, or credit. mu is held.
func (s *Service) about(c *call, head *patterns.Head, body []byte) {
	var err error
	switch {
	case c == nil || c.stream == nil:
		s.stray++
	case head.Kind == patterns.KindItem:
		err = c.stream.push(item{head.Type, body})
	case head.Kind == patterns.KindEnd:
		c.stream.end(nil)
	default:
		err = c.stream.grant(head.Window)
	}
	if err != nil {
		c.stream.end(patterns.Errorf(patterns.CodeInvalidArgument, "%w", err))
		if c.cancel != nil {
			c.cancel(err)
		}
	}
}

// sender sends what belongs to a call.
func (c *call) sender() func(context.Context, *patterns.Head, []byte) error {
	return func(ctx context.Context, head *patterns.Head, body []byte) error {
		m := message(c.envelope, head, body)
		if head.Kind == patterns.KindCredit {
			m.Frames = m.Frames[:len(m.Frames)-1]
		}
		err := c.caller.conn.Send(ctx, m)
		if errors.Is(err, socket.ErrPeerLost) {
			return socket.ErrPeerLost
		}
		return err
	}
}
