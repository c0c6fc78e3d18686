package pubsub

import (
	"errors"
	"slices"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// word takes what the subscriber of a durable subscription says. The turn and mu are held.
func (p *publisher) word(from *socket.Peer, h *patterns.Head) {
	d := p.durables.byID[h.Delivery]
	if d == nil || len(h.List) > 2*durableWindow {
		return
	}
	r := d.last
	if d.to != nil && d.to.from.peer == from {
		r = d.to.from
	}
	if r == nil || r.peer != from || h.Window != r.number { // it speaks of an earlier connection
		return
	}
	here := d.to != nil && d.to.from == r
	switch {
	case here && h.Kind == patterns.KindResume:
		p.resumed(d, h)
		p.tellChange()
	case d.flowing != here || r != d.last: // it was not asked, or others are there
	case h.Kind == patterns.KindAck:
		d.acked(h)
	case h.Kind == patterns.KindNack && h.NotBegun:
		if here {
			d.goBack(h.Seq)
		}
	case h.Kind == patterns.KindNack, h.Kind == patterns.KindReject:
		d.returned(h)
	}
	if d.flowing && len(d.open) > 0 {
		p.askSoon(d)
	}
	d.more()
}

// resumed takes how far a subscriber has come: it has all up to a number but for those that it lists, which it has
// still to do. One that is new has nothing.
func (p *publisher) resumed(d *durable, h *patterns.Head) {
	if d.flowing { // it was asked twice
		return
	}
	last, list := h.Seq, h.List
	if h.Origin != p.cfg.spool.ID() || last >= p.cfg.spool.Stats().Next { // the spool was rolled back
		last, list = 0, nil
	}
	if last > 0 {
		done := uint64(1)
		slices.Sort(list)
		for _, seq := range list {
			if seq > last || seq < done {
				continue
			}
			d.cur.Settle(spool.Range{From: done, To: seq})
			done = seq + 1
			if d.open[seq] == nil && !d.cur.Settled(seq) {
				d.open[seq] = &opened{any: true, lost: d.told}
			}
		}
		d.cur.Settle(spool.Range{From: done, To: last + 1})
		d.settle(func(seq uint64) bool { return seq <= last && !slices.Contains(list, seq) })
	}
	d.before = max(d.before, d.sent)
	d.goBack(last)
	d.flowing, d.last = true, d.to.from
}

// acked takes an ack: all up to a number is done but for those that are listed.
func (d *durable) acked(h *patterns.Head) {
	d.settle(func(seq uint64) bool { return seq <= h.Seq && !slices.Contains(h.List, seq) })
}

// settle ends events that a subscriber has done with.
func (d *durable) settle(done func(seq uint64) bool) {
	told := d.told
	for seq, o := range d.open {
		if done(seq) {
			delete(d.open, seq)
			d.cur.Settle(only(seq))
			d.told = max(d.told, o.lost)
		}
	}
	if len(d.open) == 0 && len(d.cur.Above(1)) == 0 {
		d.runs = 0
	}
	if d.told != told {
		d.poke()
	}
}

// goBack gives again what was given behind a number, for the subscriber has not got it.
func (d *durable) goBack(last uint64) {
	d.returns++
	for seq, o := range d.open {
		if seq <= last {
			continue
		}
		delete(d.open, seq)
		if o.gone {
			d.lost++
			d.poke()
		}
		d.cur.Release(only(seq))
	}
	d.sent = last
}

// returned takes events that are to come again, or never, unless they have come again already.
func (d *durable) returned(h *patterns.Head) {
	for _, seq := range h.List {
		o := d.open[seq]
		if o == nil || !o.any && o.attempts != h.Attempt {
			continue
		}
		delete(d.open, seq)
		if h.Kind == patterns.KindReject {
			d.rejected = append(d.rejected, seq)
			d.poke()
			continue
		}
		d.cur.Return(seq, min(max(h.Left, 0), mostDelay), errReturned)
	}
}

// errReturned is kept in the spool with an event that was given back.
var errReturned = errors.New("given back by the subscriber")
