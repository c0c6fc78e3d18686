package socket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/prefix"
	"github.com/yodel-mq/yodel/socket/internal/reliable"
	"github.com/yodel-mq/yodel/socket/spool"
)

// durables are the durable subscriptions of a publisher with a store: each is a cursor with a feeder of its own, for
// whichever peer has said its name last. All of it is guarded by outbox.mu.
//
//	named (durable_open.go) ── a peer says a name, ahead of OPEN: its cursor is found or made
//	  │
//	change (durable_topics.go) ── what is subscribed over the link changes what is for the cursor
//	  │
//	listed ── that is all of it: the feeder begins
//	  │
//	lost link ── what was not acknowledged goes back to the store, and waits there with what is published meanwhile
//	  │
//	end (durable_end.go) ── it is dropped, has expired, or was too far behind
//
// What is published is stored once if it is for any of them (durable_publish.go).
type durables struct {
	box     *outbox
	store   store
	byName  map[string]*durable
	last    uint64        // the number of the last message that was stored
	links   uint64        // the number of the last link; see reliable.SenderConfig.Links
	past    Count         // of subscriptions that have ended, those found in the store; see Ledger.Recovered
	opened  bool          // those of earlier lives are in byName
	opening chan struct{} // held by who opens them

	sending context.Context //nolint:containedctx // ends when no more messages are accepted
	shut    context.CancelCauseFunc
	stopped bool
	keeping bool // the goroutine runs that keeps cursors from expiring
	done    chan struct{}
}

// A durable is one durable subscription.
type durable struct {
	*spooled
	of    *durables
	name  string
	link  *link // that has named it last; nil if that has left
	had   rivals
	owner owner // of the name

	topics  prefix.Tree[uint64] // of each the number of the first message that may be for it
	from    map[string]uint64   // the same
	size    int                 // of the topics, as they are kept
	known   bool                // its topics are: they were listed once
	gaps    []gap
	skipped []numberRange // that are not for it, and are to be settled
	found   chan struct{} // closed once the cursor is there, or is not to be had
	buried  chan struct{} // closed once the subscription has ended and is forgotten
	failed  error

	dirty, saving bool  // what is kept with the cursor is to be, or is being, written
	over          error // why it has ended
	ending        bool  // it is about to
}

func newDurables(box *outbox, s store) *durables {
	ds := &durables{
		box: box, store: s, byName: make(map[string]*durable), links: uint64(time.Now().UnixNano()),
		opening: make(chan struct{}, 1), done: make(chan struct{}),
	}
	ds.sending, ds.shut = context.WithCancelCause(context.Background())
	return ds
}

// errSubscriptionOver is why the link of a durable subscription ends that was dropped, or was too far behind.
var (
	errSubscriptionDropped = errors.New("the durable subscription was dropped")
	errSubscriptionExpired = errors.New("the durable subscription has expired")
	errLaggard             = errors.New("the durable subscription was too far behind")
)

// open finds the subscriptions that earlier lives have left.
func (ds *durables) open() error {
	ds.opening <- struct{}{}
	defer func() { <-ds.opening }()
	if ds.opened {
		return nil
	}
	for _, name := range ds.store.subscriptions() {
		d := ds.newDurable(name)
		if err := d.claim(spool.Start{}); err != nil {
			ds.leave()
			return err
		}
		close(d.found)
		ds.box.mu.Lock()
		ds.byName[name] = d
		ds.box.mu.Unlock()
	}
	next := ds.store.next()
	ds.box.mu.Lock()
	ds.last = next - 1
	ds.box.mu.Unlock()
	ds.opened = true
	return nil
}

func (ds *durables) newDurable(name string) *durable {
	d := &durable{
		of: ds, name: name, from: make(map[string]uint64), found: make(chan struct{}), buried: make(chan struct{}),
	}
	d.spooled = newSpooled(ds.box, ds.store, nil)
	d.exclusive, d.numberLink = true, ds.nextLink
	d.onLoss, d.onSettled = d.missed, d.told
	d.onGone = func() { _ = ds.end(d, errSubscriptionExpired, false) }
	return d
}

// nextLink numbers the links of the stream, over all subscriptions: to a receiver it is one stream, even if its name
// was dropped meanwhile.
func (ds *durables) nextLink() reliable.Link {
	ds.links++
	return reliable.Link(ds.links)
}

// claim makes the subscription's cursor, or finds it. No lock is held.
func (d *durable) claim(start spool.Start) error {
	found := d.store.next()
	stream, epoch, nonce := d.store.incarnation()
	var data []byte // what is kept already, of one that is found
	if d.owner != "" {
		data = d.encode()
	}
	c, data, err := d.store.subscription(d.name, d.options(start, data))
	if err != nil {
		return err
	}
	f := &feeder{of: d.spooled, wake: make(chan struct{}, 1), lazy: true, cur: c}
	if err := c.claim(f.lost); err != nil {
		return err
	}
	d.box.mu.Lock()
	defer d.box.mu.Unlock()
	if d.of.stopped {
		c.leave()
		return ErrClosed
	}
	d.stream, d.epoch, d.nonce, d.spooled.found = stream, epoch, nonce, found
	d.restore(data)
	d.entered.Raise(c.low())
	d.done.Raise(c.low())
	d.feeders = []*feeder{f}
	d.running = true
	d.box.env.writers.Go(f.run)
	if !d.of.keeping && d.box.env.cfg.durable.expiry() > 0 {
		d.of.keeping = true
		d.box.env.writers.Go(d.of.stay)
	}
	return nil
}

