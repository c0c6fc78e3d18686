package pubsub

import (
	"context"
	"time"

	"github.com/yodel-mq/yodel/patterns"
)

// clock sends beats, until the publisher ends. While nothing is published it rests between them.
func (p *publisher) clock() {
	t := time.NewTimer(p.cfg.beat)
	defer t.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-p.wake: // something is to be done sooner
			p.mu.Lock()
			d := p.tick.Sub(p.now())
			p.mu.Unlock()
			t.Reset(max(d, 0))
		case <-t.C:
			t.Reset(p.ticked())
		}
	}
}

func (p *publisher) now() time.Time { return time.Now() }

// wakeBy has the clock tick no later than that. mu is held.
func (p *publisher) wakeBy(at time.Time) {
	if !p.tick.IsZero() && !at.Before(p.tick) {
		return
	}
	p.tick = at
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// beatSoon has beats sent, now that there is something to tell. mu is held.
func (p *publisher) beatSoon() {
	if p.resting {
		p.resting = false
		p.wakeBy(p.now().Add(p.cfg.beat))
	}
}

// ticked does what is due, and returns after how long something else will be.
func (p *publisher) ticked() time.Duration {
	if p.take(context.Background()) != nil {
		return p.cfg.beat
	}
	defer p.give()
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	next := now.Add(slowestBeat * p.cfg.beat)
	sooner := func(t time.Time) {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	p.resting = true
	sooner(p.overdue(now))
	sooner(p.tickGroups(now))
	sooner(p.tickDurables(now))
	sooner(p.beats(now))
	if !p.resting {
		sooner(now.Add(p.cfg.beat))
	}
	p.tick = next
	return next.Sub(now)
}

// beats sends those that are due, and returns when others will be. The turn and mu are held.
func (p *publisher) beats(now time.Time) (next time.Time) {
	for _, r := range p.remotes {
		if p.forget(r) || !r.ours || r.events() == 0 {
			continue
		}
		switch {
		case r.told != r.events():
			r.pause = p.cfg.beat
			p.resting = false
			p.beat(r)
			r.due = now.Add(r.pause)
		case !now.Before(r.due): // the last one may have found the queue full
			r.pause = min(2*r.pause, slowestBeat*p.cfg.beat)
			p.beat(r)
			r.due = now.Add(r.pause)
		}
		if next.IsZero() || r.due.Before(next) {
			next = r.due
		}
	}
	return next
}

// beatAll tells everybody how much was meant for it.
func (p *publisher) beatAll(ctx context.Context) {
	if p.take(ctx) != nil {
		return
	}
	defer p.give()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.remotes {
		if r.ours && r.told != r.events() {
			p.beat(r)
		}
	}
}

// beat tells a subscriber how many events were meant for it. The turn and mu are held.
func (p *publisher) beat(r *remote) {
	r.told = r.events()
	p.tell(r, &patterns.Head{Kind: patterns.KindBeat, Window: r.meant, Seq: p.count, Delivery: r.deliveries}, nil)
}
