package socket

import (
	"context"
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// featuresDurable are those of a peer with which a durable subscription can be agreed on.
const featuresDurable = zmtp.FeatureDurable | zmtp.FeatureReliable

// named takes the DSUB that says which subscription the peer at the other end of a link has. The link that had it is
// superseded.
func (o *opening) named(ctx context.Context, data []byte) error {
	l := o.link
	said, err := zmtp.ParseDurableSubscribe(data)
	if err != nil {
		return err
	}
	if err := l.core.cfg.bound(l.peer, subscriptionOf, said.Name); err != nil {
		l.refuse(err)
		return err
	}
	d, err := l.core.out.durables.attach(ctx, l.peer, said.Name, startOf(&said))
	if err != nil {
		err = fmt.Errorf("%w: the durable subscription %.64q is refused", err, said.Name)
		l.refuse(err)
		return err
	}
	if err := d.claimedBy(l); err != nil {
		l.refuse(err)
		return err
	}
	box := &l.core.out
	box.mu.Lock()
	defer box.mu.Unlock()
	if d.over != nil {
		return d.over
	}
	l.out.listing, o.unnamed = &listing{of: d}, false
	return nil
}

// startOf is where a new subscription begins.
func startOf(said *zmtp.DurableSubscription) spool.Start {
	switch said.Start {
	case zmtp.StartEarliest:
		return spool.Start{At: spool.Earliest}
	case zmtp.StartAtNumber:
		return spool.Start{At: spool.AtSeq, Seq: said.At}
	case zmtp.StartAtTime:
		return spool.Start{At: spool.AtTime, Time: time.UnixMilli(int64(min(said.At, 1<<53)))}
	default:
		return spool.Start{}
	}
}

// attach finds or makes the subscription of a name for a peer. Its cursor is on disk by then. No lock is held.
func (ds *durables) attach(ctx context.Context, p *Peer, name string, start spool.Start) (*durable, error) {
	if len(name) > maxSubscriberName {
		return nil, fmt.Errorf("%w: a name of %d bytes, the limit is %d", ErrLimit, len(name), maxSubscriberName)
	}
	for {
		ds.box.mu.Lock()
		d := ds.byName[name]
		switch {
		case ds.stopped:
			ds.box.mu.Unlock()
			return nil, ErrClosed
		case d == nil:
			return ds.make(p, name, start)
		case !d.ready():
			wait := d.found // for whoever makes it
			if d.over != nil {
				wait = d.buried
			}
			ds.box.mu.Unlock()
			select {
			case <-wait:
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
			if d.failed != nil {
				return nil, d.failed
			}
			continue
		}
		ds.box.mu.Unlock()
		c, _, err := ds.store.subscription(name, d.options(start, nil))
		switch {
		case err != nil:
			return nil, err
		case c == d.feeders[0].cur:
			return d, nil
		}
		_ = ds.end(d, errSubscriptionExpired, false) // and what was just made is a new one
	}
}

// make makes a subscription that is not among those there are. The lock is held, and given back.
func (ds *durables) make(p *Peer, name string, start spool.Start) (*durable, error) {
	if most := ds.box.env.cfg.durable.max(); len(ds.byName) >= most {
		ds.box.mu.Unlock()
		return nil, fmt.Errorf("%w: there are %d durable subscriptions", ErrLimit, most)
	}
	d := ds.newDurable(name)
	d.owner.take(ds.box.env.cfg, p) // which is kept with its cursor from the first
	ds.byName[name] = d
	ds.box.mu.Unlock()
	err := d.claim(start)
	ds.box.mu.Lock()
	defer ds.box.mu.Unlock()
	if err != nil {
		d.failed = err
		delete(ds.byName, name)
	}
	close(d.found)
	return d, err
}
