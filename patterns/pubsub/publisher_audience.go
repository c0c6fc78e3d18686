package pubsub

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/yodel-mq/yodel/socket"
)

// WaitSubscribers waits until an event published under a subject would reach at least n subscribers, foreign ones
// among them; a group counts as one, and so does a durable subscription whose subscriber is there. It returns an
// error if ctx ends, or the publisher closes, first; then it matches socket.ErrClosed. The next event then reaches
// them: there is no need to sleep.
func (p *publisher) WaitSubscribers(ctx context.Context, subject string, n int) error {
	for {
		p.mu.Lock()
		have, changed := len(p.audience(nil, subject))+p.sharers(subject)+p.lasting(subject), p.changed
		p.mu.Unlock()
		if have >= n {
			return nil
		}
		var err error
		select {
		case <-changed:
			continue
		case <-ctx.Done():
			err = ctx.Err()
		case <-p.done:
			err = socket.ErrClosed
		}
		return failed("wait", fmt.Errorf("for %d subscribers to %q, have %d: %w", n, subject, have, err))
	}
}

// audience appends whom an event is for, each once. mu is held.
func (p *publisher) audience(dst []*remote, name string) []*remote {
	dst = p.tree.Match(dst, name)
	p.round++
	p.foreign.each(name, func(r *remote) {
		if r.found != p.round {
			r.found = p.round
			dst = append(dst, r)
		}
	})
	return dst
}

// sharers counts the groups with members that an event is for. mu is held.
func (p *publisher) sharers(name string) (n int) {
	for _, g := range p.grouped.Match(nil, name) {
		if len(g.members) > 0 {
			n++
		}
	}
	return n
}

// A Binding is one subscription, as the publisher has it.
type Binding struct {
	// Pattern is what is subscribed to, of a foreign subscriber a prefix and "*" behind it.
	Pattern string
	// Group and Name are those of the subscription, if it has one.
	Group, Name string
	// Peer is who has subscribed.
	Peer *socket.Peer
	// Sent is how many events were for the connection, with all its bindings but groups, and Dropped how many of its
	// messages found no room; of a group, how many events of it nobody could make anything of; of a durable
	// subscription, how many events it was given since the publisher began, and how many its spool has dropped.
	Sent, Dropped uint64
	// Open is how many events of the group or durable subscription the peer has, and has not acknowledged.
	Open uint64
}

// Bindings lists all subscriptions, by pattern. It is made for being looked at now and then.
func (p *publisher) Bindings() []Binding {
	dropped := make(map[*socket.Peer]uint64)
	for _, s := range p.sock.Stats().Peers {
		dropped[s.Peer] = s.Dropped[socket.QueueFull].Messages
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []Binding
	for peer, r := range p.remotes {
		for topic, b := range r.bindings {
			one := Binding{Pattern: topic + "*", Peer: peer, Sent: r.meant, Dropped: dropped[peer]}
			if b != nil {
				one.Pattern, one.Group, one.Name = b.pattern, b.group, b.durable
			}
			if b != nil && b.of != nil {
				one.Sent, one.Dropped = r.deliveries, b.of.dropped
				for _, d := range r.open {
					if d.worker == b.worker {
						one.Open++
					}
				}
			}
			if b != nil && b.lasting != nil {
				d := b.lasting
				one.Sent, one.Dropped, one.Open = d.given, d.lost, uint64(len(d.open))
			}
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(a, b Binding) int {
		return cmp.Or(cmp.Compare(a.Pattern, b.Pattern), cmp.Compare(a.Group, b.Group),
			cmp.Compare(a.Peer.Address, b.Peer.Address))
	})
	return all
}
