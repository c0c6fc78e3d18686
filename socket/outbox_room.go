package socket

import (
	"context"
	"fmt"
)

// What is free again, and who waits for it: for room in some queue, or for nothing to be queued any more.

// awaitRoom waits until there may be room again, or ctx ends. The lock is held before and after.
func (o *outbox) awaitRoom(ctx context.Context, full error) error {
	w := o.spaceWaiters.Join()
	o.mu.Unlock()
	ended := w.Wait(ctx)
	o.mu.Lock()
	o.spaceWaiters.Leave(w, ended)
	if ended != nil {
		return fmt.Errorf("%w: %w", full, ended)
	}
	return nil
}

// delivered moves messages of a link from queued to delivered.
func (o *outbox) delivered(l *link, n Count) {
	if len(l.out.attempts) > 0 {
		l.out.attempts.take(int(n.Messages))
	}
	o.ledger(l).deliver(n)
	if l.out.feeder() != nil {
		l.out.feeder().delivered(l, n.Messages)
	}
	if o.env.cfg.reliable {
		o.atMostOnce.increase(n)
	}
	o.drained()
}

// drained wakes the callers that wait for the queues to drain, if they have.
func (o *outbox) drained() {
	if o.drainWaiters.Len() > 0 && o.idle() {
		o.drainWaiters.WakeAll()
	}
}

// onRoom is called when a link has room again: the backlog goes first, then the callers that wait.
func (o *outbox) onRoom() {
	if o.spooled != nil || o.durables != nil {
		o.feed()
	}
	if o.spooled == nil {
		o.flushBacklog()
		o.spaceWaiters.WakeAll()
	}
}

// feed tells those who read from a store that there is room.
func (o *outbox) feed() {
	if o.spooled != nil {
		for _, f := range o.spooled.feeders {
			f.room()
		}
	}
	if o.durables != nil {
		o.durables.room()
	}
}

// idle reports whether nothing is queued, nor in the store, nor sent and to be acknowledged.
func (o *outbox) idle() bool {
	return o.counts.queued.Messages == 0 && o.counts.unacked.Messages == 0 && (o.spooled == nil || o.spooled.idle()) &&
		(o.durables == nil || o.durables.idle())
}

// waitIdle waits until the socket is idle.
func (o *outbox) waitIdle(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.idle() {
		w := o.drainWaiters.Join()
		o.mu.Unlock()
		err := w.Wait(ctx)
		o.mu.Lock()
		o.drainWaiters.Leave(w, err)
		if err != nil {
			return err
		}
	}
	return nil
}
