package socket

import (
	"context"
	"fmt"
)

// How a durable subscription ends: it is dropped, its cursor has expired, or it was too far behind.

// drop ends the subscription of a name.
func (ds *durables) drop(ctx context.Context, name string) error {
	ds.box.mu.Lock()
	d := ds.byName[name]
	ready := d != nil && d.ready()
	ds.box.mu.Unlock()
	if ready {
		return ds.end(d, errSubscriptionDropped, true)
	}
	return ds.store.drop(ctx, name)
}

// endSoon has a subscription end without the caller, who holds the lock.
func (ds *durables) endSoon(d *durable, why error) {
	if !ds.stopped && !d.ending {
		d.ending = true
		ds.box.env.writers.Go(func() { _ = ds.end(d, why, true) })
	}
}

// end ends a subscription, and with it the link of its peer, which may begin a new one. What it had is dropped, and so
// is its cursor, if it is there still. No lock is held.
func (ds *durables) end(d *durable, why error, cursor bool) error {
	o := ds.box
	o.mu.Lock()
	if d.over != nil || ds.stopped {
		o.mu.Unlock()
		return nil
	}
	d.over, d.stopped = why, true
	l := d.link
	var done <-chan struct{}
	if l != nil {
		done = o.remove(l)
	}
	o.mu.Unlock()
	d.stop(why)
	if l != nil {
		l.fail(why)
		select {
		case <-done:
		case <-l.core.done:
		}
	}
	d.feeders[0].cur.leave()
	var err error
	if cursor {
		err = ds.store.drop(context.WithoutCancel(ds.sending), d.name)
	}
	ds.bury(d)
	return err
}

// bury enters what is left of a subscription as dropped.
func (ds *durables) bury(d *durable) {
	o := ds.box
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.sessions {
		if s.spooled == d.spooled && s.link == nil && s.feeder != nil {
			s.allToStore(false)
		}
	}
	left := d.onDisk
	d.unspool(left)
	o.ledger(nil).drop(PeerGone, left)
	d.forgotten = true
	ds.past = ds.past.plus(d.recovered)
	delete(ds.byName, d.name)
	close(d.buried)
	o.env.events.add(Event{
		Kind: SubscriptionEnded, Reason: PeerGone, Count: left.Messages, Err: fmt.Errorf("%w: %.64q", d.over, d.name),
	})
	o.spaceWaiters.WakeAll() // for those who had to wait for it
	o.drained()
}
