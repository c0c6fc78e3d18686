package pubsub

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket/spool"
)

// store puts an event on disk if it is for a durable subscription, and returns once it is synced. It waits without the
// turn, so that events of several goroutines share a commit.
func (p *publisher) store(ctx context.Context, name string, h *patterns.Head, body []byte) error {
	if p.cfg.spool == nil {
		return nil
	}
	if err := p.openSpool(); err != nil {
		return err
	}
	p.mu.Lock()
	wanted := p.durables.tree.Match(nil, name)
	var others []*durable
	if len(wanted) > 0 {
		for _, d := range p.durables.all {
			if d.ready && !slices.Contains(wanted, d) {
				others = append(others, d)
			}
		}
	}
	p.mu.Unlock()
	if len(wanted) == 0 {
		return nil
	}
	seq, err := p.cfg.spool.Append(ctx, spool.Message{Frames: [][]byte{[]byte(name), h.AppendTo(nil), body}})
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range others {
		d.skip(seq)
	}
	return nil
}

// skip passes an event that is for others, so that it does not stay for one that is away. Between events that wait each
// range takes memory: beyond so many the cursor passes them when it comes to them.
func (d *durable) skip(seq uint64) {
	if seq != d.skipped+1 {
		if d.runs >= mostSkips {
			return
		}
		d.runs++
	}
	d.skipped = seq
	d.cur.Settle(only(seq))
}

// feed gives a subscription what is stored for it, while its subscriber is there and has room.
func (p *publisher) feed(d *durable) {
	for {
		p.mu.Lock()
		over, room, returns := d.over, 0, d.returns
		if d.flowing {
			room = durableWindow - len(d.open)
		}
		ctx, interrupt := context.WithCancel(p.durables.living)
		d.interrupt = interrupt
		p.mu.Unlock()
		if over || p.durables.living.Err() != nil {
			interrupt()
			return
		}
		var err error
		if p.chores(ctx, d); room <= 0 {
			select {
			case <-d.wake:
			case <-ctx.Done():
			}
		} else {
			var ms []spool.Message
			if ms, err = d.cur.Next(ctx, room, durableBytes); len(ms) > 0 {
				p.hand(d, returns, ms)
			}
		}
		interrupted := ctx.Err() != nil
		interrupt()
		switch {
		case err == nil || interrupted:
		case errors.Is(err, spool.ErrClosed), errors.Is(err, spool.ErrNoCursor):
			return
		default: // the disk
			select {
			case <-time.After(p.cfg.beat):
			case <-p.durables.living.Done():
			}
		}
	}
}

// poke has the goroutine look again: for more to send, or for chores. mu is held.
func (d *durable) poke() {
	if d.interrupt != nil {
		d.interrupt()
	}
	d.more()
}

// more has the goroutine look for more to send, if it waits for that. mu is held.
func (d *durable) more() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// chores are what has to be on disk beside the events: dead letters, and what was lost.
func (p *publisher) chores(ctx context.Context, d *durable) {
	p.mu.Lock()
	rejected, now := d.rejected, [2]uint64{d.lost, d.told}
	d.rejected = nil
	p.mu.Unlock()
	for _, seq := range rejected {
		err := d.cur.Bury(context.WithoutCancel(ctx), seq, "rejected by the subscriber")
		if err != nil && !errors.Is(err, spool.ErrSettled) && !errors.Is(err, spool.ErrNoMessage) {
			d.cur.Release(only(seq)) // it is rejected once more
		}
	}
	if now == d.saved {
		return
	}
	data := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, now[0]), now[1])
	if _, err := p.cfg.spool.Cursor(d.cur.Name(), d.options(data)); err == nil {
		d.saved = now
	}
}

// hand sends a subscriber what its cursor has handed out. If anything was given back meanwhile that may come first, it
// all goes back.
func (p *publisher) hand(d *durable, returns uint64, ms []spool.Message) {
	if p.take(p.durables.living) != nil {
		d.giveBack(ms)
		return
	}
	defer p.give()
	p.mu.Lock()
	defer p.mu.Unlock()
	if d.returns != returns || !d.flowing || d.over {
		d.giveBack(ms)
		return
	}
	for i := range ms {
		m := &ms[i]
		if d.open[m.Seq] != nil { // the subscriber has it from an earlier life
			continue
		}
		var h patterns.Head
		err := patterns.ErrHead
		if len(m.Frames) == 3 {
			h, err = patterns.ParseHead(m.Frames[1])
		}
		if err != nil {
			d.rejected = append(d.rejected, m.Seq)
			d.poke()
			continue
		}
		attempts := uint64(m.Attempts)
		if m.Seq <= d.before {
			attempts++
		}
		h.Kind, h.Method, h.Seq, h.Delivery = patterns.KindMessage, string(m.Frames[0]), m.Seq, d.id
		h.Flags, h.Attempt, h.Window = patterns.FlagDurable, attempts, d.sent
		if m.Seq < d.sent {
			h.Window = m.Seq // it comes behind its place
		} else {
			d.sent = m.Seq
		}
		if d.lost > 0 {
			h.List = []uint64{d.lost}
		}
		d.toldLast = d.lost
		d.open[m.Seq] = &opened{attempts: attempts, lost: d.lost}
		d.given++
		p.tell(d.to.from, &h, m.Frames[2])
	}
	p.askSoon(d)
}

// giveBack returns to the cursor what nobody was given.
func (d *durable) giveBack(ms []spool.Message) {
	for i := range ms {
		d.cur.Release(only(ms[i].Seq))
	}
}

// lose notes what the spool has lost of a subscription. What the subscriber has been given may be there still.
func (p *publisher) lose(d *durable, l spool.Loss) {
	if l.Why == spool.Buried { // by the subscriber's own word
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	n := l.Count.Messages
	for seq, o := range d.open {
		if seq >= l.Seqs.From && seq < l.Seqs.To && !o.gone && n > 0 {
			o.gone = true
			n--
		}
	}
	d.lost += n
	d.poke()
	if d.flowing {
		p.askSoon(d)
	}
}

// tickDurables asks subscribers, ever more seldom, what they have of what they have not acknowledged: either way a word
// may have been dropped. It returns when there is more to do, the zero time if there is nothing. The turn and mu are
// held.
func (p *publisher) tickDurables(now time.Time) (next time.Time) {
	for _, d := range p.durables.all {
		if d.to == nil || !d.ready || d.flowing && len(d.open) == 0 && d.toldLast == d.lost {
			continue
		}
		if !now.Before(d.due) {
			d.pause = min(2*max(d.pause, p.cfg.beat), slowestAsk*p.cfg.beat)
			pause := d.pause
			if d.flowing {
				d.toldLast = d.lost
				p.tell(d.to.from, &patterns.Head{
					Kind: patterns.KindBeat, Flags: patterns.FlagDurable, Delivery: d.id, Seq: d.sent, List: []uint64{d.lost},
				}, nil)
			} else {
				p.greet(d)
			}
			d.pause, d.due = pause, now.Add(pause)
		}
		if next.IsZero() || d.due.Before(next) {
			next = d.due
		}
	}
	return next
}

const slowestAsk = 8 // times as long as the first