// options are those of the cursor.
func (d *durable) options(start spool.Start, data []byte) subscriptionOptions {
	cfg := d.box.env.cfg.durable
	o := subscriptionOptions{start: start, only: d.wants, expiry: cfg.expiry(), data: data}
	if cfg.Laggard == LoseOldest {
		o.maxBytes = cfg.MaxBytes
	}
	return o
}

// ready reports whether the subscription has its cursor.
func (d *durable) ready() bool { return len(d.feeders) > 0 && d.over == nil }

// serving reports whether a peer gets its messages now.
func (d *durable) serving() bool { return d.ready() && len(d.feeders[0].links) > 0 }

// room tells all feeders that a link may have room.
func (ds *durables) room() {
	for _, d := range ds.byName {
		if d.serving() {
			d.feeders[0].room()
		}
	}
}

// idle reports whether those who are there have got all.
func (ds *durables) idle() bool {
	for _, d := range ds.byName {
		if d.serving() && !d.idle() {
			return false
		}
	}
	return true
}

// end stops all feeders.
func (ds *durables) endAll() {
	ds.box.mu.Lock()
	stopped := ds.stopped
	ds.stopped = true
	all := ds.all()
	ds.box.mu.Unlock()
	if !stopped {
		close(ds.done)
	}
	for _, d := range all {
		d.end()
	}
}

func (ds *durables) all() (all []*durable) {
	for _, d := range ds.byName {
		all = append(all, d)
	}
	return all
}

// leave gives the cursors free.
func (ds *durables) leave() {
	ds.box.mu.Lock()
	all := ds.all()
	ds.box.mu.Unlock()
	for _, d := range all {
		d.leave()
	}
}

// fill adds to an account of the socket what it does not have.
func (ds *durables) fill(l *Ledger) {
	l.Recovered = ds.past
	for _, d := range ds.byName {
		if d.ready() {
			n := d.unread()
			l.Recovered, l.Spooled = l.Recovered.plus(d.recovered).plus(n), l.Spooled.plus(d.onDisk).plus(n)
		}
	}
}

// stay keeps the cursors of those that are there from expiring, though nothing is published for them, and ends the
// subscriptions of those that have been away for too long.
func (ds *durables) stay() {
	expiry := ds.box.env.cfg.durable.expiry()
	t := time.NewTicker(max(expiry/4, time.Second/4))
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ds.done:
			return
		}
		seen := make(map[string]time.Time)
		for _, c := range ds.store.stats() {
			seen[c.Name] = c.Seen
		}
		ds.box.mu.Lock()
		all := ds.all()
		ds.box.mu.Unlock()
		for _, d := range all {
			ds.box.mu.Lock()
			there, ready := d.link != nil, d.ready()
			ds.box.mu.Unlock()
			at, kept := seen[d.name]
			switch {
			case !ready:
			case there:
				d.touch()
			case !kept || time.Since(at) >= expiry:
				_ = ds.end(d, errSubscriptionExpired, kept)
			}
		}
	}
}

// touch opens the cursor once more, which counts as use. No lock is held.
func (d *durable) touch() {
	c, _, err := d.store.subscription(d.name, d.options(spool.Start{}, nil))
	if err == nil && c != d.feeders[0].cur {
		_ = d.of.end(d, errSubscriptionExpired, false)
	}
}

// keptBy reports whether a peer keeps this socket's subscription.
func (c *core) keptBy(p *Peer) bool {
	return c.cfg.subscriber != "" && p.features.Has(featuresDurable) && !p.inproc
}

// keepsFor reports whether the socket keeps a subscription for a peer.
func (c *core) keepsFor(p *Peer) bool {
	return c.out.durables != nil && p.features.Has(featuresDurable) && !p.inproc
}

// DurableSubscribers tells how far each durable subscription is, by name; see [WithSubscriberName]. Without [WithSpool]
// there are none.
func (s *Pub) DurableSubscribers() []spool.CursorStats {
	if s.out.durables == nil {
		return nil
	}
	return s.out.durables.store.stats()
}

// DropSubscriber ends a durable subscription: what is kept for it goes, and is counted as dropped for [PeerGone]. A
// subscriber that is connected is disconnected, and begins a new subscription as it comes back. The error matches
// spool.ErrNoCursor if there is none of the name.
func (s *Pub) DropSubscriber(ctx context.Context, name string) error {
	ds := s.out.durables
	if ds == nil {
		return opError("drop subscriber", fmt.Errorf("%w: a Pub without a spool has no durable ones", errNoCursor))
	}
	if err := ds.open(); err != nil {
		return opError("drop subscriber", err)
	}
	return opError("drop subscriber", ds.drop(ctx, name))
}
