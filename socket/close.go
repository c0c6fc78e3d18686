package socket

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// How long the steps of closing may take at most; with the linger they stay under a second.
const (
	halfCloseTimeout = 200 * time.Millisecond // of Close, for peers to read what is in the kernel and to close in turn
	closeWait        = 950 * time.Millisecond // for everything
)

// Shutdown closes the socket once everything it has accepted has reached the peers. It takes no new messages, waits
// for the queues to drain, also into peers that appear only now, and tells each peer that nothing follows; then it
// keeps the connections until the peers have read to that end and closed in turn, and closes as Close does. The
// socket receives nothing meanwhile: what a peer still sends is discarded, and counted. (libzmq ZMQ_LINGER, with a
// name Go knows.)
//
// How long it waits is for ctx to say; some peers never close (go-zeromq's, unless they receive). Without a deadline
// a peer that never reads would be waited for without an end: Shutdown then waits until each peer's host has
// acknowledged everything, or has taken nothing for 30 s; where the operating system cannot tell (other than Linux),
// for 200 ms.
//
// When ctx ends first Shutdown closes all the same, within a second, and the error says how much has not been
// delivered, counted in the ledger as dropped, and, of a socket without a peer, why it has none ([NoPeerError]); or,
// matching [ErrUnconfirmed], how much was delivered to peers of which it is not known whether they have read it. That
// is said, too, of peers whose connection broke while Shutdown waited for the rest to leave.
func (c *core) Shutdown(ctx context.Context) error {
	c.mu.Lock()
	c.draining = true
	c.mu.Unlock()
	c.stopAccepting()
	err := c.out.waitIdle(ctx)
	var missing []EndpointStats
	if err == nil {
		err = ErrClosed // if anything is lost, then because somebody called Close meanwhile
	} else {
		missing = c.missing()
	}
	unread := c.end(func() time.Time { return time.Now().Add(closeWait) }, c.untilRead(ctx))
	c.out.mu.Lock()
	lost := c.out.counts.dropped[SocketClosed]
	c.out.mu.Unlock()
	c.mu.Lock()
	unread.peers += c.lostUnconfirmed.peers
	unread.sent = unread.sent.plus(c.lostUnconfirmed.sent)
	c.mu.Unlock()
	switch {
	case lost.Messages > 0 && c.requests == nil: // what was not sent of these is in the spool
		err = fmt.Errorf("socket: shutdown: %v not delivered: %w", lost, err)
		if missing != nil {
			err = &NoPeerError{Err: err, Endpoints: missing}
		}
		return err
	case unread.peers > 0:
		err = fmt.Errorf("socket: shutdown: %w: %d peers had not closed, or were lost; they were sent %d messages (%d bytes)",
			ErrUnconfirmed, unread.peers, unread.sent.Messages, unread.sent.Bytes)
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", err, context.Cause(ctx))
		}
		return err
	}
	return nil
}

// Close gives queued messages the linger time to leave (see [WithLinger]), then ends every connection and waits for
// all goroutines of the socket. It returns within a second. Calls that wait return ErrClosed; messages not delivered
// and messages not received are counted in the ledger as dropped. Peers have up to 200 ms to read what was delivered
// and to close first. For one that takes longer the connection stays half-closed, without a goroutine, until it
// closes, for at most two minutes and while the process lasts, so that it can read the rest (on Linux); to know that
// it has, use Shutdown. To close again does nothing; to close during a Shutdown ends that.
//
// When it has returned the ledger is final: Stats shows no peers, and nothing queued or unread. What is still being
// written then, to a connection that does not end within the second, counts as dropped.
func (c *core) Close() error {
	begin := time.Now()
	c.stopAccepting()
	c.closeOnce.Do(func() { close(c.closeCalled) })
	if c.out.durables != nil {
		c.out.durables.endAll()
	}
	if c.cfg.linger > 0 && c.out.spooled == nil && c.requests == nil && c.queued().Messages > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), c.cfg.linger)
		_ = c.out.waitIdle(ctx) // what is left is counted as dropped
		cancel()
	}
	c.end(func() time.Time { return begin.Add(closeWait) }, c.waitBriefly)
	return nil
}

// stopAccepting ends the taking of new messages.
func (c *core) stopAccepting() {
	if c.requests != nil {
		c.requests.shut(ErrClosed)
	}
	c.out.stopAccepting()
}

func (c *core) queued() Count {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.counts.queued
}

// end takes the socket down: it has wait wait for the peers, and for everything else until the deadline. It returns
// what the peers may not have read. A second caller waits for the first.
func (c *core) end(deadline func() time.Time, wait func(peers []*link) (late []*link)) (left unconfirmed) {
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		<-c.closed
		return unconfirmed{}
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
	readOnly := slices.Collect(maps.Keys(c.readOnly))
	c.peers.WakeAll()
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
	if c.out.spooled != nil {
		c.out.spooled.end()
	}
	if c.requests != nil {
		c.requests.end()
	}
	if c.out.durables != nil {
		c.out.durables.endAll()
	}
	links := c.snapshot()
	for _, l := range links {
		l.carrier.pull()
	}
	c.endStorage()
	c.in.close()
	c.sayBye(links)
	if c.disk != nil {
		c.disk.close()
	}
	left = c.halfCloseAll(links, wait)
	c.out.close()
	by := deadline()
	close(c.done)
	links = append(links, readOnly...)
	for _, l := range links {
		if l.carrier.mayBeUnread() || l.in.stream != nil {
			l.stopWriting(ErrDisconnected)
		} else {
			l.dismiss(ErrDisconnected)
		}
	}
	c.waitFor(func() { hangUp(links) }, by)
	c.waitFor(c.wg.Wait, by)
	c.waitFor(c.heartbeats.close, by)
	c.settle()
	if c.out.spooled != nil {
		c.out.spooled.leave()
	}
	if c.requests != nil {
		c.requests.leave()
	}
	if c.out.durables != nil {
		c.out.durables.leave()
	}
	if c.diskReplies != nil {
		c.diskReplies.leave()
	}
	c.yielder.Close()
	c.events.add(c.lastEvent())
	if c.logged != nil {
		c.waitFor(func() { <-c.logged }, by)
	}
	close(c.closed)
	return left
}

// lastEvent is Closed, with how many messages were dropped for it.
func (c *core) lastEvent() Event {
	ev := Event{Kind: Closed}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if n := c.out.counts.dropped[SocketClosed].Messages; n > 0 {
		ev.Reason, ev.Count = SocketClosed, n
	}
	return ev
}

// endStorage has what was received be kept, or noted, as far as that is under way, for as long as a disk should take.
func (c *core) endStorage() {
	by := time.Now().Add(halfCloseTimeout)
	if c.disk != nil {
		c.waitFor(c.disk.end, by)
	}
	if t := c.in.taken; t != nil {
		c.waitFor(t.end, by)
	}
}

// closers is how many connections are closed at a time, for to close one takes until its reader has got a processor.
const closers = 16

// hangUp closes the connections of links that have been dismissed, where their own goroutines have not yet, and of
// those that were half-closed for a peer that may not have read everything, behind the end of their stream.
func hangUp(links []*link) {
	var all sync.WaitGroup
	for part := range slices.Chunk(links, len(links)/closers+1) {
		all.Go(func() {
			for _, l := range part {
				if l.endDue() {
					l.sendEnd()
				}
				l.fail(ErrDisconnected)
			}
		})
	}
	all.Wait()
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
