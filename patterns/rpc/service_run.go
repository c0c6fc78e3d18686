package rpc

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/gate"
	"github.com/yodel-mq/yodel/patterns/internal/reply"
	"github.com/yodel-mq/yodel/socket"
)

// replyPatience is how long a reply waits for room in the queue of its caller. After that the caller gets none.
const replyPatience = 5 * time.Second

// start has a call handled, by a goroutine of its own. mu is held.
func (s *Service) start(c *call) {
	if s.closed || c.gone {
		if c.gated() {
			s.gate.Done(0, gate.Abandoned)
		}
		c.gone = true
		s.ended(c, 0, context.Canceled)
		return
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	c.cancel = cancel
	s.served.Go(func() { s.run(ctx, c) })
}

// run handles a call and sends its reply.
func (s *Service) run(ctx context.Context, c *call) {
	began := time.Now()
	info := &Info{
		Method: c.method.name, Headers: c.head.Headers, Peer: c.caller.conn.Peer, Key: c.head.Key,
		Attempt: int(c.head.Attempt),
	}
	var res result
	var err error = errPanic // if the handler ends its goroutine
	defer func() { s.finish(ctx, c, info, res, err, time.Since(began)) }()
	res, err = s.handle(ctx, c, info)
}

// finish makes room for the next call, and then sends the reply of this one.
func (s *Service) finish(ctx context.Context, c *call, info *Info, res result, err error, busy time.Duration) {
	s.mu.Lock()
	gone := c.gone
	if c.gated() {
		outcome := gate.Finished
		switch {
		case gone && !c.lasting, c.repeat:
			outcome = gate.Abandoned
		case errors.Is(err, context.DeadlineExceeded):
			outcome = gate.Lost
		}
		s.gate.Done(busy, outcome)
		s.pump(time.Now())
	}
	s.unlock()
	if !gone {
		s.answer(ctx, c, info, res, err)
	}
	s.mu.Lock()
	s.ended(c, busy, err)
	s.mu.Unlock()
	c.cancel(nil)
}

// handle runs the handler within the middleware, with the context that it is to have.
func (s *Service) handle(ctx context.Context, c *call, info *Info) (res result, err error) {
	if !c.deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, c.deadline)
		defer cancel()
	}
	ctx = context.WithValue(ctx, infoKey{}, info)
	do := func(ctx context.Context) error {
		return s.guard(info, func() (err error) {
			r := &request{codec: c.codec, body: c.body}
			if c.stream != nil {
				r.codecs, r.stream, r.credit, r.send = s.codecs, c.stream, c.credit, c.sender()
			}
			if res, err = c.method.run(ctx, r); c.stream != nil && c.stream.failure() != nil {
				err = c.stream.failure() // the caller's fault, which is why the handler had to end
			}
			return err
		})
	}
	handler := do
	if c.keyed() {
		handler = func(ctx context.Context) error {
			return s.once(ctx, c, info, &res, func() error { return do(ctx) })
		}
	}
	if len(s.cfg.middleware) == 0 || c.method.reserved {
		err = handler(ctx)
		return res, err
	}
	err = s.guard(info, func() error { return through(ctx, s.cfg.middleware, info, handler) })
	return res, err
}

// guard makes a panic an error.
func (s *Service) guard(info *Info, do func() error) (err error) {
	err = errPanic
	defer func() {
		if v := recover(); v != nil {
			s.cfg.log.Error("yodel: rpc: panic", "method", info.Method, "peer", info.Peer.String(), "panic", fmt.Sprint(v),
				"stack", string(debug.Stack()))
		}
	}()
	return do()
}

var errPanic = &patterns.Error{Code: patterns.CodeInternal, Text: "panic"}

// answer sends the reply to a call, or the error that it came to.
func (s *Service) answer(ctx context.Context, c *call, info *Info, res result, err error) {
	head, body := patterns.Head{Type: res.typ}, res.body
	if err != nil {
		var hidden bool
		if head, body, hidden = reply.FromError(err, s.cfg.errorText); hidden {
			s.cfg.log.Error("yodel: rpc: handler failed", "method", info.Method, "peer", info.Peer.String(), "err", err)
		}
	}
	head.Kind, head.Headers = c.method.shape.replies(), info.Trailers
	if invalid := head.Validate(); invalid != nil {
		head, body, _ = reply.FromError(patterns.Errorf(patterns.CodeInternal, "the trailers: %w", invalid), true)
	}
	m := message(c.envelope, &head, body)
	err = c.caller.conn.TrySend(m)
	if !errors.Is(err, socket.ErrWouldBlock) {
		s.unsent(c, err)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), replyPatience)
	defer cancel()
	s.unsent(c, c.caller.conn.Send(ctx, m))
}

// unsent counts a reply that could not be sent.
func (s *Service) unsent(c *call, err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counters.of(c.method.name).Unsent++
}

// message puts an envelope, a head and a body together. A reply always has a body, so that others can rely on it.
func message(envelope [][]byte, head *patterns.Head, body []byte) socket.Msg {
	return socket.Msg{Frames: append(slices.Clip(envelope), head.AppendTo(nil), body)}
}
