package pubsub

import (
	"context"

	"github.com/yodel-mq/yodel/patterns"
)

// WaitBindings waits until there are just n subscriptions.
func (p *publisher) WaitBindings(ctx context.Context, n int) error {
	for {
		p.mu.Lock()
		have, changed := 0, p.changed
		for _, r := range p.remotes {
			have += len(r.bindings)
		}
		p.mu.Unlock()
		if have == n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Topic is the subscription to a pattern as it travels.
func Topic(pattern string) string {
	r := request{pattern: pattern}
	return r.topic()
}

// GroupTopic is the subscription of a member of a group as it travels.
func GroupTopic(pattern, group string) string {
	r := request{pattern: pattern, group: group}
	return r.topic()
}

// Upstream is a word of a subscriber on all events of a connection.
func Upstream(kind, connection uint64) []byte {
	h := patterns.Head{
		Kind: patterns.Kind(kind), Window: connection, Seq: 1 << 40, List: []uint64{0, 1 << 40, 5, 4, 1}, Method: "a",
	}
	return h.AppendTo(nil)
}

// WaitLive waits until no subscription waits for its subscriber to say how far it got.
func (p *publisher) WaitLive(ctx context.Context) error {
	for {
		p.mu.Lock()
		held, changed := 0, p.changed
		for _, r := range p.remotes {
			for _, b := range r.bindings {
				if b != nil && !b.held.IsZero() {
					held++
				}
			}
		}
		p.mu.Unlock()
		if held == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
