package pubsub

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/subject"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// durables are the durable subscriptions of a publisher with a spool: each is a cursor, and a goroutine that feeds
// from it whichever subscriber is there (durable_feed.go). What that says of its events is in durable_words.go.
//
// An event is numbered by the spool, and a subscription is in order by these numbers: with each event goes the number
// of the one before it, so that a subscriber takes nothing behind what was dropped on the way, and asks for it again.
// All words are about numbers of the spool, so that they mean the same over another connection, and after the death
// of either process.
type durables struct {
	opening sync.Mutex // held by who opens the spool, comes before publisher.mu
	opened  atomic.Bool
	ended   bool            // guarded by opening
	living  context.Context //nolint:containedctx // ends with the publisher, and with it the goroutines
	stop    context.CancelFunc

	// Guarded by publisher.mu:
	all  map[groupKey]*durable
	byID map[uint64]*durable // those that are ready
	tree subject.Tree[*durable]
	ids  uint64
}

// A durable is a durable subscription, whether its subscriber is there or not.
type durable struct {
	id   uint64
	key  groupKey
	cur  *spool.Cursor
	wake chan struct{} // for its goroutine

	// Guarded by publisher.mu:
	ready     bool     // the cursor is there
	over      bool     // it is being dropped
	to        *binding // of who is there
	flowing   bool     // who has said how far it got
	last      *remote  // who has said so last: its words may come behind its cancellation
	sent      uint64   // the highest number it was given
	before    uint64   // the highest that another connection was given
	open      map[uint64]*opened
	returns   uint64 // how often something was given back to the cursor, to be given again in order
	given     uint64 // how many events it was given
	interrupt context.CancelFunc

	lost, told uint64 // what the spool has lost of it, and how much of that the subscriber has taken note of
	toldLast   uint64 // the part of lost that was sent last
	saved      [2]uint64
	rejected   []uint64 // to become dead letters

	runs, skipped uint64 // how many ranges were passed that are for others, and the last number of these

	due   time.Time // when it is asked again what it has
	pause time.Duration
}

// An opened is an event that a subscriber was given and has not acknowledged.
type opened struct {
	attempts uint64
	any      bool   // it was given before the publisher began, so that attempts is not known
	lost     uint64 // how much was lost before it
	gone     bool   // the spool has it no more
}

const (
	durableWindow = 64
	durableBytes  = 1 << 20
	mostDurables  = 1_000
	mostSkips     = 4_096 // ranges of events for others, between those that wait for one subscription
)

func newDurables() *durables {
	d := &durables{all: make(map[groupKey]*durable), byID: make(map[uint64]*durable)}
	d.living, d.stop = context.WithCancel(context.Background())
	return d
}

// openSpool finds the subscriptions that earlier lives have left, once.
func (p *publisher) openSpool() error {
	ds := p.durables
	if p.cfg.spool == nil || ds.opened.Load() {
		return nil
	}
	ds.opening.Lock()
	defer ds.opening.Unlock()
	if ds.opened.Load() {
		return nil
	}
	if ds.ended {
		return socket.ErrClosed
	}
	var found []*durable
	for _, c := range p.cfg.spool.Stats().Cursors {
		key, ok := parseCursor(c.Name)
		var err error
		if !ok {
			err = fmt.Errorf("%w: it has a cursor %q", ErrSpool, c.Name)
		} else {
			d := p.newDurable(key)
			if err = p.claim(d); err == nil {
				found = append(found, d)
				continue
			}
		}
		for _, d := range found {
			d.cur.Unclaim()
		}
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range found {
		ds.all[d.key] = d
		p.begin(d)
	}
	ds.opened.Store(true)
	return nil
}

// cursorName is what the spool knows a subscription by.
func cursorName(key groupKey) string {
	return "pubsub:" + strconv.Itoa(len(key.name)) + ":" + key.name + ":" + key.pattern
}

func parseCursor(s string) (key groupKey, ok bool) {
	s, ok = strings.CutPrefix(s, "pubsub:")
	length, rest, _ := strings.Cut(s, ":")
	n, err := strconv.Atoi(length)
	if !ok || err != nil || n < 0 || n >= len(rest) || rest[n] != ':' {
		return key, false
	}
	return groupKey{name: rest[:n], pattern: rest[n+1:]}, true
}

func (p *publisher) newDurable(key groupKey) *durable {
	return &durable{key: key, wake: make(chan struct{}, 1), open: make(map[uint64]*opened)}
}

// claim makes or finds the cursor. No lock but opening is held.
func (p *publisher) claim(d *durable) error {
	cur, err := p.cfg.spool.Cursor(cursorName(d.key), d.options(nil))
	if err != nil {
		return err
	}
	if _, err := cur.Claim(func(l spool.Loss) { p.lose(d, l) }); err != nil {
		return err
	}
	d.cur = cur
	if data := cur.Data(); len(data) == 16 {
		d.saved = [2]uint64{binary.BigEndian.Uint64(data), binary.BigEndian.Uint64(data[8:])}
		d.lost, d.told = d.saved[0], d.saved[1]
	}
	d.toldLast = d.lost
	return nil
}

func (d *durable) options(data []byte) spool.CursorOptions {
	pattern := d.key.pattern
	return spool.CursorOptions{
		Data:   data,
		Filter: func(m *spool.Message) bool { return len(m.Frames) > 0 && subject.Match(pattern, string(m.Frames[0])) },
	}
}

// begin has a subscription whose cursor is there take part. mu is held.
func (p *publisher) begin(d *durable) {
	p.durables.ids++
	d.id, d.ready = p.durables.ids, true
	p.durables.byID[d.id] = d
	_, _ = p.durables.tree.Add(d.key.pattern, d) // it has this one, which was checked
	p.running.Go(func() { p.feed(d) })
}

// bindDurable gives a remote a durable subscription, or begins to make one. The turn and mu are held.
func (p *publisher) bindDurable(b *binding) {
	ds := p.durables
	key := groupKey{b.durable, b.pattern}
	d := ds.all[key]
	switch {
	case d == nil && len(ds.all) >= mostDurables:
		p.denyDurable(b, patterns.CodeResourceExhausted, "too many durable subscriptions")
		return
	case d != nil && d.over:
		p.denyDurable(b, patterns.CodeAborted, "the durable subscription is being dropped")
		return
	case d == nil:
		d = p.newDurable(key)
		ds.all[key] = d
		p.running.Go(func() { p.make(d) })
	case d.to != nil:
		p.denyDurable(d.to, patterns.CodeAborted, "another subscriber has taken the durable subscription over")
	}
	d.to, d.flowing, b.lasting = b, false, d
	if d.ready {
		p.greet(d)
	}
}

// denyDurable ends a binding that a remote does not have, or has no more.
func (p *publisher) denyDurable(b *binding, code patterns.Code, why string) {
	b.lasting = nil
	delete(b.from.bindings, b.asked)
	p.refuse(b.from, b.pattern, code, why)
}

// make makes the cursor of a new subscription.
func (p *publisher) make(d *durable) {
	err := p.claim(d)
	if p.take(p.durables.living) != nil {
		return // leaveSpool gives it free
	}
	defer p.give()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		delete(p.durables.all, d.key)
		if d.to != nil {
			p.denyDurable(d.to, patterns.CodeUnavailable, shorten(err.Error()))
		}
		return
	}
	p.begin(d)
	if d.to != nil {
		p.greet(d)
	}
}

