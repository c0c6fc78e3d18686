package socket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// What a durable subscription is subscribed to. It is kept with the cursor, and it is for the messages that are
// published from then on: each topic has the number of the first that may be for it. Those of a subscription's first
// list have zero, for where it begins is for the cursor to say.

// A listing is how far a link is with what its subscriber wants.
type listing struct {
	of       *durable            // the subscription that the peer has named; nil at the subscriber
	topics   map[string]struct{} // that the peer has listed
	complete bool                // it has said, or was told, that these are all
	served   bool                // its messages flow
}

// durable is the subscription that the peer at the other end of a link has named; nil if it has not.
func (l *link) durable() *durable {
	if l.out.listing == nil {
		return nil
	}
	return l.out.listing.of
}

// change takes a SUBSCRIBE or CANCEL of the peer that has the subscription of a link.
func (ds *durables) change(l *link, add bool, topic string) error {
	ds.box.mu.Lock()
	defer ds.box.mu.Unlock()
	d := l.durable()
	if d.link != l || !d.ready() {
		return nil
	}
	_, have := d.from[topic]
	switch {
	case add:
		if !have {
			if err := d.roomFor(topic); err != nil {
				return err
			}
			from := uint64(0)
			if d.known {
				from = ds.last + 1
			}
			d.add(topic, from)
			d.save()
		}
		if l.out.listing.topics == nil {
			l.out.listing.topics = make(map[string]struct{})
		}
		l.out.listing.topics[topic] = struct{}{}
		if l.out.listing.complete {
			d.serve(l)
		}
	case have:
		delete(l.out.listing.topics, topic)
		d.cancel(topic)
		d.save()
	}
	return nil
}

// listed takes a DSUB over a link that has joined: the peer has listed what it wants, and what else the subscription
// had is cancelled. Then its messages flow. A peer that has listed nothing has not come to it yet.
func (o *outbox) listed(l *link, data []byte) error {
	said, err := zmtp.ParseDurableSubscribe(data)
	if err != nil {
		return err
	}
	l.reading.useless += useless(1, len(data))
	o.mu.Lock()
	defer o.mu.Unlock()
	d := l.durable()
	if d == nil || d.link != l || !d.ready() || !said.All {
		return nil
	}
	l.out.listing.complete = true
	d.serve(l)
	return nil
}

// serve has a link fed, once that is due.
func (d *durable) serve(l *link) {
	if len(l.out.listing.topics) == 0 || l.out.listing.served {
		return
	}
	for topic := range d.from {
		if _, still := l.out.listing.topics[topic]; !still {
			d.cancel(topic)
			d.dirty = true
		}
	}
	if !d.known {
		d.known, d.dirty = true, true
	}
	l.out.listing.served = true
	if d.dirty {
		d.save()
	}
	if l.out.joined && !l.out.dead {
		d.feeders[0].serve(l)
		d.tellGaps(l)
	}
	d.box.spaceWaiters.WakeAll() // for WaitSubscribers
}

// topics lists what the subscriptions are for, whether their subscribers are there or not.
func (ds *durables) topics() (topics []string) {
	for _, d := range ds.byName {
		if d.ready() {
			topics = slices.AppendSeq(topics, maps.Keys(d.from))
		}
	}
	return topics
}

func (d *durable) add(topic string, from uint64) {
	d.from[topic] = from
	d.topics.Add(topic, from)
	d.size += len(topic) + topicOverhead
}

func (d *durable) cancel(topic string) {
	d.topics.Drop(topic, d.from[topic])
	delete(d.from, topic)
	d.size -= len(topic) + topicOverhead
}

const (
	topicOverhead = 12       // of a topic as it is kept, at most
	maxCursorData = 60 << 10 // of all of them: a spool keeps 64 KiB with a cursor
	maxGapsKept   = 256
	gapOverhead   = 21
)

// roomFor returns an error if the subscription may not have another topic.
func (d *durable) roomFor(topic string) error {
	limit := d.box.env.cfg.limits.MaxSubscriptions
	switch {
	case limit > 0 && len(d.from) >= limit:
		return &tooMany{limit}
	case d.size+len(topic)+topicOverhead > maxCursorData-maxGapsKept*gapOverhead:
		return &tooMany{len(d.from)}
	}
	return nil
}

// matches reports whether a message is for the subscription.
func (d *durable) matches(number uint64, topic []byte) (yes bool) {
	d.topics.Match(topic, func(from []uint64) bool {
		for _, f := range from {
			yes = yes || f <= number
		}
		return !yes
	})
	return yes
}

