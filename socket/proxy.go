package socket

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Proxy forwards whole messages between two sockets, in both directions where both can receive and send, until ctx
// ends: ROUTER and DEALER, XSUB and XPUB (subscriptions pass upstream), PULL and PUSH. The two sockets are the
// caller's to bind, connect and close.
//
// Backpressure goes through: a message is taken from one socket only when the last one has found room in the other.
// But no single peer holds up the others: what a [Router] has for a peer whose queue is full is dropped, as under
// [DropNewest], with a [SlowPeer] event, unless the Router's own policy says otherwise. A message that can never be
// delivered, because a Router has lost the peer it is for, is counted and does not end the proxy. When ctx ends, what
// the sockets had received by then is still forwarded, for at most the time of [WithProxyDrain]; what is left stays
// in the ledgers of the sockets or is counted in [ProxyStats].
//
// The result is nil if ctx ended, an error that matches ErrClosed if a socket was closed first, and an error at once
// if neither socket can send what the other receives.
func Proxy(ctx context.Context, frontend, backend Socket, opts ...ProxyOption) error {
	p := proxy{drain: time.Second, control: new(ProxyControl)}
	for _, o := range opts {
		if o != nil {
			o.proxy(&p)
		}
	}
	forth, ok1 := p.lane(frontend, backend, &p.control.forth)
	back, ok2 := p.lane(backend, frontend, &p.control.back)
	if !ok1 && !ok2 {
		return fmt.Errorf("socket: proxy: a %s and a %s have nothing to forward; use ROUTER and DEALER, XSUB and XPUB, or PULL and PUSH",
			frontend.Type(), backend.Type())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var errs [2]error
	for i, l := range []*lane{forth, back} {
		if l == nil {
			continue
		}
		wg.Go(func() {
			errs[i] = l.run(ctx)
			cancel()
		})
	}
	wg.Wait()
	return errors.Join(errs[0], errs[1])
}

// A ProxyOption configures [Proxy]. Nil stands for none.
type ProxyOption interface{ proxy(p *proxy) }

type proxyOption func(p *proxy)

func (o proxyOption) proxy(p *proxy) { o(p) }

// WithCapture sends a copy of every message that is forwarded, in either direction, to another socket, such as a
// [Pub] or a [Push]. When it is full the proxy waits for it, unless its own overflow policy says otherwise. The
// default is none.
func WithCapture(s Sender) ProxyOption {
	return proxyOption(func(p *proxy) { p.capture = s })
}

// WithProxyDrain sets how long the proxy forwards on, after its context has ended, what had been received by then. The
// default is one second; zero or less forwards at most the message in hand, if there is room for it.
func WithProxyDrain(d time.Duration) ProxyOption {
	return proxyOption(func(p *proxy) { p.drain = max(0, d) })
}

// WithProxyControl makes the proxy obey c and report to it. One control is for one Proxy. It takes the place of
// libzmq's zmq_proxy_steerable. The default, and nil, is none.
func WithProxyControl(c *ProxyControl) ProxyOption {
	return proxyOption(func(p *proxy) {
		if c != nil {
			p.control = c
		}
	})
}

// A ProxyControl pauses and watches a running [Proxy]; see [WithProxyControl]. The zero value is ready; it must not be
// copied. Its methods may be called by any number of goroutines.
type ProxyControl struct {
	forth, back laneStats

	mu      sync.Mutex
	resumed chan struct{} // not nil while paused
}

// Pause stops forwarding: nothing that was received after it returned goes on, but for one message in each direction
// nothing more is received either, and senders feel it as backpressure. To pause twice is to pause once.
func (c *ProxyControl) Pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.resumed == nil {
		c.resumed = make(chan struct{})
	}
}

// Resume goes on forwarding.
func (c *ProxyControl) Resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.resumed != nil {
		close(c.resumed)
		c.resumed = nil
	}
}

