package mdns

import (
	"context"
	"sync"

	"github.com/yodel-mq/yodel/discovery"
)

// A Backend finds peers on the local network. Its methods may be called by any number of goroutines.
type Backend struct {
	config config

	mu     sync.Mutex
	engine *engine // nil while nobody announces or watches
	users  int
}

var (
	_ discovery.Backend   = (*Backend)(nil)
	_ discovery.Confirmer = (*Backend)(nil)
)

// New returns a backend. It opens nothing before the first Announce or Watch.
func New(opts ...Option) *Backend { return &Backend{config: newConfig(opts)} }

// Name returns "mdns".
func (*Backend) Name() string { return "mdns" }

// acquire returns the running engine, and starts it for the first user.
func (b *Backend) acquire() *engine {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.engine == nil {
		b.engine = newEngine(&b.config)
	}
	b.users++
	return b.engine
}

// release stops the engine after its last user, and returns when that is done.
func (b *Backend) release() {
	b.mu.Lock()
	b.users--
	e := b.engine
	if b.users > 0 {
		e = nil
	} else {
		b.engine = nil
	}
	b.mu.Unlock()
	if e != nil {
		e.stop()
	}
}

// Announce makes the node known: the first packet has been sent when it returns. It fails with [discovery.ErrRecord]
// if the record makes no valid message of at most 1200 bytes, of which names and services take the most. ctx bounds
// nothing, for it does not wait.
//
// A network that cannot be used, now or later, is no error: the record is announced as soon as it can be. Watchers
// are told of it as [discovery.Trouble].
func (b *Backend) Announce(_ context.Context, self discovery.Record) (discovery.Announcement, error) {
	a := newAnnouncement(&b.config, b.release)
	if err := a.set(self); err != nil {
		return nil, err
	}
	a.start(b.acquire())
	return a, nil
}

// Watch implements [discovery.Watcher]. Synced comes a second after the first question was asked.
func (b *Backend) Watch(ctx context.Context, q discovery.Query) (<-chan discovery.Event, error) {
	e := b.acquire()
	events, err := e.table.Watch(ctx, q)
	if err != nil {
		b.release()
		return nil, err
	}
	trouble := e.watching()
	// The channel must not close before all is given up.
	out := make(chan discovery.Event)
	go func() {
		defer close(out)
		defer b.release()
		defer e.unwatching()
		if trouble != nil {
			select {
			case out <- discovery.Event{Kind: discovery.Trouble, Source: b.Name(), Err: trouble}:
			case <-ctx.Done():
			}
		}
		for ev := range events {
			select {
			case out <- ev:
			case <-ctx.Done():
			}
		}
	}()
	return out, nil
}

// Confirm implements [discovery.Confirmer]: the node is asked three times within a second, and expires if it has not
// answered after two. Within those two seconds more calls for the same node do nothing; neither do more than 50 calls a
// second, and calls while nobody announces or watches.
func (b *Backend) Confirm(id discovery.ID) {
	b.mu.Lock()
	e := b.engine
	b.mu.Unlock()
	if e != nil {
		e.confirm(id, false)
	}
}

// Stats returns counters since the backend last began to announce or watch; all zero while it does neither.
func (b *Backend) Stats() Stats {
	b.mu.Lock()
	e := b.engine
	b.mu.Unlock()
	if e == nil {
		return Stats{}
	}
	return e.stats()
}
