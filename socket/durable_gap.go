package socket

import (
	"fmt"
	"slices"

	"github.com/yodel-mq/yodel/socket/internal/reliable"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// Messages of a durable subscription that the store has lost. The subscriber is told of them by GAP, and again over
// each new link until it has acknowledged what was sent behind that; the stream remembers what it has heard of.

// A gap is messages that the subscriber is to be told of.
type gap struct {
	numberRange
	why   zmtp.GapReason
	said  bool   // over some link
	sent  bool   // over this link
	after uint64 // who acknowledges a message from here on has been told
}

// gapReasons are what the subscriber is told. It knows of the dead letters itself, or will find them at the publisher.
var gapReasons = map[Reason]zmtp.GapReason{
	SpoolFull: zmtp.GapDropped, Purged: zmtp.GapDropped, Expired: zmtp.GapExpired, Damaged: zmtp.GapDamaged,
}

// missed notes that the store has lost messages of the subscription.
func (d *durable) missed(l loss) {
	why, ok := gapReasons[l.why]
	if !ok {
		return
	}
	if d.box.env.cfg.durable.MaxBytes > 0 && l.why == SpoolFull {
		why = zmtp.GapLimit
	}
	last := len(d.gaps) - 1
	if last >= 0 && d.gaps[last].To == l.From && d.gaps[last].why == why && !d.gaps[last].said {
		d.gaps[last].To = l.To
	} else {
		d.gaps = append(d.gaps, gap{numberRange: l.numberRange, why: why})
		if len(d.gaps) > maxGapsKept {
			d.mergeGaps()
		}
	}
	d.save()
	if d.serving() {
		d.tellGaps(d.link)
	}
}

// mergeGaps makes one of two gaps that nobody was told of, which says how much is missing and no longer quite which.
func (d *durable) mergeGaps() {
	for i := len(d.gaps) - 2; i >= 0; i-- {
		a, b := d.gaps[i], d.gaps[i+1]
		if a.said || b.said || a.why != b.why || a.To > b.From {
			continue
		}
		between := parts(&d.out, numberRange{From: a.To, To: b.From})
		if slices.ContainsFunc(between, func(p part) bool { return p.in }) {
			continue
		}
		d.gaps[i+1].From -= a.Len()
		d.gaps = slices.Delete(d.gaps, i, i+1)
		return
	}
}

// tellGaps tells the subscriber what it has not been told over this link.
func (d *durable) tellGaps(l *link) {
	for i := range d.gaps {
		g := &d.gaps[i]
		if g.sent {
			continue
		}
		g.said, g.sent, g.after = true, true, max(g.To, d.out.End())
		l.control(func(b []byte) []byte { return zmtp.AppendGap(b, zmtp.Range(g.numberRange), g.why) })
	}
	l.start(false)
}

// told notes that the subscriber has acknowledged messages.
func (d *durable) told(r numberRange) {
	if d.box.env.cfg.durable.Laggard == HoldPublisher {
		d.box.spaceWaiters.WakeAll()
	}
	n := len(d.gaps)
	if n == 0 {
		return
	}
	d.gaps = slices.DeleteFunc(d.gaps, func(g gap) bool { return g.sent && r.To > g.after })
	if len(d.gaps) < n {
		d.save()
	}
}

// left notes that a link of a subscription has left.
func (ds *durables) left(l *link) {
	ds.box.mu.Lock()
	defer ds.box.mu.Unlock()
	d := l.durable()
	if d.link != l {
		return
	}
	d.link = nil
	for i := range d.gaps {
		d.gaps[i].sent = false
	}
}

// gapSaid takes a GAP.
func (q *inbox) gapSaid(l *link, data []byte) error {
	r, why, err := zmtp.ParseGap(data)
	if err != nil {
		return err
	}
	l.reading.useless += useless(1, len(data))
	q.mu.Lock()
	defer q.mu.Unlock()
	s := l.in.stream
	if s == nil || s.owner != l {
		return nil
	}
	if err := s.receiver.Gap(s.on, reliable.Range(r)); err != nil {
		return err
	}
	if len(s.missed.Above()) > reliable.MaxGaps {
		return fmt.Errorf("%w: more than %d gaps", ErrProtocol, reliable.MaxGaps)
	}
	if n := s.missed.AddRange(r.From, r.To); n > 0 {
		l.core.events.add(Event{Kind: Gap, Endpoint: l.ep.name, Peer: l.peer, Count: n, Reason: reasonOf(why)})
	}
	return nil
}

func reasonOf(why zmtp.GapReason) Reason {
	switch why {
	case zmtp.GapExpired:
		return Expired
	case zmtp.GapDamaged:
		return Damaged
	default:
		return SpoolFull
	}
}
