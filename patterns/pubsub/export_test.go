package pubsub

import "context"

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