// greet tells a subscriber which subscription it has, and asks how far it got. The turn and mu are held.
func (p *publisher) greet(d *durable) {
	p.tell(d.to.from, &patterns.Head{
		Kind: patterns.KindHello, Flags: patterns.FlagDurable, Method: d.key.pattern, Text: d.key.name,
		Origin: p.cfg.spool.ID(), Delivery: d.id, List: []uint64{d.told},
	}, nil)
	p.askSoon(d)
}

// askSoon has the subscriber asked, after a while, how far it got. mu is held.
func (p *publisher) askSoon(d *durable) {
	d.pause = p.cfg.beat
	d.due = p.now().Add(d.pause)
	p.wakeBy(d.due)
}

// away notes that a subscriber has gone; its subscription stays. mu is held.
func (p *publisher) away(b *binding) {
	if d := b.lasting; d.to == b {
		d.to, d.flowing = nil, false
		d.returns++ // what is on its way to it goes back
	}
}

// lasting counts the durable subscriptions, whose subscribers are there, that an event is for. mu is held.
func (p *publisher) lasting(name string) (n int) {
	for _, d := range p.durables.tree.Match(nil, name) {
		if d.flowing {
			n++
		}
	}
	return n
}

// DropSubscriber ends the durable subscriptions of a name, whatever their patterns: what is kept for them goes. A
// subscriber that is there is told, as an error of Events that matches ErrRefused; it may subscribe anew. The error
// matches spool.ErrNoCursor if there is none, and without [WithSpool].
func (p *publisher) DropSubscriber(ctx context.Context, name string) error {
	return failed("drop subscriber", p.dropDurables(ctx, name))
}

func (p *publisher) dropDurables(ctx context.Context, name string) error {
	if err := p.openSpool(); err != nil {
		return err
	}
	if err := p.take(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	var dropped []*durable
	for key, d := range p.durables.all {
		if key.name != name || !d.ready || d.over {
			continue
		}
		d.over = true
		p.durables.tree.Remove(key.pattern, d)
		if d.to != nil {
			p.denyDurable(d.to, patterns.CodeAborted, "the durable subscription was dropped")
			d.to, d.flowing = nil, false
		}
		d.poke()
		dropped = append(dropped, d)
	}
	p.tellChange()
	p.mu.Unlock()
	p.give()
	if len(dropped) == 0 {
		return fmt.Errorf("%w: %q", spool.ErrNoCursor, name)
	}
	var failed error
	for _, d := range dropped {
		d.cur.Unclaim()
		if err := p.cfg.spool.DropCursor(ctx, d.cur.Name()); err != nil {
			failed = err
		}
		p.mu.Lock()
		delete(p.durables.all, d.key)
		delete(p.durables.byID, d.id)
		p.mu.Unlock()
	}
	return failed
}

// endDurables has the goroutines end.
func (p *publisher) endDurables() {
	p.durables.opening.Lock()
	defer p.durables.opening.Unlock()
	p.durables.ended = true
	p.durables.stop()
}

// leaveSpool gives the cursors free, for another publisher on the same spool. The goroutines have ended.
func (p *publisher) leaveSpool() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.durables.all {
		if d.cur == nil || d.over {
			continue
		}
		for seq := range d.open {
			d.cur.Release(only(seq))
		}
		d.cur.Unclaim()
		d.over = true
	}
}

func only(seq uint64) spool.Range { return spool.Range{From: seq, To: seq + 1} }
