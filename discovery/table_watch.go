package discovery

import (
	"bytes"
	"context"
	"fmt"
	"slices"
)

// maxTroubles is how many Troubles wait for a reader; of more the oldest are forgotten.
const maxTroubles = 8

// A watch is one call of Watch.
type watch struct {
	tag, service string
	queue        *eventQueue
}

func (w *watch) matches(n *entry) bool { return n.tag == w.tag && hasService(n.rec, w.service) }

// hasService reports whether a node has the service, any for "".
func hasService(r *Record, service string) bool {
	return service == "" || slices.ContainsFunc(r.Services, func(s Service) bool { return s.Name == service })
}

// check says what is wrong with a query: a name that no record can have.
func (q Query) check() error {
	err := checkGroup(q.Group)
	if err == nil && q.Service != "" {
		err = checkName("service", q.Service)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRecord, err)
	}
	return nil
}

// Watch is for the Watch of a [Backend]: it tells first all that is known, then Synced once Sync has been called,
// then each change, until ctx ends or the table is closed; it then closes the channel. Records have the group's name,
// not its tag. It fails with ErrRecord if the query names something that no record can have, ErrLimit if there are
// TableConfig.Watched watches already, or ErrClosed.
func (t *Table) Watch(ctx context.Context, q Query) (<-chan Event, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	w := &watch{tag: t.trust.Tag(q.Group), service: q.Service, queue: newEventQueue(groupName(q.Group))}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, fmt.Errorf("%w: %s", ErrClosed, t.source)
	}
	if len(t.watches) >= t.cfg.Watched {
		return nil, fmt.Errorf("%w: %d watches", ErrLimit, len(t.watches))
	}
	t.watches[w] = struct{}{}
	for _, e := range t.missed {
		w.queue.trouble(e)
	}
	t.missed = nil
	for _, n := range t.nodes {
		if w.matches(n) {
			w.queue.present(t.source, n.rec, n.incompatible)
		}
	}
	if t.synced {
		w.queue.sync(t.source)
	}
	go func() {
		defer close(w.queue.out)
		w.queue.run(ctx, t.done)
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.watches, w)
	}()
	return w.queue.out, nil
}

// notify says that n is new or has changed; before is what was known of it.
func (t *Table) notify(n *entry, before *Record) {
	var last *Record // what was known before, and who has changed that
	for w := range t.watches {
		if w.matches(n) {
			w.queue.present(t.source, n.rec, n.incompatible)
		} else if before != nil {
			if last == nil {
				c := *before
				c.From = n.rec.From
				last = &c
			}
			w.queue.gone(t.source, last, Left) // no longer offers the service
		}
	}
}

func (t *Table) notifyGone(n *entry, k EventKind) {
	for w := range t.watches {
		w.queue.gone(t.source, n.rec, k)
	}
}

// Sync says that all that was present has been put: watchers hear Synced, once each, those to come too.
func (t *Table) Sync() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.synced || t.closed {
		return
	}
	t.synced = true
	for w := range t.watches {
		w.queue.sync(t.source)
	}
}

// Trouble tells watchers that the backend cannot do all it should. If there are none it is kept for the first to
// come, the last eight of them.
func (t *Table) Trouble(err error) {
	if err == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trouble(err)
}

func (t *Table) trouble(err error) {
	e := Event{Kind: Trouble, Source: t.source, Err: err}
	if t.closed {
		return
	}
	if len(t.watches) == 0 {
		t.missed = keep(t.missed, e)
	}
	for w := range t.watches {
		w.queue.trouble(e)
	}
}

// keep appends, and forgets the oldest of too many.
func keep(missed []Event, e Event) []Event {
	if len(missed) == maxTroubles {
		missed = slices.Delete(missed, 0, 1)
	}
	return append(missed, e)
}

// Records returns what is known and matches, in the order of IDs, without nodes that are Incompatible. A query that
// names something that no record can have matches nothing.
func (t *Table) Records(q Query) []Record {
	w := &watch{tag: t.trust.Tag(q.Group), service: q.Service}
	t.mu.Lock()
	var found []*Record
	for _, n := range t.nodes {
		if !n.incompatible && w.matches(n) {
			found = append(found, n.rec)
		}
	}
	t.mu.Unlock()
	slices.SortFunc(found, func(a, b *Record) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	records := make([]Record, len(found))
	for i, r := range found {
		records[i] = r.Clone()
		records[i].Group = groupName(q.Group)
	}
	return records
}

// Close ends all watches and forgets all nodes; the channels are closed soon after. To close again does nothing.
func (t *Table) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.closed = true
	close(t.done)
	for _, n := range t.nodes {
		if n.timer != nil {
			n.timer.Stop()
		}
	}
	clear(t.nodes)
	clear(t.sources)
	t.unconfirmed.Init()
	t.tombstones, t.missed = tombstones{}, nil
}