// wants says which messages are for the cursor. No lock is held.
func (d *durable) wants(number uint64, m Msg) bool {
	d.box.mu.Lock()
	defer d.box.mu.Unlock()
	if d.matches(number, m.Frames[0]) {
		return true
	}
	d.pass(number)
	return false
}

// pass enters a message that is not for the subscription, or not any more.
func (d *durable) pass(number uint64) {
	if d.entered.Contains(number) && !d.done.Contains(number) && !d.out.Contains(number) {
		n := d.spooledPart(1)
		d.unspool(n)
		d.box.ledger(nil).drop(NotSubscribed, n)
	}
	d.entered.Add(number)
	if !d.out.Contains(number) {
		d.done.Add(number)
	}
}

// save has what is kept with the cursor written, by a goroutine.
func (d *durable) save() {
	d.dirty = true
	if !d.saving && !d.of.stopped {
		d.saving = true
		d.box.env.writers.Go(d.saveAll)
	}
}

func (d *durable) saveAll() {
	d.box.mu.Lock()
	defer d.box.mu.Unlock()
	for d.dirty && d.over == nil {
		d.dirty = false
		data := d.encode()
		d.box.mu.Unlock()
		_, _, err := d.store.subscription(d.name, d.options(startOf(&zmtp.DurableSubscription{}), data))
		d.box.mu.Lock()
		if err != nil {
			d.box.env.events.add(Event{Kind: SpoolFailing, Err: err})
			break // with the next change
		}
	}
	d.saving = false
	d.box.spaceWaiters.WakeAll() // for WaitSubscribers
}

// What the second byte of what is kept says: that topics were listed, and that a name has an owner.
const (
	keptKnown = 1 << iota
	keptOwner
)

// encode is what is kept with the cursor: a version, flags, the topics, each with the number it begins with, what of
// the gaps the peer may not have been told, and who owns the name. Whoever does not know the last leaves it out.
func (d *durable) encode() []byte {
	b := []byte{keptVersion, 0}
	if d.known {
		b[1] |= keptKnown
	}
	if d.owner != "" {
		b[1] |= keptOwner
	}
	b = binary.AppendUvarint(b, uint64(len(d.from)))
	for topic, from := range d.from {
		b = binary.AppendUvarint(b, from)
		b = binary.AppendUvarint(b, uint64(len(topic)))
		b = append(b, topic...)
	}
	b = binary.AppendUvarint(b, uint64(len(d.gaps)))
	for _, g := range d.gaps {
		b = binary.AppendUvarint(b, g.From)
		b = binary.AppendUvarint(b, g.Len())
		b = append(b, byte(g.why))
	}
	if d.owner != "" {
		b = binary.AppendUvarint(b, uint64(len(d.owner)))
		b = append(b, d.owner...)
	}
	return b
}

const keptVersion = 1

var errKept = errors.New("what is kept with a durable subscription cannot be read")

// restore takes what was kept. What cannot be read of it is told, and as good as not there: the subscriber says it
// again.
func (d *durable) restore(data []byte) {
	if len(data) == 0 {
		return
	}
	if err := d.decode(data); err != nil {
		d.box.env.events.add(Event{Kind: SpoolFailing, Err: fmt.Errorf("%w: %.64q: %w", errKept, d.name, err)})
	}
}

func (d *durable) decode(data []byte) error {
	if len(data) < 2 || data[0] != keptVersion {
		return errors.New("it is of another version")
	}
	flags, data := data[1], data[2:]
	short := false
	next := func() uint64 {
		n, size := binary.Uvarint(data)
		if size <= 0 {
			short = true
			return 0
		}
		data = data[size:]
		return n
	}
	for range next() {
		from, size := next(), next()
		if short || size > uint64(len(data)) {
			return errors.New("it is cut short")
		}
		d.add(string(data[:size]), from)
		data = data[size:]
	}
	for range next() {
		from, n := next(), next()
		if short || len(data) == 0 {
			return errors.New("it is cut short")
		}
		d.gaps = append(d.gaps, gap{numberRange: numberRange{From: from, To: from + n}, why: zmtp.GapReason(data[0])})
		data = data[1:]
	}
	if flags&keptOwner != 0 {
		size := next()
		if short || size > uint64(len(data)) {
			return errors.New("it is cut short")
		}
		d.owner = owner(data[:size])
	}
	d.known = flags&keptKnown != 0
	return nil
}
