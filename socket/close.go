package socket

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/transport"
)

// How long the steps of closing may take at most; with the linger they stay under a second.
const (
	farewell  = 200 * time.Millisecond // for peers to read what is in the kernel and to close in turn
	closeWait = 950 * time.Millisecond // for everything
)

// Shutdown closes the socket once everything it has accepted has been delivered to the transport: it takes no new
// messages, waits for the queues to drain, also into peers that appear only now, and then closes as Close does. When ctx
// ends first it closes all the same, within a second, and returns an error that says how many messages were not delivered; they are
// counted in the ledger as dropped. (libzmq ZMQ_LINGER, with a name Go knows.)
func (c *core) Shutdown(ctx context.Context) error {
	c.out.refuse()
	err := c.out.waitIdle(ctx)
	if err == nil {
		err = ErrClosed // if anything is lost, then because somebody called Close meanwhile
	}
	c.end(time.Now().Add(closeWait))
	c.out.mu.Lock()
	lost := c.out.counts.dropped[SocketClosed].plus(c.out.counts.queued) // still queued: of a connection that does not end
	c.out.mu.Unlock()
	if lost.Messages > 0 {
		return fmt.Errorf("socket: shutdown: %d messages (%d bytes) not delivered: %w", lost.Messages, lost.Bytes, err)
	}
	return nil
}

// Close gives queued messages the linger time to leave (see [WithLinger]), then ends every connection and waits for all
// goroutines of the socket. It returns within a second. Calls that wait return ErrClosed; messages not delivered and
// messages not received are counted in the ledger as dropped. To close again does nothing.
func (c *core) Close() error {
	begin := time.Now()
	c.out.refuse()
	if c.cfg.linger > 0 && c.queued().Messages > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), c.cfg.linger)
		_ = c.out.waitIdle(ctx) // what is left is counted as dropped
		cancel()
	}
	c.end(begin.Add(closeWait))
	return nil
}

func (c *core) queued() Count {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.counts.queued
}

// end takes the socket down. A second caller waits for the first.
func (c *core) end(deadline time.Time) {
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		<-c.closed
		return
	}
	c.closing = true
	var eps []*endpointState
	for _, ep := range c.bound {
		eps = append(eps, ep)
	}
	for _, ep := range c.connected {
		eps = append(eps, ep)
	}
	shaking := slices.Collect(maps.Keys(c.handshakes))
	c.peers.wakeAll()
	c.mu.Unlock()

	for _, ep := range eps {
		if ep.bound {
			err := ep.ln.Close()
			c.events.add(Event{Kind: Unbound, Endpoint: ep.name, Err: err})
		} else {
			ep.cancel()
			c.events.add(Event{Kind: Disconnected, Endpoint: ep.name})
		}
	}
	for _, conn := range shaking {
		conn.Close()
	}
	links := c.snapshot()
	for _, l := range links {
		l.fetch()
	}
	c.in.close()
	c.sayFarewell(links)
	c.out.close()
	close(c.done)
	for _, l := range links {
		l.fail(ErrDisconnected)
	}
	c.waitFor(c.wg.Wait, deadline)
	c.waitFor(c.heart.close, deadline)
	c.yielder.close()
	c.events.add(Event{Kind: Closed})
	if c.logged != nil {
		c.waitFor(func() { <-c.logged }, deadline)
	}
	close(c.closed)
}

// sayFarewell half-closes the connections whose messages have all been written and lets the peers close first. To close
// at once, with bytes of theirs unread, would make the kernel throw away what they have not read yet. A peer that got no
// message has none to lose; to read on from it would take what it could still give to somebody else.
func (c *core) sayFarewell(links []*link) {
	var waitFor []*link
	for _, l := range links {
		cw, ok := l.conn.(transport.CloseWriter)
		c.out.mu.Lock()
		quiet := !l.out.dead && l.out.queued.Messages == 0 && !l.out.writing
		owed := l.out.counts.delivered.Messages > 0
		if quiet {
			l.out.dead = true
		}
		c.out.mu.Unlock()
		if ok && quiet && owed && cw.CloseWrite() == nil {
			l.resume() // a reader that was paused reads on, to see the peer's farewell
			waitFor = append(waitFor, l)
		}
	}
	if len(waitFor) > 0 {
		t := time.NewTimer(farewell)
		defer t.Stop()
		c.waitNoLinks(waitFor, t.C)
	}
}

// waitFor waits for what should end by itself now. A transport that does not unblock on Close, or a logger that hangs,
// is not waited for past the deadline.
func (c *core) waitFor(wait func(), deadline time.Time) {
	done := make(chan struct{})
	go func() {
		wait()
		close(done)
	}()
	t := time.NewTimer(time.Until(deadline))
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	}
}