// wait waits while the proxy is paused.
func (c *ProxyControl) wait(ctx context.Context) {
	c.mu.Lock()
	resumed := c.resumed
	c.mu.Unlock()
	if resumed == nil {
		return
	}
	select {
	case <-resumed:
	case <-ctx.Done():
	}
}

// ProxyStats counts what a [Proxy] has forwarded since it began.
type ProxyStats struct {
	// Forth is from the frontend to the backend, Back the other way.
	Forth, Back ProxyLane
}

// ProxyLane counts one direction: what was received is forwarded, dropped, or in hand (one message at most).
type ProxyLane struct {
	// Received from one socket, and Forwarded: accepted by the other.
	Received, Forwarded Count
	// Dropped had no peer to go to, was over a limit of the other socket, or could not be sent before the end.
	Dropped Count
	// Uncaptured of those had no copy sent by [WithCapture], which refused it or had no room before the end.
	Uncaptured Count
}

// Stats returns the counts so far.
func (c *ProxyControl) Stats() ProxyStats {
	return ProxyStats{c.forth.snapshot(), c.back.snapshot()}
}

type laneStats struct {
	mu   sync.Mutex
	lane ProxyLane
}

func (s *laneStats) add(to *Count, m Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to.add(m.Size())
}

func (s *laneStats) snapshot() ProxyLane {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lane
}

type proxy struct {
	capture Sender
	drain   time.Duration
	control *ProxyControl
}

// orDropper is a receiver of messages for one peer each, none of which the proxy can wait for.
type orDropper interface {
	sendOrDrop(ctx context.Context, m Msg) error
}

// A lane is one direction of a proxy.
type lane struct {
	*proxy
	source Socket
	from   Receiver
	to     Sender
	stats  *laneStats
}

// lane makes the direction from one socket to the other, if there is one.
func (p *proxy) lane(from, to Socket, stats *laneStats) (*lane, bool) {
	r, receives := from.(Receiver)
	s, sends := to.(Sender)
	if !receives || !sends {
		return nil, false
	}
	switch from.Type() + to.Type() {
	case "REQREP", "REPREQ", "REQREQ", "REPREP": // their turns would not fit together
		return nil, false
	}
	return &lane{p, from, r, s, stats}, true
}

func (l *lane) run(ctx context.Context) error {
	// What is in hand when ctx ends may still be sent for the time of the drain.
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(l.drain)
		defer t.Stop()
		select {
		case <-t.C:
			cancel()
		case <-late.Done():
		}
	})
	defer stop()
	for ctx.Err() == nil {
		l.control.wait(ctx)
		if err := l.one(ctx, late); err != nil {
			if ctx.Err() != nil {
				break
			}
			return err
		}
	}
	for left := l.source.Stats().Unread.Messages; left > 0 && late.Err() == nil; left-- {
		if err := l.one(ctx, late); err != nil {
			return nil //nolint:nilerr // the context has ended, which is how a proxy ends
		}
	}
	return nil
}

func (l *lane) send(ctx context.Context, m Msg) error {
	if to, ok := l.to.(orDropper); ok {
		return to.sendOrDrop(ctx, m)
	}
	return l.to.Send(ctx, m)
}

// one forwards one message, received before ctx ends and sent before late does.
func (l *lane) one(ctx, late context.Context) error {
	m, err := l.from.Recv(ctx)
	if err != nil {
		return err
	}
	l.stats.add(&l.stats.lane.Received, m)
	l.control.wait(ctx) // it may have been paused while Recv waited
	if l.capture != nil {
		switch err := l.capture.Send(late, m.clone()); {
		case isClosed(err):
			l.stats.add(&l.stats.lane.Dropped, m)
			return err
		case err != nil:
			l.stats.add(&l.stats.lane.Uncaptured, m)
		}
	}
	if err := l.send(late, m); err != nil {
		l.stats.add(&l.stats.lane.Dropped, m)
		if isClosed(err) || late.Err() != nil {
			return err
		}
		return nil
	}
	l.stats.add(&l.stats.lane.Forwarded, m)
	return nil
}
