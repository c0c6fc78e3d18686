package socket

import (
	"context"
	"fmt"
)

// keep stores a message if it is for a durable subscription, and reports whether it is. When it returns the message is
// safe.
func (ds *durables) keep(ctx context.Context, wait bool, m Msg) (kept bool, err error) {
	if err := ds.open(); err != nil {
		return false, err
	}
	if wanted, err := ds.admit(ctx, wait, m.Frames[0]); err != nil || !wanted {
		return false, err
	}
	number, err := putStored(ctx, ds.sending, ds.store, wait, m)
	if err != nil {
		return false, err
	}
	ds.enter(number, m)
	return true, nil
}

// admit reports whether a message with a topic is to be stored, and waits for those that are too far behind if the
// publisher is to.
func (ds *durables) admit(ctx context.Context, wait bool, topic []byte) (wanted bool, err error) {
	o := ds.box
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		if o.shut {
			return false, ErrClosed
		}
		full := false
		for _, d := range ds.byName {
			if d.ready() && d.matches(latest, topic) {
				wanted = true
				full = full || d.holds()
			}
		}
		switch {
		case !full:
			return wanted, nil
		case !wait:
			return false, errHeld
		}
		if err := o.awaitRoom(ctx, errHeld); err != nil {
			return false, err
		}
	}
}

// latest is beyond every number.
const latest = 1<<64 - 1

// errHeld is what a publisher says that waits for a durable subscription.
var errHeld = fmt.Errorf("%w: a durable subscription is at its limit", ErrWouldBlock)

// holds reports whether the publisher has to wait for the subscription.
func (d *durable) holds() bool {
	cfg := &d.box.env.cfg.durable
	return cfg.Laggard == HoldPublisher && d.beyond(cfg.MaxBytes)
}

func (d *durable) beyond(most int64) bool {
	return most > 0 && d.lag().Bytes > uint64(most)
}

// enter enters a message that was stored, for each subscription. It may have been read meanwhile.
func (ds *durables) enter(number uint64, m Msg) {
	o := ds.box
	size, topic := m.Size(), m.Frames[0]
	o.mu.Lock()
	defer o.mu.Unlock()
	ds.last = max(ds.last, number)
	cfg := &o.env.cfg.durable
	for _, d := range ds.byName {
		switch {
		case !d.ready():
		case d.matches(number, topic):
			d.enterStored(number, size)
			d.settleSkipped()
			if cfg.Laggard == DropSubscription && d.beyond(cfg.MaxBytes) {
				ds.endSoon(d, errLaggard)
			}
		default:
			d.skip(number)
		}
	}
}

// skip passes a message that is not for the subscription, though it may not have come to it yet. Of those there may be
// many between others, which take memory each until the subscriber has got those: beyond so many they are passed when
// they are read.
func (d *durable) skip(number uint64) {
	if len(d.done.Above()) >= maxSkips {
		return
	}
	d.pass(number)
	if i := len(d.skipped) - 1; i >= 0 && d.skipped[i].To == number {
		d.skipped[i].To++
	} else {
		d.skipped = append(d.skipped, only(number))
	}
	d.settleSkipped()
}

// settleSkipped settles what was skipped and is on disk.
func (d *durable) settleSkipped() {
	cur := d.feeders[0].cur
	for len(d.skipped) > 0 { // the rest cannot be settled yet: with the next message
		r := d.skipped[0]
		if cur.settle(r); !cur.settled(r.To - 1) {
			break
		}
		d.skipped = d.skipped[1:]
	}
}

const maxSkips = 16 << 10

// wanted is how many durable subscriptions would be given a message with a topic now, of subscribers that are there.
func (ds *durables) wanted(topic string) (links []*link) {
	for _, d := range ds.byName {
		if d.serving() && !d.dirty && !d.saving && d.matches(latest, []byte(topic)) {
			links = append(links, d.feeders[0].links...)
		}
	}
	return links
}
