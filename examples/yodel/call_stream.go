package main

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/rpc"
)

// Calls whose request or answer is a stream.

// callStream makes one call and prints what comes.
func (c *caller) callStream(ctx context.Context, t *task, request []byte) error {
	p := newPatient(ctx, c.timeout)
	defer p.end(nil)
	p.wait()
	return c.printStream(t, p, rpc.Source[patterns.Raw](p.ctx, c.client, c.method, jsonBody(request)))
}

// printStream prints what comes. The error is errEnough after --count values.
func (c *caller) printStream(t *task, p *patient, items iter.Seq2[patterns.Raw, error]) error {
	n := 0
	for item, err := range items {
		if err != nil {
			return p.why(err)
		}
		if err := c.print(t, item); err != nil {
			return err
		}
		if n++; n == c.count {
			return errEnough
		}
		p.wait()
	}
	return nil
}

// callWithStream makes one call whose request are the values of src.
func (c *caller) callWithStream(ctx context.Context, t *task, src source) error {
	p := newPatient(ctx, c.timeout)
	defer p.end(nil)
	p.wait()
	var err error
	if c.stream {
		items := rpc.Duplex[patterns.Raw](p.ctx, c.client, c.method, c.values(t, p, src, 0))
		if err = c.printStream(t, p, items); errors.Is(err, errEnough) {
			err = nil
		}
	} else {
		var reply patterns.Raw
		reply, err = rpc.Sink[patterns.Raw](p.ctx, c.client, c.method, c.values(t, p, src, c.count))
		if err == nil {
			err = c.print(t, reply)
		}
	}
	if err == nil {
		t.done.Add(1)
		return nil
	}
	err, _ = c.outcome(ctx, t, p.why(err), 1)
	return err
}

// values are those of src, at most so many unless that is 0. Waiting for them is not bounded. If they do not come to
// their end the call is given up, so that its method does not take them for all.
func (c *caller) values(t *task, p *patient, src source, most int) iter.Seq[patterns.Raw] {
	return func(yield func(patterns.Raw) bool) {
		for n := 0; most == 0 || n < most; {
			p.rest()
			it, err := src.next(p.ctx)
			p.wait()
			switch {
			case errors.Is(err, io.EOF):
				return
			case src.refuses(err):
				t.con.printf("call: %v; not sent", err)
				t.failed.Add(1)
				continue
			case err != nil:
				p.end(err)
				return
			}
			if n++; !yield(jsonBody(it.frames[0])) {
				return
			}
		}
	}
}

// A patient waits for --timeout, with a context that ends then. Its methods may be called by any number of goroutines.
type patient struct {
	ctx     context.Context //nolint:containedctx // it ends with what is waited for
	end     context.CancelCauseFunc
	timeout time.Duration
	idle    *time.Timer
}

func newPatient(ctx context.Context, timeout time.Duration) *patient {
	p := &patient{timeout: timeout}
	p.ctx, p.end = context.WithCancelCause(ctx)
	p.idle = time.AfterFunc(1<<62, func() { p.end(errIdle) })
	context.AfterFunc(p.ctx, p.rest)
	return p
}

// wait begins to wait, or begins anew, if there is a limit.
func (p *patient) wait() {
	if p.timeout > 0 {
		p.idle.Reset(p.timeout)
	}
}

// rest ends waiting, for there is nothing to come.
func (p *patient) rest() { p.idle.Stop() }

// why is the cause of an error, where it was this context's end.
func (p *patient) why(err error) error {
	if cause := context.Cause(p.ctx); cause != nil && p.ctx.Err() != nil && errors.Is(err, p.ctx.Err()) {
		return cause
	}
	return err
}
