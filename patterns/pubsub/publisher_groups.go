package pubsub

import (
	"errors"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/dispatch"
)

// A group is those who share what is published for a pattern. Which of them gets which event, and when it comes again,
// is for its machine to decide. All of it is guarded by publisher.mu, and only who has the turn gives out events.
type group struct {
	name, pattern string
	machine       *dispatch.Machine[*published]
	members       map[dispatch.Worker]*remote
	dropped       uint64    // events that nobody wanted
	last          *remote   // the member that has left last
	empty         time.Time // since when there is none
}

// A delivery is an event of a group that a member has, or has had.
type delivery struct {
	number uint64 // of the connection
	group  *group
	worker dispatch.Worker
	seq    uint64
}

const (
	prefetch   = 64    // how many events of a group a member has at hand
	mostGroups = 1_000 // of one publisher
	groupRests = 10 * time.Minute
)

var errGroups = errors.New("too many groups")

// join makes a remote a member. It returns an error if there are too many groups.
func (p *publisher) join(b *binding) error {
	key := groupKey{b.group, b.pattern}
	g := p.groups[key]
	if g == nil {
		if len(p.groups) >= mostGroups {
			return errGroups
		}
		g = &group{
			name: b.group, pattern: b.pattern, members: make(map[dispatch.Worker]*remote),
			machine: dispatch.New[*published](dispatch.Config{Lease: p.cfg.lease}),
		}
		if _, err := p.grouped.Add(b.pattern, g); err != nil {
			return err
		}
		p.groups[key] = g
	}
	p.workers++
	b.of, b.worker = g, p.workers
	g.members[b.worker] = b.from
	g.machine.Up(b.worker, "")
	actions, err := g.machine.Window(p.now(), b.worker, prefetch, 0)
	p.perform(g, actions)
	return err
}

// part takes a member out: what it had goes to others.
func (p *publisher) part(b *binding) {
	g := b.of
	delete(g.members, b.worker)
	b.from.open = without(b.from.open, func(d delivery) bool { return d.worker == b.worker })
	p.perform(g, g.machine.Down(p.now(), b.worker, 0))
	if len(g.members) == 0 {
		g.last, g.empty = b.from, p.now()
		p.wakeBy(g.empty.Add(p.cfg.beat))
	}
}

// full tells whether Publish must wait before it gives groups another event.
func (p *publisher) full(groups []*group) bool {
	for _, g := range groups {
		if s := g.machine.Stats(); s.Waiting+s.Held+s.Delayed >= p.cfg.unacked {
			return true
		}
	}
	return false
}

// share gives an event to groups. The turn and mu are held.
func (p *publisher) share(groups []*group, e *published) {
	for _, g := range groups {
		actions, _ := g.machine.Push(e.at, &dispatch.Job[*published]{Seq: e.head.Seq, Value: e}) // it has no bounds
		p.perform(g, actions)
	}
}

// perform does what a group's machine wants. The turn and mu are held.
func (p *publisher) perform(g *group, actions []dispatch.Action[*published]) {
	for _, a := range actions {
		switch a.Kind {
		case dispatch.Assign:
			r, e := g.members[a.Worker], a.Job.Value
			r.deliveries++
			r.open = append(r.open, delivery{r.deliveries, g, a.Worker, a.Job.Seq})
			h := e.head
			h.Method, h.Attempt, h.Delivery, h.Window = e.subject, uint64(a.Job.Attempts), r.deliveries, r.open[0].number
			p.tell(r, &h, e.body)
			p.beatSoon()
		case dispatch.Settle:
			if a.Outcome != dispatch.Done {
				g.dropped++
			}
			if p.waiting > 0 {
				p.tellChange()
			}
		case dispatch.Revoke, dispatch.Again: // the member hears of it when it settles what is no more its own
		}
	}
	if at, ok := g.machine.Next(); ok {
		p.wakeBy(at)
	}
}

// verdict takes what a member says of the events that it has. The turn and mu are held.
func (p *publisher) verdict(r *remote, h *patterns.Head) {
	if h.Window != r.number || len(h.List) > 2*mostSpans+mostHoles { // it speaks of an earlier connection
		return
	}
	mine := func(d delivery) bool { return slices.Contains(h.List, d.number) } // whether a word is on this one
	if h.Kind == patterns.KindAck {
		mine = func(d delivery) bool { return covers(h.Seq, h.List, d.number) }
	}
	var meant []delivery
	if h.Kind != patterns.KindInProgress {
		r.open = without(r.open, func(d delivery) bool {
			if mine(d) {
				meant = append(meant, d)
				return true
			}
			return false
		})
	}
	now := p.now()
	for _, d := range meant {
		var actions []dispatch.Action[*published]
		switch h.Kind {
		case patterns.KindAck:
			actions, _ = d.group.machine.Ack(now, d.worker, d.seq)
		case patterns.KindReject:
			actions, _ = d.group.machine.Reject(now, d.worker, d.seq)
		default:
			actions, _ = d.group.machine.Nack(now, d.worker, d.seq, min(h.Left, mostDelay), !h.NotBegun)
		}
		p.perform(d.group, actions)
	}
	if h.Kind == patterns.KindNack {
		return // it may only have found that something was dropped
	}
	for _, d := range r.open {
		actions, _ := d.group.machine.Renew(now, d.worker, d.seq)
		p.perform(d.group, actions)
	}
}

// mostDelay bounds after how long a member can have an event come again.
const mostDelay = 5 * time.Minute

// tickGroups does what time brings, and returns when there is more to do, the zero time if there is nothing.
func (p *publisher) tickGroups(now time.Time) (next time.Time) {
	sooner := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	for key, g := range p.groups {
		p.perform(g, g.machine.Tick(now))
		if at, ok := g.machine.Next(); ok {
			sooner(at)
		}
		if len(g.members) > 0 {
			continue
		}
		// A cancellation does not say whether the connection was lost. If it is there still a moment later, it was not.
		left := now.Sub(g.empty) >= p.cfg.beat && !g.last.gone()
		if left || now.Sub(g.empty) >= groupRests {
			p.grouped.Remove(g.pattern, g)
			delete(p.groups, key)
			p.tellChange()
			continue
		}
		if now.Sub(g.empty) < p.cfg.beat {
			sooner(g.empty.Add(p.cfg.beat))
		} else {
			sooner(g.empty.Add(groupRests))
		}
	}
	return next
}

// without returns the deliveries but for those that are to be left out.
func without(all []delivery, out func(delivery) bool) []delivery {
	kept := all[:0]
	for _, d := range all {
		if !out(d) {
			kept = append(kept, d)
		}
	}
	return kept
}

type groupKey struct{ name, pattern string }
