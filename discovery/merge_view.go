package discovery

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"sync"
)

// A view is what all backends together know, for one watch of a merged backend.
type view struct {
	queue *eventQueue

	mu      sync.Mutex
	nodes   map[ID]sightings
	waiting int // backends that have neither synced nor ended
}

// sightings are what each backend that knows a node has told of it, and what the reader was told of them together.
type sightings struct {
	by           map[int]sighting
	delivered    *Record
	incompatible bool
}

type sighting struct {
	rec          *Record
	incompatible bool
}

// read takes in what one backend tells, until its channel is closed.
func (v *view) read(ctx context.Context, backend int, name string, events <-chan Event) {
	synced := false
	for ev := range events {
		switch ev.Kind {
		case Added, Updated, Incompatible:
			v.seen(backend, ev)
		case Left, Expired:
			v.lost(backend, ev.Record.ID, ev.Source, ev.Kind, ev.Record.From)
		case Trouble:
			v.queue.trouble(ev)
		case Synced:
			if !synced {
				synced = true
				v.sync(ev.Source)
			}
		}
	}
	if ctx.Err() != nil {
		return
	}
	// The backend has ended by itself: nodes that only it knew will not be heard of any more.
	v.queue.trouble(Event{Kind: Trouble, Source: name, Err: fmt.Errorf("%w: %s tells no more", ErrClosed, name)})
	v.mu.Lock()
	ids := slices.Collect(maps.Keys(v.nodes))
	v.mu.Unlock()
	for _, id := range ids {
		v.lost(backend, id, name, Expired, nil)
	}
	if !synced {
		v.sync(name)
	}
}

// sync counts a backend that has synced or ended.
func (v *view) sync(source string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.waiting--; v.waiting == 0 {
		v.queue.sync(source)
	}
}

func (v *view) seen(backend int, ev Event) {
	r := ev.Record
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.nodes[r.ID]
	if s.by == nil {
		s.by = make(map[int]sighting, 1)
	}
	s.by[backend] = sighting{rec: &r, incompatible: ev.Kind == Incompatible}
	v.notify(r.ID, s, ev.Source)
}

// lost removes a node from what a backend knows; from is the source of the goodbye, see [Event].
func (v *view) lost(backend int, id ID, source string, k EventKind, from []netip.Addr) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.nodes[id]
	if _, known := s.by[backend]; !known {
		return
	}
	delete(s.by, backend)
	if len(s.by) == 0 {
		delete(v.nodes, id)
		last := *s.delivered
		if from != nil {
			last.From = from
		}
		v.queue.gone(source, &last, k)
		return
	}
	v.notify(id, s, source)
}

// notify merges what the backends know of a node, and tells the reader if that has changed.
func (v *view) notify(id ID, s sightings, source string) {
	r, incompatible := s.merge()
	if s.delivered == nil || s.incompatible != incompatible || differs(s.delivered, r) {
		v.queue.present(source, r, incompatible)
		s.delivered, s.incompatible = r, incompatible
	}
	v.nodes[id] = s
}

// differs reports whether anything but the proof and its time has changed.
func differs(a, b *Record) bool {
	x, y := *a, *b
	x.Issued, x.Lifetime, x.Proof = y.Issued, y.Lifetime, y.Proof
	return !reflect.DeepEqual(x, y)
}

// merge returns the newest record with what the others of its incarnation add; of equals that of the first backend
// counts.
func (s sightings) merge() (r *Record, incompatible bool) {
	order := slices.Sorted(maps.Keys(s.by))
	slices.SortStableFunc(order, func(i, j int) int {
		switch a, b := s.by[i].rec, s.by[j].rec; {
		case a.Newer(b):
			return -1
		case b.Newer(a):
			return 1
		}
		return 0
	})
	newest := s.by[order[0]]
	all := *newest.rec
	all.Addrs, all.From = slices.Clone(all.Addrs), slices.Clone(all.From)
	for _, i := range order[1:] {
		if other := s.by[i].rec; other.Incarnation == all.Incarnation {
			all.Addrs = union(all.Addrs, other.Addrs)
			all.From = union(all.From, other.From)
		}
	}
	if len(all.Addrs) != len(newest.rec.Addrs) {
		all.Proof = nil
	}
	return &all, newest.incompatible
}

func union(a, b []netip.Addr) []netip.Addr {
	for _, addr := range b {
		if !has(a, addr) {
			a = append(a, addr)
		}
	}
	return a
}
