package discovery

import (
	"container/list"
	"context"
	"sync"
)

// An eventQueue is a coalescing queue of events with one reader; to put something into it never waits. It holds at most
// one event for each node, the latest, at the place of the first that was not read. A node that came and went between
// two reads leaves nothing. So its length is bounded by the nodes that are there and those that the reader was told of.
type eventQueue struct {
	group string // put into records, if not ""
	out   chan Event
	wake  chan struct{}

	mu        sync.Mutex
	order     list.List            // of *queuedEvent
	pending   map[ID]*list.Element // what is in order, by node
	delivered map[ID]bool          // the nodes that the reader was told of and not yet the end of; true for Incompatible
	troubles  int                  // how many of them are in order
}

// A queuedEvent is an Event before it is read. Its record is shared, and cloned for the reader.
type queuedEvent struct {
	kind   EventKind
	source string
	rec    *Record
	err    error
}

func newEventQueue(group string) *eventQueue {
	return &eventQueue{
		group: group, out: make(chan Event), wake: make(chan struct{}, 1),
		pending: make(map[ID]*list.Element), delivered: make(map[ID]bool),
	}
}

// present queues that a node is there, with this record.
func (f *eventQueue) present(source string, r *Record, incompatible bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	wasIncompatible, delivered := f.delivered[r.ID]
	n := &queuedEvent{kind: Added, source: source, rec: r}
	switch {
	case incompatible:
		n.kind = Incompatible
	case delivered && !wasIncompatible:
		n.kind = Updated
	}
	f.change(n)
}

// gone queues that a node is no longer there: k is Left or Expired.
func (f *eventQueue) gone(source string, r *Record, k EventKind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, delivered := f.delivered[r.ID]; delivered {
		f.change(&queuedEvent{kind: k, source: source, rec: r})
	} else if e := f.pending[r.ID]; e != nil {
		f.order.Remove(e)
		delete(f.pending, r.ID)
	}
}

// change replaces the event that is pending for the node, or appends it.
func (f *eventQueue) change(n *queuedEvent) {
	if e := f.pending[n.rec.ID]; e != nil {
		e.Value = n
		return
	}
	f.pending[n.rec.ID] = f.order.PushBack(n)
	f.signal()
}

// sync queues Synced. It is called once.
func (f *eventQueue) sync(source string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.order.PushBack(&queuedEvent{kind: Synced, source: source})
	f.signal()
}

// trouble queues a Trouble. Of more than maxTroubles the oldest goes.
func (f *eventQueue) trouble(ev Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.troubles == maxTroubles {
		e := f.order.Front()
		for e.Value.(*queuedEvent).kind != Trouble {
			e = e.Next()
		}
		f.order.Remove(e)
		f.troubles--
	}
	f.order.PushBack(&queuedEvent{kind: Trouble, source: ev.Source, err: ev.Err})
	f.troubles++
	f.signal()
}

// signal wakes run.
func (f *eventQueue) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// next takes the first event out of the queue, nil if there is none. The reader counts as told of it from then on.
func (f *eventQueue) next() *queuedEvent {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.order.Front()
	if e == nil {
		return nil
	}
	n := f.order.Remove(e).(*queuedEvent)
	switch n.kind {
	case Added, Updated, Incompatible:
		f.delivered[n.rec.ID] = n.kind == Incompatible
	case Left, Expired:
		delete(f.delivered, n.rec.ID)
	case Trouble:
		f.troubles--
	case Synced:
	}
	if n.rec != nil {
		delete(f.pending, n.rec.ID)
	}
	return n
}

// run hands events to the reader until ctx or done ends.
func (f *eventQueue) run(ctx context.Context, done <-chan struct{}) {
	for ctx.Err() == nil {
		n := f.next()
		if n == nil {
			select {
			case <-f.wake:
				continue
			case <-ctx.Done():
			case <-done:
			}
			return
		}
		ev := Event{Kind: n.kind, Source: n.source, Err: n.err}
		if n.rec != nil {
			ev.Record = n.rec.Clone()
			if f.group != "" {
				ev.Record.Group = f.group
			}
		}
		select {
		case f.out <- ev:
		case <-ctx.Done():
			return
		case <-done:
			return
		}
	}
}
