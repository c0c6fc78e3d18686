package discovery

import (
	"container/list"
	"context"
	"sync"
)

// A feed stands between those who tell of nodes, who never wait, and one reader. What the reader has not taken yet is
// kept once for each node, the latest state of it, at the place in the order where it first changed; a node that came
// and went unseen is not told at all. So a feed holds no more than the nodes that are there and those that the reader
// believes to be.
type feed struct {
	group string // put into records, if not ""
	out   chan Event
	wake  chan struct{}

	mu       sync.Mutex
	queue    list.List            // of *note
	pending  map[ID]*list.Element // in queue
	told     map[ID]bool          // what the reader believes to be there; true for Incompatible
	troubles int                  // in queue
}

// A note is an event to be; Record is shared until it is told.
type note struct {
	kind   EventKind
	source string
	rec    *Record
	err    error
}

func newFeed(group string) *feed {
	return &feed{
		group: group, out: make(chan Event), wake: make(chan struct{}, 1),
		pending: make(map[ID]*list.Element), told: make(map[ID]bool),
	}
}

// present says that a node is there, with this record.
func (f *feed) present(source string, r *Record, alien bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	wasAlien, told := f.told[r.ID]
	n := &note{kind: Added, source: source, rec: r}
	switch {
	case alien:
		n.kind = Incompatible
	case told && !wasAlien:
		n.kind = Updated
	}
	f.change(n)
}

// gone says that a node is no longer there: k is Left or Expired.
func (f *feed) gone(source string, r *Record, k EventKind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, told := f.told[r.ID]; told {
		f.change(&note{kind: k, source: source, rec: r})
	} else if e := f.pending[r.ID]; e != nil {
		f.queue.Remove(e)
		delete(f.pending, r.ID)
	}
}

// change replaces what is pending for the node.
func (f *feed) change(n *note) {
	if e := f.pending[n.rec.ID]; e != nil {
		e.Value = n
		return
	}
	f.pending[n.rec.ID] = f.queue.PushBack(n)
	f.nudge()
}

// sync tells Synced; it is called once.
func (f *feed) sync(source string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue.PushBack(&note{kind: Synced, source: source})
	f.nudge()
}

func (f *feed) trouble(ev Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.troubles == maxTroubles {
		e := f.queue.Front()
		for e.Value.(*note).kind != Trouble {
			e = e.Next()
		}
		f.queue.Remove(e)
		f.troubles--
	}
	f.queue.PushBack(&note{kind: Trouble, source: ev.Source, err: ev.Err})
	f.troubles++
	f.nudge()
}

func (f *feed) nudge() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// next takes the first note out of the queue; from then on the reader counts as told.
func (f *feed) next() *note {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.queue.Front()
	if e == nil {
		return nil
	}
	n := f.queue.Remove(e).(*note)
	switch n.kind {
	case Added, Updated, Incompatible:
		f.told[n.rec.ID] = n.kind == Incompatible
	case Left, Expired:
		delete(f.told, n.rec.ID)
	case Trouble:
		f.troubles--
	case Synced:
	}
	if n.rec != nil {
		delete(f.pending, n.rec.ID)
	}
	return n
}

// run tells the reader until ctx or done ends.
func (f *feed) run(ctx context.Context, done <-chan struct{}) {
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
