package discovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Merge makes one backend of several, for nodes that can be found in more than one way. nil stands for none.
//
// Nodes are told apart by ID. Of what the backends know of one, the newest (Incarnation, Revision) counts, with the
// Addrs and the From of all that know the same incarnation, those of the newest record first; if addresses are added
// so, Proof is gone, for it no longer fits. A node has gone when the last backend has lost it. Events name the
// backend that they come from.
//
// Announce goes to all that announce; that one of them fails is told as Trouble as long as another works. Watch is
// synced when all backends are. A backend that cannot be watched, or ends, is told as Trouble, unless it is the last.
// Confirm goes to all that can.
func Merge(backends ...Backend) Backend {
	backends = slices.DeleteFunc(slices.Clone(backends), func(b Backend) bool { return b == nil })
	return &merged{backends: backends, queues: make(map[*eventQueue]struct{})}
}

type merged struct {
	backends []Backend

	mu     sync.Mutex
	queues map[*eventQueue]struct{}
	missed []Event // Troubles while there was no watch
}

// Name returns the names of the backends, joined by "+".
func (m *merged) Name() string {
	names := make([]string, len(m.backends))
	for i, b := range m.backends {
		names[i] = b.Name()
	}
	return strings.Join(names, "+")
}

// Confirm asks all backends that can be asked.
func (m *merged) Confirm(id ID) {
	for _, b := range m.backends {
		if c, ok := b.(Confirmer); ok {
			c.Confirm(id)
		}
	}
}

// trouble tells all watches, or the next one if there is none.
func (m *merged) trouble(source string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := Event{Kind: Trouble, Source: source, Err: err}
	if len(m.queues) == 0 {
		m.missed = keep(m.missed, e)
	}
	for f := range m.queues {
		f.trouble(e)
	}
}

// Watch starts a watch of each backend, each with a goroutine that never waits for the reader.
func (m *merged) Watch(ctx context.Context, q Query) (<-chan Event, error) {
	ctx, cancel := context.WithCancel(ctx)
	v := &view{queue: newEventQueue(""), nodes: make(map[ID]sightings)}
	sources := make([]<-chan Event, len(m.backends))
	var errs []error
	for i, b := range m.backends {
		var err error
		if sources[i], err = b.Watch(ctx, q); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", b.Name(), err))
			v.queue.trouble(Event{Kind: Trouble, Source: b.Name(), Err: err})
		} else {
			v.waiting++
		}
	}
	if len(errs) > 0 && v.waiting == 0 {
		cancel()
		return nil, errors.Join(errs...)
	}
	m.mu.Lock()
	m.queues[v.queue] = struct{}{}
	for _, e := range m.missed {
		v.queue.trouble(e)
	}
	m.missed = nil
	m.mu.Unlock()
	if v.waiting == 0 {
		v.queue.sync(m.Name())
	}
	var readers sync.WaitGroup
	for i, events := range sources {
		if events != nil {
			readers.Go(func() { v.read(ctx, i, m.backends[i].Name(), events) })
		}
	}
	go func() {
		defer close(v.queue.out)
		v.queue.run(ctx, ctx.Done())
		cancel()
		readers.Wait()
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.queues, v.queue)
	}()
	return v.queue.out, nil
}

// Announce announces with each backend that can.
func (m *merged) Announce(ctx context.Context, self Record) (Announcement, error) {
	all := &announcements{of: m}
	var errs []error
	for _, b := range m.backends {
		switch a, err := b.Announce(ctx, self.Clone()); {
		case err == nil:
			all.list = append(all.list, a)
			all.names = append(all.names, b.Name())
		case errors.Is(err, ErrReadOnly):
		default:
			errs = append(errs, fmt.Errorf("%s: %w", b.Name(), err))
		}
	}
	switch {
	case len(all.list) > 0:
		for _, err := range errs {
			m.trouble(m.Name(), err)
		}
		return all, nil
	case len(errs) > 0:
		return nil, errors.Join(errs...)
	}
	return nil, fmt.Errorf("%w: %s", ErrReadOnly, m.Name())
}

type announcements struct {
	of    *merged
	list  []Announcement
	names []string
}

// Update updates all; the error joins theirs.
func (a *announcements) Update(r Record) error {
	errs := make([]error, len(a.list))
	for i, one := range a.list {
		if err := one.Update(r.Clone()); err != nil {
			errs[i] = fmt.Errorf("%s: %w", a.names[i], err)
		}
	}
	return errors.Join(errs...)
}

// Close says goodbye with all at the same time, as each takes its time; the error joins theirs.
func (a *announcements) Close(ctx context.Context) error {
	errs := make([]error, len(a.list))
	var goodbyes sync.WaitGroup
	for i, one := range a.list {
		goodbyes.Go(func() {
			if err := one.Close(ctx); err != nil {
				errs[i] = fmt.Errorf("%s: %w", a.names[i], err)
			}
		})
	}
	goodbyes.Wait()
	return errors.Join(errs...)
}
