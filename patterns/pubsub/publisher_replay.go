package pubsub

import (
	"cmp"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/subject"
)

// What was published before a subscription, and is given to it. The turn and mu are held in all of this, so that
// nothing is published between what is given and what is sent from then on.

// live begins to send what is published to a subscription, behind what it wants of the past. A subscriber that was
// connected before says how far it had got then, and gets what came after that.
func (p *publisher) live(b *binding, after uint64) {
	r := b.from
	var events []*published
	if b.replay > 0 {
		n, complete := b.replay, p.count
		if after > 0 {
			n = p.count // what was missed, however much that is
		}
		events = p.history.replay(b.pattern, n, after, p.now())
		if after > 0 {
			complete = max(p.history.lost, after)
		}
		p.tell(r, &patterns.Head{
			Kind: patterns.KindResume, Method: b.pattern, Origin: p.id, Seq: complete, Window: r.number,
		}, nil)
	}
	if b.last {
		for _, e := range p.history.last(b.pattern) {
			if !slices.Contains(events, e) {
				events = append(events, e)
			}
		}
		slices.SortStableFunc(events, func(a, b *published) int { return cmp.Compare(a.head.Seq, b.head.Seq) })
	}
	for _, e := range events {
		if r.has(b, e) {
			continue
		}
		h := e.head
		h.Method, h.Flags = e.subject, patterns.FlagReplay
		r.meant++
		p.tell(r, &h, e.body)
	}
	b.past = p.count
	if len(events) > 0 && b.replay > 0 {
		b.past = events[0].head.Seq - 1
	}
	b.isLive = true
	if len(events) > 0 {
		p.beatSoon()
	}
}

// has tells whether a remote has got an event by another of its subscriptions.
func (r *remote) has(but *binding, e *published) bool {
	for _, b := range r.bindings {
		if b == nil || b == but || !b.isLive || !b.plain() || !subject.Match(b.pattern, e.subject) {
			continue
		}
		if e.head.Seq > b.past || b.last && but.last {
			return true
		}
	}
	return false
}

// resume takes from a subscriber how far it had got.
func (p *publisher) resume(r *remote, h *patterns.Head) {
	if h.Window != r.number {
		return
	}
	after := uint64(0)
	if h.Origin == p.id {
		after = h.Seq
	}
	for _, b := range r.bindings {
		if b != nil && !b.held.IsZero() && b.pattern == h.Method {
			p.enter(b, after)
		}
	}
}

// overdue lets those begin that have waited for long enough, and returns when others will have.
func (p *publisher) overdue(now time.Time) (next time.Time) {
	for _, r := range p.remotes {
		for _, b := range r.bindings {
			switch {
			case b == nil || b.held.IsZero():
			case now.Before(b.held):
				if next.IsZero() || b.held.Before(next) {
					next = b.held
				}
			default:
				p.enter(b, 0)
			}
		}
	}
	return next
}

// enter puts a subscription among those that get what is published.
func (p *publisher) enter(b *binding, after uint64) {
	b.held = time.Time{}
	if _, err := p.tree.Add(b.pattern, b.from); err != nil {
		delete(b.from.bindings, b.asked)
		p.refuse(b.from, b.pattern, patterns.CodeResourceExhausted, err.Error())
		return
	}
	p.live(b, after)
	p.tellChange()
}
