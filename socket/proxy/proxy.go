package proxy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// Run forwards whole messages between two sockets, in both directions where both can receive and send, until ctx ends:
// ROUTER and DEALER, XSUB and XPUB (subscriptions pass upstream), PULL and PUSH. The two sockets are the caller's to
// bind, connect and close.
//
// Backpressure goes through: a message is taken from one socket only when the last one has found room in the other.
// But no single peer holds up the others: what a [socket.Router] has for a peer whose queue is full is dropped, with a
// [socket.SlowPeer] event, unless the Router's own policy says otherwise ([socket.Router.SendOrDrop]). A message that
// can never be delivered, because a Router has lost the peer it is for, is counted and does not end the proxy. When ctx
// ends, what the sockets had received by then is still forwarded, for at most the time of [WithDrain]; what is left
// stays in the ledgers of the sockets or is counted in [Stats].
//
// The result is nil if ctx ended, an error that matches [socket.ErrClosed] if a socket was closed first, and an error
// at once if neither socket can send what the other receives, or the backend is not what [WithAffinity] needs.
func Run(ctx context.Context, frontend, backend socket.Socket, opts ...Option) error {
	cfg := configure(opts)
	forth, ok1 := newDirection(&cfg, frontend, backend, &cfg.control.forth)
	back, ok2 := newDirection(&cfg, backend, frontend, &cfg.control.back)
	if !ok1 && !ok2 {
		return fmt.Errorf(
			"proxy: a %s and a %s have nothing to forward; use ROUTER and DEALER, XSUB and XPUB, or PULL and PUSH",
			frontend.Type(), backend.Type())
	}
	if cfg.affinity && ok1 {
		var err error
		if forth.backends, err = affine(backend, cfg.envelopes); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var errs [2]error
	for i, d := range []*direction{forth, back} {
		if d == nil {
			continue
		}
		wg.Go(func() {
			errs[i] = d.run(ctx)
			cancel()
		})
	}
	wg.Wait()
	return errors.Join(errs[0], errs[1])
}

// A direction is one way through a proxy.
type direction struct {
	*config
	source socket.Socket
	from   socket.Receiver
	to     socket.Sender
	counts *counter

	backends *backends // to which each envelope's messages go, nil without WithAffinity
}

// An orDropper sends to one given peer of many, none of which the proxy can wait for: a [socket.Router], or what embeds
// one.
type orDropper interface {
	SendOrDrop(m socket.Msg) error
}

// newDirection makes the way from one socket to the other, if there is one.
func newDirection(cfg *config, from, to socket.Socket, counts *counter) (*direction, bool) {
	r, receives := from.(socket.Receiver)
	s, sends := to.(socket.Sender)
	if !receives || !sends {
		return nil, false
	}
	switch from.Type() + to.Type() {
	case "REQREP", "REPREQ", "REQREQ", "REPREP": // requests and replies that must alternate do not fit together
		return nil, false
	}
	return &direction{config: cfg, source: from, from: r, to: s, counts: counts}, true
}

func (d *direction) run(ctx context.Context) error {
	// What is in hand when ctx ends may still be sent for the time of the drain.
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(d.drain)
		defer t.Stop()
		select {
		case <-t.C:
			cancel()
		case <-late.Done():
		}
	})
	defer stop()
	if d.backends != nil {
		var following sync.WaitGroup
		following.Go(func() { d.backends.follow(late) })
		defer following.Wait()
		defer cancel()
	}
	for ctx.Err() == nil {
		d.control.wait(ctx)
		if err := d.forwardOne(ctx, late); err != nil {
			if ctx.Err() != nil {
				break
			}
			return err
		}
	}
	for left := d.source.Stats().Unread.Messages; left > 0 && late.Err() == nil; left-- {
		if d.forwardOne(ctx, late) != nil {
			break // the context has ended, which is how a proxy ends
		}
	}
	return nil
}

// forwardOne forwards one message, received before ctx ends and sent before late does.
func (d *direction) forwardOne(ctx, late context.Context) error {
	m, err := d.from.Recv(ctx)
	for err == nil && m.Notice() != socket.NoNotice { // of a peer, and no message
		m, err = d.from.Recv(ctx)
	}
	if err != nil {
		return err
	}
	counts := &d.counts.counts
	d.counts.add(&counts.Received, m)
	d.control.wait(ctx) // it may have been paused while Recv waited
	if d.capture != nil {
		switch err := d.capture.Send(late, m.Clone()); {
		case errors.Is(err, socket.ErrClosed):
			d.counts.add(&counts.Dropped, m)
			return err
		case err != nil:
			d.counts.add(&counts.Uncaptured, m)
		}
	}
	if err := d.send(late, m); err != nil {
		d.counts.add(&counts.Dropped, m)
		if errors.Is(err, socket.ErrClosed) || late.Err() != nil {
			return err
		}
		return nil
	}
	d.counts.add(&counts.Forwarded, m)
	return nil
}

func (d *direction) send(ctx context.Context, m socket.Msg) error {
	if d.backends != nil {
		return d.backends.send(ctx, m)
	}
	if to, ok := d.to.(orDropper); ok {
		return to.SendOrDrop(m)
	}
	return d.to.Send(ctx, m)
}
