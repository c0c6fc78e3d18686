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
		case <-p.wake: // something is published again
			t.Reset(p.cfg.beat)
		case <-t.C:
			t.Reset(p.beats(time.Now()))
		}
	}
}

func (p *publisher) wakeClock() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// beats sends those that are due, and returns after how long others will be.
func (p *publisher) beats(now time.Time) (next time.Duration) {
	if p.take(context.Background()) != nil {
		return p.cfg.beat
	}
	defer p.give()
	p.mu.Lock()
	defer p.mu.Unlock()
	next = slowestBeat * p.cfg.beat
	p.resting = true
	for _, r := range p.remotes {
		if p.forget(r) || !r.ours || r.meant == 0 {
			continue
		}
		switch {
		case r.told != r.meant:
			r.pause = p.cfg.beat
			p.resting = false
		case now.Before(r.due):
			next = min(next, r.due.Sub(now))
			continue
		default: // the last one may have found the queue full
			r.pause = min(2*r.pause, slowestBeat*p.cfg.beat)
		}
		p.beat(r)
		r.due = now.Add(r.pause)
		next = min(next, r.pause)
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
		if r.ours && r.told != r.meant {
			p.beat(r)
		}
	}
}

// beat tells a subscriber how many events were meant for it. The turn and mu are held.
func (p *publisher) beat(r *remote) {
	r.told = r.meant
	p.tell(r, &patterns.Head{Kind: patterns.KindBeat, Window: r.meant, Seq: p.count}, nil)
}
